import { eventually } from '@valueverse/testing';
import { lookAtDropped } from '../statements/look';
import { RetentionBed } from './retention-bed.spec-kit';

const TIMEOUT_MS = 60_000;
const JANUARY = { from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00Z' };
const [DAY_FROM, DAY_TO] = ['2026-01-05T00:00:00Z', '2026-01-06T00:00:00Z'];
let bed: RetentionBed;
let statement: { readonly id: string; readonly evidence: string };
const query = async (meter: string, from = DAY_FROM, to = DAY_TO): Promise<unknown> => (await bed.query(meter, from, to)).body.data[0]?.value;
const recompute = (): Promise<unknown> => bed.reader.recompute(bed.tenant, statement.id);
const reconciled = async (): Promise<{ isEqual: boolean; sealed: number; sealFaults: object[]; events: object; meters: object[] }> => (await bed.ask('GET', `reconciliation?from=${JANUARY.from}&to=${JANUARY.to}`)).body;
/** By hand, as somebody with the database would; undone after. */
const changed = async (sql: string, undo: string, look: () => Promise<void>): Promise<void> => {
  await bed.rows(sql);
  try { await look(); } finally { await bed.rows(undo); }
};

beforeAll(async () => {
  bed = await RetentionBed.make();
  await bed.meter('tokens');
  await bed.meter('peak', { aggregation: 'max' });
  await bed.meter('users', { aggregation: 'unique_count', valueProperty: '$.user' });
  await bed.meter('burst', { aggregation: 'percentile', percentile: '90', sampleWindow: 'PT10M' });
  await bed.metersFollow();
  await bed.subscribe('sub_1', ['acme'], JANUARY.from);
  await bed.ask('PUT', 'retention', { days: 36 });
  // 5 January
  await bed.receive('2026-01-05T10:00:00Z', [{ id: 'a1', data: { n: 5, user: 'x' } }, { id: 'a2', time: '2026-01-05T10:09:00Z', data: { n: 80, user: 'y' } }, { id: 'a3', time: '2026-01-05T10:20:00Z', data: { n: 7, user: 'x' } }]);
  await bed.receive('2026-01-05T10:01:00Z', [{ id: 'a1', data: { n: 5, user: 'x' } }, { id: 'a4', data: { n: 1, user: 'z' } }]);
  // 1 February
  for (const meter of ['peak', 'users', 'burst']) await bed.stated([{ subject: 'acme', ...JANUARY }], meter);
  statement = await bed.stated([{ subject: 'acme', ...JANUARY }]);
  // 8 March: one that is late to its statement, and the day after.
  await bed.receive('2026-03-08T00:00:00Z', [{ id: 'late', time: '2026-01-05T10:02:00Z', data: { n: 100, user: 'x' } }]);
  await bed.receive('2026-03-09T00:00:00Z', [{ id: 'the day after' }]);
  expect(await bed.drop()).toBe(2);
}, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

test('what was counted is answered as before, what needs single events is refused by name', async () => {
  expect([await query('tokens'), await query('peak'), await query('users'), await query('burst')]).toEqual(['193', '100', '3', '0']);
  // It says so: up to the end of the last sealed quarter of an hour that is in it, of the subjects that are asked about.
  const sealed = async (from: string, to: string, more = ''): Promise<string | null> => (await bed.ask('GET', `meters/tokens/query?from=${from}&to=${to}${more}`)).body.sealedUntil;
  expect(await Promise.all([sealed(DAY_FROM, DAY_TO), sealed(DAY_FROM, DAY_TO, '&subject=acme,nobody'), sealed('2026-01-05T10:00:00Z', '2026-01-05T10:15:00Z'), sealed(DAY_FROM, DAY_TO, '&subject=nobody'), sealed('2026-01-05T10:30:00Z', DAY_TO)]))
    .toEqual(['2026-01-05T10:30:00Z', '2026-01-05T10:30:00Z', '2026-01-05T10:15:00Z', null, null]);
  expect(await bed.query('tokens', '2026-01-05T10:00:00Z', '2026-01-05T10:07:00Z')).toMatchObject({ status: 409, body: { code: 'usage_dropped', detail: expect.stringContaining('2026-01-05T10:00:00Z') } });
  expect(await query('tokens', '2026-01-05T10:00:00Z', '2026-01-05T10:15:00Z')).toBe('186');
  expect(await bed.ask('GET', `statements/${statement.id}/events`)).toMatchObject({ status: 409, body: { code: 'usage_dropped' } });
  expect((await bed.ask('GET', `statements/${statement.id}/buckets`)).body.data).toMatchObject([
    { from: '2026-01-05T10:00:00Z', sealed: true, quantities: [{ value: '86', events: 3 }] }, { from: '2026-01-05T10:15:00Z', sealed: true, quantities: [{ value: '7', events: 1 }] }]);
  expect((await bed.ask('GET', 'events/lookup?subject=acme&source=gateway&id=a1')).body).toMatchObject({ occurrences: [], dropped: [{ index: 0 }, { index: 0 }] });
  const listed = await bed.ask('GET', `events?receivedFrom=${JANUARY.from}&receivedTo=${JANUARY.to}`);
  expect([listed.body.data, listed.headers.get('valueverse-dropped-until')]).toEqual([[], '2026-01-05T10:01:00Z']);
  const exported = await fetch(`${bed.host.url}/api/v1/usage/events`, { headers: { authorization: `Bearer ${bed.key}`, accept: 'text/csv' } });
  expect([(await exported.text()).split('\r\n').length, exported.headers.get('valueverse-dropped-until')]).toEqual([4, '2026-01-05T10:01:00Z']);
  expect((await bed.ask('GET', 'exceptions?code=duplicate')).body.data).toMatchObject([{ code: 'duplicate', id: 'a1', event: null }]);
  expect(await bed.ask('POST', 'events/void', { subject: 'acme', source: 'gateway', id: 'a2', reason: 'a test' })).toMatchObject({ status: 409, body: { code: 'event_dropped' } });
}, TIMEOUT_MS);

test('a statement is computed again from the seals, to the same evidence; sums say where dropped events ended', async () => {
  expect(await recompute()).toEqual({ quantities: [{ group: {}, value: '93', events: 4 }], evidence: statement.evidence, sealed: { isIntact: true, isRecomputed: true } });
  expect(await reconciled()).toMatchObject({
    isEqual: true, sealed: 2, sealFaults: [], events: { accepted: 5, counted: 4, duplicate: 1 },
    meters: [{ meterKey: 'burst', fromEnvelopes: 5, isEqual: true }, { meterKey: 'peak', fromEnvelopes: 5, isEqual: true }, { meterKey: 'tokens', fromEnvelopes: 5, isEqual: true }, { meterKey: 'users', fromEnvelopes: 5, isEqual: true }],
  });
}, TIMEOUT_MS);

test.each([
  ['a sum', 'UPDATE usage_buckets SET total = total + 1 WHERE series IN', 'UPDATE usage_buckets SET total = total - 1 WHERE series IN', 'tokens', 'bucket_altered'],
  ['a count', 'UPDATE usage_buckets SET events = events + 1 WHERE series IN', 'UPDATE usage_buckets SET events = events - 1 WHERE series IN', 'burst', 'bucket_altered'],
  ['a different value', 'UPDATE usage_bucket_values SET events = events + 1 WHERE series IN', 'UPDATE usage_bucket_values SET events = events - 1 WHERE series IN', 'users', 'bucket_altered'],
])('%s of a sealed bucket that was changed by hand is found', async (_, sql, undo, meter, code) => {
  const series = `(SELECT series FROM usage_series WHERE meter = '${meter}' AND subject = 'acme')`;
  await changed(`${sql} ${series}`, `${undo} ${series}`, async () => {
    const found = await reconciled();
    expect(found.isEqual).toBe(false);
    expect(found.sealFaults).toEqual(expect.arrayContaining([{ subject: 'acme', from: '2026-01-05T10:00:00Z', code, meterKey: meter }]));
    expect(await recompute()).toMatchObject({ sealed: { isIntact: meter !== 'tokens' } });
  });
  expect((await reconciled()).isEqual).toBe(true);
}, TIMEOUT_MS);

test('a seal that was changed by hand, and a body that went without one, are found', async () => {
  await changed(`UPDATE usage_seals SET tallies = replace(tallies, '"86"', '"87"')`, `UPDATE usage_seals SET tallies = replace(tallies, '"87"', '"86"')`, async () => {
    expect((await reconciled()).sealFaults).toEqual(expect.arrayContaining([{ subject: 'acme', from: '2026-01-05T10:00:00Z', code: 'seal_altered', meterKey: null }]));
    expect(await recompute()).toMatchObject({ sealed: { isIntact: false } });
  });
  const [late] = await bed.rows<{ position: bigint; body: string }>(`SELECT position, body FROM usage_envelopes WHERE body LIKE '%"late"%'`);
  await bed.rows(`UPDATE usage_envelopes SET body = NULL, dropped = $3 WHERE position = $1 AND tenant = $2`, [late!.position, bed.tenant, JSON.stringify({ accepted: 1, counted: 1, duplicate: 0, conflict: 0, waiting: 0, excluded: 0, reasons: {} })]);
  expect((await reconciled()).sealFaults).toEqual(expect.arrayContaining([expect.objectContaining({ code: 'seal_altered' })]));
  await bed.rows('UPDATE usage_envelopes SET body = $3, dropped = NULL WHERE position = $1 AND tenant = $2', [late!.position, bed.tenant, late!.body]);
  expect((await reconciled()).isEqual).toBe(true);
}, TIMEOUT_MS);

test('an event that is left in a sealed bucket can still be taken back: the greatest is chosen among the sealed ones too', async () => {
  await bed.receive('2026-03-09T00:00:01Z', [{ id: 'greatest', time: '2026-01-05T10:03:00Z', data: { n: 1_000, user: 'new' } }]);
  expect([await query('peak'), await query('users')]).toEqual(['1000', '4']);
  for (const id of ['greatest', 'late']) await bed.takeBack('2026-03-09T00:00:02Z', 'acme', id);
  expect([await query('tokens'), await query('peak'), await query('users')]).toEqual(['93', '80', '3']);
  expect((await reconciled()).isEqual).toBe(true);
}, TIMEOUT_MS);

describe('a meter that is made after usage was dropped', () => {
  test('says from when on it is whole, and a version of an older one cannot count what is gone', async () => {
    await bed.meter('later');
    await bed.metersFollow();
    expect(await bed.query('later', DAY_FROM, DAY_TO)).toMatchObject({ status: 200, body: { data: [], wholeFrom: '2026-01-05T10:30:00Z' } });
    expect((await bed.query('tokens', DAY_FROM, DAY_TO)).body.wholeFrom).toBeNull();
    expect((await bed.query('later', '2026-01-05T10:30:00Z', '2026-05-01T00:00:00Z')).body).toMatchObject({ data: [{ value: '1' }], wholeFrom: null });
    const version = { eventType: 'call', aggregation: 'sum', valueProperty: '$.n', groupBy: {} };
    expect((await bed.ask('POST', 'meters/preview', version)).body).toMatchObject({ wholeFrom: '2026-01-05T10:20:00.000001Z' });
    expect(await bed.ask('POST', 'meters/tokens/versions', { ...version, from: '2026-01-05T10:15:00Z' })).toMatchObject({ status: 409, body: { code: 'usage_dropped', errors: [{ pointer: '/from' }] } });
    expect(await bed.ask('POST', 'meters/tokens/versions', { ...version, from: '2026-01-05T10:30:00Z' })).toMatchObject({ status: 201 });
    await bed.metersFollow();
    expect(await query('tokens')).toBe('93');
  }, TIMEOUT_MS);

  test('its statement, one with an edge in a sealed bucket, and one that looks at single events are never answered with less: they wait and say why', async () => {
    const waiting = [
      await bed.request([{ subject: 'acme', from: DAY_FROM, to: DAY_TO }], 'later'), await bed.request([{ subject: 'acme', from: '2026-01-05T10:07:00Z', to: DAY_TO }]),
      await bed.request([{ subject: 'acme', from: DAY_FROM, to: DAY_TO }], 'tokens', { terms: { kind: 'percentage', rate: '1' } }),
    ];
    const reasons = await eventually('three requests that wait', async (saw) => {
      const rows = await bed.rows<{ waits_for: string | null }>(`SELECT waits_for FROM jobs WHERE kind = 'usage.answer-statement'`);
      saw(rows);
      return rows.length === 3 && rows.every(({ waits_for: reason }) => reason?.startsWith('usage_dropped') === true) ? rows.map(({ waits_for: reason }) => reason!) : undefined;
    });
    expect(reasons.filter((reason) => reason.includes('acme has lost events'))).toHaveLength(3);
    expect(await lookAtDropped(bed.host.service)).toMatchObject({ ok: false, detail: expect.stringContaining('3 '), next: expect.any(String) });
    for (const id of waiting) expect((await bed.ask('GET', `statements/${id}`)).status).toBe(404);
    // Another one is not held up, and is computed from buckets as it always was.
    expect((await bed.stated([{ subject: 'acme', from: DAY_FROM, to: DAY_TO }])).quantities).toMatchObject([{ value: '93', events: 4 }]);
  }, TIMEOUT_MS);
});

test('another tenant sees nothing of it', async () => {
  for (const table of ['usage_seals', 'usage_retention_progress', 'usage_retention_held', 'usage_retention_holds', 'usage_retention']) {
    const read = (tenant: string): Promise<number> => bed.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => (await tx.query(`SELECT FROM ${table}`)).rowCount ?? 0);
    expect([table, await read('org_2:test')]).toEqual([table, 0]);
    // Nothing is held here: all that is old enough is dropped.
    expect([table, await read(bed.tenant) > 0]).toEqual([table, !['usage_retention_held', 'usage_retention_holds'].includes(table)]);
    await expect(bed.host.service.database.transaction({ role: 'api', tenant: bed.tenant }, (tx) => tx.query(`DELETE FROM ${table}`))).rejects.toThrow('permission denied');
  }
}, TIMEOUT_MS);
