import { eventually } from '@valueverse/testing';
import { AT, Bed, NOW, QUARTER, SECOND, TENANT } from '../bed.spec-kit';
import { INGRESS_CONSUMER, ingressOrigin } from '../ingress/ingress.projector';
import { raiseFloors } from './ingress-floor';

const TIMEOUT_MS = 60_000;
const call = (id: string, tokens: unknown, micros: number, more: object = {}): object => ({ id, time: AT(micros), data: { tokens, model: 'code' }, ...more });
const span = (from: number, to: number, subject = 'acme'): { subject: string; from: string; to: string } => ({ subject, from: AT(from), to: AT(to) });

describe('statements', () => {
  let bed: Bed;
  beforeEach(async () => { bed = await Bed.make(); }, TIMEOUT_MS);
  afterEach(() => bed.close(), TIMEOUT_MS);

  const started = async (): Promise<void> => {
    bed.start();
    await bed.createMeter('tokens');
    await bed.metersFollow();
  };

  test('edges inside buckets are exact to the microsecond', async () => {
    await started();
    const [from, to] = [7 * 60 * SECOND + 33 * SECOND + 1, 3 * QUARTER + 10 * SECOND];
    await bed.send([
      call('just before', 1, from - 1), call('first', 10, from), call('in the bucket of the start', 100, QUARTER - 1), call('whole', 1_000, QUARTER), call('whole too', 10_000, 3 * QUARTER - 1),
      call('last', 100_000, to - 1), call('just after', 1_000_000, to), call('of another', 7, QUARTER, { subject: 'other' }), call('of another type', 7, QUARTER, { type: 'other' }),
    ]);
    await bed.request([{ usage: [span(from, to)], groupBy: ['model'] }, { requestId: 'r2', usage: [span(from - 1, from), span(to, to + 1)] }, { requestId: 'r3', usage: [span(QUARTER + 1, QUARTER + 2), span(5, 5)] }]);
    expect(await bed.statement()).toMatchObject({ quantities: [{ group: { model: 'code' }, value: '111110', events: 5 }], meterKey: 'tokens', chunkId: 'chunk-1' });
    expect((await bed.statement('r2')).quantities).toEqual([{ group: {}, value: '1000001', events: 2 }]);
    expect((await bed.statement('r3')).quantities).toEqual([]);
  }, TIMEOUT_MS);

  test('what was accepted before the request is in the answer, however far metering is behind', async () => {
    bed.start(({ name }) => name !== 'metering');
    await bed.createMeter('tokens');
    await bed.metersFollow();
    await bed.send(Array.from({ length: 40 }, (_, nth) => call(`${nth}`, 1, nth * SECOND)));
    await bed.request([{ usage: [span(0, QUARTER)] }]);
    await eventually('the request to wait for metering', () => bed.jobs.reasons.find((reason) => reason.startsWith('metering is at 0')));
    await bed.unsubscribe();
    bed.subscribe();
    expect((await bed.statement()).quantities).toEqual([{ group: {}, value: '40', events: 40 }]);
  }, TIMEOUT_MS);

  test('an unknown meter and one that is being back-filled hold their statements, and only theirs', async () => {
    await started();
    await bed.send([call('1', 5, 0)]);
    await bed.metered();
    await bed.request([{ requestId: 'held', meterKey: 'later', usage: [span(0, QUARTER)] }, { requestId: 'free', usage: [span(0, QUARTER)] }]);
    expect((await bed.statement('free')).quantities).toEqual([{ group: {}, value: '5', events: 1 }]);
    await eventually('the request to wait for its meter', () => bed.jobs.reasons.find((reason) => reason === 'meter later@1 is not known'));
    await bed.createMeter('later', { groupBy: {} });
    expect((await bed.statement('held')).quantities).toEqual([{ group: {}, value: '5', events: 1 }]);
  }, TIMEOUT_MS);

  test('a request that comes again gets the same statement', async () => {
    await started();
    await bed.send([call('1', 5, 0)]);
    await bed.request([{ usage: [span(0, QUARTER)] }], 'evt_1');
    const first = await bed.statement();
    await bed.send([call('2', 6, 1)]);
    await bed.metered();
    await bed.request([{ usage: [span(0, QUARTER)] }], 'evt_1');
    await bed.request([{ usage: [span(0, QUARTER)] }], 'evt_another');
    await bed.request([{ requestId: 'r2', usage: [span(0, QUARTER)] }]);
    expect((await bed.statement('r2')).quantities).toEqual([{ group: {}, value: '11', events: 2 }]);
    expect(await bed.statement()).toEqual(first);
    expect(await bed.rows(`SELECT count(*)::int AS facts FROM events WHERE type LIKE '%statement.issued%'`)).toEqual([{ facts: 2 }]);
  }, TIMEOUT_MS);

  test('a statement computed again from the envelopes is the same, and a late event is not in it', async () => {
    await started();
    await bed.send([call('1', '0.5', 5), call('1', '0.5', 5), call('2', 7, QUARTER), call('3', 8, 2 * QUARTER + 1), call('4', 1, QUARTER, { subject: 'other' }), call('5', 'none', QUARTER)]);
    await bed.request([{ usage: [span(3, 2 * QUARTER + 2), span(0, QUARTER, 'nobody'), span(0, 3 * QUARTER, 'other')], groupBy: ['model'] }]);
    const statement = await bed.statement();
    expect(statement.quantities).toEqual([{ group: { model: 'code' }, value: '16.5', events: 4 }]);
    await bed.send([call('late', 100, QUARTER + 1), call('later', 100, 4)]);
    await bed.metered();
    expect(await bed.reader.recompute(TENANT, statement.statementId)).toEqual({ quantities: statement.quantities, evidence: statement.evidence });
    expect(await bed.reader.recompute('org_2:test', statement.statementId)).toBeUndefined();
    expect(await bed.reader.quantities(TENANT, { meterKey: 'tokens', usage: statement.usage, groupBy: [] })).toMatchObject({ quantities: [{ value: '216.5', events: 6 }] });
  }, TIMEOUT_MS);

  test('terms of single events are applied in the order of their time, and recompute to the same', async () => {
    await started();
    // Sent in another order than they occurred: 50 at 1 s is free, 80 at 2 s crosses 100 by 30, 10 at 3 s is paid; 2 % of 40 and twice 0.1.
    await bed.send([call('c', 10, 3 * SECOND), call('a', 50, SECOND), call('b', 80, 2 * SECOND, { data: { tokens: 80, model: 'code', fee: '1.25' } })]);
    await bed.request([
      { usage: [span(0, QUARTER)], terms: { kind: 'percentage', rate: '2', fixedAmount: '0.1', freeAmount: '100' } },
      { requestId: 'r2', usage: [span(0, QUARTER)], terms: { kind: 'dynamic', amountProperty: '$.fee', multiplier: '2' } },
    ]);
    const statement = await bed.statement();
    expect(statement.quantities).toEqual([{ group: {}, value: '140', events: 3, priced: { amount: '1', paidValue: '40', freeEvents: 1, paidEvents: 2, unpriced: 0 } }]);
    expect((await bed.statement('r2')).quantities[0]!.priced).toEqual({ amount: '2.5', paidValue: '80', freeEvents: 0, paidEvents: 1, unpriced: 2 });
    await bed.send([call('late', 1000, 0)]);
    await bed.metered();
    expect(await bed.reader.recompute(TENANT, statement.statementId)).toEqual({ quantities: statement.quantities, evidence: statement.evidence });
  }, TIMEOUT_MS);

  test('an event that is taken back after a statement still counts in it, and in none that comes later', async () => {
    await started();
    await bed.send([call('1', 5, 1), call('2', 7, 2)]);
    await bed.request([{ usage: [span(0, QUARTER)] }]);
    const statement = await bed.statement();
    await bed.ingest.correct(TENANT, { id: '1', source: 'gateway', type: 'void', subject: 'acme', time: AT(0), correction: { id: 'cor_1', kind: 'void', reason: 'a test' } }, AT(0));
    await bed.metered();
    await bed.request([{ requestId: 'r2', usage: [span(0, QUARTER)] }]);
    expect((await bed.statement('r2')).quantities).toEqual([{ group: {}, value: '7', events: 1 }]);
    expect(await bed.reader.recompute(TENANT, statement.statementId)).toEqual({ quantities: [{ group: {}, value: '12', events: 2 }], evidence: statement.evidence });
  }, TIMEOUT_MS);

  test('what clients had written to usage.ingress is waited for, and then lies below the floor', async () => {
    await bed.rows(`INSERT INTO usage_statement_requests (tenant, request, chunk, body, floor, at, fact, correlation, ingress) VALUES ($1, 'r9', 'c', '{}', '{"29":"0"}', $2, 'f', 'f', '{"3":"5"}')`, [TENANT, NOW]);
    const raise = (): Promise<ReadonlyMap<string, string>> => raiseFloors(bed.log, bed.feed, TENANT, ['r9']);
    expect([...(await raise()).values()]).toEqual(['usage.ingress/3 is read up to 0 of 5']);
    await bed.rows(`INSERT INTO checkpoints (consumer, topic, partition, next_offset) VALUES ($1, 'usage.ingress', 3, 5)`, [INGRESS_CONSUMER]);
    await bed.rows(`INSERT INTO usage_outbox (tenant, topic, partition, key, headers, value, has_value, origin, first_offset) VALUES ($1, 'usage.events', 29, 'k', '{}', '', true, $2, 4)`, [TENANT, ingressOrigin(3)]);
    expect([...(await raise()).values()]).toEqual([`envelopes of ${ingressOrigin(3)} from offset 4 on are not in usage.events/29 yet`]);
    await bed.rows('DELETE FROM usage_outbox');
    await bed.send([call('1', 5, 1)]);
    expect([...(await raise()).values()]).toEqual([]);
    expect(await bed.rows('SELECT floor, ingress FROM usage_statement_requests')).toEqual([{ floor: '{"29":"1"}', ingress: null }]);
  }, TIMEOUT_MS);

  test('an envelope that was changed, and a bucket that was changed, are found', async () => {
    await started();
    await bed.send([call('1', 5, 1)]);
    await bed.metered();
    await bed.rows('UPDATE usage_buckets SET total = total + 1');
    await bed.request([{ usage: [span(0, QUARTER)] }, { requestId: 'r2', usage: [span(0, QUARTER - 1)] }]);
    const [wrongBucket, sound] = [await bed.statement(), await bed.statement('r2')];
    expect(wrongBucket.quantities[0]!.value).toBe('6');
    expect(await bed.reader.recompute(TENANT, wrongBucket.statementId)).toMatchObject({ quantities: [{ value: '5' }] });
    expect((await bed.reader.recompute(TENANT, sound.statementId))!.evidence).toBe(sound.evidence);
    await bed.rows(`UPDATE usage_envelopes SET body = replace(body, '"gateway"', '"getaway"')`);
    const again = await bed.reader.recompute(TENANT, sound.statementId);
    expect(again!.quantities).toEqual(sound.quantities);
    expect(again!.evidence).not.toBe(sound.evidence);
  }, TIMEOUT_MS);

  test('a parked envelope holds the statements of its tenant instead of being left out', async () => {
    await started();
    await bed.send([call('1', 5, 1)]);
    await bed.metered();
    await bed.rows(`INSERT INTO parked_records SELECT 'metering@1', topic, partition, next_offset - 1, $1, 'env_1', NULL, NULL, '{}', '{}' FROM checkpoints WHERE consumer = 'metering@1' AND topic = 'usage.events' AND next_offset > 0`, [TENANT]);
    await bed.request([{ usage: [span(0, QUARTER)] }]);
    await eventually('the request to wait for the parked envelope', () => bed.jobs.reasons.find((reason) => reason.includes('parked')));
    await bed.rows('DELETE FROM parked_records');
    expect((await bed.statement()).quantities).toEqual([{ group: {}, value: '5', events: 1 }]);
  }, TIMEOUT_MS);

  test('another tenant sees nothing, in queries and behind the second wall', async () => {
    await started();
    await bed.send([call('1', 5, 1), call('1', 6, 1), call('2', 'x', 1)]);
    await bed.request([{ usage: [span(0, QUARTER)] }]);
    await bed.statement();
    await expect(bed.reader.quantities('org_2:test', { meterKey: 'tokens', usage: [span(0, QUARTER)], groupBy: [] })).rejects.toMatchObject({ code: 'meter_not_found' });
    const tables = ['usage_envelopes', 'usage_series', 'usage_buckets', 'usage_bucket_envelopes', 'usage_exceptions', 'usage_meter_progress', 'usage_statement_requests', 'meters', 'statements'];
    const counts = (tenant: string): Promise<number[]> => bed.database.transaction({ role: 'api', tenant }, async (tx) => {
      const found: number[] = [];
      for (const table of tables) found.push((await tx.query(`SELECT FROM ${table}`)).rowCount ?? 0);
      return found;
    });
    expect(await counts('org_2:test')).toEqual(tables.map(() => 0));
    expect((await counts(TENANT)).every((count) => count > 0)).toBe(true);
  }, TIMEOUT_MS);
});
