import { hash } from 'node:crypto';
import { canonicalJson } from '@valueverse/kernel';
import { bigintArray, binaryRows, ident, type Tx, uuidArray } from '@valueverse/event-log';
import type { UsageEvent } from '../ingest/domain/usage-event';
import { wordAt } from './domain/key-filter';
import { Pace } from './pace';
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
interface Known extends Place { readonly content: string }

/**
 * `duplicate`: the same content was there; `conflict`: other content was there under this tenant, subject, source and id; `id_reused`: it counts,
 * and another subject has the same source and id. `first` is what was there.
 */
export interface Clash { readonly occurrence: Occurrence; readonly code: 'duplicate' | 'conflict' | 'id_reused'; readonly first: Place }

const HALF_BYTES = 8;
const CONTENT_BYTES = 8;
/** What makes two events of one id the same: type and data, not the time they claim. Eight bytes, as latin1. */
export const contentOf = ({ type, data }: UsageEvent): string => hash('sha256', `[${JSON.stringify(type)},${canonicalJson(data ?? {})}]`, 'binary').slice(0, CONTENT_BYTES);

/**
 * The key of an event: half of it is of tenant, source and id, which a reused id shares, half of it of the subject as well. 16 bytes, as a text in latin1: that takes a quarter of the time of
 * a buffer to make, and can be looked up as it is.
 */
export const keyOf = (tenant: string, { subject, source, id }: Pick<UsageEvent, 'subject' | 'source' | 'id'>): string =>
  hash('sha256', `${tenant}\n${source}\n${id}`, 'binary').slice(0, HALF_BYTES) + hash('sha256', `${tenant}\n${subject}\n${source}\n${id}`, 'binary').slice(0, HALF_BYTES);

/** A key as the database writes it. */
export const uuidOfKey = (key: string): string => Buffer.from(key, 'latin1').toString('hex');

interface Candidate {
  readonly occurrence: Occurrence;
  readonly key: string;
  readonly content: string;
  first: Known | undefined;
  otherSubject: Place | undefined;
}

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
/** The first four bytes of a key, and the place of its event: numbers are sorted in a fifth of the time that texts take, and found without a table of them. */
const rankOf = (key: string, place: number): number => ((key.charCodeAt(0) << 24 | key.charCodeAt(1) << 16 | key.charCodeAt(2) << 8 | key.charCodeAt(3)) >>> 0) * PLACES + place;
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
  const keys: string[] = [];
  const ranks = new Float64Array(occurrences.length);
  const pace = new Pace();
  for (let place = 0; place < occurrences.length; place++) {
    if (pace.isOver(1)) await pace.giveWay();
    const { tenant, event } = occurrences[place]!;
    const key = keyOf(tenant, event);
    keys.push(key);
    ranks[place] = rankOf(key, place);
  }
  ranks.sort();
  const byPlace: (Candidate | undefined)[] = new Array<undefined>(occurrences.length).fill(undefined);
  const inOrder: Candidate[] = [];
  const repeats: Repeat[] = [];
  const add = (place: number, earliest: Candidate | undefined): Candidate => {
    const occurrence = occurrences[place]!;
    // Two subjects of one list that share an id: the later one reuses it.
    const made: Candidate = { occurrence, key: keys[place]!, content: contentOf(occurrence.event), first: undefined, otherSubject: earliest === undefined ? undefined : placeOf(earliest.occurrence) };
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
      const key = keys[place]!;
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

/** Candidates that come one after the other and are of one partition and one day of log time. */
const runsOf = (candidates: readonly Candidate[]): Candidate[][] => {
  const runs: Candidate[][] = [];
  let [partition, day] = [-1, -1];
  for (const candidate of candidates) {
    const { occurrence } = candidate;
    if (occurrence.partition !== partition || dayOf(occurrence.logTime) !== day) {
      runs.push([]);
      [partition, day] = [occurrence.partition, dayOf(occurrence.logTime)];
    }
    runs.at(-1)!.push(candidate);
  }
  return runs;
};

const NO_WORDS = new Uint32Array(0);
/** The first two words of each key, one after the other. */
const wordsOf = (candidates: readonly Candidate[]): Uint32Array => {
  const words = new Uint32Array(2 * candidates.length);
  for (let nth = 0; nth < candidates.length; nth++) {
    const { key } = candidates[nth]!;
    words[2 * nth] = wordAt(key, 0);
    words[2 * nth + 1] = wordAt(key, 4);
  }
  return words;
};

/** Which candidates may be known in which day, the latest day first. A filter may only say that a key is perhaps there; the index decides. */
const perhapsKnown = async (tx: Tx, keys: KeysOfBatch, candidates: readonly Candidate[], looksAtFilters: boolean): Promise<[day: number, Candidate[]][]> => {
  const byDayKnown = new Map<number, Candidate[]>();
  for (const own of runsOf(candidates)) {
    const { logTime, partition } = own[0]!.occurrence;
    const words = looksAtFilters ? wordsOf(own) : NO_WORDS;
    for (const { day, filter } of await keys.windowOf(tx, dayOf(logTime), partition)) {
      const perhaps = filter === undefined || !looksAtFilters ? own : own.filter((_, nth) => filter.mayHave(words[2 * nth]!, words[2 * nth + 1]!));
      const there = byDayKnown.get(day);
      if (there === undefined) byDayKnown.set(day, [...perhaps]);
      else for (const candidate of perhaps) there.push(candidate);
    }
  }
  return [...byDayKnown].sort(([left], [right]) => right - left);
};

const findKnown = async (tx: Tx, keys: KeysOfBatch, candidates: readonly Candidate[]): Promise<void> => {
  const days = (await perhapsKnown(tx, keys, candidates, true)).filter(([, perhaps]) => perhaps.length > 0);
  if (days.length > DAYS_ONE_BY_ONE) await lookUpInDays(tx, days.flatMap(([day, perhaps]) => perhaps.map((candidate) => ({ slot: slotOf(day), candidate }))));
  else for (const [day, perhaps] of days) await lookUp(tx, slotOf(day), perhaps);
};
/** Of more days the tables are asked at once: planning for all of them costs about as much as asking two. */
const DAYS_ONE_BY_ONE = 2;

const LEAST_HALF = '\0'.repeat(HALF_BYTES);
const GREATEST_HALF = '\xff'.repeat(HALF_BYTES);

interface KeyRow extends Record<string, unknown> { place: bigint; key: Buffer; content: Buffer; partition: number; position: bigint; nth: number }
const leastOf = (candidates: readonly Candidate[]): Buffer => uuidArray(candidates.map(({ key }) => halfOf(key) + LEAST_HALF));
const greatestOf = (candidates: readonly Candidate[]): Buffer => uuidArray(candidates.map(({ key }) => halfOf(key) + GREATEST_HALF));
const note = (candidate: Candidate, row: KeyRow): void => {
  const known = { partition: row.partition, position: Number(row.position), nth: row.nth };
  if (row.key.toString('latin1') === candidate.key) candidate.first = { ...known, content: row.content.toString('latin1') };
  else candidate.otherSubject ??= known;
};

/** `OFFSET 0` has the database look up one key after the other: it may otherwise walk through all keys of the day and compare each with those that are asked for. */
const lookUp = async (tx: Tx, slot: number, candidates: readonly Candidate[]): Promise<void> => {
  if (candidates.length === 0) return;
  const { rows } = await tx.query<KeyRow>(
    `SELECT g.place, uuid_send(k.key) AS key, int8send(k.content) AS content, k.partition, k.position, k.nth FROM unnest($2::uuid[], $3::uuid[]) WITH ORDINALITY g(least, greatest, place)
     JOIN LATERAL (SELECT * FROM usage_keys k WHERE k.slot = $1 AND k.key >= g.least AND k.key <= g.greatest OFFSET 0) k ON true`, [slot, leastOf(candidates), greatestOf(candidates)]);
  for (const row of rows) note(candidates[Number(row.place) - 1]!, row);
};

/** The same in several days, in the order given. */
const lookUpInDays = async (tx: Tx, wanted: readonly { readonly slot: number; readonly candidate: Candidate }[]): Promise<void> => {
  const candidates = wanted.map(({ candidate }) => candidate);
  const { rows } = await tx.query<KeyRow>(
    `SELECT g.place, uuid_send(k.key) AS key, int8send(k.content) AS content, k.partition, k.position, k.nth FROM unnest($1::bigint[], $2::uuid[], $3::uuid[]) WITH ORDINALITY g(slot, least, greatest, place)
     JOIN LATERAL (SELECT * FROM usage_keys k WHERE k.slot = g.slot::smallint AND k.key >= g.least AND k.key <= g.greatest OFFSET 0) k ON true ORDER BY g.place`,
    [bigintArray(wanted.map(({ slot }) => slot)), leastOf(candidates), greatestOf(candidates)]);
  for (const row of rows) note(candidates[Number(row.place) - 1]!, row);
};
/** Where the events of keys stand, by key: for what corrects them. */
export const lookUpKeys = async (tx: Tx, keys: KeysOfBatch, occurrences: readonly Occurrence[]): Promise<Map<string, { place: Place; slot: number }>> => {
  const found = new Map<string, { place: Place; slot: number }>();
  const candidates = occurrences.map((occurrence): Candidate => ({ occurrence, key: keyOf(occurrence.tenant, occurrence.event), content: NO_CONTENT, first: undefined, otherSubject: undefined }));
  for (const [day, own] of await perhapsKnown(tx, keys, candidates, false)) {
    await lookUp(tx, slotOf(day), own.filter(({ first }) => first === undefined));
    for (const { key, first } of own) if (first !== undefined && !found.has(key)) found.set(key, { place: placeOf(first), slot: slotOf(day) });
  }
  return found;
};
const NO_CONTENT = '';

/** Rows of keys as COPY takes them: how many columns, and each with its length before it. */
const keyRows = (slot: number, own: readonly Candidate[]): Buffer => binaryRows(own.length, KEY_ROW_BYTES, (view, start, row) => {
  const { key, content, occurrence: { partition, position, nth } } = own[row]!;
  view.setInt16(start, KEY_COLUMNS);
  let at = putSmall(view, start + 2, slot);
  at = putSmall(view, at, partition);
  at = putSmall(view, at, nth);
  at = putBytes(view, at, key);
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
const KEY_ROW_BYTES = 2 + 3 * (4 + 2) + (4 + 2 * HALF_BYTES) + (4 + CONTENT_BYTES) + (4 + POSITION_BYTES);

/** `fresh` are in the order in which they are written. */
const remember = async (tx: Tx, keys: KeysOfBatch, fresh: readonly Candidate[]): Promise<void> => {
  for (const [day, own] of Map.groupBy(fresh, ({ occurrence }) => dayOf(occurrence.logTime))) {
    const named = await keys.begin(tx, day);
    await tx.copyIn(`COPY ${ident(`usage_keys_${slotOf(day)}`)} (slot, partition, nth, key, content, position) FROM STDIN (FORMAT binary)`, keyRows(slotOf(day), own));
    keys.added(named, own.map(({ key }) => key));
  }
};
