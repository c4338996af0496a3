import { createEmptyDatabase, eventually, type TestDatabase } from '@valueverse/testing';
import { partitionOf } from '@valueverse/kernel';
import { partitionsOf } from '@valueverse/contracts';
import { Client } from 'pg';
import { Edition, type Json } from './edition.spec-kit';
import { runVv } from './process.spec-kit';

// What an operator does when something went wrong: it is found, looked at, mended, and written down who did it.
const TIMEOUT_MS = 120_000;
let database: TestDatabase;
let edition: Edition;
let admin: Client;
beforeAll(async () => {
  database = await createEmptyDatabase();
  edition = await Edition.start({ DATABASE_URL: database.url });
  admin = new Client({ connectionString: database.url });
  admin.on('error', () => undefined);
  await admin.connect();
  await edition.post('/api/v1/billing/accounts', { name: 'Ada', email: 'ada@example.com', currency: 'EUR', country: 'DE', timezone: 'UTC' }).catch(() => undefined);
}, TIMEOUT_MS);
afterAll(async () => {
  await admin.end();
  await edition.stop();
  await database.drop();
}, TIMEOUT_MS);

const vv = async (...args: string[]): Promise<{ code: number | null; output: string }> => {
  const process_ = runVv(args, { VV_URL: edition.url, VV_OPERATOR_TOKEN: edition.operatorToken });
  const code = await process_.ended;
  return { code, output: process_.output() };
};
const json = async <T>(...args: string[]): Promise<T> => {
  const { output } = await vv(...args, '--json');
  return JSON.parse(output) as T;
};
interface Letter { id: string; service: string; kind: string; consumer: string; code: string; reason: string; records: number; stream: string }
const letters = (): Promise<Letter[]> => json<Letter[]>('dlq', 'list', 'billing');
const until = (count: number): Promise<Letter[]> => eventually(`${count} dead letters`, async (saw) => { const found = await letters(); saw(found); return found.length === count ? found : undefined; }, { timeoutMs: TIMEOUT_MS / 4 });
/** Somebody wrote to a topic with another program. */
const smuggle = (headers: Readonly<Record<string, string>>, value: string, key = 'meter-x', partition = 0): Promise<unknown> => admin.query(
  `WITH e AS (UPDATE feed.ends SET next_offset = next_offset + 1 WHERE topic = 'usage.meters' AND partition = $1 RETURNING next_offset - 1 AS at)
   INSERT INTO feed.records (topic, partition, record_offset, key, headers, value) SELECT 'usage.meters', $1, at, $2, $3, $4 FROM e`, [partition, key, JSON.stringify(headers), value]);

test('a record that is no fact is found by the doctor, listed, shown, given up with a reason, and the doctor is content', async () => {
  expect((await vv('doctor')).output).toContain('✓ billing rejected-records: none');
  await smuggle({ greeting: 'hello' }, 'I am not a CloudEvent');
  const [letter] = await until(1);
  expect(letter).toMatchObject({ kind: 'record', code: 'not_cloudevents', consumer: 'known-meters@1', records: 1 });
  const sick = await vv('doctor');
  expect(sick.code).toBe(1);
  expect(sick.output).toMatch(/✗ billing rejected-records: 1 records that are no facts of ours \(not_cloudevents\)\n {4}next: npx vv dlq list billing/);
  expect((await vv('dlq', 'show', 'billing', letter!.id)).output).toMatch(/usage.meters\/0 0\n {4}greeting: hello\n {4}I am not a CloudEvent/);
  const again = await vv('dlq', 'retry', 'billing', letter!.id);
  expect(again).toMatchObject({ code: 1, output: expect.stringMatching(/not_cloudevents[^]*still_failing/) });
  expect((await vv('dlq', 'discard', 'billing', letter!.id)).code).toBe(1);
  expect(await edition.ask(`/api/v1/operator/log/billing/dead-letters/${letter!.id}/discard`, { key: edition.operatorToken, body: {} })).toMatchObject({ status: 400, body: { errors: [{ pointer: '/reason' }] } });
  expect((await vv('dlq', 'discard', 'billing', letter!.id, '--reason', 'a test wrote it')).output).toContain('1 records were given up');
  expect(await letters()).toEqual([]);
  expect((await vv('doctor')).output).toContain('✓ billing rejected-records: none');
}, TIMEOUT_MS);

test('a reader that stopped at a gap is named with the command that lets it go on; when the cause is mended it goes on', async () => {
  const meter = (key: string): Promise<Json> => edition.post('/api/v1/usage/meters', { key, name: key, eventType: 'x', aggregation: 'count' });
  const knows = (name: string): Promise<unknown> => eventually(`billing to know the meter ${name}`, async () => ((await admin.query('SELECT FROM billing.known_meters WHERE meter_key = $1', [name])).rowCount === 1 ? true : undefined), { timeoutMs: TIMEOUT_MS / 4 });
  await meter('first');
  await knows('first');
  const { rows: [first] } = await admin.query<{ partition: number; position: string; key: string; tenant: string }>(`SELECT partition, position, key, headers::json->>'ce_tenant' AS tenant FROM feed.records WHERE topic = 'usage.meters' AND position IS NOT NULL`);
  const { partition, key, tenant } = first!;
  // A record that follows one that is not there.
  await admin.query(
    `WITH e AS (UPDATE feed.ends SET next_offset = next_offset + 1 WHERE topic = 'usage.meters' AND partition = $1 RETURNING next_offset - 1 AS at)
     INSERT INTO feed.records (topic, partition, record_offset, position, previous, key, headers, value) SELECT 'usage.meters', $1, at, 900, 899, $2, $3, '{}' FROM e`,
    [partition, key, JSON.stringify({ ce_id: 'evt_x', ce_type: 'dev.valueverse.usage.meter.created.v1', ce_tenant: tenant, ce_position: '900', ce_previous: '899' })]);
  const sick = await eventually('the doctor to find it', async (saw) => { const found = await vv('doctor'); saw(found.output); return found.output.includes('✗ billing readers-stopped') ? found : undefined; }, { timeoutMs: TIMEOUT_MS / 4 });
  expect(sick.output).toMatch(/✗ billing readers-stopped: 1 stopped; known-meters@1 at usage.meters\/\d+: a record is missing[^]*next: .*npx vv readers resume billing known-meters@1/);
  await admin.query(`DELETE FROM feed.records WHERE topic = 'usage.meters' AND position = 900`);
  await admin.query(`UPDATE feed.ends SET next_offset = next_offset - 1 WHERE topic = 'usage.meters' AND partition = $1`, [partition]);
  expect((await vv('readers', 'resume', 'billing', 'known-meters@1')).output).toContain('1 partitions are read again');
  expect((await vv('readers', 'resume', 'usage', 'meter-backfill', '--topic', 'usage.meters')).output).toContain('1 partitions are read again');
  const same = Array.from({ length: 500 }, (_, nth) => `later-${nth}`).find((name) => partitionOf(tenant, key.replace('first', name), partitionsOf('usage.meters')) === partition)!;
  await meter(same);
  await knows(same);
  expect((await vv('doctor')).output).toContain('✓ billing readers-stopped: none');
}, TIMEOUT_MS);

test('read models: all are listed, rebuilt to the same bytes; a row that was changed by hand is found and put right', async () => {
  const all = await json<{ service: string; name: string; fixed: string | null }[]>('projections', 'list');
  expect(all.map(({ name }) => name)).toEqual(expect.arrayContaining(['organizations', 'api_keys', 'credentials@1', 'known-meters@1', 'metering@1', 'meters']));
  for (const { service, name, fixed } of all) {
    if (fixed !== null) continue;
    const { code, output } = await vv('projections', 'rebuild', service, name, '--shadow', '--compare');
    expect({ name, code, output }).toMatchObject({ code: 0, output: expect.stringContaining('compare done: the same bytes') });
  }
  await admin.query(`UPDATE identity.organizations_v1 SET row = '{"id":"changed"}'`);
  await admin.query(`UPDATE payments.credentials SET revoked = true`);
  for (const [service, name] of [['billing', 'organizations'], ['payments', 'credentials@1']] as const) {
    const found = await vv('projections', 'rebuild', service, name, '--compare');
    expect(found).toMatchObject({ code: 1, output: expect.stringContaining('DIFFERENT from the live rows') });
    expect((await vv('projections', 'rebuild', service, name, '--cutover')).output).toContain('the live rows were different, and are replaced');
    expect((await vv('projections', 'rebuild', service, name, '--compare')).code).toBe(0);
  }
}, TIMEOUT_MS);

test('usage: the sums are right, a record that cannot be taken in and a bucket that was changed are found, with what to do', async () => {
  await edition.post('/api/v1/usage/meters', { key: 'watched', eventType: 'watched', aggregation: 'count' });
  const event = (id: string): object => ({ specversion: '1.0', id, source: 'operations', type: 'watched', subject: 'ada', time: new Date().toISOString() });
  await edition.send([event('1'), event('2')]);
  await edition.send([event('1'), { ...event('3'), type: 'nobody looks' }]);
  const doctor = (): ReturnType<typeof vv> => vv('doctor', 'usage', '--key', edition.secretKey);
  const becomes = (what: string, isSo: (found: { code: number | null; output: string }) => boolean): Promise<string> => eventually(what, async (saw) => { const found = await doctor(); saw(found.output); return isSo(found) ? found.output : undefined; }, { timeoutMs: TIMEOUT_MS / 4 });
  const well = await becomes('all to be counted', ({ output }) => output.includes('4 accepted'));
  expect(well).toMatch(/✓ usage metering-partitions: gets on in all partitions\n✓ usage period: [^]*✓ usage events: 4 accepted = 0 counted \+ 1 duplicate \+ 0 conflict \+ 3 waiting \+ 0 excluded \(no_subscription 2, no_meter 1\)[^]*✓ usage meter watched: 2 events/);

  // Somebody wrote to the topic with another program: an event of no time.
  const { rows: [meter] } = await admin.query<{ tenant: string }>(`SELECT tenant FROM usage.meters WHERE key LIKE '%watched%'`);
  const { tenant } = meter!;
  const partition = partitionOf(tenant, 'ada', partitionsOf('usage.events'));
  await admin.query(
    `WITH e AS (UPDATE feed.ends SET next_offset = next_offset + 1 WHERE topic = 'usage.events' AND partition = $1 RETURNING next_offset - 1 AS at)
     INSERT INTO feed.records (topic, partition, record_offset, key, headers, value) SELECT 'usage.events', $1, at, 'env_x', $2, $3 FROM e`,
    [partition, JSON.stringify({ ce_tenant: tenant }), JSON.stringify({ id: 'env_x', tenant, recordedAt: '2026-03-01T12:00:00Z', events: [{ ...event('4'), time: 'never' }] })]);
  const sick = await becomes('it to be found', ({ output }) => output.includes('parked'));
  expect(sick).toMatch(new RegExp(`✗ usage metering-partitions: usage.events/${partition} has 1 parked records \\(.*\\); statements of their subjects wait, those of others do not\\n {4}next: npx vv dlq list usage`));
  expect((await vv('doctor')).output).toMatch(new RegExp(`✗ usage metering: usage.events/${partition} has 1 parked records[^]*✗ usage metering-partitions: `));
  expect(await edition.ask('/health/ready', { key: undefined })).toMatchObject({ status: 200, body: { details: { 'usage metering': { status: 'up', reason: expect.stringContaining('1 parked records') } } } });
  expect((await edition.ask('/metrics', { key: undefined })).body).toMatch(/valueverse_usage_stuck_partitions\{kind="parked"\} 1/);
  const [letter] = await json<Letter[]>('dlq', 'list', 'usage');
  expect(await vv('dlq', 'retry', 'usage', letter!.id)).toMatchObject({ code: 1, output: expect.stringContaining('still_failing') });
  expect((await vv('dlq', 'discard', 'usage', letter!.id, '--reason', 'a test wrote it')).code).toBe(0);
  expect((await doctor()).output).toContain('✓ usage metering-partitions');

  await admin.query('UPDATE usage.usage_buckets SET events = events + 1');
  const changed = await doctor();
  expect(changed.code).toBe(1);
  expect(changed.output).toMatch(/✗ usage meter watched: .* at .*: the envelopes come to (\d) \(\1 events\), the bucket to \d[^]*next: npx vv projections rebuild usage metering@1 --compare/);
  await admin.query('UPDATE usage.usage_buckets SET events = events - 1');
  const again = await doctor();
  expect(again).toMatchObject({ code: 0, output: expect.stringContaining('✓ usage meter watched: 2 events in buckets and in envelopes') });
}, TIMEOUT_MS);

test('each partition has its reader, with its epoch and how far behind it is', async () => {
  const found = await json<{ service: string; consumer: string; topic: string; partition: number; owner: string | null; epoch: number; behind: number; halted: string | null }[]>('readers', 'list', 'usage');
  const metering = found.filter(({ consumer }) => consumer === 'metering@1');
  expect(metering.map(({ partition }) => partition)).toEqual(Array.from({ length: 32 }, (_, partition) => partition));
  for (const reader of metering) expect(reader).toMatchObject({ service: 'usage', topic: 'usage.events', owner: expect.any(String), epoch: expect.any(Number), behind: 0, halted: null });
  await eventually('nobody to be behind', async (saw) => { const { output } = await vv('readers', 'list', '--behind'); saw(output); return output.trim() === 'none' ? true : undefined; }, { timeoutMs: TIMEOUT_MS / 4 });
}, TIMEOUT_MS);

test('the outbox says what is not published, and who has the relay', async () => {
  const found = await json<{ service: string; facts: number; relay: { owner: string | null; leaseSeconds: number } }[]>('outbox', 'status');
  expect(found.map(({ service }) => service)).toEqual(['usage', 'billing', 'payments', 'notifications']);
  for (const { relay } of found) expect(relay.owner).toEqual(expect.any(String));
}, TIMEOUT_MS);

test('everything that an operator did is written down, before it was done and how it ended, and nobody changes it', async () => {
  await edition.ask('/api/v1/operator/organizations', { body: { name: 'Audited' }, key: edition.operatorToken });
  const acts = await json<{ service: string; act: string; actor: string; outcome: string; details: string; subject: string }[]>('audit', 'list');
  const discards = acts.filter(({ service, act }) => service === 'billing' && act.endsWith('/discard'));
  expect(discards.map(({ outcome }) => outcome)).toEqual(['done', 'begun', expect.stringContaining('refused: '), 'begun']);
  expect(discards[0]).toMatchObject({ service: 'billing', actor: 'operator', details: expect.stringContaining('a test wrote it') });
  expect(acts.filter(({ act, outcome }) => act === 'POST /api/v1/operator/organizations' && outcome === 'done').length).toBeGreaterThan(0);
  expect(acts.some(({ act, outcome }) => act.endsWith('/retry') && outcome === 'refused: still_failing')).toBe(true);
  await expect(admin.query('DELETE FROM billing.operator_acts')).rejects.toThrow('never changed');
}, TIMEOUT_MS);

test('bad requests: what is not there is 404, what is not right is 400, with a code', async () => {
  const ask = (path: string, body?: unknown) => edition.ask(`/api/v1/operator/log/${path}`, { key: edition.operatorToken, ...(body === undefined ? {} : { body }) });
  expect(await ask('nothing/dead-letters')).toMatchObject({ status: 404, body: { code: 'service_not_found' } });
  expect(await ask('billing/dead-letters/xyz')).toMatchObject({ status: 404, body: { code: 'dead_letter_not_found' } });
  expect(await ask(`billing/dead-letters/${Buffer.from('["s","a","b","c"]').toString('base64url')}/retry`, {})).toMatchObject({ status: 409, body: { code: 'still_failing' } });
  expect(await ask('billing/dead-letters?cursor=forged')).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } });
  expect(await ask('billing/projections/nothing/rebuild', { mode: 'compare' })).toMatchObject({ status: 404, body: { code: 'projection_not_found' } });
  expect(await ask('billing/projections/organizations/rebuild', { mode: 'at once' })).toMatchObject({ status: 400, body: { errors: [{ pointer: '/mode' }] } });
  expect(await edition.ask('/api/v1/operator/log/billing/dead-letters')).toMatchObject({ status: 403 });
  expect(await edition.ask('/api/v1/operator/log/billing/acts', { key: undefined })).toMatchObject({ status: 401 });
}, TIMEOUT_MS);
