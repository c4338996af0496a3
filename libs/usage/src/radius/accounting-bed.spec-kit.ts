import { eventually } from '@valueverse/testing';
import { isBefore, microsNumberOfText, type Instant } from '@valueverse/kernel';
import { Database } from '@valueverse/event-log';
import { createLogger, SealedSecrets, systemClock, systemIds } from '@valueverse/platform';
import { HostBed } from '../host-bed.spec-kit';
import { Ingest } from '../ingest/ingest';
import { Accounting, md5, type Taken } from './accounting';
import { deleteClient, insertClient, KnownClients } from './clients';
import { Deliveries } from './deliveries';
import type { SubjectAttribute } from './domain/accounting';
import { encodeRequest } from './domain/authenticator';
import { PacketFault } from './domain/packet';
import { attribute, type Values } from './nas.spec-kit';

const SECRET = 'xyzzy5461';
export const TENANT = 'org_1:test';
/** 2026-03-01T12:00:00Z, in Unix seconds. */
export const T = 1_772_366_400;
export const NOW = '2026-03-01T13:00:00Z';
export const START = 1, STOP = 2, INTERIM = 3, ACCOUNTING_ON = 7;

const secrets = new SealedSecrets(Buffer.alloc(32, 9));

/** A process beside the hosted one: with its own database, its own memory and faults of its own. */
export class Replica {
  readonly accounting: Accounting;
  readonly deliveries: Deliveries;
  readonly database: Database;
  nowMs = 0;
  now: Instant = NOW;
  /** Thrown instead of the append, or after it. */
  fault: { readonly when: 'before' | 'after' } | undefined;
  /** How many statements are let through before the process dies; it stays dead. */
  statementsLeft = Infinity;
  /** Told of each statement; may throw instead of it. */
  watch: (text: string) => void = () => undefined;
  appends = 0;

  constructor(bed: HostBed) {
    this.database = new Database({ url: bed.service.database.url, schema: 'usage', connectionsMax: 4, beforeStatement: (text) => {
      if (this.statementsLeft-- <= 0) throw new Error('the process has ended');
      this.watch(text);
    } });
    const ingest = new Ingest(bed.service.feed, systemIds);
    const faulty = { accept: async (...given: Parameters<Ingest['accept']>) => {
      if (this.fault?.when === 'before') throw new Error('the feed does not answer');
      this.appends += 1;
      // By the clock of the hosted process, which may bring what it finds planned here: half a year apart the same event would be two.
      const [tenant, environment, items] = given;
      const result = await ingest.accept(tenant, environment, items, systemClock.now());
      if (this.fault?.when === 'after') throw new Error('the answer of the feed was lost');
      return result;
    } } as Ingest;
    const clients = new KnownClients(this.database, secrets, (_, cause) => { throw cause; }, () => this.nowMs);
    this.deliveries = new Deliveries(this.database, faulty, () => this.now, createLogger({ service: 'usage', level: 'silent' }));
    this.accounting = new Accounting(this.database, clients, this.deliveries, systemIds, { now: () => this.now });
  }
  async take(packet: Uint8Array, source = '192.0.2.1'): Promise<Taken['result'] | PacketFault['code']> {
    const taken = await this.accounting.take(packet, source);
    return taken instanceof PacketFault ? taken.code : taken.result;
  }
}

/** Attributes by name; one that is undefined is not sent. */
export type Sent = { readonly [name in keyof Values]: Values[name] | undefined };
export const packet = (values: Sent): Uint8Array =>
  encodeRequest(1, Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [attribute(name as never, value)])), Buffer.from(SECRET), md5);
/** What a NAS says of the one session of a subject, so many seconds after its start. */
export const report = (subject: string, status: number, elapsed: number, octets: number, more: Sent = {}): Uint8Array => packet({
  ACCT_STATUS_TYPE: status, USER_NAME: subject, NAS_IDENTIFIER: 'nas', ACCT_SESSION_ID: `of ${subject}`, EVENT_TIMESTAMP: T + elapsed, ACCT_SESSION_TIME: elapsed, ACCT_INPUT_OCTETS: octets, ...more });

/** The usage service with a meter of octets, and processes beside it that take packets without a socket. */
export class AccountingBed {
  private readonly replicas: Replica[] = [];
  private constructor(readonly host: HostBed, readonly key: string) {}

  static async make(): Promise<AccountingBed> {
    const host = await HostBed.make();
    const key = await host.key('org_1');
    const made = await host.ask('POST', 'meters', key, { key: 'octets', eventType: 'radius.accounting', aggregation: 'sum', valueProperty: '$.totalOctets' });
    if (made.status !== 201) throw new Error(`the meter was not made: ${made.status}`);
    return new AccountingBed(host, key);
  }

  replica(): Replica {
    const replica = new Replica(this.host);
    this.replicas.push(replica);
    return replica;
  }
  addClient(name: string, address: string, more: { readonly tenant?: string; readonly id?: string; readonly subjectAttribute?: SubjectAttribute } = {}): Promise<void> {
    const { tenant = TENANT, id = `rac_${name}`, subjectAttribute = 'User-Name' } = more;
    return this.host.service.database.transaction({ role: 'api', tenant }, (tx) => insertClient(tx, tenant, id, { name, address, secret: SECRET, subjectAttribute, nasIdentifier: null }, microsNumberOfText(NOW), secrets));
  }
  async removeClient(id: string): Promise<void> {
    if (!(await this.host.service.database.transaction({ role: 'api', tenant: TENANT }, (tx) => deleteClient(tx, TENANT, id)))) throw new Error(`there is no client ${id}`);
  }
  metered(subject: string, value: string): Promise<unknown> {
    return eventually(`${value} of ${subject}`, async (saw) => {
      const { body } = await this.host.ask('GET', `meters/octets/query?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&subject=${subject}`, this.key);
      saw(body);
      return body.data[0]?.value === value && !isBefore(body.asOf, NOW) ? true : undefined;
    });
  }
  /** Rows of usage that is not known to be in the feed. */
  async planned(): Promise<number> {
    return (await this.host.service.database.transaction({ role: 'worker' }, (tx) => tx.query('SELECT FROM usage_radius_planned'))).rowCount!;
  }
  async sessions(parameters: string, key = this.key): Promise<any[]> { // eslint-disable-line @typescript-eslint/no-explicit-any -- what a client sees
    return (await this.host.ask('GET', `sessions?${parameters}`, key)).body.data;
  }
  async close(): Promise<void> {
    await Promise.all(this.replicas.map(({ database }) => database.close()));
    await this.host.close();
  }
}
