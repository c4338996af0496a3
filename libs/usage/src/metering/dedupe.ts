import { hash } from 'node:crypto';
import { canonicalJson } from '@valueverse/kernel';
import { bigintArray, ident, type Tx, uuidArray, wordArray } from '@valueverse/event-log';
import type { UsageEvent } from '../ingest/domain/usage-event';
import { dayOf, type KeysOfBatch, slotOf } from './key-days';

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
interface Known extends Place { readonly content: Buffer }

/**
 * `duplicate`: the same content was there; `conflict`: other content was there under this tenant, subject, source and id; `id_reused`: it counts,
 * and another subject has the same source and id. `first` is what was there.
 */
export interface Clash { readonly occurrence: Occurrence; readonly code: 'duplicate' | 'conflict' | 'id_reused'; readonly first: Place }

const HALF_BYTES = 8;
const KEY_BYTES = 2 * HALF_BYTES;
const CONTENT_BYTES = 8;
/** What makes two events of one id the same: type and data, not the time they claim. */
export const contentOf = ({ type, data }: UsageEvent): Buffer => hash('sha256', canonicalJson([type, data ?? {}]), 'buffer').subarray(0, CONTENT_BYTES);

/** The key of an event: half of it is of tenant, source and id, which a reused id shares, half of it of the subject as well. */
export const keyOf = (tenant: string, { subject, source, id }: Pick<UsageEvent, 'subject' | 'source' | 'id'>): Buffer => {
  const key = Buffer.allocUnsafe(KEY_BYTES);
  hash('sha256', `${tenant}\n${source}\n${id}`, 'buffer').copy(key, 0, 0, HALF_BYTES);
  hash('sha256', `${tenant}\n${subject}\n${source}\n${id}`, 'buffer').copy(key, HALF_BYTES, 0, HALF_BYTES);
  return key;
};

interface Candidate { readonly occurrence: Occurrence; readonly key: Buffer; readonly content: Buffer; first: Known | undefined; otherSubject: Place | undefined }

/**
 * Says which events were there before, in the window of log time or earlier in this list, and remembers the new ones. The caller holds the locks of the partitions, so
 * one subject's events are decided one after the other. Ids that two partitions take in at the same moment may not be found to be reused: both count anyway.
 */
export const findClashes = async (tx: Tx, keys: KeysOfBatch, occurrences: readonly Occurrence[]): Promise<Clash[]> => {
  const candidates = new Map<string, Candidate>();
  const repeats: { occurrence: Occurrence; candidate: Candidate }[] = [];
  for (const occurrence of occurrences) {
    const key = keyOf(occurrence.tenant, occurrence.event);
    const text = key.toString('latin1');
    const candidate = candidates.get(text);
    if (candidate === undefined) candidates.set(text, { occurrence, key, content: contentOf(occurrence.event), first: undefined, otherSubject: undefined });
    else repeats.push({ occurrence, candidate });
  }
  const all = [...candidates.values()];
  findReusedAmong(all);
  await findKnown(tx, keys, all);
  await remember(tx, keys, all.filter(({ first }) => first === undefined));
  const clashes: Clash[] = [];
  const verdict = (occurrence: Occurrence, content: Buffer, first: Known): void => {
    clashes.push({ occurrence, code: content.equals(first.content) ? 'duplicate' : 'conflict', first });
  };
  for (const { occurrence, content, first, otherSubject } of all) {
    if (first !== undefined) verdict(occurrence, content, first);
    else if (otherSubject !== undefined) clashes.push({ occurrence, code: 'id_reused', first: otherSubject });
  }
  for (const { occurrence, candidate } of repeats) verdict(occurrence, contentOf(occurrence.event), candidate.first ?? { ...placeOf(candidate.occurrence), content: candidate.content });
  return clashes;
};

const placeOf = ({ partition, position, nth }: Place): Place => ({ partition, position, nth });
const halfOf = (key: Buffer): string => key.toString('latin1', 0, HALF_BYTES);

/** Two subjects of one list that share an id: the later one reuses it. */
const findReusedAmong = (candidates: readonly Candidate[]): void => {
  const byHalf = new Map<string, Candidate>();
  for (const candidate of candidates) {
    const half = halfOf(candidate.key);
    const earlier = byHalf.get(half);
    if (earlier === undefined) byHalf.set(half, candidate);
    else candidate.otherSubject = placeOf(earlier.occurrence);
  }
};

/** Which candidates may be known in which day, the latest day first. A filter may only say that a key is perhaps there; the index decides. */
const perhapsKnown = async (tx: Tx, keys: KeysOfBatch, candidates: readonly Candidate[], looksAtFilters: boolean): Promise<[day: number, Candidate[]][]> => {
  const byDayKnown = new Map<number, Candidate[]>();
  for (const own of groupedBy(candidates, ({ occurrence: { logTime, partition } }) => `${dayOf(logTime)} ${partition}`)) {
    const [{ occurrence: { logTime, partition } }] = own as [Candidate];
    for (const { day, filter } of await keys.windowOf(tx, dayOf(logTime), partition)) {
      const perhaps = filter === undefined || !looksAtFilters ? own : own.filter(({ key }) => filter.mayHave(key));
      const there = byDayKnown.get(day);
      if (there === undefined) byDayKnown.set(day, [...perhaps]);
      else for (const candidate of perhaps) there.push(candidate);
    }
  }
  return [...byDayKnown].sort(([left], [right]) => right - left);
};

const groupedBy = <T>(items: readonly T[], nameOf: (item: T) => string): T[][] => {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const name = nameOf(item);
    const own = groups.get(name);
    if (own === undefined) groups.set(name, [item]);
    else own.push(item);
  }
  return [...groups.values()];
};

const findKnown = async (tx: Tx, keys: KeysOfBatch, candidates: readonly Candidate[]): Promise<void> => {
  for (const [day, perhaps] of await perhapsKnown(tx, keys, candidates, true)) await lookUp(tx, slotOf(day), perhaps);
};

/** `OFFSET 0` has the database look up one key after the other: it may otherwise walk through all keys of the day and compare each with those that are asked for. */
const lookUp = async (tx: Tx, slot: number, candidates: readonly Candidate[]): Promise<void> => {
  if (candidates.length === 0) return;
  const { rows } = await tx.query<{ place: bigint; key: Buffer; content: Buffer; partition: number; position: bigint; nth: number }>(
    `SELECT g.place, uuid_send(k.key) AS key, int8send(k.content) AS content, k.partition, k.position, k.nth FROM unnest($2::uuid[], $3::uuid[]) WITH ORDINALITY g(least, greatest, place)
     JOIN LATERAL (SELECT * FROM usage_keys k WHERE k.slot = $1 AND k.key >= g.least AND k.key <= g.greatest OFFSET 0) k ON true`,
    [slot, uuidArray(candidates.map(({ key }) => bounded(key, 0))), uuidArray(candidates.map(({ key }) => bounded(key, 0xff)))]);
  for (const row of rows) {
    const candidate = candidates[Number(row.place) - 1]!;
    const known = { partition: row.partition, position: Number(row.position), nth: row.nth };
    if (row.key.equals(candidate.key)) candidate.first = { ...known, content: row.content };
    else candidate.otherSubject ??= known;
  }
};
/** Where the events of keys stand, by key: for what corrects them. */
export const lookUpKeys = async (tx: Tx, keys: KeysOfBatch, occurrences: readonly Occurrence[]): Promise<Map<string, { place: Place; slot: number }>> => {
  const found = new Map<string, { place: Place; slot: number }>();
  const candidates = occurrences.map((occurrence): Candidate => ({ occurrence, key: keyOf(occurrence.tenant, occurrence.event), content: NO_CONTENT, first: undefined, otherSubject: undefined }));
  for (const [day, own] of await perhapsKnown(tx, keys, candidates, false)) {
    await lookUp(tx, slotOf(day), own.filter(({ first }) => first === undefined));
    for (const { key, first } of own) if (first !== undefined && !found.has(key.toString('latin1'))) found.set(key.toString('latin1'), { place: placeOf(first), slot: slotOf(day) });
  }
  return found;
};
const NO_CONTENT = Buffer.alloc(0);

/** The least or the greatest key with the same first half. */
const bounded = (key: Buffer, byte: number): Buffer => Buffer.concat([key.subarray(0, HALF_BYTES), Buffer.alloc(HALF_BYTES, byte)]);

const remember = async (tx: Tx, keys: KeysOfBatch, fresh: readonly Candidate[]): Promise<void> => {
  for (const own of groupedBy(fresh, ({ occurrence }) => String(dayOf(occurrence.logTime)))) {
    const day = dayOf(own[0]!.occurrence.logTime);
    await keys.begin(tx, day);
    // In the order of the key: neighbours in the index are written together.
    own.sort((left, right) => Buffer.compare(left.key, right.key));
    await tx.query(
      `INSERT INTO ${ident(`usage_keys_${slotOf(day)}`)} (slot, partition, nth, key, content, position)
       SELECT $1, partition, nth, key, content, position FROM unnest($2::bigint[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[]) g(partition, key, content, position, nth)`,
      [slotOf(day), bigintArray(own.map(({ occurrence }) => occurrence.partition)), uuidArray(own.map(({ key }) => key)), wordArray(own.map(({ content }) => content)),
        bigintArray(own.map(({ occurrence }) => occurrence.position)), bigintArray(own.map(({ occurrence }) => occurrence.nth))]);
    keys.added(day, own.map(({ key }) => key));
  }
};
