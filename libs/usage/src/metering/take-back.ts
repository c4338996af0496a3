import type { Tx } from '@valueverse/event-log';
import { growBuckets } from './buckets';
import type { Occurrence } from './dedupe';
import { bucketOf } from './domain/bucket';
import { ALL_SUBJECTS, Deltas, type NumberedSeries, type SeriesDelta, type SeriesName, seriesText, tieOf } from './domain/deltas';
import { groupsOf, type Meter, type MeterRule, rulesOf } from './domain/measure';
import { Tally } from './domain/tally';
import { FOLD_CODES } from './buckets';
import type { SeriesIndex } from './series';
import { readStretches } from './stored-buckets';
import { countedBy, visitEvents } from '../query/copy-reader';
import { addSealed } from '../retention/sealed-part';

/** A bucket whose value was chosen among its events, and has to be chosen again without one of them. */
interface Recount extends SeriesName { readonly bucket: number }

/** Rules by their names, so that what one of them has counted is added up as one. */
type RulesByName = Map<string, MeterRule>;

/** The rules that have counted an event, and those that are still on their way there and have passed it. */
const rulesThatCounted = async (tx: Tx, { tenant, partition, position, nth }: Occurrence, known: RulesByName): Promise<{ following: MeterRule[]; passed: MeterRule[] }> => {
  const { rows } = await tx.query<{ version: number; position: bigint | null; row: Meter }>(
    `SELECT p.version, p.position, m.row FROM usage_meter_progress p JOIN meters m ON m.tenant = p.tenant AND m.key = p.meter
     WHERE p.tenant = $1 AND p.partition = $2 AND (p.position IS NULL OR p.position >= $3) AND NOT EXISTS (SELECT FROM usage_exceptions x
       WHERE x.tenant = $1 AND x.partition = $2 AND x.position = $3 AND x.nth = $4 AND x.code = 'too_many_groups' AND x.meter = p.meter)`, [tenant, partition, position, nth]);
  const ruleOf = ({ version, row }: (typeof rows)[number]): MeterRule[] => rulesOf(row).filter((rule) => rule.version === version).map((rule) => {
    const name = `${tenant}\n${rule.key}\n${rule.version}`;
    if (!known.has(name)) known.set(name, rule);
    return known.get(name)!;
  });
  return { following: rows.filter((row) => row.position === null).flatMap(ruleOf), passed: rows.filter((row) => row.position !== null).flatMap(ruleOf) };
};

/** A back-fill that has passed an event that no longer counts begins anew in this partition. */
const beginAnew = async (tx: Tx, tenant: string, { key, version }: MeterRule, partition: number): Promise<void> => {
  await tx.query(`DELETE FROM usage_buckets WHERE series IN (SELECT series FROM usage_series WHERE tenant = $1 AND meter = $2 AND version = $3 AND partition = $4)`, [tenant, key, version, partition]);
  await tx.query(`DELETE FROM usage_bucket_values WHERE series IN (SELECT series FROM usage_series WHERE tenant = $1 AND meter = $2 AND version = $3 AND partition = $4)`, [tenant, key, version, partition]);
  await tx.query('UPDATE usage_meter_progress SET position = 0 WHERE tenant = $1 AND meter = $2 AND version = $3 AND partition = $4', [tenant, key, version, partition]);
};

/**
 * Takes events back that were counted, after the copy says that they no longer count and what was left out is listed. Sums and counts are lowered; a least, greatest or latest value is chosen anew
 * from the envelopes of its bucket. The caller holds the partition's lock.
 */
export const takeBack = async (tx: Tx, index: SeriesIndex, partition: number, events: readonly Occurrence[]): Promise<void> => {
  if (events.length === 0) return;
  const deltas = new Deltas(partition);
  const recounts = new Map<string, Recount>();
  const rules: RulesByName = new Map();
  for (const occurrence of events) {
    const { tenant, event, micros } = occurrence;
    const { following, passed } = await rulesThatCounted(tx, occurrence, rules);
    for (const rule of passed) await beginAnew(tx, tenant, rule, partition);
    for (const rule of following) {
      if (deltas.take(tenant, event, micros, rule) !== 'recount') continue;
      const recount: Recount = { tenant, rule, partition, subject: event.subject, groups: groupsOf(rule, event.data), bucket: bucketOf(micros, rule.settings.bucketMicros) };
      recounts.set(`${seriesText(recount)} ${recount.bucket}`, recount);
    }
  }
  for (const changed of [deltas.all, deltas.totals()]) {
    await index.find(tx, changed);
    await growBuckets(tx, changed);
    await dropEmpty(tx, changed);
  }
  for (const recount of recounts.values()) await chooseAnew(tx, index, recount);
};

/** A bucket of no event is none. */
const dropEmpty = async (tx: Tx, changed: readonly SeriesDelta[]): Promise<void> => {
  const series = changed.flatMap(({ number }) => number ?? []);
  const buckets = [...new Set(changed.flatMap(({ cells }) => [...cells].map(([bucket]) => bucket)))];
  await tx.query('DELETE FROM usage_buckets WHERE series = ANY($1) AND bucket = ANY($2) AND events = 0', [series, buckets]);
  await tx.query('DELETE FROM usage_bucket_values WHERE series = ANY($1) AND bucket = ANY($2) AND events = 0', [series, buckets]);
};

const chooseAnew = async (tx: Tx, index: SeriesIndex, { tenant, rule, partition, subject, groups, bucket }: Recount): Promise<void> => {
  const to = bucket + rule.settings.bucketMicros;
  const tally = new Tally(rule.aggregation.fold);
  await visitEvents(tx, tenant, [{ subject, from: bucket, to }], (_, counted) => {
    const found = countedBy([rule], counted);
    if (found?.groups === groups) tally.add(found.measured.value, counted.micros, tieOf(counted.event));
  });
  await addSealed(tx, tally, tenant, { rule, subject, groups, bucket });
  const own: NumberedSeries = { tenant, rule, partition, subject, groups, number: undefined };
  const all = { ...own, subject: ALL_SUBJECTS };
  await index.find(tx, [own, all]);
  if (own.number === undefined) return;
  await store(tx, tenant, own.number, bucket, tally);
  const siblings = await tx.query<{ series: bigint }>(
    'SELECT series FROM usage_series WHERE tenant = $1 AND meter = $2 AND version = $3 AND partition = $4 AND groups = $5 AND subject <> $6', [tenant, rule.key, rule.version, partition, groups, ALL_SUBJECTS]);
  const total = new Tally(rule.aggregation.fold);
  for (const { columns } of await readStretches(tx, rule.aggregation.fold, siblings.rows.map(({ series }) => ({ series: Number(series), from: bucket, to, place: 0 })))) total.mergeColumns(columns);
  await store(tx, tenant, all.number!, bucket, total);
};

const store = async (tx: Tx, tenant: string, series: number, bucket: number, tally: Tally): Promise<void> => {
  const { total, events, at, tie } = tally.columns;
  await tx.query('DELETE FROM usage_buckets WHERE series = $1 AND bucket = $2', [series, bucket]);
  if (events === 0) return;
  await tx.query('INSERT INTO usage_buckets (series, bucket, events, at, fold, tenant, total, tie) VALUES ($1, $2, $3, $4, $5, $6, $7::numeric, $8)', [series, bucket, events, at, FOLD_CODES[tally.fold], tenant, total, tie]);
};
