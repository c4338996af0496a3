import { partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import { eventually } from '@valueverse/testing';
import { HostBed } from '../host-bed.spec-kit';
import { RECONCILED_BUCKETS_MAX } from './compare-buckets';
import type { Reconciliation } from './reconcile';

// What the buckets come to against what the envelopes come to, for every aggregation, of each subject and of all of them together.
const TIMEOUT_MS = 120_000;
const TENANT = 'org_1:test';
const DAY = { from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' };
const METERS = {
  calls: { aggregation: 'count' }, tokens: { aggregation: 'sum', valueProperty: '$.n', groupBy: { model: '$.model' } }, least: { aggregation: 'min', valueProperty: '$.n' }, most: { aggregation: 'max', valueProperty: '$.n' },
  last: { aggregation: 'latest', valueProperty: '$.n' }, mean: { aggregation: 'average', valueProperty: '$.n' }, users: { aggregation: 'unique_count', valueProperty: '$.user' }, level: { aggregation: 'time_weighted_sum', valueProperty: '$.n' },
} as const;
const EXPECTED: Readonly<Record<keyof typeof METERS, string>> = { calls: '6', tokens: '16.5', least: '-3', most: '10', last: '4.5', mean: '16.5', users: '2', level: '16.5' };

let bed: HostBed;
let key: string;
const rows = async (sql: string, values: unknown[] = []): Promise<number> => (await bed.service.database.transaction({ role: 'owner' }, (tx) => tx.query(sql, values))).rowCount ?? 0;
const reconciled = async (more = '', by = key, { from, to } = DAY): Promise<Reconciliation> => {
  const answer = await bed.ask('GET', `reconciliation?from=${from}&to=${to}${more}`, by);
  expect(answer).toMatchObject({ status: 200 });
  return answer.body;
};

beforeAll(async () => {
  bed = await HostBed.make();
  key = await bed.key('org_1');
  for (const [name, meter] of Object.entries(METERS)) expect((await bed.ask('POST', 'meters', key, { key: name, eventType: 'call', ...meter })).status).toBe(201);
  const event = (id: string, subject: string, minute: number, n: number, user: string): object =>
    ({ specversion: '1.0', id, source: 's', type: 'call', subject, time: `2026-03-01T10:${String(minute).padStart(2, '0')}:00Z`, data: { n, user, model: id < '3' ? 'big' : 'small' } });
  const sent = [event('1', 'acme', 0, 10, 'x'), event('2', 'acme', 1, -3, 'y'), event('3', 'acme', 20, 2, 'x'), event('4', 'beta', 2, 1, 'y'), event('5', 'gamma', 3, 2, 'x'), event('6', 'gamma', 50, 4.5, 'x')];
  await bed.send(key, [...sent, sent[0]!, event('7', 'acme', 4, 100, 'z')]);
  await bed.ask('POST', 'events/void', key, { subject: 'acme', source: 's', id: '7', reason: 'a test' });
  await eventually('all to be counted', async (saw) => {
    const found = (await bed.ask('GET', `reconciliation?from=${DAY.from}&to=${DAY.to}`, key)).body as Reconciliation;
    saw(found);
    return found.meters.length === Object.keys(METERS).length && found.meters.every(({ isEqual, fromEnvelopes }) => isEqual === true && fromEnvelopes === 6) ? true : undefined;
  });
}, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

test('for each meter: how many events and what they come to, by the envelopes, in the buckets of subjects and in those of all of them; and so partition by partition', async () => {
  const { meters, differences, alteredEnvelopes, isEqual } = await reconciled();
  expect({ differences, alteredEnvelopes, isEqual }).toEqual({ differences: [], alteredEnvelopes: 0, isEqual: true });
  for (const [meterKey, value] of Object.entries(EXPECTED)) {
    const inAll = meterKey === 'users' ? null : value;
    expect(meters.find((one) => one.meterKey === meterKey)).toEqual({
      meterKey, fromEnvelopes: 6, inBuckets: 6, inAllSubjects: inAll === null ? null : 6, values: { fromEnvelopes: value, inBuckets: value, inAllSubjects: inAll }, leftOut: 0, differing: 0, isEqual: true,
    });
  }
  const parts = await Promise.all(Array.from({ length: USAGE_PARTITIONS }, (_, partition) => reconciled(`&partition=${partition}`)));
  expect(parts.every((part) => part.isEqual)).toBe(true);
  expect(parts.reduce((sum, part) => sum + part.meters.find(({ meterKey }) => meterKey === 'tokens')!.fromEnvelopes, 0)).toBe(6);
  expect(parts.filter((part) => part.meters.some(({ fromEnvelopes }) => fromEnvelopes > 0)).length).toBe(new Set(['acme', 'beta', 'gamma'].map((subject) => partitionOf(TENANT, subject, USAGE_PARTITIONS))).size);
  expect(await bed.ask('GET', `reconciliation?from=${DAY.from}&to=${DAY.to}&partition=${USAGE_PARTITIONS}`, key)).toMatchObject({ status: 400, body: { errors: [{ pointer: '/partition' }] } });
}, TIMEOUT_MS);

const OF = (meter: string, subject: string): string => `series IN (SELECT series FROM usage_series WHERE tenant = '${TENANT}' AND meter = '${meter}' AND subject = '${subject}')`;
/** What somebody does to the rows, how it is undone, and what is said of it: of six events as before, so that their number tells nothing. */
const CHANGED: readonly (readonly [what: string, meter: string, change: string, undo: string, difference: object])[] = [
  ['a sum', 'tokens', `UPDATE usage_buckets SET total = total + 1 WHERE ${OF('tokens', 'beta')}`, `UPDATE usage_buckets SET total = total - 1 WHERE ${OF('tokens', 'beta')}`,
    { subject: 'beta', groupBy: { model: 'small' }, from: '2026-03-01T10:00:00Z', fromEnvelopes: { events: 1, value: '1' }, inBuckets: { events: 1, value: '2' } }],
  ['a greatest value', 'most', `UPDATE usage_buckets SET total = 9 WHERE bucket = 1772359200000000 AND ${OF('most', 'acme')}`, `UPDATE usage_buckets SET total = 10 WHERE bucket = 1772359200000000 AND ${OF('most', 'acme')}`,
    { subject: 'acme', fromEnvelopes: { events: 2, value: '10' }, inBuckets: { events: 2, value: '9' } }],
  ['a least value', 'least', `UPDATE usage_buckets SET total = -4 WHERE bucket = 1772359200000000 AND ${OF('least', 'acme')}`, `UPDATE usage_buckets SET total = -3 WHERE bucket = 1772359200000000 AND ${OF('least', 'acme')}`,
    { subject: 'acme', fromEnvelopes: { events: 2, value: '-3' }, inBuckets: { events: 2, value: '-4' } }],
  ['a latest value that comes later than it was', 'last', `UPDATE usage_buckets SET at = at + 1 WHERE ${OF('last', 'beta')}`, `UPDATE usage_buckets SET at = at - 1 WHERE ${OF('last', 'beta')}`,
    { subject: 'beta', fromEnvelopes: { events: 1, value: expect.stringContaining('"at":1772359320000000') }, inBuckets: { events: 1, value: expect.stringContaining('"at":1772359320000001') } }],
  ['a moment', 'level', `UPDATE usage_buckets SET moment = moment + 1 WHERE ${OF('level', 'beta')}`, `UPDATE usage_buckets SET moment = moment - 1 WHERE ${OF('level', 'beta')}`, { subject: 'beta', inBuckets: { events: 1, value: expect.stringContaining('moment') } }],
  ['a different value', 'users', `UPDATE usage_bucket_values SET value = decode('00', 'hex') WHERE ${OF('users', 'beta')}`,
    `UPDATE usage_bucket_values v SET value = (SELECT o.value FROM usage_bucket_values o JOIN usage_series s USING (series) WHERE s.subject = 'acme' AND o.value NOT IN (SELECT g.value FROM usage_bucket_values g JOIN usage_series s USING (series) WHERE s.subject = 'gamma') LIMIT 1) WHERE ${OF('users', 'beta')}`,
    { subject: 'beta', fromEnvelopes: { events: 1, value: expect.any(String) } }],
  ['the row of all subjects', 'mean', `UPDATE usage_buckets SET total = total - 2 WHERE bucket = 1772361900000000 AND ${OF('mean', '')}`, `UPDATE usage_buckets SET total = total + 2 WHERE bucket = 1772361900000000 AND ${OF('mean', '')}`,
    { subject: null, partition: partitionOf(TENANT, 'gamma', USAGE_PARTITIONS), from: '2026-03-01T10:45:00Z', fromEnvelopes: { events: 1, value: '4.5' }, inBuckets: { events: 1, value: '2.5' } }],
  ['a bucket that went to another quarter of an hour', 'calls', `UPDATE usage_buckets SET bucket = bucket + 900000000 WHERE ${OF('calls', 'beta')}`, `UPDATE usage_buckets SET bucket = bucket - 900000000 WHERE ${OF('calls', 'beta')}`,
    { subject: 'beta', fromEnvelopes: { events: 0, value: null }, inBuckets: { events: 1, value: '1' }, from: '2026-03-01T10:15:00Z' }],
];
test.each(CHANGED)('%s that was changed by hand is named with its meter, its subject, its bucket and both values', async (_, meterKey, change, undo, difference) => {
  expect(await rows(change)).toBe(1);
  const found = await reconciled();
  expect(found.isEqual).toBe(false);
  expect(found.differences).toEqual(expect.arrayContaining([expect.objectContaining({ meterKey, meterVersion: 1, ...difference })]));
  expect(found.meters.filter(({ isEqual }) => isEqual !== true).map((meter) => meter.meterKey)).toEqual([meterKey]);
  expect(found.meters.find((one) => one.meterKey === meterKey)!.differing).toBe(found.differences.length);
  expect(await rows(undo)).toBe(1);
  expect(await reconciled()).toMatchObject({ isEqual: true, differences: [] });
}, TIMEOUT_MS);

test('an envelope that was changed together with its bucket is not what its hash says', async () => {
  const change = (from: string, to: string): Promise<number> => rows(`UPDATE usage_envelopes SET body = replace(body, $2, $3) WHERE tenant = $1 AND partition = $4 AND body LIKE '%"subject":"beta"%'`, [TENANT, `"n":${from},`, `"n":${to},`, partitionOf(TENANT, 'beta', USAGE_PARTITIONS)]);
  expect(await change('1', '3')).toBeGreaterThan(0);
  expect(await reconciled()).toMatchObject({ isEqual: false, alteredEnvelopes: 1 });
  await change('3', '1');
  expect(await reconciled()).toMatchObject({ isEqual: true, alteredEnvelopes: 0 });
}, TIMEOUT_MS);

const EVER = { from: '2020-01-01T00:00:00Z', to: '2099-01-01T00:00:00Z' };
test('an event that was taken out of buckets and of the index by time alike is found by the envelope in which it came', async () => {
  await rows(`CREATE TABLE kept AS SELECT * FROM usage_bucket_envelopes WHERE tenant = $1 AND subject = 'beta'`, [TENANT]);
  await rows(`CREATE TABLE kept_buckets AS SELECT * FROM usage_buckets WHERE tenant = $1`, [TENANT]);
  expect(await rows(`DELETE FROM usage_bucket_envelopes WHERE tenant = $1 AND subject = 'beta'`, [TENANT])).toBe(1);
  await rows(`DELETE FROM usage_buckets b USING usage_series s WHERE s.series = b.series AND s.tenant = $1 AND s.partition = $2`, [TENANT, partitionOf(TENANT, 'beta', USAGE_PARTITIONS)]);
  expect(await reconciled('', key, EVER)).toMatchObject({ isEqual: false, notIndexed: 1 });
  await rows('INSERT INTO usage_bucket_envelopes SELECT * FROM kept');
  await rows('INSERT INTO usage_buckets SELECT * FROM kept_buckets ON CONFLICT DO NOTHING');
  expect(await reconciled('', key, EVER)).toMatchObject({ isEqual: true, notIndexed: 0 });
}, TIMEOUT_MS);

test('an event that was made one that does not count, in the row that everybody reads, is not what its header says', async () => {
  const change = (value: string): Promise<number> => rows(`UPDATE usage_envelopes SET not_counted = $2::int[] WHERE tenant = $1 AND partition = $3 AND body LIKE '%"subject":"beta"%'`, [TENANT, value, partitionOf(TENANT, 'beta', USAGE_PARTITIONS)]);
  expect(await change('{0}')).toBe(1);
  expect(await reconciled('', key, EVER)).toMatchObject({ isEqual: false, alteredEnvelopes: 1 });
  await change('{}');
  expect(await reconciled('', key, EVER)).toMatchObject({ isEqual: true, alteredEnvelopes: 0 });
}, TIMEOUT_MS);

test('more buckets than one answer compares are refused, and asked for by partition; what no envelope is behind is named', async () => {
  const many = await bed.key('org_many');
  expect((await bed.ask('POST', 'meters', many, { key: 'calls', eventType: 'call', aggregation: 'count' })).status).toBe(201);
  await eventually('the meter to follow', async () => ((await reconciled('', many)).meters[0]?.isEqual === true ? true : undefined));
  await rows(
    `WITH made AS (INSERT INTO usage_series (key, tenant, meter, version, partition, subject, groups) SELECT decode(md5(n::text), 'hex'), 'org_many:test', 'calls', 1, n % $2, 's' || n, '{}' FROM generate_series(1, $1) n RETURNING series)
     INSERT INTO usage_buckets (series, bucket, events, fold, tenant, total) SELECT series, 1772359200000000, 1, 0, 'org_many:test', 0 FROM made`, [RECONCILED_BUCKETS_MAX + 1, USAGE_PARTITIONS]);
  expect(await bed.ask('GET', 'reconciliation?from=2026-03-01T10:00:00Z&to=2026-03-01T10:15:00Z', many)).toMatchObject({ status: 400, body: { code: 'period_too_long', detail: expect.stringContaining('one partition') } });
  const part = await reconciled('&partition=1', many);
  expect(part).toMatchObject({ isEqual: false, meters: [{ inBuckets: Math.ceil(RECONCILED_BUCKETS_MAX / USAGE_PARTITIONS) + 1, fromEnvelopes: 0, values: { fromEnvelopes: null } }] });
  expect(part.differences.length).toBe(20);
  expect(part.meters[0]!.differing).toBe(part.meters[0]!.inBuckets);
}, TIMEOUT_MS);
