import { instantFromMicros, Refused } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import { cellIn, cellName, type CellName, type CellRow, differingCells, freshTally, type NamedCells, storedTally, tallyText } from '../metering/compared-cells';
import { bucketOf, type Stretch } from '../metering/domain/bucket';
import { valueOfBucket } from '../metering/domain/bucket-value';
import { ALL_SUBJECTS, tieOf } from '../metering/domain/deltas';
import { looksAt, measure, type MeterRule } from '../metering/domain/measure';
import { Tally } from '../metering/domain/tally';
import { countedBy, type CountedEvent, readEnvelopes } from '../query/copy-reader';
import { type SealedTally, tallyOf } from '../retention/domain/seal';
import type { Seal } from '../retention/seals';

/** More envelopes are no answer of one request. */
export const RECONCILED_ENVELOPES_MAX = 20_000;
/** Nor are more buckets, with the different values that they tell apart. */
export const RECONCILED_BUCKETS_MAX = 100_000;
const ENVELOPES_PER_PAGE = 100;

/** What the events of a stretch of time come to: how many, and their sum, number, least, greatest, latest or number of different values, as the meter has it; null where there is no event. */
export interface Sum { readonly events: number; readonly value: string | null }
/** A bucket that does not hold what its envelopes come to. `subject` null: the row of all subjects of a partition. Where both show the same, `value` says all that the row holds. */
export interface BucketDifference {
  readonly meterKey: string;
  readonly meterVersion: number;
  readonly partition: number;
  readonly subject: string | null;
  readonly groupBy: Readonly<Record<string, string>>;
  readonly from: string;
  readonly fromEnvelopes: Sum;
  readonly inBuckets: Sum;
}
/** A meter over the whole period. `inAllSubjects` is null where different values are told apart: they are counted from the subjects. `leftOut`: events that it does not count, because their subjects have too many combinations of dimensions. */
export interface MeterSums { readonly meterKey: string; readonly fromEnvelopes: Sum; readonly inBuckets: Sum; readonly inAllSubjects: Sum | null; readonly leftOut: number; readonly differing: number }
export interface ComparedBuckets { readonly meters: ReadonlyMap<string, MeterSums>; readonly differences: readonly BucketDifference[]; readonly altered: readonly string[] }
/** So many differences are named; all of them are counted. */
const DIFFERENCES_SHOWN_MAX = 20;

/** What is compared: meters of which the period has whole buckets, of one partition or of all. The buckets of those that are back-filled do not hold everything yet: no difference of theirs is one. */
export interface Compared { readonly tenant: string; readonly whole: Stretch; readonly partition: number | undefined; readonly rules: readonly MeterRule[]; readonly backfilled: ReadonlySet<string>; readonly seals: readonly Seal[] }

const tooLong = (what: string): Refused => new Refused('period_too_long', `${what}; take a shorter period, or one partition (partition=0 to ${USAGE_PARTITIONS - 1})`, '/to');
export const assertEnvelopes = (count: number, what: string): void => { if (count > RECONCILED_ENVELOPES_MAX) throw tooLong(`${what} ${RECONCILED_ENVELOPES_MAX} envelopes`); };
const assertBuckets = (count: number): void => { if (count > RECONCILED_BUCKETS_MAX) throw tooLong(`there are more than ${RECONCILED_BUCKETS_MAX} buckets and different values in it`); };

/** The places of the envelopes that hold events of the period, in the order of the copy. */
const placesOf = async (tx: Tx, { tenant, whole, partition }: Compared): Promise<{ partition: number; position: number }[]> => {
  const partitions = partition === undefined ? Array.from({ length: USAGE_PARTITIONS }, (_, nth) => nth) : [partition];
  const { rows } = await tx.query<{ partition: number; position: bigint }>(
    'SELECT DISTINCT partition, position FROM usage_bucket_envelopes WHERE partition = ANY($5) AND tenant = $1 AND bucket >= $2 AND bucket < $3 ORDER BY 1, 2 LIMIT $4',
    [tenant, whole.from, whole.to, RECONCILED_ENVELOPES_MAX + 1, partitions]);
  assertEnvelopes(rows.length, 'events of the period are in more than');
  return rows.map((row) => ({ partition: row.partition, position: Number(row.position) }));
};

interface StoredRow extends CellRow { partition: number; subject: string; meter: string; version: number; groups: string; bucket: bigint }

/** What the buckets hold, by partition. */
const storedOf = async (tx: Tx, { tenant, whole, partition, rules }: Compared): Promise<ReadonlyMap<number, NamedCells>> => {
  const meters = [...new Set(rules.map(({ key }) => key))];
  if (rules.some(({ aggregation }) => aggregation.fold === 'distinct')) {
    const { rowCount } = await tx.query(
      `SELECT FROM usage_series s JOIN usage_bucket_values v ON v.series = s.series AND v.bucket >= $2 AND v.bucket < $3 WHERE s.tenant = $1 AND s.meter = ANY($4) AND ($5::int IS NULL OR s.partition = $5) LIMIT $6`,
      [tenant, whole.from, whole.to, meters, partition ?? null, RECONCILED_BUCKETS_MAX + 1]);
    assertBuckets(rowCount!);
  }
  const { rows } = await tx.query<StoredRow & Record<string, unknown>>(
    `SELECT s.partition, s.subject, s.meter, s.version, s.groups, b.bucket, b.events, b.total::text, b.moment::text, b.at, b.tie,
       (SELECT json_agg(json_build_array(encode(v.value, 'hex'), v.events)) FROM usage_bucket_values v WHERE v.series = b.series AND v.bucket = b.bucket) AS values
     FROM usage_series s JOIN usage_buckets b ON b.series = s.series AND b.bucket >= $2 AND b.bucket < $3
     WHERE s.tenant = $1 AND s.meter = ANY($4) AND ($5::int IS NULL OR s.partition = $5) LIMIT $6`,
    [tenant, whole.from, whole.to, meters, partition ?? null, RECONCILED_BUCKETS_MAX + 1]);
  const ruleOf = new Map(rules.map((rule) => [`${rule.version} ${rule.key}`, rule]));
  const all = new Map<number, NamedCells>();
  assertBuckets(rows.reduce((sum, { values }) => sum + 1 + (values?.length ?? 0), 0));
  for (const row of rows) {
    const rule = ruleOf.get(`${row.version} ${row.meter}`);
    if (rule === undefined) continue;
    let cells = all.get(row.partition);
    if (cells === undefined) all.set(row.partition, cells = new Map());
    cellIn(cells, { ...row, bucket: Number(row.bucket) }, () => storedTally(rule, row));
  }
  return all;
};

/** Adds up what the envelopes and seals of one partition come to. Nothing of the buckets is looked at. */
class Expected {
  readonly cells: NamedCells = new Map();
  readonly leftOut = new Map<string, number>();
  private values = 0;

  constructor(private readonly rules: readonly MeterRule[], private readonly room: { left: number }) {}

  addSeal({ subject, tallies }: Seal): void {
    const meters = new Set(this.rules.map(({ key }) => key));
    for (const sealed of JSON.parse(tallies) as SealedTally[]) {
      if (!meters.has(sealed.meter)) continue;
      this.grow({ subject, ...sealed }, () => new Tally(sealed.fold, sealed.moment !== null), (tally) => tally.merge(tallyOf(sealed)));
    }
  }

  addEvent(counted: CountedEvent): void {
    const { event, micros } = counted;
    for (const rule of this.rules) {
      const found = countedBy([rule], counted);
      if (found !== undefined) {
        const named = { subject: event.subject, meter: rule.key, version: rule.version, groups: found.groups, bucket: bucketOf(micros, rule.settings.bucketMicros) };
        this.grow(named, () => freshTally(rule), (tally) => tally.add(found.measured.value, micros, tieOf(event), found.measured.different));
      } else if (counted.leftOutOf.includes(rule.key) && looksAt(rule, event.type, micros, event.data) && measure(rule, event.data) !== undefined) {
        this.leftOut.set(rule.key, (this.leftOut.get(rule.key) ?? 0) + 1);
      }
    }
  }

  private grow(named: CellName, fresh: () => Tally, add: (tally: Tally) => void): void {
    const tally = cellIn(this.cells, named, fresh);
    const before = tally.values.size;
    add(tally);
    this.values += tally.values.size - before;
    if (this.cells.size + this.values > this.room.left) assertBuckets(RECONCILED_BUCKETS_MAX + 1);
  }

  /** Of one partition after the other: what is added up is forgotten, and its room is not given again. */
  end(): void { this.room.left -= this.cells.size + this.values; }
}

/** The rows of all subjects that follow from those of each. */
const totalsOf = (cells: NamedCells, ruleOf: (named: CellName) => MeterRule | undefined): NamedCells => {
  const totals: NamedCells = new Map();
  for (const { named, tally } of cells.values()) {
    const rule = ruleOf(named);
    if (rule === undefined || rule.aggregation.fold === 'distinct') continue;
    cellIn(totals, { ...named, subject: ALL_SUBJECTS }, () => freshTally(rule)).merge(tally);
  }
  return totals;
};

const sumOf = (rule: MeterRule, tally: Tally | undefined): Sum => (tally === undefined || tally.events === 0 ? { events: 0, value: null } : { events: tally.events, value: valueOfBucket(rule, tally) });

/** The sums of one meter, which grow partition by partition. */
class Sums {
  readonly fromEnvelopes: Tally;
  readonly inBuckets: Tally;
  readonly inAllSubjects: Tally;
  leftOut = 0;
  differing = 0;

  constructor(readonly rule: MeterRule) { [this.fromEnvelopes, this.inBuckets, this.inAllSubjects] = [freshTally(rule), freshTally(rule), freshTally(rule)]; }

  get said(): MeterSums {
    const { rule, leftOut, differing } = this;
    return {
      meterKey: rule.key, fromEnvelopes: sumOf(rule, this.fromEnvelopes), inBuckets: sumOf(rule, this.inBuckets), inAllSubjects: rule.aggregation.fold === 'distinct' ? null : sumOf(rule, this.inAllSubjects), leftOut, differing,
    };
  }
}

const differenceOf = (partition: number, rule: MeterRule, named: CellName, expected: Tally | undefined, stored: Tally | undefined): BucketDifference => {
  const [fromEnvelopes, inBuckets] = [sumOf(rule, expected), sumOf(rule, stored)];
  const looksSame = fromEnvelopes.value === inBuckets.value && fromEnvelopes.events === inBuckets.events;
  const whole = (sum: Sum, tally: Tally | undefined): Sum => (looksSame ? { ...sum, value: tallyText(tally) } : sum);
  return {
    meterKey: named.meter, meterVersion: named.version, partition, subject: named.subject === ALL_SUBJECTS ? null : named.subject, groupBy: JSON.parse(named.groups) as Record<string, string>, from: instantFromMicros(named.bucket),
    fromEnvelopes: whole(fromEnvelopes, expected), inBuckets: whole(inBuckets, stored),
  };
};

/** Compares what the buckets of each meter hold, of each subject and of all of a partition, with what the envelopes of the period come to, counted anew one partition after the other. Refuses with `period_too_long`. */
export const compareBuckets = async (tx: Tx, compared: Compared): Promise<ComparedBuckets> => {
  const { tenant, whole, rules, backfilled, seals } = compared;
  const [places, stored] = [await placesOf(tx, compared), await storedOf(tx, compared)];
  const ruleOf = new Map(rules.map((rule) => [`${rule.version} ${rule.key}`, rule]));
  const ruleNamed = ({ meter, version }: CellName): MeterRule | undefined => ruleOf.get(`${version} ${meter}`);
  const sums = new Map(rules.map((rule) => [rule.key, new Sums(rule)]));
  const [byPartition, sealsBy] = [Map.groupBy(places, ({ partition }) => partition), Map.groupBy(seals, ({ partition }) => partition)];
  const [differences, room]: [BucketDifference[], { left: number }] = [[], { left: RECONCILED_BUCKETS_MAX }];
  const altered: string[] = [];
  for (const partition of new Set([...byPartition.keys(), ...sealsBy.keys(), ...stored.keys()])) {
    const expected = new Expected(rules, room);
    for (const seal of sealsBy.get(partition) ?? []) expected.addSeal(seal);
    const own = byPartition.get(partition) ?? [];
    for (let start = 0; start < own.length; start += ENVELOPES_PER_PAGE) {
      for (const { position, events, isIntact } of await readEnvelopes(tx, tenant, own.slice(start, start + ENVELOPES_PER_PAGE), { isProof: true })) {
        if (!isIntact) altered.push(`${partition}/${position}`);
        for (const event of events) if (event.micros >= whole.from && event.micros < whole.to) expected.addEvent(event);
      }
    }
    expected.end();
    for (const [meter, count] of expected.leftOut) sums.get(meter)!.leftOut += count;
    const all: NamedCells = new Map([...expected.cells, ...totalsOf(expected.cells, ruleNamed)]);
    const held = stored.get(partition) ?? new Map<string, never>() as NamedCells;
    for (const { named, tally } of expected.cells.values()) sums.get(named.meter)!.fromEnvelopes.merge(tally);
    for (const { named, tally } of held.values()) {
      const own = sums.get(named.meter)!;
      (named.subject === ALL_SUBJECTS ? own.inAllSubjects : own.inBuckets).merge(tally);
    }
    for (const named of differingCells(all, held)) {
      const rule = ruleNamed(named);
      if (rule === undefined || backfilled.has(rule.key)) continue;
      sums.get(named.meter)!.differing += 1;
      if (differences.length < DIFFERENCES_SHOWN_MAX) differences.push(differenceOf(partition, rule, named, all.get(cellName(named))?.tally, held.get(cellName(named))?.tally));
    }
  }
  return { meters: new Map([...sums].map(([key, own]) => [key, own.said])), differences, altered };
};
