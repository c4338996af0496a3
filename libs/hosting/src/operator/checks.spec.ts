import { createTestDatabase, eventually, type TestDatabase } from '@valueverse/testing';
import type { Clock } from '@valueverse/kernel';
import { PostgresFeed, type AnchorStore, type ChainHead, type Feed } from '@valueverse/event-log';
import { createLogger, systemClock, type Service } from '@valueverse/platform';
import { Client } from 'pg';
import { installation } from '../installation';
import { hostUsage, type HostedService } from '../services';
import { findingsOf, type Finding } from './checks';
import type { Operated } from './operated';

// The doctor's looks: each finds the fault that is planted for it, and nothing is found where nothing is wrong.
const TIMEOUT_MS = 60_000;
const SECRETS = { masterKey: Buffer.alloc(32, 7), operatorToken: 'operator-token-of-a-test', serviceToken: 'service-token-of-a-test' };
const NO_BILLING = (): never => { throw new Error('nobody asks billing here'); };
const NO_ANCHORS: AnchorStore = { append: async () => undefined, read: async () => [] };
let database: TestDatabase;
let feed: PostgresFeed;
let hosted: HostedService;
let admin: Client;

/** `now` and `feed` in the place of the real ones; what else is asked of the installation is as it was made. */
const serviceWith = (more: { clock?: Clock; feed?: Feed } = {}): HostedService => hostUsage(installation({
  feed: more.feed ?? feed, secrets: SECRETS, logger: createLogger({ service: 'test', level: 'silent' }), anchors: NO_ANCHORS, databaseUrl: () => database.url, reports: () => [],
  ...(more.clock === undefined ? {} : { clock: more.clock }),
}), NO_BILLING);
beforeEach(async () => {
  database = await createTestDatabase(async (url) => {
    const preparing = new PostgresFeed(url);
    await preparing.ensureTopics();
    const service = hostUsage(installation({ feed: preparing, secrets: SECRETS, logger: createLogger({ service: 'test', level: 'silent' }), anchors: NO_ANCHORS, databaseUrl: () => url, reports: () => [] }), NO_BILLING);
    await service.service.migrate();
    await service.close();
    await preparing.close();
  }, 'operator checks');
  feed = new PostgresFeed(database.url);
  hosted = serviceWith();
  admin = new Client({ connectionString: database.url });
  admin.on('error', () => undefined);
  await admin.connect();
  await admin.query('SET search_path TO usage');
}, TIMEOUT_MS);
afterEach(async () => {
  await hosted.close();
  await feed.close();
  await admin.end().catch(() => undefined);
  await database.drop();
}, TIMEOUT_MS);

const operated = (services: readonly Service[], anchors: readonly ChainHead[] = [], isShared = true): Operated =>
  ({ services, anchors: { append: async () => undefined, read: async () => [...anchors] }, shared: { isReachable: async () => isShared } });
const wrongIn = async (service = hosted.service, given = operated([service])): Promise<Finding[]> => (await findingsOf(service, given)).filter(({ ok }) => !ok);

/** The server of a test run writes without fsync, which is a finding in itself. */
const DURABILITY = 'durability';
const CHECKPOINT = `INSERT INTO checkpoints (consumer, topic, partition, next_offset, owner) VALUES ('metering@1', 'usage.events', 3, `;

/** A fault, how it is planted by the owner of the database, and the look that finds it. */
const PLANTED: readonly { check: string; fault: string; sql: string; says: RegExp; next: RegExp }[] = [
  { check: 'topics', fault: 'a topic with another number of partitions', sql: `DELETE FROM feed.ends WHERE topic = 'usage.events' AND partition = 31`, says: /usage.events has 31 partitions/, next: /ARCHITECTURE/ },
  { check: 'outbox', fault: 'a fact that is not published for an hour', says: /1 facts are not published, the oldest for 36\d\d s; the relay is held by nobody/, next: /vv outbox status usage/,
    sql: `UPDATE heads SET position = 1 WHERE partition = 2; INSERT INTO events VALUES (2, 1, 't', 's', 1, 'usage.meters', 'x', 'x', NULL, json_build_object('recordedtime', to_char(now() AT TIME ZONE 'UTC' - interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))::text, '')` },
  { check: 'relay-ahead', fault: 'F61: a store that was restored to an earlier moment', sql: 'UPDATE relay_partitions SET position = 9 WHERE partition = 5', says: /partitions 5 were published further/, next: /stop usage/ },
  { check: 'readers-stopped', fault: 'a reader that stopped at a gap', sql: `INSERT INTO checkpoints (consumer, topic, partition, next_offset, owner, halted) VALUES ('meter-backfill', 'usage.meters', 3, 0, 'x', 'a record is missing')`, says: /1 stopped; meter-backfill at usage.meters\/3: a record is missing/, next: /vv readers resume usage meter-backfill/ },
  { check: 'readers-behind', fault: 'a reader that is far behind', sql: `${CHECKPOINT} 0, 'x'); UPDATE feed.ends SET next_offset = 20000 WHERE topic = 'usage.events' AND partition = 3`, says: /metering@1 usage.events\/3 by 20000/, next: /replica/ },
  { check: 'readers-ahead', fault: 'a topic that was made anew below its readers', sql: `${CHECKPOINT} 7, 'x')`, says: /beyond the end of the feed: metering@1 usage.events\/3/, next: /compare/ },
  { check: 'readers-unowned', fault: 'a partition that nobody reads', sql: `${CHECKPOINT} 0, NULL); UPDATE feed.ends SET next_offset = 1 WHERE topic = 'usage.events' AND partition = 3`, says: /nobody reads metering@1 usage.events\/3/, next: /start a process of usage/ },
  { check: 'parked-streams', fault: 'a stream that was parked', sql: `INSERT INTO parked_streams VALUES ('metering@1', 't', 's', 'cannot read this')`, says: /1 parked, one because: cannot read this/, next: /vv dlq list usage/ },
  { check: 'rejected-records', fault: 'a record that is no fact', sql: `INSERT INTO rejected_records (consumer, topic, partition, record_offset, code, detail, key, headers, value) VALUES ('c', 't', 0, 0, 'wrong_key', '', '', '{}', '')`, says: /1 records that are no facts of ours \(wrong_key\)/, next: /vv dlq list usage/ },
  { check: 'store', fault: 'a fact that was cut off the end', sql: 'UPDATE heads SET position = 4 WHERE partition = 1; UPDATE relay_partitions SET position = 4 WHERE partition = 1', says: /in partitions 1 the last fact/, next: /vv log verify usage/ },
  { check: 'store-settings', fault: 'a store of another number of partitions', sql: `UPDATE store_settings SET value = '8' WHERE name = 'partitions'`, says: /partitions = 8/, next: /run the release that made it/ },
  { check: 'migrations', fault: 'a database of a newer release', sql: `INSERT INTO migrations (timestamp, name) VALUES (1, 'from_the_future1')`, says: /newer release: from_the_future1/, next: /upgrade/ },
  { check: 'migrations', fault: 'a step that was not run', sql: `DELETE FROM migrations WHERE name LIKE 'dead_letters%'`, says: /not run yet: dead_letters/, next: /vv migrate usage/ },
  { check: 'read-models', fault: 'a table of a read model that is gone', sql: 'DROP VIEW meters; DROP TABLE meters_v2', says: /missing: usage.meters_v2/, next: /vv migrate usage/ },
  { check: 'rebuilds', fault: 'a rebuild whose process ended', sql: `INSERT INTO rebuilds (name, mode, phase, seen_at) VALUES ('meters', 'compare', 'building', now() - interval '1 hour')`, says: /the rebuild of meters ended with its process/, next: /vv projections rebuild usage meters --compare/ },
  { check: 'jobs-failing', fault: 'a job that keeps failing', sql: `INSERT INTO jobs (tenant, id, kind, due_at, payload, attempt, waits_for) VALUES ('t', 'j', 'usage.answer', now(), '{}', 9, 'the provider is down')`, says: /1 keep failing, such as usage.answer: the provider is down/, next: /usage.answer/ },
  { check: 'jobs-overdue', fault: 'a job that nobody runs', sql: `INSERT INTO jobs (tenant, id, kind, due_at, payload) VALUES ('t', 'j', 'usage.answer', now() - interval '1 hour', '{}')`, says: /1 should have run, such as usage.answer/, next: /start a process of usage/ },
  { check: 'partitions', fault: 'a topic whose partition count was raised', sql: `INSERT INTO checkpoints (consumer, topic, partition, owner) VALUES ('metering@1', 'usage.events', 40, 'x')`, says: /usage.events\/40/, next: /make the topic anew/ },
];

test('nothing is found where nothing is wrong, but that the server of a test run is not durable', async () => {
  const findings = await findingsOf(hosted.service, operated([hosted.service]));
  expect(findings.filter(({ ok }) => !ok)).toEqual([{ check: DURABILITY, ok: false, detail: expect.stringContaining('fsync'), next: expect.stringContaining('restart PostgreSQL') }]);
  expect(findings.length).toBeGreaterThanOrEqual(20);
}, TIMEOUT_MS);

test.each(PLANTED)('$fault is found by $check', async ({ check, sql, says, next }) => {
  await admin.query(sql);
  const found = await wrongIn();
  expect(found.map((finding) => finding.check).sort()).toEqual([check, DURABILITY].sort());
  expect(found.find((finding) => finding.check === check)).toMatchObject({ detail: expect.stringMatching(says), next: expect.stringMatching(next) });
}, TIMEOUT_MS);

test('a tail that was cut is found by the anchors outside', async () => {
  const found = await wrongIn(hosted.service, operated([hosted.service], [{ partition: 4, position: 12n, link: 'aa' }]));
  expect(found[0]).toMatchObject({ check: 'anchors', detail: expect.stringContaining('partitions 4 end before their anchors') });
}, TIMEOUT_MS);

test('Redis that does not answer is found', async () => {
  expect((await wrongIn(hosted.service, operated([hosted.service], [], false))).map(({ check }) => check)).toContain('redis');
}, TIMEOUT_MS);

test('a host whose clock is an hour off is found', async () => {
  const later = serviceWith({ clock: { now: () => '2020-01-01T00:00:00Z' as ReturnType<typeof systemClock.now> } });
  expect((await wrongIn(later.service)).map(({ check }) => check)).toContain('clock');
  await later.close();
}, TIMEOUT_MS);

test('a feed that does not answer is found, and what cannot be looked at for it is said', async () => {
  await feed.close();
  const found = await wrongIn();
  expect(found.map(({ check }) => check)).toEqual(expect.arrayContaining(['feed', 'topics']));
  feed = new PostgresFeed(database.url);
}, TIMEOUT_MS);

test('a database that does not answer is found', async () => {
  await hosted.service.stop();
  expect((await wrongIn()).map(({ check }) => check)).toEqual(expect.arrayContaining(['database', 'outbox']));
}, TIMEOUT_MS);

test('a session that holds a transaction open, and one that waits for it, are found by their process', async () => {
  const other = new Client({ connectionString: database.url });
  await other.connect();
  await admin.query('BEGIN');
  await admin.query('SELECT * FROM heads WHERE partition = 0 FOR UPDATE');
  const waiting = other.query('SELECT * FROM usage.heads WHERE partition = 0 FOR UPDATE');
  const { pid } = (await admin.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!;
  const found = await eventually('both to be found', async (saw) => {
    const checks = await wrongIn();
    saw(checks);
    return checks.some(({ check }) => check === 'idle-transactions') && checks.some(({ check }) => check === 'locks') ? checks : undefined;
  }, { timeoutMs: TIMEOUT_MS / 2 });
  expect(found.find(({ check }) => check === 'idle-transactions')).toMatchObject({ detail: expect.stringContaining(`process ${pid} `), next: `SELECT pg_terminate_backend(${pid})` });
  expect(found.find(({ check }) => check === 'locks')).toMatchObject({ detail: expect.stringContaining(`waits for a lock of ${pid}`) });
  await admin.query('ROLLBACK');
  await waiting;
  await other.end();
}, TIMEOUT_MS);
