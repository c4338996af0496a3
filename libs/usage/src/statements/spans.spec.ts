import fc from 'fast-check';
import { runs, timeForRuns } from '@valueverse/testing';
import { Decimal, microsNumberOfText } from '@valueverse/kernel';
import { AT, Bed, QUARTER, SECOND } from '../bed.spec-kit';
import { meteringProjector } from '../metering/metering.projector';
import { rulesOf } from '../metering/domain/measure';
import type { CreateMeter } from '../meters/domain/meter';
import { meterOf } from '../meters/meters';
import { answersTo } from './compute';

// Statements over several stretches of several subjects, as a plan that changes, a pause, or a subject that comes and goes makes them, against a plain computation over the events.
const TIMEOUT_MS = timeForRuns(120_000);
const TENANT = 'org_spans:test';
const START = microsNumberOfText(AT(0));
/** In minutes. */
const PERIOD = 45;
const MINUTE = 60 * SECOND;
const METERS: Readonly<Record<string, Partial<CreateMeter>>> = {
  count: { aggregation: 'count', valueProperty: undefined }, sum: { aggregation: 'sum' }, min: { aggregation: 'min' }, average: { aggregation: 'average' }, latest: { aggregation: 'latest' },
  unique: { aggregation: 'unique_count', valueProperty: '$.user' }, weighted: { aggregation: 'time_weighted_sum' }, burst: { aggregation: 'percentile', percentile: '90', sampleWindow: 'PT5M' },
  rate: { aggregation: 'percentile', percentile: '90', sampleWindow: 'PT5M', rate: 'per_second' }, carried: { aggregation: 'sum', carryOver: true }, level: { aggregation: 'time_weighted_sum', carryOver: true },
};

interface Used { readonly id: string; readonly subject: number; readonly at: number; readonly n: number; readonly user: string }
interface Span { readonly subject: number; readonly from: number; readonly to: number }

/** The events of a span, and those of its subject before an instant, from another on. */
const inside = (events: readonly Used[], { subject, from, to }: Span): Used[] => events.filter((one) => one.subject === subject && one.at >= from && one.at < to);
const exact = (values: readonly number[]): Decimal => Decimal.sum(values.map((value) => Decimal.of(value)));
const quotient = (value: Decimal, by: number): string => value.dividedBy(Decimal.of(by), 12, 'half_up').toString();

/** Minute by minute: value x minutes. */
const area = (events: readonly Used[], spans: readonly Span[], since: number): Decimal => {
  let total = Decimal.zero;
  for (const { subject, from, to } of spans) for (let minute = from; minute < to; minute++) total = total.plus(exact(events.filter((one) => one.subject === subject && one.at >= since && one.at <= minute).map(({ n }) => n)));
  return total;
};
/** The sum of each sample window that a span touches, all subjects as one stream, and how many minutes of it any span covers. */
const samples = (events: readonly Used[], spans: readonly Span[], perSecond: boolean): Decimal[] => {
  const found: Decimal[] = [];
  for (let start = 0; start < PERIOD; start += 5) {
    const minutes = [0, 1, 2, 3, 4].map((nth) => start + nth).filter((minute) => spans.some(({ from, to }) => minute >= from && minute < to));
    if (minutes.length === 0) continue;
    const total = exact(spans.flatMap((span) => inside(events, span)).filter(({ at }) => at >= start && at < start + 5).map(({ n }) => n));
    found.push(perSecond ? total.dividedBy(Decimal.of(60 * minutes.length), 12, 'half_up') : total);
  }
  return found.sort((left, right) => left.compare(right));
};

const oracle = (meter: string, events: readonly Used[], spans: readonly Span[]): string | undefined => {
  const all = spans.flatMap((span) => inside(events, span));
  const firstOf = (subject: number): number => Math.min(...spans.filter((span) => span.subject === subject).map(({ from }) => from));
  const before = [...new Set(spans.map(({ subject }) => subject))].flatMap((subject) => inside(events, { subject, from: -PERIOD, to: firstOf(subject) }));
  const values = all.map(({ n }) => n);
  const nothing = all.length === 0;
  switch (meter) {
    case 'count': return nothing ? undefined : String(all.length);
    case 'sum': return nothing ? undefined : exact(values).toString();
    case 'min': return nothing ? undefined : String(Math.min(...values));
    case 'average': return nothing ? undefined : quotient(exact(values), values.length);
    case 'latest': return nothing ? undefined : String(all.reduce((last, one) => (one.at > last.at || (one.at === last.at && one.id > last.id) ? one : last)).n);
    case 'unique': return nothing ? undefined : String(new Set(all.map(({ user }) => user)).size);
    case 'carried': return nothing && before.length === 0 ? undefined : exact([...before, ...all].map(({ n }) => n)).toString();
    case 'weighted': return quotient(area(events, spans, 0), PERIOD);
    case 'level': return quotient(area(events, spans, -PERIOD), PERIOD);
    default: {
      const sums = samples(events, spans, meter === 'rate');
      return nothing ? undefined : sums[Math.ceil((90 * sums.length) / 100) - 1]!.toString();
    }
  }
};

const event: fc.Arbitrary<Omit<Used, 'id'>> = fc.record({ subject: fc.nat(2), at: fc.integer({ min: -PERIOD, max: PERIOD - 1 }), n: fc.integer({ min: -9, max: 99 }), user: fc.constantFrom('ann', 'bob', 'cid') });
/** Of each subject up to two stretches that do not overlap, on whole minutes. */
const ofSubject = (subject: number): fc.Arbitrary<Span[]> => fc.uniqueArray(fc.integer({ min: 0, max: PERIOD }), { minLength: 2, maxLength: 4 })
  .map((edges) => [...edges].sort((left, right) => left - right)).map((edges) => edges.flatMap((from, nth): Span[] => (nth % 2 === 0 && nth + 1 < edges.length ? [{ subject, from, to: edges[nth + 1]! }] : [])));
const spansOfAll = fc.tuple(ofSubject(0), ofSubject(1), fc.option(ofSubject(2), { nil: [] })).map((lists) => lists.flat());

test('statements over stretches of several subjects that overlap, end and begin again are exact for each aggregation', async () => {
  const bed = await Bed.make();
  try {
    bed.start(({ name }) => name !== 'metering');
    for (const [key, more] of Object.entries(METERS)) await bed.createMeter(key, { ...more, groupBy: {} }, TENANT);
    await bed.metersFollow(TENANT);
    const projector = meteringProjector();
    let run = 0;
    await fc.assert(fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 20 }), spansOfAll, async (used, spans) => {
      const name = `r${++run}`;
      // One id for each: two of one instant are told apart by it.
      const events = used.map((one, nth): Used => ({ ...one, id: String(nth).padStart(2, '0') }));
      await bed.project([events.map(({ id, subject, at, n, user }) => ({ id, subject: `${name}-${subject}`, time: AT(at * MINUTE), data: { tokens: n, user } }))], TENANT, projector);
      await bed.database.transaction({ role: 'api', tenant: TENANT, isolation: 'repeatable read', readOnly: true }, async (tx) => {
        const usage = spans.map(({ subject, from, to }) => ({ subject: `${name}-${subject}`, from: AT(from * MINUTE), to: AT(to * MINUTE) }));
        for (const key of Object.keys(METERS)) {
          const rules = rulesOf((await meterOf(tx, TENANT, key))!);
          const request = { requestId: 'r', subscriptionId: 's', chargeKey: 'c', meterKey: key, meterVersion: 1, usage, groupBy: [], period: { from: AT(0), to: AT(PERIOD * MINUTE) } };
          const [answer] = await answersTo(tx, TENANT, [{ request, rules }]);
          // A level of nothing is 0, and not told where no event made one.
          expect([key, answer!.quantities[0]?.value ?? (METERS[key]!.aggregation === 'time_weighted_sum' ? '0' : undefined)]).toEqual([key, oracle(key, events, spans)]);
        }
      });
    }), runs(20261124, 6));
    expect(START % QUARTER).toBe(0);
  } finally {
    await bed.close();
  }
}, TIMEOUT_MS);
