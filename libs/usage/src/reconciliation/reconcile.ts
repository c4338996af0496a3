import { instantFromMicros, microsNumberOfText, Refused } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import { standingOf, STATUSES, type Note, type SupersededBy, type Surroundings } from '../events/domain/standing';
import { claimsOf } from '../events/subject-claims';
import type { UsageEvent } from '../ingest/domain/usage-event';
import { envelopeIn, type KeptBody } from '../metering/body';
import { bucketFrom, bucketOf } from '../metering/domain/bucket';
import { ALL_SUBJECTS } from '../metering/domain/deltas';
import { looksAt, measure, type Meter, type MeterRule, rulesOf } from '../metering/domain/measure';
import { countedBy, readEnvelopes } from '../query/copy-reader';
import { faultsOfSeals, type SealFault } from '../retention/check-seals';
import { addEnd, addEnds, type Ends, noEnds } from '../retention/domain/ends';
import { sealsIn } from '../retention/seals';
import { type SealedTally } from '../retention/domain/seal';

/** More envelopes are no answer of one request. */
export const RECONCILED_ENVELOPES_MAX = 20_000;
const ENVELOPES_PER_PAGE = 100;

/** `isEqual` is null while the meter is back-filled: its buckets do not hold everything yet. */
export interface MeterCheck { readonly meterKey: string; readonly fromEnvelopes: number; readonly inBuckets: number; readonly isEqual: boolean | null }
export interface Reconciliation {
  readonly from: string;
  readonly to: string;
  /** Of the events that were received in the period. */
  readonly events: Ends;
  /** Of the events that occurred in the whole quarters of an hour of the period. */
  readonly meters: readonly MeterCheck[];
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

interface Row extends KeptBody { partition: number; position: bigint; dropped: string | null; not_counted: number[]; superseded: { nth: number; voided: boolean }[] }

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

const endsOf = async (tx: Tx, tenant: string, rules: readonly MeterRule[], from: number, to: number): Promise<Ends> => {
  const ends = noEnds();
  const { rows: places } = await tx.query<{ partition: number; position: bigint }>(
    'SELECT partition, position FROM usage_envelopes WHERE tenant = $1 AND log_time >= $2 AND log_time < $3 ORDER BY partition, position LIMIT $4', [tenant, from, to, RECONCILED_ENVELOPES_MAX + 1]);
  if (places.length > RECONCILED_ENVELOPES_MAX) throw new Refused('period_too_long', `more than ${RECONCILED_ENVELOPES_MAX} envelopes were received; take a shorter period`, '/to');
  for (let start = 0; start < places.length; start += ENVELOPES_PER_PAGE) {
    const page = places.slice(start, start + ENVELOPES_PER_PAGE).map(({ partition, position }) => ({ partition, position: Number(position) }));
    const { rows } = await tx.query<Row>(
      `SELECT e.partition, e.position, e.body, e.packed, e.dropped, e.not_counted,
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
  }
  return ends;
};

/** The events of each meter as the envelopes have them, and the seals of those that were dropped: nothing of the buckets is looked at. */
const countedOf = async (tx: Tx, tenant: string, rules: readonly MeterRule[], from: number, to: number, sealed: readonly SealedTally[]): Promise<Map<string, number>> => {
  const counted = new Map<string, number>();
  for (const { meter, events } of sealed) counted.set(meter, (counted.get(meter) ?? 0) + events);
  const { rows } = await tx.query<{ partition: number; position: bigint }>(
    'SELECT DISTINCT partition, position FROM usage_bucket_envelopes WHERE partition = ANY($5) AND tenant = $1 AND bucket >= $2 AND bucket < $3 ORDER BY 1, 2 LIMIT $4',
    [tenant, from, to, RECONCILED_ENVELOPES_MAX + 1, Array.from({ length: USAGE_PARTITIONS }, (_, partition) => partition)]);
  if (rows.length > RECONCILED_ENVELOPES_MAX) throw new Refused('period_too_long', `events of the period are in more than ${RECONCILED_ENVELOPES_MAX} envelopes; take a shorter one`, '/to');
  const places = rows.map(({ partition, position }) => ({ partition, position: Number(position) }));
  for (let start = 0; start < places.length; start += ENVELOPES_PER_PAGE) {
    const page = places.slice(start, start + ENVELOPES_PER_PAGE);
    for (const { events } of await readEnvelopes(tx, tenant, page, { isProof: true })) {
      for (const event of events) {
        if (event.micros < from || event.micros >= to) continue;
        for (const rule of rules) if (countedBy([rule], event) !== undefined) counted.set(rule.key, (counted.get(rule.key) ?? 0) + 1);
      }
    }
  }
  return counted;
};

/** The meters that do not follow the head of every partition yet, with all their versions. */
const backfilledOf = async (tx: Tx, tenant: string, meters: readonly Meter[]): Promise<Set<string>> => {
  const { rows } = await tx.query<{ meter: string; following: bigint }>('SELECT meter, count(*) AS following FROM usage_meter_progress WHERE tenant = $1 AND position IS NULL GROUP BY 1', [tenant]);
  const following = new Map(rows.map((row) => [row.meter, Number(row.following)]));
  return new Set(meters.filter(({ meterKey, versions }) => following.get(meterKey) !== versions.length * USAGE_PARTITIONS).map(({ meterKey }) => meterKey));
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
  const seals = await sealsIn(tx, tenant, whole, RECONCILED_ENVELOPES_MAX + 1);
  if (seals.length > RECONCILED_ENVELOPES_MAX) throw new Refused('period_too_long', `more than ${RECONCILED_ENVELOPES_MAX} quarters of an hour of subjects are sealed in it; take a shorter one`, '/to');
  const counted = await countedOf(tx, tenant, rules, whole.from, whole.to, seals.flatMap(({ tallies }) => JSON.parse(tallies) as SealedTally[]));
  const backfilled = await backfilledOf(tx, tenant, meters);
  const sealFaults = await faultsOfSeals(tx, tenant, rules.filter(({ key }) => !backfilled.has(key)), seals);
  const { rows } = await tx.query<{ meter: string; events: bigint }>(
    `SELECT s.meter, sum(b.events)::bigint AS events FROM usage_series s JOIN usage_buckets b ON b.series = s.series AND b.bucket >= $2 AND b.bucket < $3
     WHERE s.tenant = $1 AND s.subject <> $4 GROUP BY 1`, [tenant, whole.from, whole.to, ALL_SUBJECTS]);
  const stored = new Map(rows.map((row) => [row.meter, Number(row.events)]));
  // A sample window may be longer than a quarter of an hour: its meter is compared where the period is made of whole ones.
  const comparable = meters.filter((meter) => rulesOf(meter).every(({ settings }) => whole.from % settings.bucketMicros === 0 && whole.to % settings.bucketMicros === 0));
  const checks = comparable.map(({ meterKey }): MeterCheck => {
    const [fromEnvelopes, inBuckets] = [counted.get(meterKey) ?? 0, stored.get(meterKey) ?? 0];
    return { meterKey, fromEnvelopes, inBuckets, isEqual: backfilled.has(meterKey) ? null : fromEnvelopes === inBuckets };
  });
  const isEqual = events.accepted === STATUSES.reduce((sum, status) => sum + events[status], 0) && checks.every((check) => check.isEqual !== false) && sealFaults.length === 0;
  return {
    from: instantFromMicros(from), to: instantFromMicros(to), events, meters: checks, sealed: seals.length,
    sealFaults: sealFaults.slice(0, SEAL_FAULTS_SHOWN_MAX).map(({ subject, bucket, code, meterKey }) => ({ subject, from: instantFromMicros(bucket), code, meterKey })), isEqual,
  };
};
