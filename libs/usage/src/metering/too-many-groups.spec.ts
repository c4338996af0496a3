import { USAGE_PARTITIONS } from '@valueverse/contracts';
import { partitionOf } from '@valueverse/kernel';
import { AT, Bed, QUARTER, SECOND } from '../bed.spec-kit';
import { meterOf } from '../meters/meters';
import { queryMeter } from '../query/meter-query';
import { reconcile } from '../reconciliation/reconcile';
import { lookAtLeftOut } from './look';
import { answerAgain, answersTo } from '../statements/compute';
import { rulesOf } from './domain/measure';
import { GROUPS_PER_SUBJECT_MAX } from './series';

// Events of more combinations of dimensions than a subject may have count nowhere: in buckets, at the edges of queries and statements, in recomputations and when they are taken back.
const TIMEOUT_MS = 60_000;
const call = (id: string, model: string, tokens: number, more: object = {}): object => ({ id, data: { tokens, model }, ...more });

describe('more combinations than a subject may have', () => {
  let bed: Bed;
  beforeAll(async () => { bed = await Bed.make(); bed.start(({ name }) => name !== 'metering'); }, TIMEOUT_MS);
  afterAll(() => bed.close(), TIMEOUT_MS);

  /** A tenant with a meter, and `acme` with all but one of its combinations. `other` is a subject of the same partition. */
  const nearlyFull = async (name: string, more: object = {}): Promise<{ tenant: string; other: string }> => {
    const tenant = `org_${name}:test`;
    await bed.createMeter('tokens', more, tenant);
    await bed.metersFollow(tenant);
    await bed.project([Array.from({ length: GROUPS_PER_SUBJECT_MAX - 1 }, (_, nth) => call(`m${nth}`, `m${nth}`, 1, { time: AT(QUARTER) }))], tenant);
    const wanted = partitionOf(tenant, 'acme', USAGE_PARTITIONS);
    const other = Array.from({ length: 1_000 }, (_, nth) => `other-${nth}`).find((subject) => partitionOf(tenant, subject, USAGE_PARTITIONS) === wanted)!;
    return { tenant, other };
  };

  interface Said { whole: string | undefined; ragged: string | undefined; stated: string | undefined; again: string | undefined; isEvident: boolean; isReconciled: boolean }
  /** What is said of the events of one model in the first quarter of an hour, in each way in which it can be asked. */
  const saidOf = (tenant: string, model: string): Promise<Said> => bed.database.transaction({ role: 'worker', isolation: 'repeatable read' }, async (tx) => {
    const meter = (await meterOf(tx, tenant, 'tokens'))!;
    const ask = async (to: string): Promise<string | undefined> =>
      (await queryMeter(tx, tenant, meter, { from: AT(0), to, timezone: 'UTC', groupBy: ['model'], filters: { model: [model] }, fillZero: false }))[0]?.value;
    const request = { requestId: 'r', subscriptionId: 's', chargeKey: 'c', meterKey: 'tokens', meterVersion: 1, usage: [{ subject: 'acme', from: AT(0), to: AT(QUARTER - SECOND) }], groupBy: ['model'] };
    const question = { request, rules: rulesOf(meter) };
    const [answer] = await answersTo(tx, tenant, [question]);
    const again = await answerAgain(tx, tenant, question, new Map(Object.entries(answer!.asOf).map(([partition, position]) => [Number(partition), Number(position)])));
    const of = ({ quantities }: { readonly quantities: typeof again.quantities }): string | undefined => quantities.find(({ group }) => group['model'] === model)?.value;
    const received = { from: '2026-01-01T00:00:00Z', to: '2026-04-01T00:00:00Z' };
    return { whole: await ask(AT(QUARTER)), ragged: await ask(AT(QUARTER - SECOND)), stated: of(answer!), again: of(again), isEvident: again.evidence === answer!.evidence, isReconciled: (await reconcile(tx, tenant, received)).isEqual };
  });

  test('where nothing is left out the doctor finds nothing', async () => { expect(await lookAtLeftOut(bed)).toMatchObject({ ok: true }); });

  test('queries, statements, recomputations and the reconciliation agree about events that are left out', async () => {
    const { tenant, other } = await nearlyFull('left_out');
    await bed.project([[call('1', 'late', 5, { subject: other }), call('2', 'last', 2), call('3', 'late', 7)]], tenant);
    expect((await bed.exceptions(tenant)).map(({ code, id }) => [code, id])).toEqual([['too_many_groups', '3']]);
    expect(await saidOf(tenant, 'late')).toEqual({ whole: '5', ragged: '5', stated: undefined, again: undefined, isEvident: true, isReconciled: true });
    expect(await saidOf(tenant, 'last')).toEqual({ whole: '2', ragged: '2', stated: '2', again: '2', isEvident: true, isReconciled: true });
    const { meters } = await bed.database.transaction({ role: 'worker', isolation: 'repeatable read' }, (tx) => reconcile(tx, tenant, { from: '2026-01-01T00:00:00Z', to: '2026-04-01T00:00:00Z' }));
    expect(meters).toMatchObject([{ meterKey: 'tokens', leftOut: 1, differing: 0, isEqual: true }]);
    expect(await lookAtLeftOut(bed)).toMatchObject({ ok: false, detail: `1 events of ${tenant} were left out of meter tokens within a day (too_many_groups), among them of acme: they are kept and not billed` });
  }, TIMEOUT_MS);

  test.each([['sum', '5'], ['latest', '5'], ['time_weighted_sum', '5']] as const)('an event that was left out changes nothing of a %s when it is taken back', async (aggregation, total) => {
    const { tenant, other } = await nearlyFull(`taken_${aggregation}`, { aggregation });
    await bed.project([[call('1', 'late', 5, { subject: other }), call('2', 'last', 2), call('3', 'late', 7)]], tenant);
    await bed.project([[{ ...call('3', 'late', 7), correction: { id: 'c1', kind: 'void', reason: 'a test' } }], [call('4', 'late', 8), { ...call('4', 'late', 8), correction: { id: 'c2', kind: 'void', reason: 'a test' } }]], tenant);
    const totals = await bed.rows(`SELECT s.subject, b.total::text, b.events::int FROM usage_buckets b JOIN usage_series s USING (series) WHERE b.tenant = $1 AND s.groups = '{"model":"late"}' ORDER BY 1`, [tenant]);
    expect(totals).toEqual([{ subject: '', total, events: 1 }, { subject: other, total, events: 1 }]);
  }, TIMEOUT_MS);

  test('which combination is the last one is the same in any cut: the one that came first', async () => {
    const totals: unknown[] = [];
    for (const cut of [1, 3]) {
      const { tenant, other } = await nearlyFull(`cut_${cut}`);
      const sent = [call('1', 'second', 5, { subject: other }), call('2', 'first', 2), call('3', 'second', 7)];
      for (let at = 0; at < sent.length; at += cut) await bed.project([sent.slice(at, at + cut)], tenant);
      totals.push((await bed.buckets(tenant)).filter(({ subject, groups }) => subject === 'acme' && !/"m\d/.test(groups)).map(({ groups, total }) => [groups, total]));
    }
    expect(totals).toEqual([[['{"model":"first"}', '2']], [['{"model":"first"}', '2']]]);
  }, TIMEOUT_MS);

  test('a replacement takes its turn in the order of the log', async () => {
    const { tenant } = await nearlyFull('replacement');
    await bed.projectRecords([bed.recordOf(partitionOf(tenant, 'acme', USAGE_PARTITIONS), 'env_replaced', tenant, [
      { id: 'm0', source: 'gateway', type: 'call', subject: 'acme', time: AT(0), data: { tokens: 3, model: 'amended' }, correction: { id: 'c1', kind: 'amend', reason: 'a test' } } as never,
      { id: 'new', source: 'gateway', type: 'call', subject: 'acme', time: AT(0), data: { tokens: 4, model: 'plain' } },
    ])]);
    expect((await bed.exceptions(tenant)).map(({ code, id }) => [code, id])).toEqual([['too_many_groups', 'new']]);
  }, TIMEOUT_MS);
});
