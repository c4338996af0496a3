import { Database } from '@valueverse/event-log';
import { DEDUPE_DAYS } from '../metering/key-days';
import { RETENTION_DAYS_MIN } from './domain/retention';
import { RetentionBed } from './retention-bed.spec-kit';
import { dropDue } from './retention.worker';

const TIMEOUT_MS = 60_000;
const JANUARY = { from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00Z' };
const FEBRUARY = { from: '2026-02-01T00:00:00Z', to: '2026-03-01T00:00:00Z' };

describe('the retention of a tenant', () => {
  let bed: RetentionBed;
  beforeAll(async () => { bed = await RetentionBed.make(); }, TIMEOUT_MS);
  afterAll(() => bed.close(), TIMEOUT_MS);

  test('is for ever until it says otherwise, and above the window of duplicates', async () => {
    expect(RETENTION_DAYS_MIN).toBeGreaterThan(DEDUPE_DAYS);
    expect((await bed.ask('GET', 'retention')).body).toEqual({ days: null, wholeFrom: null, dropped: 0, keptBeyond: 0, held: [], partitions: [] });
    expect(await bed.ask('PUT', 'retention', { days: 35 })).toMatchObject({ status: 400, body: { code: 'retention_too_short', errors: [{ pointer: '/days' }] } });
    expect(await bed.ask('PUT', 'retention', { days: 40_000 })).toMatchObject({ status: 400, body: { code: 'retention_too_long' } });
    for (const days of ['36', 36.5, -1, undefined]) expect(await bed.ask('PUT', 'retention', { days })).toMatchObject({ status: 400, body: { code: 'invalid_request', errors: [{ pointer: '/days' }] } });
    expect(await bed.ask('PUT', 'retention', { days: 36 })).toMatchObject({ status: 200, body: { days: 36 } });
    await bed.ask('PUT', 'retention', { days: 36 });
    expect((await bed.ask('GET', 'retention')).body.days).toBe(36);
    await bed.ask('PUT', 'retention', { days: null });
    expect((await bed.ask('GET', 'retention')).body.days).toBeNull();
    expect(await bed.rows(`SELECT body::json->'data'->>'days' AS days FROM events WHERE tenant = $1 AND type LIKE '%retention.changed%' ORDER BY version`, [bed.tenant])).toEqual([{ days: '36' }, { days: null }]);
    expect(await bed.host.ask('PUT', 'retention', await bed.host.key('org_1', 'ingest'), { days: 36 })).toMatchObject({ status: 403 });
  }, TIMEOUT_MS);
});

test('1 January to 20 March: a period goes when its statement is there; an open one, what waits and the other tenant stay', async () => {
  const bed = await RetentionBed.make();
  const other = await bed.other('org_2');
  try {
    for (const one of [bed, other]) {
      await one.meter('tokens');
      await one.metersFollow();
      await one.subscribe(`sub_${one.organization}`, ['acme', 'beta'], JANUARY.from);
    }
    await bed.ask('PUT', 'retention', { days: 36 });

    // 5 to 20 January
    for (const one of [bed, other]) {
      await one.receive('2026-01-05T10:00:00Z', [{ id: 'a1', data: { n: 5 } }, { id: 'a2', data: { n: 6 } }, { id: 'a3', time: '2026-01-05T10:20:00Z', data: { n: 'none' } }]);
      await one.receive('2026-01-05T10:01:00Z', [{ id: 'a1', data: { n: 5 } }, { id: 'a4', data: { n: 1 } }]);
      await one.receive('2026-01-06T10:00:00Z', [{ id: 'waits', subject: 'nobody' }, { id: 'no meter', type: 'other' }, { id: 'b1', subject: 'beta', data: { n: 9 } }], true);
      await one.receive('2026-01-31T23:59:00Z', [{ id: 'a5', data: { n: 7 } }]);
    }
    // 1 February: acme's January is stated, beta's is not.
    for (const one of [bed, other]) {
      await one.receive('2026-02-01T00:00:01Z', [{ id: 'a6', time: '2026-02-01T00:00:00Z' }]);
      expect((await one.stated([{ subject: 'acme', ...JANUARY }])).quantities).toMatchObject([{ value: '19', events: 4 }]);
    }

    // 5 February: nothing is old enough by the log time of its partition, whatever the wall clock says.
    await bed.receive('2026-02-05T00:00:00Z', [{ id: 'a7' }]);
    expect(await bed.drop()).toBe(0);
    const before = [await bed.query('tokens', JANUARY.from, JANUARY.to, '&groupBy=subject'), await bed.query('tokens', '2026-01-05T00:00:00Z', '2026-01-06T00:00:00Z', '&windowSize=hour')].map(({ body }) => body.data);

    // 20 March
    for (const subject of ['acme', 'beta', 'nobody']) await bed.receive('2026-03-20T00:00:00Z', [{ id: `${subject} in march`, subject }]);
    expect(await bed.drop()).toBe(3);
    expect((await bed.kept()).sort()).toEqual(['a6', 'a7', 'acme in march', 'b1', 'beta in march', 'no meter', 'nobody in march', 'waits']);
    expect((await other.kept()).length).toBe(10);
    expect((await bed.ask('GET', 'retention')).body).toMatchObject({ days: 36, dropped: 3, keptBeyond: 5, wholeFrom: '2026-01-31T23:59:00.000001Z' });
    expect(await bed.held()).toEqual({ open_periods: 2, waiting: 2 });
    // What was counted is answered as before.
    expect([await bed.query('tokens', JANUARY.from, JANUARY.to, '&groupBy=subject'), await bed.query('tokens', '2026-01-05T00:00:00Z', '2026-01-06T00:00:00Z', '&windowSize=hour')].map(({ body }) => body.data)).toEqual(before);
    expect(await bed.rows('SELECT subject, to_timestamp(bucket / 1000000)::timestamptz(0)::text AS bucket, envelopes FROM usage_seals WHERE tenant = $1 ORDER BY 1, 2', [bed.tenant])).toHaveLength(3);

    // 1 April: acme's February and beta's January are stated, and go with the next look.
    await bed.stated([{ subject: 'acme', ...FEBRUARY }, { subject: 'beta', ...JANUARY }]);
    for (const subject of ['acme', 'beta']) await bed.receive('2026-04-10T00:00:00Z', [{ id: `${subject} in april`, subject }]);
    expect(await bed.drop()).toBe(3);
    expect(await bed.held()).toEqual({ waiting: 2 });
    // The doctor's sums are as they were.
    const { body: sums } = await bed.ask('GET', `reconciliation?from=${JANUARY.from}&to=${JANUARY.to}`);
    expect(sums).toMatchObject({ isEqual: true, meters: [{ meterKey: 'tokens', isEqual: true }] });
  } finally {
    await bed.close();
  }
}, TIMEOUT_MS);

test('a process that dies anywhere in a chunk has done nothing, and another one does it once', async () => {
  const bed = await RetentionBed.make();
  try {
    await bed.meter('tokens');
    await bed.metersFollow();
    await bed.subscribe('sub_1', ['acme'], JANUARY.from);
    await bed.ask('PUT', 'retention', { days: 36 });
    for (let day = 10; day < 14; day++) await bed.receive(`2026-01-${day}T00:00:00Z`, [{ id: `d${day}`, data: { n: day } }]);
    await bed.stated([{ subject: 'acme', ...JANUARY }]);
    await bed.receive('2026-04-01T00:00:00Z', [{ id: 'april' }]);
    const stateNow = async (): Promise<unknown> => [await bed.kept(), await bed.rows('SELECT * FROM usage_seals'), await bed.rows('SELECT * FROM usage_retention_progress'), await bed.rows('SELECT * FROM usage_retention_held')];
    await bed.lookedThrough();
    const [before, statements] = [await stateNow(), [] as string[]];
    const counting = new Database({ url: bed.host.databaseUrl, schema: 'usage', beforeStatement: (text) => { statements.push(text); if (text === 'COMMIT' && statements.some((one) => one.includes('SET body = NULL'))) throw new Error('the process ended'); } });
    await expect(dropDue(counting)).rejects.toThrow('the process ended');
    await counting.close();
    expect(await stateNow()).toEqual(before);
    const begins = statements.lastIndexOf('BEGIN');
    for (let nth = begins + 1; nth < statements.length; nth++) {
      let at = 0;
      const dying = new Database({ url: bed.host.databaseUrl, schema: 'usage', beforeStatement: () => { if (at++ === nth) throw new Error('the process ended'); } });
      await expect(dropDue(dying)).rejects.toThrow('the process ended');
      await dying.close();
      expect(await stateNow()).toEqual(before);
    }
    expect(await Promise.all([bed.drop(), bed.drop()]).then(([first, second]) => first! + second!)).toBe(4);
    expect(await bed.kept()).toEqual(['april']);
    expect(await bed.rows('SELECT envelopes, first_chunk::int FROM usage_seals ORDER BY bucket')).toEqual([1, 1, 1, 1].map((envelopes) => ({ envelopes, first_chunk: 1 })));
    expect((await bed.query('tokens', JANUARY.from, JANUARY.to)).body.data).toMatchObject([{ value: '46' }]);
  } finally {
    await bed.close();
  }
}, TIMEOUT_MS);
