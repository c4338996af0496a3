import { hash } from 'node:crypto';
import { canonicalJson } from '@valueverse/kernel';
import type { Tx } from '@valueverse/event-log';
import type { UsageEvent } from '../ingest/domain/usage-event';
import { textColumn } from './text-column';

/** One event of an envelope, and where it is. */
export interface Occurrence {
  readonly tenant: string;
  readonly event: UsageEvent;
  readonly micros: number;
  readonly partition: number;
  readonly position: number;
  readonly nth: number;
  readonly logTime: number;
}
export interface Place { readonly partition: number; readonly position: number; readonly nth: number }
interface Known extends Place { readonly subject: string; readonly content: Buffer }

/**
 * `duplicate`: the same content was there; `conflict`: other content was there under this tenant, subject, source and id; `id_reused`: it counts,
 * and another subject has the same source and id. `first` is what was there.
 */
export interface Clash { readonly occurrence: Occurrence; readonly code: 'duplicate' | 'conflict' | 'id_reused'; readonly first: Place }

interface Candidate { readonly occurrence: Occurrence; readonly content: Buffer; first: Known | undefined; otherSubject: Known | undefined }

const CONTENT_BYTES = 16;
/** What makes two events of one id the same: type and data, not the time they claim. */
export const contentOf = ({ type, data }: UsageEvent): Buffer => hash('sha256', canonicalJson([type, data ?? {}]), 'buffer').subarray(0, CONTENT_BYTES);

/**
 * Says which events were there before, in the copy or earlier in this list, and remembers the new ones. The partition is locked by the caller, so
 * one subject's events are decided one after the other; an id that another partition is remembering at this moment is waited for.
 */
export const findClashes = async (tx: Tx, occurrences: readonly Occurrence[]): Promise<Clash[]> => {
  const candidates = new Map<string, Candidate>();
  const repeats: { occurrence: Occurrence; content: Buffer; candidate: Candidate }[] = [];
  for (const occurrence of occurrences) {
    const content = contentOf(occurrence.event);
    const key = keyOf(occurrence);
    const candidate = candidates.get(key);
    if (candidate === undefined) candidates.set(key, { occurrence, content, first: undefined, otherSubject: undefined });
    else repeats.push({ occurrence, content, candidate });
  }
  await remember(tx, [...candidates.values()]);
  const clashes: Clash[] = [];
  const verdict = (occurrence: Occurrence, content: Buffer, first: Place & { content: Buffer }): void => {
    clashes.push({ occurrence, code: content.equals(first.content) ? 'duplicate' : 'conflict', first });
  };
  for (const { occurrence, content, first, otherSubject } of candidates.values()) {
    if (first !== undefined) verdict(occurrence, content, first);
    else if (otherSubject !== undefined) clashes.push({ occurrence, code: 'id_reused', first: otherSubject });
  }
  for (const { occurrence, content, candidate } of repeats) verdict(occurrence, content, candidate.first ?? { ...placeOf(candidate.occurrence), content: candidate.content });
  return clashes;
};

const keyOf = ({ tenant, event }: Occurrence): string => `${tenant}\n${event.subject}\n${event.source}\n${event.id}`;
const placeOf = ({ partition, position, nth }: Place): Place => ({ partition, position, nth });

/** Ids are unique per tenant and source; only those that another subject has already go to a table with the subject in its key. */
const remember = async (tx: Tx, candidates: readonly Candidate[]): Promise<void> => {
  const reused: Candidate[] = [];
  for (const [candidate, known] of await insertIds(tx, candidates)) {
    if (known.subject === candidate.occurrence.event.subject) candidate.first = known;
    else {
      candidate.otherSubject = known;
      reused.push(candidate);
    }
  }
  if (reused.length === 0) return;
  for (const [candidate, known] of await insertReusedIds(tx, reused)) candidate.first = known;
};

type Columns = readonly [tenants: string, sources: string, ids: string, subjects: string, contents: string, positions: number[], nths: number[], logTimes: number[]];
const columnsOf = (candidates: readonly Candidate[]): Columns => [
  textColumn(candidates.map(({ occurrence }) => occurrence.tenant)), textColumn(candidates.map(({ occurrence }) => occurrence.event.source)),
  textColumn(candidates.map(({ occurrence }) => occurrence.event.id)), textColumn(candidates.map(({ occurrence }) => occurrence.event.subject)),
  textColumn(candidates.map(({ content }) => content.toString('hex'))),
  candidates.map(({ occurrence }) => occurrence.position), candidates.map(({ occurrence }) => occurrence.nth), candidates.map(({ occurrence }) => occurrence.logTime)];

interface KnownRow { place: bigint; subject: string; content: Buffer; partition: number; position: bigint; nth: number }

const insertIds = async (tx: Tx, candidates: readonly Candidate[]): Promise<[Candidate, Known][]> => {
  if (candidates.length === 0) return [];
  const { partition } = candidates[0]!.occurrence;
  const columns = columnsOf(candidates);
  // In the order of their keys, so that two partitions do not wait for each other in a circle; of equal ones the first in the log wins.
  const { rowCount } = await tx.query(
    `INSERT INTO usage_ids (tenant, source, id, subject, content, partition, position, nth, log_time)
     SELECT tenant, source, id, subject, decode(content, 'hex'), $9, position, nth, log_time
     FROM unnest(string_to_array($1, E'\\x01'), string_to_array($2, E'\\x01'), string_to_array($3, E'\\x01'), string_to_array($4, E'\\x01'), string_to_array($5, E'\\x01'), $6::bigint[], $7::int[], $8::bigint[]) g(tenant, source, id, subject, content, position, nth, log_time)
     ORDER BY tenant COLLATE "C", source COLLATE "C", id COLLATE "C", position, nth ON CONFLICT DO NOTHING`, [...columns, partition]);
  if (rowCount === candidates.length) return [];
  const { rows } = await tx.query<KnownRow>(
    `SELECT g.place, k.subject, k.content, k.partition, k.position, k.nth
     FROM unnest(string_to_array($1, E'\\x01'), string_to_array($2, E'\\x01'), string_to_array($3, E'\\x01'), $4::bigint[], $5::int[]) WITH ORDINALITY g(tenant, source, id, position, nth, place)
     JOIN usage_ids k ON k.tenant = g.tenant AND k.source = g.source AND k.id = g.id
     WHERE (k.partition, k.position, k.nth) <> ($6, g.position, g.nth)`, [columns[0], columns[1], columns[2], columns[5], columns[6], partition]);
  return rows.map((row) => [candidates[Number(row.place) - 1]!, knownOf(row)]);
};

const insertReusedIds = async (tx: Tx, candidates: readonly Candidate[]): Promise<[Candidate, Known][]> => {
  const { partition } = candidates[0]!.occurrence;
  const columns = columnsOf(candidates);
  const { rowCount } = await tx.query(
    `INSERT INTO usage_reused_ids (tenant, source, id, subject, content, partition, position, nth, log_time)
     SELECT tenant, source, id, subject, decode(content, 'hex'), $9, position, nth, log_time
     FROM unnest(string_to_array($1, E'\\x01'), string_to_array($2, E'\\x01'), string_to_array($3, E'\\x01'), string_to_array($4, E'\\x01'), string_to_array($5, E'\\x01'), $6::bigint[], $7::int[], $8::bigint[]) g(tenant, source, id, subject, content, position, nth, log_time)
     ORDER BY tenant COLLATE "C", source COLLATE "C", id COLLATE "C", subject COLLATE "C" ON CONFLICT DO NOTHING`, [...columns, partition]);
  if (rowCount === candidates.length) return [];
  const { rows } = await tx.query<KnownRow>(
    `SELECT g.place, k.subject, k.content, k.partition, k.position, k.nth
     FROM unnest(string_to_array($1, E'\\x01'), string_to_array($2, E'\\x01'), string_to_array($3, E'\\x01'), string_to_array($4, E'\\x01'), $5::bigint[], $6::int[]) WITH ORDINALITY g(tenant, source, id, subject, position, nth, place)
     JOIN usage_reused_ids k ON k.tenant = g.tenant AND k.source = g.source AND k.id = g.id AND k.subject = g.subject
     WHERE (k.partition, k.position, k.nth) <> ($7, g.position, g.nth)`, [columns[0], columns[1], columns[2], columns[3], columns[5], columns[6], partition]);
  return rows.map((row) => [candidates[Number(row.place) - 1]!, knownOf(row)]);
};

const knownOf = (row: KnownRow): Known => ({ subject: row.subject, content: row.content, partition: row.partition, position: Number(row.position), nth: row.nth });
