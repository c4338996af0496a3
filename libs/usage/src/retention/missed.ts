import { instantFromMicros, partitionOf, Refused } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import { BUCKET_MICROS, bucketOf } from '../metering/domain/bucket';
import type { MeterRule } from '../metering/domain/measure';
import type { SubjectStretch } from '../query/copy-reader';

/**
 * Notes how much had been dropped of a partition when a meter begins to count it: it cannot count that. The caller holds the partition's lock; nothing is dropped there until the meter follows. Only the first
 * version of a meter can miss something, since later ones begin after everything that was dropped (`droppedFrom`).
 */
export const noteBegun = async (tx: Tx, { tenant, meterKey, version }: { tenant: string; meterKey: string; version: number }, partition: number): Promise<void> => {
  await tx.query(
    `UPDATE usage_meter_progress p SET begun_after = r.chunks FROM usage_retention_progress r
     WHERE p.tenant = $1 AND p.meter = $2 AND p.version = $3 AND p.partition = $4 AND r.tenant = $1 AND r.partition = $4 AND r.chunks > 0`, [tenant, meterKey, version, partition]);
};

/** The instant from which nothing of a tenant was dropped; undefined where nothing was. */
export const droppedFrom = async (tx: Tx, tenant: string): Promise<number | undefined> => {
  const { rows: [row] } = await tx.query<{ whole_from: bigint | null }>('SELECT max(whole_from) AS whole_from FROM usage_retention_progress WHERE tenant = $1', [tenant]);
  return row?.whole_from == null ? undefined : Number(row.whole_from);
};

/** Log time of the last envelope of a tenant that was dropped; undefined where none was. */
export const droppedUntil = async (tx: Tx, tenant: string): Promise<number | undefined> => {
  const { rows: [row] } = await tx.query<{ until: bigint | null }>('SELECT max(dropped_until) AS until FROM usage_retention_progress WHERE tenant = $1', [tenant]);
  return row?.until == null ? undefined : Number(row.until);
};

/** A stretch of a subject's usage that a meter is asked about. */
export interface Asked extends SubjectStretch { readonly rules: readonly MeterRule[] }

/** Which of the stretches hold dropped usage that their meters began too late to count, by index: up to which instant. */
export const missedIn = async (tx: Tx, tenant: string, asked: readonly Asked[]): Promise<ReadonlyMap<number, number>> => {
  const { rows: late } = await tx.query<{ meter: string; partition: number }>(
    'SELECT meter, partition FROM usage_meter_progress WHERE tenant = $1 AND meter = ANY($2) AND version = 1 AND begun_after > 0', [tenant, [...new Set(asked.map(({ rules }) => rules[0]!.key))]]);
  if (late.length === 0) return new Map();
  const began = new Set(late.map(({ meter, partition }) => `${partition} ${meter}`));
  const places = asked.map((one, index) => ({ ...one, index })).filter(({ rules, subject }) => began.has(`${partitionOf(tenant, subject, USAGE_PARTITIONS)} ${rules[0]!.key}`));
  const { rows } = await tx.query<{ index: number; bucket: bigint }>(
    `SELECT g.index, max(s.bucket) AS bucket FROM unnest($2::int[], $3::text[], $4::text[], $5::bigint[], $6::bigint[]) g(index, meter, subject, first, until)
     JOIN usage_seals s ON s.tenant = $1 AND s.subject = g.subject AND s.bucket >= g.first AND s.bucket < g.until
     JOIN usage_meter_progress p ON p.tenant = $1 AND p.meter = g.meter AND p.version = 1 AND p.partition = s.partition AND s.first_chunk <= p.begun_after GROUP BY 1`,
    [tenant, places.map(({ index }) => index), places.map(({ rules }) => rules[0]!.key), places.map(({ subject }) => subject), places.map(({ from, rules }) => bucketOf(Math.max(from, rules[0]!.from))), places.map(({ to }) => to)]);
  return new Map(rows.map(({ index, bucket }) => [index, Number(bucket) + BUCKET_MICROS]));
};

/** The instant from which a meter is whole in a period: what was dropped before it was made is not in it. Undefined where it is whole. */
export const wholeFrom = async (tx: Tx, tenant: string, rules: readonly MeterRule[], { from, to }: { from: number; to: number }, subjects?: readonly string[]): Promise<number | undefined> => {
  const { rows: [row] } = await tx.query<{ bucket: bigint | null }>(
    `SELECT max(s.bucket) AS bucket FROM usage_meter_progress p JOIN usage_seals s ON s.tenant = $1 AND s.partition = p.partition AND s.bucket >= $3 AND s.bucket < $4 AND s.first_chunk <= p.begun_after
     WHERE p.tenant = $1 AND p.meter = $2 AND p.version = 1 AND p.begun_after > 0 AND ($5::text[] IS NULL OR s.subject = ANY($5))`,
    [tenant, rules[0]!.key, bucketOf(Math.max(from, rules[0]!.from, 0)), to, subjects ?? null]);
  return row?.bucket == null ? undefined : Number(row.bucket) + BUCKET_MICROS;
};

/** The end of the last quarter of an hour of a period that has lost envelopes of these subjects, or of any: what buckets hold of it cannot be counted anew. Undefined where all envelopes are there. */
export const sealedUntil = async (tx: Tx, tenant: string, { from, to }: { from: number; to: number }, subjects?: readonly string[]): Promise<number | undefined> => {
  const first = bucketOf(Math.max(from, 0));
  const { rows: [row] } = subjects === undefined
    ? await tx.query<{ bucket: bigint | null }>('SELECT max(bucket) AS bucket FROM usage_seals WHERE tenant = $1 AND bucket >= $2 AND bucket < $3', [tenant, first, to])
    : await tx.query<{ bucket: bigint | null }>(
      `SELECT max(s.bucket) AS bucket FROM unnest($4::text[]) g(subject)
       JOIN LATERAL (SELECT bucket FROM usage_seals s WHERE s.tenant = $1 AND s.subject = g.subject AND s.bucket >= $2 AND s.bucket < $3 ORDER BY s.bucket DESC LIMIT 1) s ON true`, [tenant, first, to, subjects]);
  return row?.bucket == null ? undefined : Number(row.bucket) + BUCKET_MICROS;
};

/** Which stretches of raw events are not all there, because envelopes of one of their quarters of an hour were dropped; by index, with the first such quarter. */
export const droppedIn = async (tx: Tx, tenant: string, stretches: readonly SubjectStretch[]): Promise<ReadonlyMap<number, number>> => {
  if (stretches.length === 0) return new Map();
  const { rows } = await tx.query<{ place: bigint; bucket: bigint }>(
    `SELECT g.place, min(s.bucket) AS bucket FROM unnest($2::text[], $3::bigint[], $4::bigint[]) WITH ORDINALITY g(subject, first, until, place)
     JOIN usage_seals s ON s.tenant = $1 AND s.subject = g.subject AND s.bucket >= g.first AND s.bucket < g.until GROUP BY 1`,
    [tenant, stretches.map(({ subject }) => subject), stretches.map(({ from }) => bucketOf(from)), stretches.map(({ to }) => to)]);
  return new Map(rows.map(({ place, bucket }) => [Number(place) - 1, Number(bucket)]));
};

/** Refuses with `usage_dropped` where raw events of stretches are no longer there: buckets cannot tell what of them is inside. */
export const assertKept = async (tx: Tx, tenant: string, stretches: readonly SubjectStretch[]): Promise<void> => {
  const [gone] = await droppedIn(tx, tenant, stretches);
  if (gone === undefined) return;
  const [index, bucket] = gone;
  throw new Refused('usage_dropped', `${stretches[index]!.subject} has lost events of the quarter of an hour from ${instantFromMicros(bucket)} by retention: ask for whole buckets`);
};
