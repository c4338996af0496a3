import { partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import { bigintArray, byteaArray, textArray, type Tx } from '@valueverse/event-log';
import type { DroppedEvent } from './dropped-event';
import { BUCKET_MICROS, bucketOf } from '../metering/domain/bucket';
import { Deltas } from '../metering/domain/deltas';
import { SealedTallies, sealHash, type SealedEnvelope } from './domain/seal';

/** A subject's quarter of an hour. */
export interface Place { readonly subject: string; readonly bucket: number }
export interface Seal extends Place { readonly partition: number; readonly position: number; readonly firstChunk: number; readonly tallies: string; readonly hash: string }
/** Where and when something is dropped. */
export interface Dropping { readonly tenant: string; readonly partition: number; readonly chunk: number; readonly logTime: number }

const placeName = ({ subject, bucket }: Place): string => `${bucket} ${subject}`;
const columnsOf = (places: readonly Place[]): [Buffer, Buffer] => [textArray(places.map(({ subject }) => subject)), bigintArray(places.map(({ bucket }) => bucket))];

interface SealRow { subject: string; bucket: bigint; partition: number; position: bigint; first_chunk: bigint; tallies: string; hash: Buffer }
const sealOf = ({ subject, bucket, partition, position, first_chunk: firstChunk, tallies, hash }: SealRow): Seal =>
  ({ subject, bucket: Number(bucket), partition, position: Number(position), firstChunk: Number(firstChunk), tallies, hash: hash.toString('hex') });

/** The seals of places, those that there are. */
export const sealsAt = async (tx: Tx, tenant: string, places: readonly Place[]): Promise<Seal[]> => {
  const { rows } = await tx.query<SealRow & Record<string, unknown>>(
    `SELECT s.subject, s.bucket, s.partition, s.position, s.first_chunk, s.tallies, s.hash FROM unnest($2::text[], $3::bigint[]) g(subject, bucket)
     JOIN usage_seals s ON s.tenant = $1 AND s.subject = g.subject AND s.bucket = g.bucket`, [tenant, ...columnsOf(places)]);
  return rows.map(sealOf);
};

/** The seals of quarters of an hour that begin in a period, in the order of time, at most `limit`; of one partition or of all. */
export const sealsIn = async (tx: Tx, tenant: string, { from, to }: { from: number; to: number }, limit: number, partition?: number): Promise<Seal[]> => {
  const { rows } = await tx.query<SealRow & Record<string, unknown>>(
    'SELECT subject, bucket, partition, position, first_chunk, tallies, hash FROM usage_seals WHERE tenant = $1 AND bucket >= $2 AND bucket < $3 AND ($5::int IS NULL OR partition = $5) ORDER BY bucket, subject LIMIT $4', [tenant, from, to, limit, partition ?? null]);
  return rows.map(sealOf);
};

/** The seals of quarters of an hour that touch stretches of subjects. */
export const sealsAround = async (tx: Tx, tenant: string, stretches: readonly { readonly subject: string; readonly from: number; readonly to: number }[]): Promise<Seal[]> => {
  if (stretches.length === 0) return [];
  const { rows } = await tx.query<SealRow & Record<string, unknown>>(
    `SELECT DISTINCT ON (s.subject, s.bucket) s.subject, s.bucket, s.partition, s.position, s.first_chunk, s.tallies, s.hash FROM unnest($2::text[], $3::bigint[], $4::bigint[]) g(subject, first, until)
     JOIN usage_seals s ON s.tenant = $1 AND s.subject = g.subject AND s.bucket > g.first AND s.bucket < g.until ORDER BY s.subject, s.bucket`,
    [tenant, textArray(stretches.map(({ subject }) => subject)), bigintArray(stretches.map(({ from }) => from - BUCKET_MICROS)), bigintArray(stretches.map(({ to }) => to))]);
  return rows.map(sealOf);
};

/** The envelopes that places have lost, in the order of their positions, by the name of the place. */
const lostBy = async (tx: Tx, tenant: string, places: readonly Place[]): Promise<ReadonlyMap<string, SealedEnvelope[]>> => {
  const { rows } = await tx.query<{ subject: string; bucket: bigint; position: bigint; body_hash: Buffer }>(
    `SELECT g.subject, g.bucket, e.position, e.body_hash FROM unnest($2::text[], $3::bigint[], $4::int[]) g(subject, bucket, partition)
     JOIN usage_bucket_envelopes x ON x.partition = g.partition AND x.tenant = $1 AND x.subject = g.subject AND x.bucket = g.bucket
     JOIN usage_envelopes e ON e.tenant = $1 AND e.partition = x.partition AND e.position = x.position WHERE e.body IS NULL ORDER BY e.position`,
    [tenant, ...columnsOf(places), places.map(({ subject }) => partitionOf(tenant, subject, USAGE_PARTITIONS))]);
  const lost = new Map<string, SealedEnvelope[]>(places.map((place) => [placeName(place), []]));
  for (const { subject, bucket, position, body_hash: hash } of rows) lost.get(placeName({ subject, bucket: Number(bucket) }))!.push([String(position), hash.toString('hex')]);
  return lost;
};

/** What the hashes of seals have to be, as their rows and the envelopes that are gone are now; in the order given, as hex. */
export const hashesNow = async (tx: Tx, tenant: string, seals: readonly Pick<Seal, 'subject' | 'bucket' | 'tallies'>[]): Promise<string[]> => {
  const lost = await lostBy(tx, tenant, seals);
  return seals.map((seal) => sealHash({ tenant, subject: seal.subject, bucket: seal.bucket }, seal.tallies, lost.get(placeName(seal))!));
};

/**
 * Seals the places that have just lost envelopes: adds what the events in these counted for, and hashes it with the envelopes that are gone. To be called after the bodies are gone, in their transaction,
 * which holds the partition.
 */
export const seal = async (tx: Tx, { tenant, partition, chunk, logTime }: Dropping, gone: readonly DroppedEvent[]): Promise<void> => {
  const deltas = new Map<string, { readonly place: Place; readonly folded: Deltas; position: number }>();
  for (const { event, micros, position, rules } of gone) {
    const place = { subject: event.subject, bucket: bucketOf(micros) };
    let own = deltas.get(placeName(place));
    if (own === undefined) deltas.set(placeName(place), own = { place, folded: new Deltas(partition), position });
    own.folded.add(tenant, event, micros, rules);
    own.position = Math.max(own.position, position);
  }
  const list = [...deltas.values()];
  if (list.length === 0) return;
  const before = new Map((await sealsAt(tx, tenant, list.map(({ place }) => place))).map((one) => [placeName(one), one]));
  const made = list.map(({ place, folded, position }) => {
    const known = before.get(placeName(place));
    const tallies = new SealedTallies(known?.tallies);
    for (const delta of folded.all) tallies.add(delta);
    return { ...place, position: Math.max(position, known?.position ?? 0), tallies: tallies.text };
  });
  const lost = await lostBy(tx, tenant, made);
  await tx.query(
    `INSERT INTO usage_seals AS s (tenant, subject, bucket, partition, envelopes, position, first_chunk, sealed_at, tallies, hash)
     SELECT $1, subject, bucket, $2, envelopes, position, $3, $4, tallies, hash FROM unnest($5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[], $10::bytea[]) g(subject, bucket, envelopes, position, tallies, hash)
     ON CONFLICT (tenant, subject, bucket) DO UPDATE SET envelopes = excluded.envelopes, position = excluded.position, sealed_at = excluded.sealed_at, tallies = excluded.tallies, hash = excluded.hash`,
    [tenant, partition, chunk, logTime, ...columnsOf(made), bigintArray(made.map((one) => lost.get(placeName(one))!.length)), bigintArray(made.map(({ position }) => position)), textArray(made.map(({ tallies }) => tallies)),
      byteaArray(made.map((one) => Buffer.from(sealHash({ tenant, subject: one.subject, bucket: one.bucket }, one.tallies, lost.get(placeName(one))!), 'hex')))]);
};
