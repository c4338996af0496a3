import { createHash } from 'node:crypto';
import { canonicalJson, microsNumberOfText, partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import { bigintArray, byteaArray, RecordRejected, textArray, type FeedRecord, type Tx } from '@valueverse/event-log';
import type { Envelope } from '../ingest/domain/usage-event';
import { bodyHashOf, keptBody } from './body';
import { type LogClock, type LogTime, nextLogTime } from './log-time';

/** Where metering's copy of a partition ends: the last position, the chain up to there, and its log time in microseconds; and by which clock it may go on. */
export interface CopyHead {
  readonly partition: number;
  readonly clock: LogClock;
  position: number;
  link: Buffer;
  logTime: number;
}
/** An envelope and where the copy has it. */
export interface PlacedEnvelope {
  readonly envelope: Envelope;
  readonly partition: number;
  readonly position: number;
  /** The running maximum of `recordedAt` in the partition, as far as that can be true: what windows go by. */
  readonly logTime: number;
  /** See `LogTime`; absent where no keys are looked for. */
  readonly keyDay?: number | undefined;
  readonly lastKeyDay?: number;
}
/** An envelope that is about to be copied. */
export interface FreshEnvelope extends PlacedEnvelope {
  readonly body: string;
  /** Whether the clock that it was recorded by is too far ahead to be believed, or may be behind. */
  readonly clockFault: 'ahead' | 'behind' | undefined;
  /** The places of events that do not count, ascending. */
  readonly notCounted: number[];
  /** The first instant that it is about, in microseconds: of its events, and of those that it takes back or replaces. For whoever looks for late usage. */
  earliest: number;
}

/** A record of `usage.events` that is no envelope of ours. */
export class MalformedEnvelope extends RecordRejected {
  constructor(message: string) { super('not_an_envelope', message); }
}

/** Reads the record of an envelope. Throws `MalformedEnvelope` for what the ingress does not write. */
export const readEnvelope = (record: FeedRecord): Envelope => {
  let envelope: Envelope | null;
  try {
    envelope = JSON.parse(record.value) as Envelope | null;
  } catch {
    throw new MalformedEnvelope(`offset ${record.offset} is not JSON`);
  }
  if (envelope === null || typeof envelope.id !== 'string' || typeof envelope.recordedAt !== 'string' || !Array.isArray(envelope.events)) throw new MalformedEnvelope(`offset ${record.offset} holds no envelope`);
  if (typeof envelope.tenant !== 'string' || envelope.tenant !== record.headers['ce_tenant']) throw new MalformedEnvelope(`${envelope.id} and its header name different tenants`);
  const checked = new Set<string>();
  for (const { id, source, type, subject, time } of envelope.events) {
    if (typeof id !== 'string' || typeof source !== 'string' || typeof type !== 'string' || typeof subject !== 'string' || typeof time !== 'string') throw new MalformedEnvelope(`${envelope.id} holds what is no usage event`);
    if (checked.has(subject)) continue;
    // Duplicates are found inside one partition, so an event in another one could count twice.
    if (partitionOf(envelope.tenant, subject, USAGE_PARTITIONS) !== record.partition) throw new MalformedEnvelope(`${envelope.id} is in the wrong partition`);
    checked.add(subject);
  }
  return envelope;
};

/** Locks the ends of partitions' copies, in their order: who holds one is the only one that counts there. */
export const lockHeads = async (tx: Tx, partitions: readonly number[]): Promise<CopyHead[]> => {
  const { rows } = await tx.query<{ partition: number; position: bigint; link: Buffer; log_time: bigint; now: bigint; latest: bigint }>(
    `SELECT p.partition, p.position, p.link, p.log_time, c.now, c.latest
     FROM usage_partitions p, (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now, max(log_time) AS latest FROM usage_partitions) c
     WHERE p.partition = ANY($1) ORDER BY p.partition FOR UPDATE OF p`, [partitions]);
  return rows.map((row) => ({ partition: row.partition, position: Number(row.position), link: row.link, logTime: Number(row.log_time), clock: { now: Number(row.now), latest: Number(row.latest) } }));
};

/** The envelopes that are not in the copy yet, each once: the ingress may have written one twice. */
export const unknownEnvelopes = async <E extends { readonly envelope: Envelope }>(tx: Tx, given: readonly E[]): Promise<E[]> => {
  const byId = new Map<string, E>();
  for (const one of given) if (!byId.has(keyOf(one.envelope))) byId.set(keyOf(one.envelope), one);
  const { rows } = await tx.query<{ tenant: string; envelope: string }>(
    'SELECT e.tenant, e.envelope FROM usage_envelopes e JOIN unnest($1::text[], $2::text[]) g(tenant, envelope) ON e.tenant = g.tenant AND e.envelope = g.envelope',
    [[...byId.values()].map(({ envelope }) => envelope.tenant), [...byId.values()].map(({ envelope }) => envelope.id)]);
  for (const row of rows) byId.delete(`${row.tenant}\n${row.envelope}`);
  return [...byId.values()];
};
const keyOf = ({ tenant, id }: Envelope): string => `${tenant}\n${id}`;

/** The log time that a position has in the copy already: where it is taken in again. */
export type KnownLogTime = (partition: number, position: number) => LogTime;

/** Gives envelopes of a partition their positions and log times, in order. */
export const placed = ({ partition, clock, ...head }: CopyHead, given: readonly { readonly envelope: Envelope; readonly body: string }[], known?: KnownLogTime): FreshEnvelope[] => {
  let { position, logTime: before } = head;
  return given.map(({ envelope, body }) => {
    position += 1;
    const recordedAt = microsNumberOfText(envelope.recordedAt);
    const { logTime, keyDay, lastKeyDay } = known === undefined ? nextLogTime(clock, before, recordedAt) : known(partition, position);
    before = logTime;
    return { envelope, partition, body, position, logTime, keyDay, lastKeyDay, clockFault: keyDay !== undefined ? 'behind' : logTime < recordedAt ? 'ahead' : undefined, notCounted: [], earliest: Number.MAX_SAFE_INTEGER };
  });
};

/** The link of the chain over what came before, a header and the hash of its body. */
export const linkOf = (previous: Buffer, header: string, bodyHash: Buffer): Buffer => createHash('sha256').update(previous).update(header).update(bodyHash).digest();

const headerOf = ({ envelope, partition, position, logTime, keyDay, notCounted }: FreshEnvelope): string => canonicalJson({
  partition, position: String(position), tenant: envelope.tenant, envelope: envelope.id, recordedAt: envelope.recordedAt, logTime: String(logTime), ...(keyDay === undefined ? {} : { keyDay }), notCounted,
});

const NOT_PACKED = Buffer.alloc(0);
/** Writes envelopes to the copies of their partitions, each linked to what is there, and moves the heads along; `moveHeads` stores them. */
export const writeEnvelopes = async (tx: Tx, heads: ReadonlyMap<number, CopyHead>, fresh: readonly FreshEnvelope[]): Promise<void> => {
  const rows = fresh.map((envelope) => {
    const head = heads.get(envelope.partition)!;
    const header = headerOf(envelope);
    const bodyHash = bodyHashOf(envelope.body);
    head.link = linkOf(head.link, header, bodyHash);
    head.position = envelope.position;
    head.logTime = envelope.logTime;
    return { header, bodyHash, link: head.link, ...keptBody(envelope.body) };
  });
  await tx.query(
    `INSERT INTO usage_envelopes (tenant, partition, position, envelope, log_time, header, body, packed, body_hash, link, not_counted, earliest)
     SELECT tenant, partition, position, envelope, log_time, header, body, nullif(packed, ''::bytea), body_hash, link, not_counted::int[], earliest
     FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::bytea[], $9::bytea[], $10::bytea[], $11::text[], $12::bigint[])
       g(tenant, partition, position, envelope, log_time, header, body, packed, body_hash, link, not_counted, earliest)`,
    [textArray(fresh.map(({ envelope }) => envelope.tenant)), bigintArray(fresh.map(({ partition }) => partition)), bigintArray(fresh.map(({ position }) => position)), textArray(fresh.map(({ envelope }) => envelope.id)),
      bigintArray(fresh.map(({ logTime }) => logTime)), textArray(rows.map(({ header }) => header)), textArray(rows.map(({ body }) => body)), byteaArray(rows.map(({ packed }) => packed ?? NOT_PACKED)),
      byteaArray(rows.map(({ bodyHash }) => bodyHash)), byteaArray(rows.map(({ link }) => link)), textArray(fresh.map(({ notCounted }) => `{${notCounted.join(',')}}`)), bigintArray(fresh.map(({ earliest }) => earliest))]);
};

export const moveHeads = async (tx: Tx, heads: readonly CopyHead[]): Promise<void> => {
  await tx.query(
    `UPDATE usage_partitions p SET position = g.position, link = g.link, log_time = g.log_time FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bigint[]) g(partition, position, link, log_time)
     WHERE p.partition = g.partition`,
    [bigintArray(heads.map(({ partition }) => partition)), bigintArray(heads.map(({ position }) => position)), byteaArray(heads.map(({ link }) => link)), bigintArray(heads.map(({ logTime }) => logTime))]);
};
