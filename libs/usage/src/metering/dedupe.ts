import { hash } from 'node:crypto';
import { canonicalJson, textJson } from '@valueverse/kernel';
import { bigintArray, binaryRows, ident, type Tx, uuidArray } from '@valueverse/event-log';
import type { UsageEvent } from '../ingest/domain/usage-event';
import { HALF_BYTES, KEY_BYTES, KeyBytes } from './key-bytes';
import { Pace } from './pace';
import { type KeysOfBatch, slotOf } from './key-days';
import { dayOf } from './log-time';

/** One event of an envelope, and where it is. */
export interface Occurrence {
  readonly tenant: string;
  readonly event: UsageEvent;
  readonly micros: number;
  readonly partition: number;
  readonly position: number;
  readonly nth: number;
  readonly logTime: number;
  /** See `LogTime`; absent: the day of its log time. */
  readonly keyDay?: number | undefined;
  readonly lastKeyDay?: number | undefined;
}
export interface Place { readonly partition: number; readonly position: number; readonly nth: number }
interface Known extends Place { readonly content: string }

/**
 * `duplicate`: the same content was there; `conflict`: other content was there under this tenant, subject, source and id; `id_reused`: it counts,
 * and another subject has the same source and id. `first` is what was there.
 */
export interface Clash { readonly occurrence: Occurrence; readonly code: 'duplicate' | 'conflict' | 'id_reused'; readonly first: Place }

const CONTENT_BYTES = 8;
/** What makes two events of one id the same: type and data, not the time they claim. Eight bytes, as latin1. */
export const contentOf = ({ type, data }: UsageEvent): string => hash('sha256', `[${textJson(type)},${canonicalJson(data ?? {})}]`, 'binary').slice(0, CONTENT_BYTES);

/** An event that may be new: `place` is that of its key. */
interface Candidate {
  readonly occurrence: Occurrence;
  readonly keys: KeyBytes;
  readonly place: number;
  readonly content: string;
  first: Known | undefined;
  otherSubject: Place | undefined;
}
const textOf = ({ keys, place }: Candidate): string => keys.text(place);

/** Which events were there before; `written` is when the keys of the new ones are. */
export interface Found { readonly clashes: readonly Clash[]; readonly written: Promise<void> }

/**
 * Says which events were there before, in the window of log time or earlier in this list, and begins to write down the new ones. The caller holds the locks of the partitions, so
 * one subject's events are decided one after the other. Ids that two partitions take in at the same moment may not be found to be reused: both count anyway.
 */
export const findClashes = async (tx: Tx, keys: KeysOfBatch, occurrences: readonly Occurrence[]): Promise<Found> => {
  const { all, inOrder, repeats } = await candidatesOf(occurrences);
  await findKnown(tx, keys, all);
  const written = remember(tx, keys, inOrder.filter(({ first }) => first === undefined));
  const clashes: Clash[] = [];
  const verdict = (occurrence: Occurrence, content: string, first: Known): void => {
    clashes.push({ occurrence, code: content === first.content ? 'duplicate' : 'conflict', first });
  };
  for (const { occurrence, content, first, otherSubject } of all) {
    if (first !== undefined) verdict(occurrence, content, first);
    else if (otherSubject !== undefined) clashes.push({ occurrence, code: 'id_reused', first: otherSubject });
  }
  for (const { occurrence, candidate } of repeats) verdict(occurrence, contentOf(occurrence.event), candidate.first ?? { ...placeOf(candidate.occurrence), content: candidate.content });
  return { clashes, written };
};

/** More than there are events in what is taken in at a time. */
const PLACES = 2 ** 20;
/** The first bytes of a key, and the place of its event: numbers are sorted in a fifth of the time that texts take, and found without a table of them. */
const rankOf = (prefix: number, place: number): number => prefix * PLACES + place;
const prefixOf = (rank: number): number => Math.floor(rank / PLACES);

interface Repeat { readonly occurrence: Occurrence; readonly candidate: Candidate }
interface Candidates {
  /** The first event of each key, in the order of the log; and in that of the first bytes of their keys, so that neighbours in the index are written together. */
  readonly all: readonly Candidate[];
  readonly inOrder: readonly Candidate[];
  /** What this list has again. */
  readonly repeats: readonly Repeat[];
}

/** Finds what a list has twice: events of one key stand beside each other when they are in the order of their keys. */
const candidatesOf = async (occurrences: readonly Occurrence[]): Promise<Candidates> => {
  const keys = new KeyBytes(occurrences.length);
  const ranks = new Float64Array(occurrences.length);
  const pace = new Pace();
  for (let place = 0; place < occurrences.length; place++) {
    if (pace.isOver(1)) await pace.giveWay();
    const { tenant, event } = occurrences[place]!;
    keys.put(place, tenant, event);
    ranks[place] = rankOf(keys.prefix(place), place);
  }
  ranks.sort();
  const byPlace: (Candidate | undefined)[] = new Array<undefined>(occurrences.length).fill(undefined);
  const inOrder: Candidate[] = [];
  const repeats: Repeat[] = [];
  const add = (place: number, earliest: Candidate | undefined): Candidate => {
    const occurrence = occurrences[place]!;
    // Two subjects of one list that share an id: the later one reuses it.
    const made: Candidate = { occurrence, keys, place, content: contentOf(occurrence.event), first: undefined, otherSubject: earliest === undefined ? undefined : placeOf(earliest.occurrence) };
    byPlace[place] = made;
    inOrder.push(made);
    return made;
  };
  for (let begin = 0, end = 0; begin < ranks.length; begin = end) {
    const prefix = prefixOf(ranks[begin]!);
    for (end = begin + 1; end < ranks.length && prefixOf(ranks[end]!) === prefix;) end++;
    if (pace.isOver(end - begin)) await pace.giveWay();
    if (end === begin + 1) { add(ranks[begin]! - prefix * PLACES, undefined); continue; }
    const [byKey, byHalf] = [new Map<string, Candidate>(), new Map<string, Candidate>()];
    for (let nth = begin; nth < end; nth++) {
      const place = ranks[nth]! - prefix * PLACES;
      const key = keys.text(place);
      const candidate = byKey.get(key);
      if (candidate !== undefined) { repeats.push({ occurrence: occurrences[place]!, candidate }); continue; }
      const made = add(place, byHalf.get(halfOf(key)));
      byKey.set(key, made);
      if (!byHalf.has(halfOf(key))) byHalf.set(halfOf(key), made);
    }
  }
  return { all: byPlace.filter((one) => one !== undefined), inOrder, repeats };
};

const placeOf = ({ partition, position, nth }: Place): Place => ({ partition, position, nth });
const halfOf = (key: string): string => key.slice(0, HALF_BYTES);

/** Candidates that come one after the other and are of one partition, one day of log time, and look up to the same day. */
const runsOf = (candidates: readonly Candidate[]): Candidate[][] => {
  const runs: Candidate[][] = [];
  for (let begin = 0, end = 0; begin < candidates.length; begin = end) {
    const { partition, logTime, lastKeyDay } = candidates[begin]!.occurrence;
    const day = dayOf(logTime);
    end = begin + 1;
    const isOfRun = ({ occurrence: one }: Candidate): boolean => one.partition === partition && dayOf(one.logTime) === day && one.lastKeyDay === lastKeyDay;
    while (end < candidates.length && isOfRun(candidates[end]!)) end++;
    runs.push(candidates.slice(begin, end));
  }
  return runs;
};

/** Which candidates may be known in which day, the latest day first. A filter may only say that a key is perhaps there; the index decides. */
const perhapsKnown = async (tx: Tx, keys: KeysOfBatch, candidates: readonly Candidate[], looksAtFilters: boolean): Promise<[day: number, Candidate[]][]> => {
  const byDayKnown = new Map<number, Candidate[]>();
  for (const own of runsOf(candidates)) {
    const { logTime, partition, lastKeyDay } = own[0]!.occurrence;
    const words = wordsOf(own);
    for (const { day, filter } of await keys.windowOf(tx, dayOf(logTime), partition, lastKeyDay)) {
      const perhaps = filter === undefined || !looksAtFilters ? own : filter.perhaps(words).map((nth) => own[nth]!);
      const there = byDayKnown.get(day);
      if (there === undefined) byDayKnown.set(day, [...perhaps]);
      else for (const candidate of perhaps) there.push(candidate);
    }
  }
  return [...byDayKnown].sort(([left], [right]) => right - left);
};

const findKnown = async (tx: Tx, keys: KeysOfBatch, candidates: readonly Candidate[]): Promise<void> => {
  const days = (await perhapsKnown(tx, keys, candidates, true)).map(([day, perhaps]) => perhaps.map((candidate): Wanted => ({ slot: slotOf(day), candidate }))).filter(({ length }) => length > 0);
  for (const wanted of days.length > DAYS_ONE_BY_ONE ? [days.flat()] : days) {
    await lookUp(tx, wanted);
    // A filter's mistake, or what is more seldom: an id that another subject has used.
    await lookUpReused(tx, wanted.filter(({ candidate: { first, otherSubject } }) => first === undefined && otherSubject === undefined));
  }
};
/** Of more days the tables are asked at once: planning for all of them costs about as much as asking two. */
const DAYS_ONE_BY_ONE = 2;

/** A candidate, and the day that its key is looked for in. */
interface Wanted { readonly slot: number; readonly candidate: Candidate }

/** A statement about a single slot is planned for its table alone. */
type Slots = 'one' | 'many';
const SLOT_LIST_SQL: Readonly<Record<Slots, string>> = { one: 'NULL::bigint[]', many: '$1::bigint[]' };
const SLOT_SQL: Readonly<Record<Slots, string>> = { one: '$1', many: 'g.slot::smallint' };
const slotsOf = (wanted: readonly Wanted[]): [Slots, number | Buffer] => {
  const { slot } = wanted[0]!;
  return wanted.every((one) => one.slot === slot) ? ['one', slot] : ['many', bigintArray(wanted.map((one) => one.slot))];
};

/** Looks for keys. `OFFSET 0` has the database look up one after the other: it may otherwise walk through all keys of the day and compare each with those that are asked for. */
const lookUp = async (tx: Tx, wanted: readonly Wanted[]): Promise<void> => {
  if (wanted.length === 0) return;
  const [slots, slot] = slotsOf(wanted);
  const { rows } = await tx.query<{ place: bigint; content: Buffer; partition: number; position: bigint; nth: number }>(
    `SELECT g.place, int8send(k.content) AS content, k.partition, k.position, k.nth FROM unnest($2::uuid[], ${SLOT_LIST_SQL[slots]}) WITH ORDINALITY g(key, slot, place)
     JOIN LATERAL (SELECT * FROM usage_keys k WHERE k.slot = ${SLOT_SQL[slots]} AND k.key = g.key OFFSET 0) k ON true`, [slot, uuidArray(wanted.map(({ candidate }) => textOf(candidate)))]);
  for (const row of rows) wanted[Number(row.place) - 1]!.candidate.first = { partition: row.partition, position: Number(row.position), nth: row.nth, content: row.content.toString('latin1') };
};

const LEAST_HALF = '\0'.repeat(HALF_BYTES);
const GREATEST_HALF = '\xff'.repeat(HALF_BYTES);

/** Looks for any one key with the same first half: however many subjects share an id, one of them is read. */
const lookUpReused = async (tx: Tx, wanted: readonly Wanted[]): Promise<void> => {
  if (wanted.length === 0) return;
  const [slots, slot] = slotsOf(wanted);
  const halves = wanted.map(({ candidate }) => halfOf(textOf(candidate)));
  const { rows } = await tx.query<{ place: bigint; partition: number; position: bigint; nth: number }>(
    `SELECT g.place, k.partition, k.position, k.nth FROM unnest($2::uuid[], $3::uuid[], ${SLOT_LIST_SQL[slots]}) WITH ORDINALITY g(least, greatest, slot, place)
     JOIN LATERAL (SELECT * FROM usage_keys k WHERE k.slot = ${SLOT_SQL[slots]} AND k.key >= g.least AND k.key <= g.greatest LIMIT 1) k ON true ORDER BY g.place`,
    [slot, uuidArray(halves.map((half) => half + LEAST_HALF)), uuidArray(halves.map((half) => half + GREATEST_HALF))]);
  for (const row of rows) wanted[Number(row.place) - 1]!.candidate.otherSubject ??= { partition: row.partition, position: Number(row.position), nth: row.nth };
};

/** Where the events of keys stand, by key: for what corrects them. */
export const lookUpKeys = async (tx: Tx, keys: KeysOfBatch, occurrences: readonly Occurrence[]): Promise<Map<string, { place: Place; slot: number }>> => {
  const found = new Map<string, { place: Place; slot: number }>();
  const bytes = new KeyBytes(occurrences.length);
  for (const [place, { tenant, event }] of occurrences.entries()) bytes.put(place, tenant, event);
  const candidates = occurrences.map((occurrence, place): Candidate => ({ occurrence, keys: bytes, place, content: NO_CONTENT, first: undefined, otherSubject: undefined }));
  for (const [day, own] of await perhapsKnown(tx, keys, candidates, false)) {
    await lookUp(tx, own.filter(({ first }) => first === undefined).map((candidate) => ({ slot: slotOf(day), candidate })));
    for (const candidate of own) {
      const key = textOf(candidate);
      if (candidate.first !== undefined && !found.has(key)) found.set(key, { place: placeOf(candidate.first), slot: slotOf(day) });
    }
  }
  return found;
};
const NO_CONTENT = '';

/** Rows of keys as COPY takes them: how many columns, and each with its length before it. */
const keyRows = (slot: number, own: readonly Candidate[]): Buffer => binaryRows(own.length, KEY_ROW_BYTES, (view, start, row) => {
  const { keys, place, content, occurrence: { partition, position, nth } } = own[row]!;
  view.setInt16(start, KEY_COLUMNS);
  let at = putSmall(view, start + 2, slot);
  at = putSmall(view, at, partition);
  at = putSmall(view, at, nth);
  view.setInt32(at, KEY_BYTES);
  keys.copyTo(view, at + 4, place);
  at += 4 + KEY_BYTES;
  at = putBytes(view, at, content);
  view.setInt32(at, POSITION_BYTES);
  view.setUint32(at + 4, Math.floor(position / WORD));
  view.setUint32(at + 8, position % WORD);
});
const putSmall = (view: DataView, at: number, value: number): number => {
  view.setInt32(at, 2);
  view.setInt16(at + 4, value);
  return at + 6;
};
/** A text of bytes (latin1): for so few of them a loop takes less than a call of the buffer's own writer. */
const putBytes = (view: DataView, at: number, bytes: string): number => {
  view.setInt32(at, bytes.length);
  for (let nth = 0; nth < bytes.length; nth++) view.setUint8(at + 4 + nth, bytes.charCodeAt(nth));
  return at + 4 + bytes.length;
};
const KEY_COLUMNS = 6;
const POSITION_BYTES = 8;
const WORD = 2 ** 32;
const KEY_ROW_BYTES = 2 + 3 * (4 + 2) + (4 + KEY_BYTES) + (4 + CONTENT_BYTES) + (4 + POSITION_BYTES);

/** What filters are told of each key, one after the other. */
const wordsOf = (candidates: readonly Candidate[]): Uint32Array => {
  const words = new Uint32Array(2 * candidates.length);
  for (let nth = 0; nth < candidates.length; nth++) {
    const { keys, place } = candidates[nth]!;
    words[2 * nth] = keys.word(place, 0);
    words[2 * nth + 1] = keys.word(place, 1);
  }
  return words;
};

/** `fresh` are in the order in which they are written. */
const remember = async (tx: Tx, keys: KeysOfBatch, fresh: readonly Candidate[]): Promise<void> => {
  for (const [day, own] of Map.groupBy(fresh, ({ occurrence: { logTime, keyDay } }) => keyDay ?? dayOf(logTime))) {
    const named = await keys.begin(tx, day);
    await tx.copyIn(`COPY ${ident(`usage_keys_${slotOf(day)}`)} (slot, partition, nth, key, content, position) FROM STDIN (FORMAT binary)`, keyRows(slotOf(day), own));
    keys.added(named, wordsOf(own));
  }
};
