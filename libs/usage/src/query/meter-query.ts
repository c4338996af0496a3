import { canonicalJson, Decimal, instantFromMicros, Refused } from '@valueverse/kernel';
import type { Tx } from '@valueverse/event-log';
import { bucketOf, raggedEdges, type Stretch, wholeBuckets } from '../metering/domain/bucket';
import { groupsOf, measure, type MeterDefinition, type MeterRule, narrowed, ruleOf } from '../metering/domain/measure';
import { Tallies } from '../metering/domain/tallies';
import { visitEvents } from './copy-reader';
import { joined, windowAt, type WindowSize, windowsOf } from './domain/windows';

export interface MeterQuery {
  readonly from: string;
  readonly to: string;
  readonly windowSize?: WindowSize | undefined;
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
const SEPARATOR = '\n';

/** Adds up by window, subject and group, passing over groups that the filters leave out. */
class Rows {
  readonly tallies = new Tallies();
  private readonly groups = new Map<string, string | undefined>();

  constructor(private readonly dimensions: readonly string[], private readonly filters: MeterQuery['filters'], private readonly bySubject: boolean) {}

  add(window: number, subject: string, groups: string, total: number | Decimal, events: number): void {
    const group = this.groupOf(groups);
    if (group !== undefined) this.tallies.add(`${String(window).padStart(6, '0')}${SEPARATOR}${this.bySubject ? subject : ''}${SEPARATOR}${group}`, total, events);
  }

  private groupOf(groups: string): string | undefined {
    if (this.groups.has(groups)) return this.groups.get(groups);
    const full = JSON.parse(groups) as Record<string, string>;
    const counts = Object.entries(this.filters).every(([dimension, values]) => values.includes(full[dimension] ?? ''));
    const group = counts ? canonicalJson(narrowed(full, this.dimensions)) : undefined;
    this.groups.set(groups, group);
    return group;
  }
}

const assertDimensions = (rule: MeterRule, query: MeterQuery): void => {
  const known = new Set([SUBJECT, ...rule.dimensions.map(({ name }) => name)]);
  const unknown = query.groupBy.find((name) => !known.has(name));
  if (unknown !== undefined) throw new Refused('unknown_dimension', `the meter has no dimension ${unknown}`, '/groupBy');
  const filter = Object.keys(query.filters).find((name) => name === SUBJECT || !known.has(name));
  if (filter !== undefined) throw new Refused('unknown_dimension', `the meter has no dimension ${filter}`, `/filter.${filter}`);
};

const addBuckets = async (tx: Tx, tenant: string, rule: MeterRule, windows: readonly Stretch[], query: MeterQuery, rows: Rows): Promise<void> => {
  const whole = windows.map(wholeBuckets);
  const found = await tx.query<{ place: bigint; subject: string; groups: string; total: string; events: bigint }>(
    `SELECT w.place, CASE WHEN $7 THEN b.subject ELSE '' END AS subject, b.groups, sum(b.total)::text AS total, sum(b.events)::bigint AS events
     FROM unnest($4::bigint[], $5::bigint[]) WITH ORDINALITY w(first, until, place)
     JOIN usage_buckets b ON b.tenant = $1 AND b.meter = $2 AND b.version = $3 AND b.bucket >= w.first AND b.bucket < w.until
     WHERE $6::text[] IS NULL OR b.subject = ANY($6) GROUP BY 1, 2, 3`,
    [tenant, rule.key, rule.version, whole.map(({ from }) => from), whole.map(({ to }) => to), query.subjects ?? null, query.groupBy.includes(SUBJECT)]);
  for (const row of found.rows) rows.add(Number(row.place) - 1, row.subject, row.groups, Decimal.parse(row.total), Number(row.events));
};

/** What buckets cannot tell apart, because a window begins or ends inside them, is read from the envelopes. */
const addRaggedEdges = async (tx: Tx, tenant: string, rule: MeterRule, windows: readonly Stretch[], query: MeterQuery, rows: Rows): Promise<void> => {
  const edges = joined(windows.flatMap(raggedEdges));
  if (edges.length === 0) return;
  const found = await tx.query<{ subject: string }>(
    `SELECT DISTINCT b.subject FROM unnest($4::bigint[], $5::bigint[]) e(first, until)
     JOIN usage_buckets b ON b.tenant = $1 AND b.meter = $2 AND b.version = $3 AND b.bucket >= e.first AND b.bucket < e.until WHERE $6::text[] IS NULL OR b.subject = ANY($6)`,
    [tenant, rule.key, rule.version, edges.map(({ from }) => bucketOf(from)), edges.map(({ to }) => to), query.subjects ?? null]);
  const stretches = found.rows.flatMap(({ subject }) => edges.map((edge) => ({ subject, ...edge })));
  await visitEvents(tx, tenant, stretches, (_, { event, micros }) => {
    if (event.type !== rule.eventType) return;
    const value = measure(rule, event.data);
    if (value !== undefined) rows.add(windowAt(windows, micros), event.subject, groupsOf(rule, event.data), value, 1);
  });
};

/** A row of zero for each window in which a series that is there elsewhere has nothing. */
const fillZeros = (tallies: Tallies, windows: number, isGrouped: boolean): void => {
  const series = new Set(tallies.entries().map(([key]) => key.slice(key.indexOf(SEPARATOR))));
  if (series.size === 0 && !isGrouped) series.add(`${SEPARATOR}${SEPARATOR}{}`);
  for (const one of series) for (let window = 0; window < windows; window++) tallies.add(`${String(window).padStart(6, '0')}${one}`, 0, 0);
};

/**
 * The quantities of a meter in windows of a period, from the caller's snapshot. Refuses with `unknown_dimension`, `invalid_period`, `too_many_windows`,
 * `unknown_zone`.
 */
export const queryMeter = async (tx: Tx, tenant: string, meter: MeterDefinition, query: MeterQuery): Promise<QueryRow[]> => {
  const rule = ruleOf(meter);
  assertDimensions(rule, query);
  const windows = windowsOf(query.from, query.to, query.windowSize, query.timezone);
  const bySubject = query.groupBy.includes(SUBJECT);
  const rows = new Rows(query.groupBy.filter((name) => name !== SUBJECT), query.filters, bySubject);
  await addBuckets(tx, tenant, rule, windows, query, rows);
  await addRaggedEdges(tx, tenant, rule, windows, query, rows);
  if (query.fillZero) fillZeros(rows.tallies, windows.length, query.groupBy.length > 0);
  const only = query.subjects?.length === 1 ? query.subjects[0]! : null;
  return rows.tallies.entries().map(([key, tally]) => {
    const [window, subject, group] = key.split(SEPARATOR);
    const { from, to } = windows[Number(window)]!;
    return {
      windowStart: instantFromMicros(from), windowEnd: instantFromMicros(to), subject: bySubject ? subject! : only,
      groupBy: JSON.parse(group!) as Record<string, string>, value: rule.aggregation.quantity(tally).toString(),
    };
  });
};
