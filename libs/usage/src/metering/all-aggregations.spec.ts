import fc from 'fast-check';
import { runs, timeForRuns } from '@valueverse/testing';
import { Decimal } from '@valueverse/kernel';
import { AT, Bed, QUARTER, SECOND } from '../bed.spec-kit';
import { meterOf } from '../meters/meters';
import type { CreateMeter } from '../meters/domain/meter';
import { queryMeter, type QueryRow } from '../query/meter-query';
import { answersTo } from '../statements/compute';
import { microsNumberOfText } from '@valueverse/kernel';
import { meteringProjector } from './metering.projector';
import { rulesOf } from './domain/measure';

// Every aggregation against a plain computation over the list of events that stand: in queries and statements, after duplicates, corrections and any cut.
const TIMEOUT_MS = timeForRuns(120_000);
const START = microsNumberOfText(AT(0));
const SPAN = 4 * QUARTER;

const METERS: Readonly<Record<string, Partial<CreateMeter>>> = {
  count: { aggregation: 'count', valueProperty: undefined }, sum: { aggregation: 'sum' }, min: { aggregation: 'min' }, max: { aggregation: 'max' }, average: { aggregation: 'average' }, latest: { aggregation: 'latest' },
  unique: { aggregation: 'unique_count', valueProperty: '$.user' }, weighted: { aggregation: 'time_weighted_sum' },
  burst: { aggregation: 'percentile', percentile: '90', sampleWindow: 'PT5M' }, rate: { aggregation: 'percentile', percentile: '50', sampleWindow: 'PT5M', rate: 'per_second' },
  carried: { aggregation: 'sum', carryOver: true }, lasting: { aggregation: 'latest', carryOver: true }, everyone: { aggregation: 'unique_count', valueProperty: '$.user', carryOver: true }, level: { aggregation: 'time_weighted_sum', carryOver: true },
  filtered: { aggregation: 'sum', filter: [{ property: '$.n', operator: 'gte', value: 0 }] }, halves: { aggregation: 'sum', conversion: { divideBy: '2', round: 'up', per: 'event' } },
};

interface Sent { readonly id: string; readonly source: string; readonly subject: string; readonly at: number; readonly n: number; readonly user: string; readonly model: string }
const sum = (values: readonly number[]): Decimal => Decimal.sum(values.map((value) => Decimal.of(value)));
const later = (left: Sent, right: Sent): number => left.at - right.at || Buffer.compare(Buffer.from(`${left.source}\n${left.id}`), Buffer.from(`${right.source}\n${right.id}`));

/** What a meter says of a stretch, from the events alone. */
const oracle = (meter: string, events: readonly Sent[], from: number, to: number, divide: number): string | undefined => {
  const inside = events.filter(({ at }) => at >= from && at < to);
  const before = events.filter(({ at }) => at < from);
  const upTo = [...before, ...inside];
  const values = inside.map(({ n }) => n);
  const samples = (perSecond: boolean, percent: number): string => {
    const sums: Decimal[] = [];
    for (let start = from - (from % (300 * SECOND)); start < to; start += 300 * SECOND) {
      const total = sum(inside.filter(({ at }) => at >= start && at < start + 300 * SECOND).map(({ n }) => n));
      const micros = Math.min(to, start + 300 * SECOND) - Math.max(from, start);
      sums.push(perSecond ? total.times(Decimal.of(1_000_000)).dividedBy(Decimal.of(micros), 12, 'half_up') : total);
    }
    sums.sort((left, right) => left.compare(right));
    return sums[Math.ceil((percent * sums.length) / 100) - 1]!.toString();
  };
  const area = (level: readonly Sent[]): string => level.reduce((total, { n, at }) => total.plus(Decimal.of(n).times(Decimal.of(to - Math.max(at, from)))), Decimal.zero).dividedBy(Decimal.of(divide), 12, 'half_up').toString();
  switch (meter) {
    case 'count': return inside.length === 0 ? undefined : String(inside.length);
    case 'sum': return inside.length === 0 ? undefined : sum(values).toString();
    case 'min': return inside.length === 0 ? undefined : String(Math.min(...values));
    case 'max': return inside.length === 0 ? undefined : String(Math.max(...values));
    case 'average': return inside.length === 0 ? undefined : sum(values).dividedBy(Decimal.of(values.length), 12, 'half_up').toString();
    case 'latest': return inside.length === 0 ? undefined : String([...inside].sort(later).at(-1)!.n);
    case 'unique': return inside.length === 0 ? undefined : String(new Set(inside.map(({ user }) => user)).size);
    case 'weighted': return inside.length === 0 ? undefined : area(inside);
    case 'burst': return inside.length === 0 ? undefined : samples(false, 90);
    case 'rate': return inside.length === 0 ? undefined : samples(true, 50);
    case 'carried': return upTo.length === 0 ? undefined : sum(upTo.map(({ n }) => n)).toString();
    case 'lasting': return upTo.length === 0 ? undefined : String([...upTo].sort(later).at(-1)!.n);
    case 'everyone': return upTo.length === 0 ? undefined : String(new Set(upTo.map(({ user }) => user)).size);
    case 'level': return upTo.length === 0 ? undefined : area(upTo);
    case 'filtered': return inside.every(({ n }) => n < 0) ? undefined : sum(values.filter((n) => n >= 0)).toString();
    case 'halves': return inside.length === 0 ? undefined : sum(values.map((n) => Math.sign(n) * Math.ceil(Math.abs(n) / 2))).toString();
    default: throw new Error(meter);
  }
};

const eventOf = ({ id, source, subject, at, n, user, model }: Sent): object => ({ id, source, subject, time: AT(at - START), data: { tokens: n, n, user, model } });
const arbitrary = fc.record({
  id: fc.constantFrom('1', '2', '3', '4', '5', '6'), source: fc.constantFrom('a', 'b'), subject: fc.constantFrom('acme', 'other'), at: fc.integer({ min: 0, max: SPAN / SECOND - 1 }).map((second) => START + second * SECOND),
  n: fc.integer({ min: -9, max: 99 }), user: fc.constantFrom('ann', 'bob', 'cid', 'dan'), model: fc.constantFrom('x', 'y'),
});
const correction = fc.record({ which: fc.nat(), kind: fc.constantFrom('void' as const, 'amend' as const), at: fc.integer({ min: 0, max: SPAN / SECOND - 1 }), n: fc.integer({ min: -9, max: 99 }) });
const edge = fc.integer({ min: 0, max: SPAN / SECOND });

test('each aggregation is exact in queries and statements, whatever was sent twice, late, taken back or amended', async () => {
  const bed = await Bed.make();
  try {
    bed.start(({ name }) => name !== 'metering');
    let run = 0;
    await fc.assert(fc.asyncProperty(
      fc.uniqueArray(arbitrary, { minLength: 1, maxLength: 14, selector: ({ id, source, subject }) => `${subject} ${source} ${id}` }), fc.array(correction, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 8 }), fc.tuple(edge, edge), fc.integer({ min: 1, max: 5 }),
      async (events, corrections, repeats, [one, other], size) => {
        run += 1;
        const tenant = `org_run${run}:test`;
        for (const [key, more] of Object.entries(METERS)) await bed.createMeter(key, more, tenant);
        await bed.metersFollow(tenant);
        const projector = meteringProjector();
        const standing = new Map(events.map((event) => [`${event.subject} ${event.source} ${event.id}`, event]));
        const sent = [...events, ...repeats.map((nth) => events[nth % events.length]!)];
        for (let at = 0; at < sent.length; at += size) await bed.project([sent.slice(at, at + size).map(eventOf)], tenant, projector);
        for (const [nth, { which, kind, at, n }] of corrections.entries()) {
          const event = events[which % events.length]!;
          const key = `${event.subject} ${event.source} ${event.id}`;
          const amended = { ...event, at: START + at * SECOND, n };
          await bed.project([[{ ...eventOf(kind === 'void' ? event : amended), correction: { id: `c${nth}`, kind, reason: 'a test' } }]], tenant, projector);
          if (kind === 'void') standing.delete(key);
          else if (standing.has(key)) standing.set(key, amended);
        }
        const left = [...standing.values()];
        const [from, to] = [START + Math.min(one, other) * SECOND, START + (Math.max(one, other) + 1) * SECOND];
        await bed.database.transaction({ role: 'api', tenant, isolation: 'repeatable read', readOnly: true }, async (tx) => {
          for (const key of Object.keys(METERS)) {
            const meter = (await meterOf(tx, tenant, key))!;
            const ask = (groupBy: readonly string[], subjects?: readonly string[]): Promise<QueryRow[]> =>
              queryMeter(tx, tenant, meter, { from: AT(from - START), to: AT(to - START), timezone: 'UTC', groupBy, filters: {}, fillZero: false, subjects });
            expect([key, (await ask([]))[0]?.value]).toEqual([key, oracle(key, left, from, to, to - from)]);
            for (const row of await ask(['subject', 'model'])) {
              expect([key, row]).toEqual([key, { ...row, value: oracle(key, left.filter(({ subject, model }) => subject === row.subject && model === row.groupBy['model']), from, to, to - from) }]);
            }
            const own = left.filter(({ subject }) => subject === 'acme');
            expect([key, (await ask([], ['acme']))[0]?.value]).toEqual([key, oracle(key, own, from, to, to - from)]);
            // Half of the period is billed; an average over time is divided by all of it.
            const request = {
              requestId: 'r', subscriptionId: 's', chargeKey: 'c', meterKey: key, meterVersion: 1, usage: [{ subject: 'acme', from: AT(from - START), to: AT(to - START) }], groupBy: [], period: { from: AT(from - START), to: AT(to - START + (to - from)) },
            };
            const [answer] = await answersTo(tx, tenant, [{ request, rules: rulesOf(meter) }]);
            expect([key, answer!.quantities[0]?.value]).toEqual([key, oracle(key, own, from, to, 2 * (to - from))]);
          }
        });
      }), runs(20260401, 12));
  } finally {
    await bed.close();
  }
}, TIMEOUT_MS);
