import { canonicalJson, instantFromMicros, microsNumberOfText, Refused } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import { bigintArray, textArray, type Tx } from '@valueverse/event-log';
import { standingOf, STATUSES, type Note, type SupersededBy, type Surroundings } from '../events/domain/standing';
import { claimsOf } from '../events/subject-claims';
import type { UsageEvent } from '../ingest/domain/usage-event';
import { envelopeIn, type KeptBody } from '../metering/body';
import { bucketFrom, bucketOf, type Stretch } from '../metering/domain/bucket';
import { looksAt, measure, type Meter, type MeterRule, rulesOf } from '../metering/domain/measure';
import { faultsOfSeals, type SealFault } from '../retention/check-seals';
import { addEnd, addEnds, type Ends, noEnds } from '../retention/domain/ends';
import { type Seal, sealsIn } from '../retention/seals';
import { assertEnvelopes, type BucketDifference, compareBuckets, type MeterSums, RECONCILED_ENVELOPES_MAX } from './compare-buckets';

const ENVELOPES_PER_PAGE = 100;

/**
 * How many events a meter has in the whole quarters of an hour of the period, and what they come to (their sum, number, least, greatest, latest or number of different values; null where there is none): by the
 * envelopes, counted anew; in the buckets of subjects; and in those of all subjects together, which there are not where different values are told apart. `differing` buckets are not what their envelopes come to.
 * `leftOut` events do not count, because their subjects have too many combinations of dimensions. `isEqual` is null while the meter is back-filled: its buckets do not hold everything yet.
 */
export interface MeterCheck {
  readonly meterKey: string;
  readonly fromEnvelopes: number;
  readonly inBuckets: number;
  readonly inAllSubjects: number | null;
  readonly values: { readonly fromEnvelopes: string | null; readonly inBuckets: string | null; readonly inAllSubjects: string | null };
  readonly leftOut: number;
  readonly differing: number;
  readonly isEqual: boolean | null;
}
export interface Reconciliation {
  readonly from: string;
  readonly to: string;
  /** Of the events that were received in the period. */
  readonly events: Ends;
  /** Of the events that occurred in the whole quarters of an hour of the period. */
  readonly meters: readonly MeterCheck[];
  /** Buckets that are not what their envelopes come to, the first of them. */
  readonly differences: readonly BucketDifference[];
  /** Envelopes of the period that are not what their hash or their header says. */
  readonly alteredEnvelopes: number;
  /** Events that were received in the period and stand, and that metering would not find by their subject and time. */
  readonly notIndexed: number;
  /** Quarters of an hour of subjects that have lost envelopes by retention: `sealed` of them are in the period, and these are not what their seal says. */
  readonly sealed: number;
  readonly sealFaults: readonly { readonly subject: string; readonly from: string; readonly code: SealFault['code']; readonly meterKey: string | null }[];
  readonly isEqual: boolean;
}
/** So many faults of seals are named. */
const SEAL_FAULTS_SHOWN_MAX = 20;

interface Noted { readonly partition: number; readonly position: bigint; readonly nth: number; readonly code: string; readonly meter: string }
const placeOf = ({ partition, position }: { partition: number; position: number | bigint }, nth: number): string => [partition, position, nth].join('/');

/** What was decided when events came. Whether a value is usable is not among it: that is looked at anew. */
const decidedOf = async (tx: Tx, tenant: string, places: readonly { partition: number; position: number }[]): Promise<Noted[]> => {
  const { rows } = await tx.query<Noted & Record<string, unknown>>(
    `SELECT x.partition, x.position, x.nth, x.code, x.meter FROM unnest($2::int[], $3::bigint[]) g(partition, position)
     JOIN usage_exceptions x ON x.tenant = $1 AND x.partition = g.partition AND x.position = g.position AND x.code <> 'invalid_value'`,
    [tenant, places.map(({ partition }) => partition), places.map(({ position }) => position)]);
  return rows;
};

interface Row extends KeptBody { partition: number; position: bigint; header: string; dropped: string | null; not_counted: number[]; superseded: { nth: number; voided: boolean }[] }

const invalidIn = (rules: readonly MeterRule[], { type, data }: UsageEvent, micros: number): Note[] =>
  rules.filter((rule) => looksAt(rule, type, micros, data) && measure(rule, data) === undefined).map(({ key }): Note => ({ code: 'invalid_value', meterKey: key, first: null }));

const supersededBy = ({ partition, superseded }: Row, nth: number): SupersededBy | null => {
  const found = superseded.find((one) => one.nth === nth);
  return found === undefined ? null : { kind: found.voided ? 'void' : 'amend', place: { partition, position: '', index: 0 } };
};

const add = (ends: Ends, row: Row, events: readonly UsageEvent[], surroundings: Surroundings, notes: ReadonlyMap<string, readonly Note[]>): void => {
  for (const [nth, event] of events.entries()) {
    const micros = microsNumberOfText(event.time);
    addEnd(ends, standingOf({
      event, micros, isDropped: row.not_counted.includes(nth), supersededBy: supersededBy(row, nth), notes: [...notes.get(placeOf(row, nth)) ?? [], ...invalidIn(surroundings.rules, event, micros)],
    }, surroundings));
  }
};

/** Whether a header, which the chain is over, names the same events as not counted as the row that everybody reads. */
const isOfHeader = ({ header, not_counted: notCounted }: Row): boolean => canonicalJson((JSON.parse(header) as { readonly notCounted?: unknown }).notCounted ?? null) === canonicalJson(notCounted);

/** How many of the events that stand are not in the index by subject and time: nobody would find them there. */
const notIndexedIn = async (tx: Tx, tenant: string, read: readonly { readonly row: Row; readonly events: readonly UsageEvent[] }[]): Promise<number> => {
  const standing = read.flatMap(({ row, events }) => events.flatMap(({ subject, time }, nth) => (row.not_counted.includes(nth) ? [] : [{ ...row, subject, bucket: bucketOf(microsNumberOfText(time)) }])));
  const { rows: [found] } = await tx.query<{ missing: bigint }>(
    `SELECT count(*) AS missing FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::bigint[]) g(partition, subject, bucket, position)
     WHERE NOT EXISTS (SELECT FROM usage_bucket_envelopes x WHERE x.partition = g.partition AND x.tenant = $1 AND x.subject = g.subject AND x.bucket = g.bucket AND x.position = g.position)`,
    [tenant, bigintArray(standing.map((one) => one.partition)), textArray(standing.map((one) => one.subject)), bigintArray(standing.map((one) => one.bucket)), bigintArray(standing.map((one) => Number(one.position)))]);
  return Number(found!.missing);
};

/** Where the events ended that were received in the period, and what is wrong with the envelopes that they came in. */
interface Received { readonly ends: Ends; readonly altered: readonly string[]; readonly notIndexed: number }

const receivedIn = async (tx: Tx, tenant: string, rules: readonly MeterRule[], { from, to }: Stretch, partition: number | undefined): Promise<Received> => {
  const ends = noEnds();
  const altered: string[] = [];
  let notIndexed = 0;
  const { rows: places } = await tx.query<{ partition: number; position: bigint }>(
    'SELECT partition, position FROM usage_envelopes WHERE tenant = $1 AND log_time >= $2 AND log_time < $3 AND ($5::int IS NULL OR partition = $5) ORDER BY partition, position LIMIT $4',
    [tenant, from, to, RECONCILED_ENVELOPES_MAX + 1, partition ?? null]);
  assertEnvelopes(places.length, 'there were received more than');
  for (let start = 0; start < places.length; start += ENVELOPES_PER_PAGE) {
    const page = places.slice(start, start + ENVELOPES_PER_PAGE).map(({ partition, position }) => ({ partition, position: Number(position) }));
    const { rows } = await tx.query<Row>(
      `SELECT e.partition, e.position, e.header, e.body, e.packed, e.dropped, e.not_counted,
         (SELECT coalesce(json_agg(json_build_object('nth', s.nth, 'voided', s.voided)), '[]') FROM usage_superseded s WHERE s.tenant = $1 AND s.partition = e.partition AND s.position = e.position) AS superseded
       FROM unnest($2::int[], $3::bigint[]) g(partition, position) JOIN usage_envelopes e ON e.tenant = $1 AND e.partition = g.partition AND e.position = g.position`,
      [tenant, page.map(({ partition }) => partition), page.map(({ position }) => position)]);
    const notes = new Map<string, Note[]>();
    for (const one of await decidedOf(tx, tenant, page)) {
      const place = placeOf(one, one.nth);
      notes.set(place, [...(notes.get(place) ?? []), { code: one.code, meterKey: one.meter === '' ? null : one.meter, first: null }]);
    }
    // Where those ended that were dropped was noted then: nothing waits among them.
    for (const { dropped } of rows) if (dropped !== null) addEnds(ends, JSON.parse(dropped) as Ends);
    const read = rows.flatMap((row) => (row.body === null ? [] : [{ row, events: envelopeIn(row)!.events }]));
    const claims = await claimsOf(tx, tenant, [...new Set(read.flatMap(({ events }) => events.map(({ subject }) => subject)))]);
    for (const { row, events } of read) add(ends, row, events, { rules, claims }, notes);
    altered.push(...rows.filter((row) => !isOfHeader(row)).map((row) => `${row.partition}/${row.position}`));
    notIndexed += await notIndexedIn(tx, tenant, read);
  }
  return { ends, altered, notIndexed };
};

/** The meters that do not follow the head of every partition yet, with all their versions. */
const backfilledOf = async (tx: Tx, tenant: string, meters: readonly Meter[]): Promise<Set<string>> => {
  const { rows } = await tx.query<{ meter: string; following: bigint }>('SELECT meter, count(*) AS following FROM usage_meter_progress WHERE tenant = $1 AND position IS NULL GROUP BY 1', [tenant]);
  const following = new Map(rows.map((row) => [row.meter, Number(row.following)]));
  return new Set(meters.filter(({ meterKey, versions }) => following.get(meterKey) !== versions.length * USAGE_PARTITIONS).map(({ meterKey }) => meterKey));
};

/** Seals of the period, of one partition or of all. */
const sealsOf = async (tx: Tx, tenant: string, whole: Stretch, partition: number | undefined): Promise<Seal[]> => {
  const seals = await sealsIn(tx, tenant, whole, RECONCILED_ENVELOPES_MAX + 1, partition);
  if (seals.length > RECONCILED_ENVELOPES_MAX) throw new Refused('period_too_long', `more than ${RECONCILED_ENVELOPES_MAX} quarters of an hour of subjects are sealed in it; take a shorter one, or one partition`, '/to');
  return seals;
};

const checkOf = ({ meterKey, fromEnvelopes, inBuckets, inAllSubjects, leftOut, differing }: MeterSums, isBackfilled: boolean): MeterCheck => ({
  meterKey, fromEnvelopes: fromEnvelopes.events, inBuckets: inBuckets.events, inAllSubjects: inAllSubjects?.events ?? null,
  values: { fromEnvelopes: fromEnvelopes.value, inBuckets: inBuckets.value, inAllSubjects: inAllSubjects?.value ?? null }, leftOut, differing, isEqual: isBackfilled ? null : differing === 0,
});

/** A period, and one partition of `usage.events` where only that is asked for: of a tenant that has too much in a quarter of an hour. */
export interface ReconciledPeriod { readonly from: string; readonly to: string; readonly partition?: number | undefined }

/**
 * Shows that nothing is lost between what was accepted and what is counted, from one snapshot: every event that was received in the period ends in exactly one place, and
 * each bucket of each meter holds what the envelopes come to, which are counted anew here. Refuses with `invalid_period`, `period_too_long`.
 */
export const reconcile = async (tx: Tx, tenant: string, { partition, ...period }: ReconciledPeriod): Promise<Reconciliation> => {
  const [from, to] = [microsNumberOfText(period.from), microsNumberOfText(period.to)];
  if (from >= to) throw new Refused('invalid_period', '"to" is after "from"', '/to');
  const meters = (await tx.query<{ row: Meter }>('SELECT row FROM meters WHERE tenant = $1 ORDER BY key', [tenant])).rows.map(({ row }) => row);
  const rules = meters.flatMap((meter) => rulesOf(meter));
  const { ends: events, altered: misread, notIndexed } = await receivedIn(tx, tenant, rules, { from, to }, partition);
  const whole = { from: bucketFrom(from), to: bucketOf(to) };
  const seals = await sealsOf(tx, tenant, whole, partition);
  const backfilled = await backfilledOf(tx, tenant, meters);
  const sealFaults = await faultsOfSeals(tx, tenant, rules.filter(({ key }) => !backfilled.has(key)), seals);
  // A sample window may be longer than a quarter of an hour: its meter is compared where the period is made of whole ones.
  const comparable = meters.filter((meter) => rulesOf(meter).every(({ settings }) => whole.from % settings.bucketMicros === 0 && whole.to % settings.bucketMicros === 0));
  const { meters: sums, differences, altered } = await compareBuckets(tx, { tenant, whole, partition, rules: comparable.flatMap((meter) => rulesOf(meter)), backfilled, seals });
  const checks = comparable.map(({ meterKey }) => checkOf(sums.get(meterKey)!, backfilled.has(meterKey)));
  const alteredEnvelopes = new Set([...misread, ...altered]).size;
  const isPlaced = events.accepted === STATUSES.reduce((sum, status) => sum + events[status], 0);
  return {
    from: instantFromMicros(from), to: instantFromMicros(to), events, meters: checks, differences, alteredEnvelopes, notIndexed, sealed: seals.length,
    sealFaults: sealFaults.slice(0, SEAL_FAULTS_SHOWN_MAX).map(({ subject, bucket, code, meterKey }) => ({ subject, from: instantFromMicros(bucket), code, meterKey })),
    isEqual: isPlaced && checks.every((check) => check.isEqual !== false) && sealFaults.length === 0 && alteredEnvelopes === 0 && notIndexed === 0,
  };
};
