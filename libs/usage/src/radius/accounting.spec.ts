import { eventually, runs, timeForRuns } from '@valueverse/testing';
import fc from 'fast-check';
import { isBefore, microsNumberOfText, type Instant } from '@valueverse/kernel';
import { Database } from '@valueverse/event-log';
import { createLogger, SealedSecrets, systemClock, systemIds } from '@valueverse/platform';
import { HostBed } from '../host-bed.spec-kit';
import { Ingest } from '../ingest/ingest';
import { Accounting, md5, type Taken } from './accounting';
import { insertClient, KnownClients } from './clients';
import { Deliveries } from './deliveries';
import { encodeRequest } from './domain/authenticator';
import { PacketFault } from './domain/packet';
import { attribute, type Values } from './nas.spec-kit';

const TIMEOUT_MS = timeForRuns(60_000);
const SECRET = 'xyzzy5461';
const TENANT = 'org_1:test';
const T = 1_772_366_400;
const NOW = '2026-03-01T13:00:00Z';
const STOP = 2, INTERIM = 3;

let bed: HostBed;
let key: string;
const secrets = new SealedSecrets(Buffer.alloc(32, 9));
const databases: Database[] = [];

/** A process beside the hosted one: with its own database, its own memory and faults of its own. */
class Replica {
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

  constructor() {
    this.database = new Database({ url: bed.service.database.url, schema: 'usage', connectionsMax: 4, beforeStatement: (text) => {
      if (this.statementsLeft-- <= 0) throw new Error('the process has ended');
      this.watch(text);
    } });
    databases.push(this.database);
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
    this.accounting = new Accounting(this.database, clients, this.deliveries, systemIds, () => this.now);
  }
  async take(packet: Uint8Array, source = '192.0.2.1'): Promise<Taken['result'] | PacketFault['code']> {
    const taken = await this.accounting.take(packet, source);
    return taken instanceof PacketFault ? taken.code : taken.result;
  }
}

const packet = (values: Values, secret = SECRET): Uint8Array => encodeRequest(1, Object.entries(values).map(([name, value]) => attribute(name as never, value)), Buffer.from(secret), md5);
const report = (subject: string, status: number, elapsed: number, octets: number, more: Values = {}): Uint8Array => packet({
  ACCT_STATUS_TYPE: status, USER_NAME: subject, NAS_IDENTIFIER: 'nas', ACCT_SESSION_ID: `of ${subject}`, EVENT_TIMESTAMP: T + elapsed, ACCT_SESSION_TIME: elapsed, ACCT_INPUT_OCTETS: octets, ...more });
const addClient = (name: string, address: string, tenant = TENANT): Promise<void> => bed.service.database.transaction({ role: 'api', tenant }, (tx) =>
  insertClient(tx, tenant, `rac_${name}`, { name, address, secret: SECRET, subjectAttribute: 'User-Name', nasIdentifier: null }, microsNumberOfText(NOW), secrets));
const metered = (subject: string, value: string): Promise<unknown> => eventually(`${value} of ${subject}`, async (saw) => {
  const { body } = await bed.ask('GET', `meters/octets/query?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&subject=${subject}`, key);
  saw(body);
  return body.data[0]?.value === value && !isBefore(body.asOf, NOW) ? true : undefined;
});
const planned = async (): Promise<number> => (await bed.service.database.transaction({ role: 'worker' }, (tx) => tx.query('SELECT FROM usage_radius_planned'))).rowCount!;

beforeAll(async () => {
  bed = await HostBed.make();
  key = await bed.key('org_1');
  await addClient('bng', '192.0.2.0/24');
  expect((await bed.ask('POST', 'meters', key, { key: 'octets', eventType: 'radius.accounting', aggregation: 'sum', valueProperty: '$.totalOctets' })).status).toBe(201);
}, TIMEOUT_MS);
afterAll(async () => {
  await Promise.all(databases.map((database) => database.close()));
  await bed.close();
}, TIMEOUT_MS);

test.each(['before', 'after'] as const)('the feed fails, %s the append: no answer; the packet again brings the same event, which counts once', async (when) => {
  const replica = new Replica();
  const stop = report(`feed-${when}`, STOP, 600, 1_000);
  replica.fault = { when };
  await expect(replica.take(stop)).rejects.toThrow();
  expect(await planned()).toBe(1);
  // Another process may get it.
  expect(await new Replica().take(stop)).toBe('repeated');
  expect(await planned()).toBe(0);
  await metered(`feed-${when}`, '1000');
}, TIMEOUT_MS);

test('the process ends at any statement: whatever was answered or not, the packet again leaves the usage counted once', async () => {
  let [died, nth] = [0, 0];
  for (; ; nth++) {
    const replica = new Replica();
    expect(await replica.take(report('somebody', INTERIM, 1, 0))).toMatch(/recorded|repeated/);
    replica.statementsLeft = nth;
    const ended = await replica.take(report('dies', INTERIM, 300 + nth, 10 * (nth + 1))).then(() => false, () => true);
    if (!ended) break;
    died++;
    await new Replica().take(report('dies', INTERIM, 300 + nth, 10 * (nth + 1)));
  }
  expect(died).toBeGreaterThan(8);
  await metered('dies', String(10 * (nth + 1)));
}, TIMEOUT_MS);

test('a NAS that never comes again: what was left behind is brought by who looks next', async () => {
  const replica = new Replica();
  replica.fault = { when: 'before' };
  await expect(replica.take(report('left', STOP, 600, 55))).rejects.toThrow();
  replica.fault = undefined;
  replica.now = '2026-03-01T13:00:11Z';
  replica.deliveries.start();
  await metered('left', '55');
  await replica.deliveries.stop();
  expect(await planned()).toBe(0);
}, TIMEOUT_MS);

test('reports that come together share transactions and appends, in the order in which they came; what each was is answered to each', async () => {
  const replica = new Replica();
  let transactions = 0;
  replica.watch = (text) => { if (text === 'BEGIN') transactions += 1; };
  const [SUBJECTS, REPORTS] = [50, 4];
  const nths = Array.from({ length: SUBJECTS * REPORTS }, (_, nth) => nth);
  const of = (nth: number): Uint8Array => report(`together-${nth % SUBJECTS}`, INTERIM, 60 * (1 + Math.floor(nth / SUBJECTS)), 100 * (1 + Math.floor(nth / SUBJECTS)));
  const nameless = packet({ ACCT_STATUS_TYPE: STOP, NAS_IDENTIFIER: 'nas', ACCT_SESSION_ID: 'of nobody', EVENT_TIMESTAMP: T, ACCT_SESSION_TIME: 1, ACCT_INPUT_OCTETS: 1 });
  const taken = await Promise.all([...nths.map((nth) => replica.take(of(nth))), replica.take(of(0)), replica.take(nameless)]);
  expect(taken).toEqual([...nths.map(() => 'recorded'), 'repeated', 'subject_missing']);
  // One for whoever came first; the others have come when it ends.
  expect(replica.appends).toBeLessThanOrEqual(4);
  expect(transactions).toBeLessThanOrEqual(12);
  for (const nth of [0, SUBJECTS - 1]) await metered(`together-${nth}`, String(100 * REPORTS));
  expect(await planned()).toBe(0);
}, TIMEOUT_MS);

test('a transaction that fails over one of its reports is done again for each of them alone', async () => {
  const replica = new Replica();
  let failures = 0;
  const isWritten = (text: string): boolean => text.includes('INSERT INTO usage_radius_sessions');
  replica.watch = (text) => { if (isWritten(text) && failures++ === 1) throw new Error('a row that PostgreSQL refuses'); };
  const taken = await Promise.all(Array.from({ length: 12 }, (_, nth) => replica.take(report(`alone-${nth}`, STOP, 60, 7))));
  expect(taken).toEqual(taken.map(() => 'recorded'));
  // The first alone, all others in one that failed, and those one by one.
  expect(failures).toBe(13);
  for (const nth of [0, 11]) await metered(`alone-${nth}`, '7');
}, TIMEOUT_MS);

test('two processes get the packets of one session, in any order, twice and at once: the use adds up', async () => {
  const replicas = [new Replica(), new Replica()];
  let session = 0;
  await fc.assert(fc.asyncProperty(fc.array(fc.tuple(fc.nat(7), fc.boolean()), { minLength: 6, maxLength: 16 }), async (order) => {
    const subject = `shared-${session++}`;
    const nths = [...order, [8, true] as const];
    await Promise.all(nths.map(([nth, left]) => replicas[left ? 0 : 1]!.take(report(subject, nth === 8 ? STOP : INTERIM, 60 * (nth + 1), 100 * (nth + 1)))));
    const { body } = await bed.ask('GET', `sessions?subject=${subject}`, key);
    expect(body.data).toMatchObject([{ totalOctets: '900', live: false, sessionSeconds: '540' }]);
  }), runs(81, 8));
  for (let nth = 0; nth < session; nth++) await metered(`shared-${nth}`, '900');
}, TIMEOUT_MS);

test('a client that is new, changed or gone is heard of within two seconds; an address that nobody has is unknown', async () => {
  const replica = new Replica();
  const interim = report('new-client', INTERIM, 300, 1);
  expect(await replica.take(interim, '203.0.113.5')).toBe('unknown_client');
  await addClient('late', '203.0.113.5');
  expect(await replica.take(interim, '203.0.113.5')).toBe('unknown_client');
  replica.nowMs += 2_000;
  expect(await replica.take(interim, '203.0.113.5')).toBe('recorded');
  expect(await replica.take(interim, '::ffff:203.0.113.5')).toBe('repeated');
}, TIMEOUT_MS);

test('in `live` a clock that is ahead is not believed, so the usage is not refused', async () => {
  await addClient('live', '198.51.100.1', 'org_1:live');
  const live = await bed.key('org_1', 'secret', undefined, 'live');
  const replica = new Replica();
  expect(await replica.take(report('ahead', STOP, 600, 9, { EVENT_TIMESTAMP: T + 86_400 }), '198.51.100.1')).toBe('recorded');
  expect((await bed.ask('GET', 'sessions?subject=ahead', live)).body.data).toMatchObject([{ endedAt: NOW, totalOctets: '9' }]);
  expect((await bed.ask('GET', 'sessions?subject=ahead', key)).body.data).toEqual([]);
}, TIMEOUT_MS);
