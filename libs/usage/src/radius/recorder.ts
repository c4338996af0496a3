import { isTransient, type Database, type Tx } from '@valueverse/event-log';
import type { IdSource } from '@valueverse/kernel';
import type { KnownClient } from './clients';
import type { Deliveries } from './deliveries';
import type { SessionReport } from './domain/accounting';
import { hasGrown } from './domain/counter-chain';
import { sentMicros } from './domain/event-time';
import { PacketFault } from './domain/packet';
import { receive, type Session } from './domain/sessions';
import { reportIdOf, usageEventOf } from './domain/usage-of-session';
import { keyText, lockSessions, plan, plannedOf, writeSessions, type Planned, type SessionKey } from './session-table';

/** A report of a session, from whom it is, when it happened and when it came; in microseconds. */
export interface Told { readonly client: KnownClient; readonly report: SessionReport; readonly at: number; readonly arrivedAt: number }
export type Recorded = { readonly isRepeated: boolean } | PacketFault;
interface Waiting { readonly told: Told; readonly done: (recorded: Recorded) => void; readonly failed: (cause: unknown) => void }

/** Reports of one transaction: more would make each of them wait. */
const TOGETHER_MAX = 200;
/** Transactions of different tenants that are under way at a time. */
const AT_ONCE = 4;

const keyOf = ({ client, report }: Told): SessionKey => ({ tenant: client.tenant, nas: report.nas, sessionId: report.sessionId });

/**
 * Makes reports durable. Those that come while a transaction of their tenant is under way share the next one: their sessions, the events that they lead to, and one append. Who comes second with
 * a report, here or in another process, finds both session and event.
 */
export class Recorder {
  private readonly waiting = new Map<string, Waiting[]>();
  private readonly busy = new Set<string>();

  constructor(private readonly database: Database, private readonly deliveries: Deliveries, private readonly ids: IdSource) {}

  /** Resolves when the report and its usage are durable. Throws where they may not be. */
  record(told: Told): Promise<Recorded> {
    const { tenant } = told.client;
    return new Promise((done, failed) => {
      const own = this.waiting.get(tenant);
      if (own === undefined) this.waiting.set(tenant, [{ told, done, failed }]);
      else own.push({ told, done, failed });
      this.next();
    });
  }

  private next(): void {
    for (const [tenant, own] of this.waiting) {
      if (this.busy.size >= AT_ONCE) return;
      if (this.busy.has(tenant)) continue;
      this.busy.add(tenant);
      const together = own.splice(0, TOGETHER_MAX);
      // Behind the others, where there is more: each tenant has its turn.
      this.waiting.delete(tenant);
      if (own.length > 0) this.waiting.set(tenant, own);
      void this.take(tenant, together).finally(() => { this.busy.delete(tenant); this.next(); });
    }
  }

  private async take(tenant: string, together: readonly Waiting[]): Promise<void> {
    let written: Awaited<ReturnType<Recorder['write']>>;
    try {
      written = await this.database.transaction({ role: 'api', tenant }, (tx) => this.write(tx, tenant, together.map(({ told }) => told)));
    } catch (error) {
      // One that cannot be written takes no others with it.
      if (together.length > 1 && !isTransient(error)) for (const one of together) await this.take(tenant, [one]);
      else for (const { failed } of together) failed(error);
      return;
    }
    try {
      // Also what earlier reports of these sessions left behind, when a process ended between the session and the feed.
      await this.deliveries.deliver(tenant, written.planned);
      for (const [nth, { done }] of together.entries()) done(written.recorded[nth]!);
    } catch (error) {
      for (const { failed } of together) failed(error);
    }
  }

  private async write(tx: Tx, tenant: string, together: readonly Told[]): Promise<{ recorded: Recorded[]; planned: Planned[] }> {
    const sessions = await lockSessions(tx, together.map(keyOf));
    const changed = new Map<string, { key: SessionKey; session: Session }>();
    const fresh: (Planned & { plannedAt: number })[] = [];
    const recorded = together.map((told): Recorded => {
      const { client, report, at, arrivedAt } = told;
      const [key, reportId] = [keyOf(told), reportIdOf(report)];
      const known = sessions.get(keyText(key)) ?? [];
      const received = receive(known, { client: client.id, report, at, sentAt: sentMicros(report, arrivedAt) }, { reportId, newId: this.ids.next('ras') });
      if (received instanceof PacketFault) return received;
      const { session, growth, isRepeated } = received;
      if (isRepeated) return { isRepeated };
      sessions.set(keyText(key), [...known.filter(({ id }) => id !== session.id), session]);
      changed.set(session.id, { key, session });
      if (hasGrown(growth)) fresh.push({ tenant, session: session.id, id: reportId, plannedAt: arrivedAt, event: JSON.stringify(usageEventOf(client.name, report, session, growth, { id: reportId, at })) });
      return { isRepeated };
    });
    await writeSessions(tx, [...changed.values()]);
    await plan(tx, fresh);
    return { recorded, planned: await plannedOf(tx, tenant, [...sessions.values()].flat().map(({ id }) => id)) };
  }
}
