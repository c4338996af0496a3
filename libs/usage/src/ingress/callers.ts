import type { Authenticator, Caller } from '@valueverse/auth';
import { NotYetKnown, type FeedRecord } from '@valueverse/event-log';
import { Problem } from '@valueverse/platform';
import { ItemFault } from '../ingest/domain/usage-event';
import { authorizationOf } from './read-record';

/** Whose records these are, found before the transaction that takes them in. */
export class Callers {
  private readonly found = new WeakMap<FeedRecord, Caller | ItemFault>();

  constructor(private readonly authenticator: Authenticator) {}

  /** Looks for the credentials of records, for each once. Throws `NotYetKnown` while one may still be on its way here. */
  async look(records: readonly FeedRecord[]): Promise<void> {
    const asked = new Map<string, Promise<Caller | ItemFault>>();
    for (const record of records) {
      if (record.client === undefined) continue;
      const header = authorizationOf(record.client);
      if (header instanceof ItemFault) { this.found.set(record, header); continue; }
      const asking = asked.get(header) ?? this.ask(header);
      asked.set(header, asking);
      this.found.set(record, await asking);
    }
  }

  /** Of a record that was looked at. One that was set aside is known by its place alone. */
  of(record: FeedRecord): Caller | ItemFault {
    return this.found.get(record) ?? new ItemFault('set_aside', 'the record was set aside; vv_record says where it is');
  }

  private async ask(header: string): Promise<Caller | ItemFault> {
    try {
      const caller = this.authenticator.known(header) ?? await this.authenticator.callerOf(header);
      if (caller.kind !== 'ingest' && caller.kind !== 'publishable') return new ItemFault('secret_key_refused', 'a log keeps what it gets: send with an ingest or publishable key, and revoke this one');
      return caller.scopes.includes('usage:write') ? caller : new ItemFault('permission_missing', 'this key may not send usage');
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status === 503) throw new NotYetKnown('the credential of a record is not known here yet');
      return new ItemFault(error.code, error.detail ?? error.code);
    }
  }
}
