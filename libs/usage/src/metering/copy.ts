import { createHash, hash } from 'node:crypto';
import { canonicalJson, microsNumberOfText, partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import { RecordRejected, type FeedRecord, type Tx } from '@valueverse/event-log';
import type { Envelope } from '../ingest/domain/usage-event';
import { textColumn } from './text-column';

/** Where metering's copy of a partition ends: the last position, the chain up to there, and its log time in microseconds. */
export interface CopyHead {
  readonly partition: number;
  position: number;
  link: Buffer;
  logTime: number;
}
/** An envelope that is about to be copied. */
export interface FreshEnvelope {
  readonly envelope: Envelope;
  readonly body: string;
  readonly position: number;
  /** The running maximum of `recordedAt` in the partition: what windows go by. */
  readonly logTime: number;
  /** The places of events that do not count, ascending. */
  readonly notCounted: number[];
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
    if ([id, source, type, subject, time].some((text) => typeof text !== 'string')) throw new MalformedEnvelope(`${envelope.id} holds what is no usage event`);
    if (checked.has(subject)) continue;
    // Duplicates are found inside one partition, so an event in another one could count twice.
    if (partitionOf(envelope.tenant, subject, USAGE_PARTITIONS) !== record.partition) throw new MalformedEnvelope(`${envelope.id} is in the wrong partition`);
    checked.add(subject);
  }
  return envelope;
};

/** Locks the end of a partition's copy: who holds it is the only one that counts there. */
export const lockHead = async (tx: Tx, partition: number): Promise<CopyHead> => {
  const { rows } = await tx.query<{ position: bigint; link: Buffer; log_time: bigint }>('SELECT position, link, log_time FROM usage_partitions WHERE partition = $1 FOR UPDATE', [partition]);
  const row = rows[0]!;
  return { partition, position: Number(row.position), link: row.link, logTime: Number(row.log_time) };
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

/** Gives envelopes their positions and log times, in order. */
export const placed = (head: CopyHead, given: readonly { readonly envelope: Envelope; readonly body: string }[]): FreshEnvelope[] => {
  let { position, logTime } = head;
  return given.map(({ envelope, body }) => {
    position += 1;
    logTime = Math.max(logTime, microsNumberOfText(envelope.recordedAt));
    return { envelope, body, position, logTime, notCounted: [] };
  });
};

/** The hash of a body, and the link of the chain over what came before, the header and that hash. */
export const bodyHashOf = (body: string): Buffer => hash('sha256', body, 'buffer');
export const linkOf = (previous: Buffer, header: string, bodyHash: Buffer): Buffer => createHash('sha256').update(previous).update(header).update(bodyHash).digest();

const headerOf = (partition: number, { envelope, position, logTime, notCounted }: FreshEnvelope): string =>
  canonicalJson({ partition, position: String(position), tenant: envelope.tenant, envelope: envelope.id, recordedAt: envelope.recordedAt, logTime: String(logTime), notCounted });

/** Writes envelopes to the copy, linked to what is there. `earliest` is the first instant that each is about, for whoever looks for late usage. Answers the new end, which `moveHead` stores. */
export const writeEnvelopes = async (tx: Tx, head: CopyHead, fresh: readonly FreshEnvelope[], earliest: readonly number[]): Promise<CopyHead> => {
  let { link } = head;
  const rows = fresh.map((envelope) => {
    const header = headerOf(head.partition, envelope);
    const bodyHash = bodyHashOf(envelope.body);
    link = linkOf(link, header, bodyHash);
    return { header, bodyHash, link };
  });
  await tx.query(
    `INSERT INTO usage_envelopes (tenant, partition, position, envelope, log_time, header, body, body_hash, link, not_counted, earliest)
     SELECT tenant, $1, position, envelope, log_time, header, body, body_hash, link, not_counted::int[], earliest
     FROM unnest($2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], string_to_array($7, E'\\x01'), $8::bytea[], $9::bytea[], $10::text[], $11::bigint[])
       g(tenant, position, envelope, log_time, header, body, body_hash, link, not_counted, earliest)`,
    [head.partition, fresh.map(({ envelope }) => envelope.tenant), fresh.map(({ position }) => position), fresh.map(({ envelope }) => envelope.id),
      fresh.map(({ logTime }) => logTime), rows.map(({ header }) => header), textColumn(fresh.map(({ body }) => body)), rows.map(({ bodyHash }) => bodyHash),
      rows.map((row) => row.link), fresh.map(({ notCounted }) => `{${notCounted.join(',')}}`), earliest]);
  const last = fresh.at(-1)!;
  return { partition: head.partition, position: last.position, logTime: last.logTime, link };
};

export const moveHead = async (tx: Tx, head: CopyHead): Promise<void> => {
  await tx.query('UPDATE usage_partitions SET position = $2, link = $3, log_time = $4 WHERE partition = $1', [head.partition, head.position, head.link, head.logTime]);
};
