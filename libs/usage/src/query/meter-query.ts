import { canonicalJson, instantFromMicros, type Period, Refused } from '@valueverse/kernel';
import type { Tx } from '@valueverse/event-log';
import type { Part } from '../metering/domain/aggregations';
import { bucketOf, raggedEdges, type Stretch, wholeBuckets } from '../metering/domain/bucket';
import { ALL_SUBJECTS, tieOf } from '../metering/domain/deltas';
import { type Meter, type MeterRule, narrowed, rulesOf } from '../metering/domain/measure';
import { Tally } from '../metering/domain/tally';
import { readWindows } from '../metering/stored-buckets';
import { assertKept } from '../retention/missed';
import { countedBy, visitEvents } from './copy-reader';
import { BEGINNING, joined, windowAt, type WindowSize, windowsOf, windowsOfPeriods } from './domain/windows';

export interface MeterQuery {
  readonly from: string;
  readonly to: string;
  readonly windowSize?: WindowSize | undefined;
  /** Where the windows are billing periods: those that touch the stretch, in order. */
  readonly periods?: readonly Period[] | undefined;
  readonly timezone: string;
  /** Dimensions of the meter, and `subject`. */
  readonly groupBy: readonly string[];
  /** Dimension -> the values that count. */
  readonly filters: Readonly<Record<string, readonly string[]>>;
  /** Absent: all of them. */
  readonly subjects?: readonly string[] | undefined;
  readonly fillZero: boolean;
}
export interface QueryRow {
  readonly windowStart: string;
  readonly windowEnd: string;
  /** Null where the row is about more than one. */
  readonly subject: string | null;
  readonly groupBy: Readonly<Record<string, string>>;
  readonly value: string;
}

const SUBJECT = 'subject';

/** What is asked for, made ready: the rules of the meter's versions, and the stretches of time, the first of which is what is carried into the others. */
interface Plan {
  readonly tenant: string;
  readonly rules: readonly MeterRule[];
  readonly rule: MeterRule;
  readonly windows: readonly Stretch[];
  readonly stretches: readonly Stretch[];
  /** The windows as the rows say them. */
  readonly texts: readonly Pick<QueryRow, 'windowStart' | 'windowEnd'>[];
  readonly query: MeterQuery;
  readonly dimensions: readonly string[];
  readonly bySubject: boolean;
}

/** The tallies of one row of the answer, by stretch; where samples matter, also by the bucket. */
interface Line { readonly subject: string; readonly group: string; readonly tallies: (Tally | undefined)[]; readonly samples: (Map<number, Tally> | undefined)[] }

const assertDimensions = (rules: readonly MeterRule[], query: MeterQuery): void => {
  const known = new Set([SUBJECT, ...rules.flatMap(({ dimensions }) => dimensions.map(({ name }) => name))]);
  const unknown = query.groupBy.find((name) => !known.has(name));
  if (unknown !== undefined) throw new Refused('unknown_dimension', `the meter has no dimension ${unknown}`, '/groupBy');
  const filter = Object.keys(query.filters).find((name) => name === SUBJECT || !known.has(name));
  if (filter !== undefined) throw new Refused('unknown_dimension', `the meter has no dimension ${filter}`, `/filter.${filter}`);
};

/** Finds the line of a subject and a combination of dimensions, passing over those that the filters leave out. */
class Lines {
  readonly all = new Map<string, Line>();
  private readonly groups = new Map<string, string | undefined>();

  constructor(private readonly plan: Plan) {}

  of(subject: string, groups: string): Line | undefined {
    const group = this.groupOf(groups);
    return group === undefined ? undefined : this.line(this.plan.bySubject ? subject : '', group);
  }

  line(subject: string, group: string): Line {
    const key = `${subject}\n${group}`;
    let line = this.all.get(key);
    if (line === undefined) this.all.set(key, line = { subject, group, tallies: [], samples: [] });
    return line;
  }

  private groupOf(groups: string): string | undefined {
    if (this.groups.has(groups)) return this.groups.get(groups);
    const full = JSON.parse(groups) as Record<string, string>;
    const counts = Object.entries(this.plan.query.filters).every(([dimension, values]) => values.includes(full[dimension] ?? ''));
    const group = counts ? canonicalJson(narrowed(full, this.plan.dimensions)) : undefined;
    this.groups.set(groups, group);
    return group;
  }
}

const tallyIn = ({ rule: { aggregation } }: Plan, line: Line, stretch: number, bucket: number): readonly Tally[] => {
  const fresh = (): Tally => new Tally(aggregation.fold, aggregation.weighsTime);
  const tallies = [line.tallies[stretch] ??= fresh()];
  if (!aggregation.samples) return tallies;
  const samples = line.samples[stretch] ??= new Map();
  if (!samples.has(bucket)) samples.set(bucket, fresh());
  return [...tallies, samples.get(bucket)!];
};

const addBuckets = async (tx: Tx, plan: Plan, lines: Lines): Promise<void> => {
  const { tenant, rule, stretches, query } = plan;
  const { fold, samples } = rule.aggregation;
  // Different values are known by subject alone.
  const ofSubjects = query.subjects !== undefined || plan.bySubject || fold === 'distinct';
  const found = await tx.query<{ series: bigint; subject: string; groups: string }>(
    `SELECT series, subject, groups FROM usage_series WHERE tenant = $1 AND meter = $2 AND CASE WHEN $3 THEN subject <> $4 ELSE subject = $4 END AND ($5::text[] IS NULL OR subject = ANY($5))`,
    [tenant, rule.key, ofSubjects, ALL_SUBJECTS, query.subjects ?? null]);
  const rows: Line[] = [];
  const rowOf = new Map<Line, number>();
  const series = found.rows.flatMap((one) => {
    const line = lines.of(one.subject, one.groups);
    if (line === undefined) return [];
    if (!rowOf.has(line)) { rowOf.set(line, rows.length); rows.push(line); }
    return [{ series: Number(one.series), row: rowOf.get(line)! }];
  });
  const whole = stretches.map((stretch, nth) => ({ ...wholeBuckets(stretch, rule.settings.bucketMicros), nth })).filter(({ from, to }) => from < to);
  for (const { place, bucket, columns, values } of await readWindows(tx, fold, series, whole, samples)) {
    const line = rows[Math.floor(place / whole.length)]!;
    for (const tally of tallyIn(plan, line, whole[place % whole.length]!.nth, bucket)) {
      tally.mergeColumns(columns);
      for (const value of values) tally.see(value, 1);
    }
  }
};

/** What buckets cannot tell apart, because a window begins or ends inside them, is read from the envelopes. */
const addRaggedEdges = async (tx: Tx, plan: Plan, lines: Lines): Promise<void> => {
  const { tenant, rules, rule, stretches, query } = plan;
  const length = rule.settings.bucketMicros;
  const edges = joined(stretches.flatMap((stretch) => raggedEdges(stretch, length)));
  if (edges.length === 0) return;
  const found = await tx.query<{ subject: string }>(
    `SELECT DISTINCT s.subject FROM unnest($3::bigint[], $4::bigint[]) e(first, until) JOIN usage_series s ON s.tenant = $1 AND s.meter = $2 AND s.subject <> $6
     JOIN usage_buckets b ON b.series = s.series AND b.bucket >= e.first AND b.bucket < e.until WHERE $5::text[] IS NULL OR s.subject = ANY($5)`,
    [tenant, rule.key, edges.map(({ from }) => bucketOf(from, length)), edges.map(({ to }) => to), query.subjects ?? null, ALL_SUBJECTS]);
  const pieces = found.rows.flatMap(({ subject }) => edges.map((edge) => ({ subject, ...edge })));
  await assertKept(tx, tenant, pieces);
  await visitEvents(tx, tenant, pieces, (_, counted) => {
    const { event, micros } = counted;
    const found = countedBy(rules, counted);
    const line = found === undefined ? undefined : lines.of(event.subject, found.groups);
    if (line === undefined) return;
    for (const tally of tallyIn(plan, line, windowAt(stretches, micros), bucketOf(micros, length))) tally.add(found!.measured.value, micros, tieOf(event), found!.measured.different);
  });
};

/** The rows of a line, window by window; what is carried over goes with it from one to the next. */
const rowsOf = ({ rule, windows, stretches, texts, query, bySubject }: Plan, { subject, group, tallies, samples }: Line): { window: number; row: QueryRow }[] => {
  const { aggregation, settings, carryOver } = rule;
  const fresh = (): Tally => new Tally(aggregation.fold, aggregation.weighsTime);
  const carried = carryOver || aggregation.weighsTime ? fresh() : undefined;
  const shift = stretches.length - windows.length;
  if (shift > 0 && tallies[0] !== undefined) carried?.merge(tallies[0]);
  const whose = bySubject ? subject : query.subjects?.length === 1 ? query.subjects[0]! : null;
  const groupBy = JSON.parse(group) as Record<string, string>;
  return windows.flatMap((stretch, window) => {
    const tally = tallies[window + shift];
    const isThere = tally !== undefined || (carried !== undefined && carried.events > 0);
    const before = carried === undefined ? undefined : fresh();
    if (carried !== undefined) before?.merge(carried);
    if (tally !== undefined) carried?.merge(tally);
    if (!isThere && !query.fillZero) return [];
    const part: Part = { stretch, tally: tally ?? fresh(), before, samples: samples[window + shift] ?? NO_SAMPLES };
    const value = aggregation.quantity([part], stretch, settings)?.toString() ?? (query.fillZero ? '0' : undefined);
    return value === undefined ? [] : [{ window, row: { ...texts[window]!, subject: whose, groupBy, value } }];
  });
};
const NO_SAMPLES: ReadonlyMap<number, Tally> = new Map();

const windowsIn = ({ from, to, windowSize, periods = [], timezone }: MeterQuery): Stretch[] =>
  (windowSize === 'billing_period' ? windowsOfPeriods(from, to, periods) : windowsOf(from, to, windowSize, timezone));

/**
 * The quantities of a meter in windows of a period, from the caller's snapshot. Refuses with `unknown_dimension`, `invalid_period`, `too_many_windows`,
 * `unknown_zone`, and with `usage_dropped` where a window begins or ends inside a bucket whose envelopes are gone.
 */
export const queryMeter = async (tx: Tx, tenant: string, meter: Meter, query: MeterQuery): Promise<QueryRow[]> => {
  const rules = rulesOf(meter);
  assertDimensions(rules, query);
  const rule = rules.at(-1)!;
  const windows = windowsIn(query);
  if (windows.length === 0) return [];
  const stretches = rule.carryOver ? [{ from: BEGINNING, to: windows[0]!.from }, ...windows] : windows;
  const bySubject = query.groupBy.includes(SUBJECT);
  const texts = windows.map(({ from, to }) => ({ windowStart: instantFromMicros(from), windowEnd: instantFromMicros(to) }));
  const plan: Plan = { tenant, rules, rule, windows, stretches, texts, query, bySubject, dimensions: query.groupBy.filter((name) => name !== SUBJECT) };
  const lines = new Lines(plan);
  await addBuckets(tx, plan, lines);
  await addRaggedEdges(tx, plan, lines);
  if (query.fillZero && lines.all.size === 0 && query.groupBy.length === 0) lines.line('', '{}');
  return [...lines.all].sort(([left], [right]) => (left < right ? -1 : 1)).flatMap(([, line]) => rowsOf(plan, line))
    .sort((left, right) => left.window - right.window).map(({ row }) => row);
};
