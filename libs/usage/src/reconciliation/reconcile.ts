import { instantFromMicros, microsNumberOfText, Refused } from '@valueverse/kernel';
import type { Tx } from '@valueverse/event-log';
import type { Envelope } from '../ingest/domain/usage-event';
import { bucketFrom, bucketOf } from '../metering/domain/bucket';
import { ALL_SUBJECTS } from '../metering/domain/deltas';
import { looksAt, measure, type Meter, type MeterRule, rulesOf } from '../metering/domain/measure';
import { readEnvelopes } from '../query/copy-reader';

/** More envelopes are no answer of one request. */
export const RECONCILED_ENVELOPES_MAX = 20_000;
const ENVELOPES_PER_PAGE = 100;

/** Where each accepted event ended: in exactly one of these. */
export interface Ends {
  accepted: number;
  counted: number;
  duplicate: number;
  conflict: number;
  /** Taken back, or replaced by what amends it. */
  superseded: number;
  /** Of the two that change events: what takes one back, and what was refused. */
  correction: number;
  /** No meter looks at it yet: its type, its data or its time. */
  waiting: number;
  /** Every meter that looks at it left it out: no usable value, or too many groups. */
  excluded: number;
}
export interface MeterCheck { readonly meterKey: string; readonly fromEnvelopes: number; readonly inBuckets: number; readonly isEqual: boolean }
export interface Reconciliation {
  readonly from: string;
  readonly to: string;
  /** Of the events that were received in the period. */
  readonly events: Ends;
  /** Of the events that occurred in the whole quarters of an hour of the period. */
  readonly meters: readonly MeterCheck[];
  readonly isEqual: boolean;
}

const measures = (rules: readonly MeterRule[], { type, data }: { type: string; data?: unknown }, micros: number): { looked: boolean; counts: MeterRule[] } => {
  const looking = rules.filter((rule) => looksAt(rule, type, micros, data));
  return { looked: looking.length > 0, counts: looking.filter((rule) => measure(rule, data) !== undefined) };
};

/** Events that a meter left out though they have a value: their subject has too many combinations of dimensions. */
const tooManyGroups = async (tx: Tx, tenant: string, places: readonly { partition: number; position: number }[]): Promise<Set<string>> => {
  const { rows } = await tx.query<{ partition: number; position: bigint; nth: number; meter: string }>(
    `SELECT x.partition, x.position, x.nth, x.meter FROM unnest($2::int[], $3::bigint[]) g(partition, position)
     JOIN usage_exceptions x ON x.tenant = $1 AND x.partition = g.partition AND x.position = g.position AND x.code = 'too_many_groups'`,
    [tenant, places.map(({ partition }) => partition), places.map(({ position }) => position)]);
  return new Set(rows.map(({ partition, position, nth, meter }) => `${partition}/${position}/${nth}/${meter}`));
};

interface Row { partition: number; position: bigint; body: string | null; not_counted: number[]; superseded: number[]; duplicates: number[] }

const add = (ends: Ends, row: Row, rules: readonly MeterRule[], leftOut: ReadonlySet<string>): void => {
  const [notCounted, superseded, duplicates] = [new Set(row.not_counted), new Set(row.superseded), new Set(row.duplicates)];
  for (const [nth, event] of (JSON.parse(row.body!) as Envelope).events.entries()) {
    ends.accepted += 1;
    if (notCounted.has(nth)) { ends[event.correction !== undefined ? 'correction' : duplicates.has(nth) ? 'duplicate' : 'conflict'] += 1; continue; }
    if (superseded.has(nth)) { ends.superseded += 1; continue; }
    const { looked, counts } = measures(rules, event, microsNumberOfText(event.time));
    const isCounted = counts.some((rule) => !leftOut.has(`${row.partition}/${row.position}/${nth}/${rule.key}`));
    ends[!looked ? 'waiting' : isCounted ? 'counted' : 'excluded'] += 1;
  }
};

const endsOf = async (tx: Tx, tenant: string, rules: readonly MeterRule[], from: number, to: number): Promise<Ends> => {
  const ends: Ends = { accepted: 0, counted: 0, duplicate: 0, conflict: 0, superseded: 0, correction: 0, waiting: 0, excluded: 0 };
  const { rows: places } = await tx.query<{ partition: number; position: bigint }>(
    'SELECT partition, position FROM usage_envelopes WHERE tenant = $1 AND log_time >= $2 AND log_time < $3 AND body IS NOT NULL ORDER BY partition, position LIMIT $4', [tenant, from, to, RECONCILED_ENVELOPES_MAX + 1]);
  if (places.length > RECONCILED_ENVELOPES_MAX) throw new Refused('period_too_long', `more than ${RECONCILED_ENVELOPES_MAX} envelopes were received; take a shorter period`, '/to');
  for (let start = 0; start < places.length; start += ENVELOPES_PER_PAGE) {
    const page = places.slice(start, start + ENVELOPES_PER_PAGE).map(({ partition, position }) => ({ partition, position: Number(position) }));
    const { rows } = await tx.query<Row>(
      `SELECT e.partition, e.position, e.body, e.not_counted,
         ARRAY(SELECT s.nth FROM usage_superseded s WHERE s.tenant = $1 AND s.partition = e.partition AND s.position = e.position) AS superseded,
         ARRAY(SELECT x.nth FROM usage_exceptions x WHERE x.tenant = $1 AND x.partition = e.partition AND x.position = e.position AND x.code = 'duplicate') AS duplicates
       FROM unnest($2::int[], $3::bigint[]) g(partition, position) JOIN usage_envelopes e ON e.tenant = $1 AND e.partition = g.partition AND e.position = g.position`,
      [tenant, page.map(({ partition }) => partition), page.map(({ position }) => position)]);
    const leftOut = await tooManyGroups(tx, tenant, page);
    for (const row of rows) add(ends, row, rules, leftOut);
  }
  return ends;
};

/** The events of each meter as the envelopes have them: nothing of the buckets is looked at. */
const countedOf = async (tx: Tx, tenant: string, rules: readonly MeterRule[], from: number, to: number): Promise<Map<string, number>> => {
  const counted = new Map<string, number>();
  const { rows } = await tx.query<{ partition: number; position: bigint }>(
    'SELECT DISTINCT partition, position FROM usage_bucket_envelopes WHERE tenant = $1 AND bucket >= $2 AND bucket < $3 ORDER BY 1, 2 LIMIT $4', [tenant, from, to, RECONCILED_ENVELOPES_MAX + 1]);
  if (rows.length > RECONCILED_ENVELOPES_MAX) throw new Refused('period_too_long', `events of the period are in more than ${RECONCILED_ENVELOPES_MAX} envelopes; take a shorter one`, '/to');
  const places = rows.map(({ partition, position }) => ({ partition, position: Number(position) }));
  for (let start = 0; start < places.length; start += ENVELOPES_PER_PAGE) {
    const page = places.slice(start, start + ENVELOPES_PER_PAGE);
    const leftOut = await tooManyGroups(tx, tenant, page);
    for (const { events } of await readEnvelopes(tx, tenant, page)) {
      for (const { event, micros, partition, position, nth } of events) {
        if (micros < from || micros >= to) continue;
        for (const rule of measures(rules, event, micros).counts) if (!leftOut.has(`${partition}/${position}/${nth}/${rule.key}`)) counted.set(rule.key, (counted.get(rule.key) ?? 0) + 1);
      }
    }
  }
  return counted;
};

/**
 * Shows that nothing is lost between what was accepted and what is counted, from one snapshot: every event that was received in the period ends in exactly one place, and for
 * each meter the buckets hold as many events as the envelopes, which are counted anew here. Refuses with `invalid_period`, `period_too_long`.
 */
export const reconcile = async (tx: Tx, tenant: string, period: { from: string; to: string }): Promise<Reconciliation> => {
  const [from, to] = [microsNumberOfText(period.from), microsNumberOfText(period.to)];
  if (from >= to) throw new Refused('invalid_period', '"to" is after "from"', '/to');
  const meters = (await tx.query<{ row: Meter }>('SELECT row FROM meters WHERE tenant = $1 ORDER BY key', [tenant])).rows.map(({ row }) => row);
  const rules = meters.flatMap((meter) => rulesOf(meter));
  const events = await endsOf(tx, tenant, rules, from, to);
  const whole = { from: bucketFrom(from), to: bucketOf(to) };
  const counted = await countedOf(tx, tenant, rules, whole.from, whole.to);
  const { rows } = await tx.query<{ meter: string; events: bigint }>(
    `SELECT s.meter, sum(b.events)::bigint AS events FROM usage_series s JOIN usage_buckets b ON b.series = s.series AND b.bucket >= $2 AND b.bucket < $3
     WHERE s.tenant = $1 AND s.subject <> $4 GROUP BY 1`, [tenant, whole.from, whole.to, ALL_SUBJECTS]);
  const stored = new Map(rows.map((row) => [row.meter, Number(row.events)]));
  // A sample window may be longer than a quarter of an hour: its meter is compared where the period is made of whole ones.
  const comparable = meters.filter((meter) => rulesOf(meter).every(({ settings }) => whole.from % settings.bucketMicros === 0 && whole.to % settings.bucketMicros === 0));
  const checks = comparable.map(({ meterKey }): MeterCheck => {
    const [fromEnvelopes, inBuckets] = [counted.get(meterKey) ?? 0, stored.get(meterKey) ?? 0];
    return { meterKey, fromEnvelopes, inBuckets, isEqual: fromEnvelopes === inBuckets };
  });
  const { accepted, ...ends } = events;
  const isEqual = accepted === Object.values(ends).reduce((sum, count) => sum + count, 0) && checks.every((check) => check.isEqual);
  return { from: instantFromMicros(from), to: instantFromMicros(to), events, meters: checks, isEqual };
};
