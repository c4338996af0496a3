import { ident, type Tx } from '@valueverse/event-log';
import { KeyFilter } from './domain/key-filter';
import { KEY_BYTES } from './key-bytes';
import { dayOf } from './log-time';

/** Days of log time in which the same event again is a duplicate, today among them. */
export const DEDUPE_DAYS = 35;
/** Tables that hold the keys of a day each and are emptied as a whole when their turn comes again; more than the window, because partitions are not at the same day. */
export const KEY_SLOTS = 64;
/** What all filters of a process may take; days beyond that are looked up in their index. */
const FILTER_BYTES_MAX = 268_435_456;
const KEYS_PER_READ = 50_000;
/** What a key takes in its table, with what the database keeps about a row. */
const KEY_ROW_BYTES = 68;
const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';

export const slotOf = (day: number): number => day % KEY_SLOTS;

/** Whether the slot of a day holds keys of the window of `day`. One that bears a later day, of a partition far ahead, holds those of its turn before that, too. */
const isInWindow = (one: number, day: number): boolean => {
  const age = day - one;
  return age >= 0 ? age < DEDUPE_DAYS : (age % KEY_SLOTS + KEY_SLOTS) % KEY_SLOTS < DEDUPE_DAYS;
};

interface Day {
  /** None where the filters have all the memory that they may. */
  filter: KeyFilter | undefined;
  /** Up to where the keys of each partition are in the filter, and the day that the partition was on when it was read. Empty while it is being read. */
  upTo: ReadonlyMap<number, { position: number; readonly day: number }>;
}
/** Keys that a transaction has written, by the first two words of each, and the filters that know of them. */
interface Written { readonly day: number; readonly words: Uint32Array; readonly into: Set<KeyFilter> }
interface Window { readonly day: number; readonly filter: KeyFilter | undefined }

/** The keys of some partitions, as one transaction looks at them and adds to them. */
export interface KeysOfBatch {
  /** Makes sure that the slot of a day holds that day and no older one, and answers the day that it bears. Whoever comes first on a new day empties it. */
  readonly begin: (tx: Tx, day: number) => Promise<number>;
  /** The days of the window of `day` that hold keys, and later ones up to `last`, with the filters that serve a partition; the latest first. */
  readonly windowOf: (tx: Tx, day: number, partition: number, last?: number) => Promise<readonly Window[]>;
  /** To be told at once of keys that were written, by the first two words of each, with the day that their slot bears: a filter that knows of one that is rolled back only says "perhaps" once more. */
  readonly added: (day: number, words: Uint32Array) => void;
  /** To be told when the transaction is committed, with where the copies of its partitions then end. */
  readonly committed: (positions: ReadonlyMap<number, number>) => void;
}

/**
 * The days of keys that a process has looked at, each with a filter of its keys in memory. A filter is read once and grows with every key that this process writes.
 * It serves a partition that had left the day when it was read, or to which nobody else has added since; otherwise it is read again.
 */
export class KeyDays {
  private readonly days = new Map<number, Day>();
  private readonly begun = new Set<number>();

  /** The keys of partitions whose locks the caller holds; `before` says where their copies end. */
  of(before: ReadonlyMap<number, number>): KeysOfBatch {
    const written: Written[] = [];
    let kept: number[] | undefined;
    const daysKept = async (tx: Tx): Promise<number[]> => kept ??= (await tx.query<{ day: number }>('SELECT day FROM usage_key_days ORDER BY day DESC')).rows.map((row) => row.day);
    return {
      begin: async (tx, day) => {
        const isOfSlot = (one: number): boolean => slotOf(one) === slotOf(day);
        // Another transaction of this process may have begun the day since the days were read.
        if (await this.begin(tx, day) || kept?.some(isOfSlot) !== true) kept = undefined;
        return (await daysKept(tx)).find(isOfSlot)!;
      },
      windowOf: async (tx, day, partition, last = day) => {
        const window: Window[] = [];
        for (const one of await daysKept(tx)) {
          if (!isInWindow(one, day) && (one < day || one > last)) continue;
          const filter = await this.filterOf(tx, one, partition, before.get(partition)!);
          // It may have been read anew by another transaction, which has not seen what this one has written.
          for (const own of written) if (own.day === one) addTo(filter, own);
          window.push({ day: one, filter });
        }
        return window;
      },
      added: (day, words) => {
        const own: Written = { day, words, into: new Set() };
        written.push(own);
        addTo(this.days.get(day)?.filter, own);
      },
      committed: (positions) => {
        // A filter that was read anew while these keys were written has not seen them.
        for (const own of written) addTo(this.days.get(own.day)?.filter, own);
        for (const day of this.days.keys()) if (kept !== undefined && !kept.includes(day)) this.days.delete(day);
        for (const { upTo } of this.days.values()) {
          for (const [partition, position] of positions) {
            const own = upTo.get(partition);
            if (own?.position === before.get(partition)) own!.position = position;
          }
        }
      },
    };
  }

  /** Forgets every filter: something was there that they did not know of. */
  distrust(): void { this.days.clear(); }

  /** Answers whether this transaction is the first one of this process on that day. */
  private async begin(tx: Tx, day: number): Promise<boolean> {
    if (this.begun.has(day)) return false;
    await tx.query('INSERT INTO usage_key_days VALUES ($1, $2) ON CONFLICT (slot) DO NOTHING', [slotOf(day), day]);
    const { rows } = await tx.query<{ day: number }>('SELECT day FROM usage_key_days WHERE slot = $1 FOR UPDATE', [slotOf(day)]);
    if (rows[0]!.day < day) {
      await tx.query(`TRUNCATE ${ident(`usage_keys_${slotOf(day)}`)}`);
      await tx.query('UPDATE usage_key_days SET day = $2 WHERE slot = $1', [slotOf(day), day]);
    }
    tx.afterCommit(() => { this.begun.add(day); });
    return true;
  }

  private async filterOf(tx: Tx, day: number, partition: number, position: number): Promise<KeyFilter | undefined> {
    const known = this.days.get(day);
    const own = known?.upTo.get(partition);
    return own !== undefined && (own.day > day || own.position === position) ? known!.filter : this.read(tx, day);
  }

  /** Reads the keys of a day into a filter; none where the filters have all the memory that they may. */
  private async read(tx: Tx, day: number): Promise<KeyFilter | undefined> {
    const size = await tx.query<{ bytes: bigint }>('SELECT pg_relation_size($1::regclass) AS bytes', [`usage_keys_${slotOf(day)}`]);
    const filter = new KeyFilter(Math.ceil(Number(size.rows[0]!.bytes) / KEY_ROW_BYTES));
    // What others of this process write from now on goes into it as well.
    const made: Day = { filter, upTo: new Map() };
    this.days.set(day, made);
    // First where the partitions are, then the keys: so the filter has at least all that are below.
    const { rows } = await tx.query<{ partition: number; position: bigint; log_time: bigint }>('SELECT partition, position, log_time FROM usage_partitions');
    if (!(await this.fill(tx, slotOf(day), filter))) made.filter = undefined;
    made.upTo = new Map(rows.map((row) => [row.partition, { position: Number(row.position), day: dayOf(Number(row.log_time)) }]));
    return made.filter;
  }

  /** Answers whether there was room for all keys. */
  private async fill(tx: Tx, slot: number, filter: KeyFilter): Promise<boolean> {
    const others = [...this.days.values()].reduce((bytes, one) => bytes + (one.filter === filter ? 0 : one.filter?.bytes ?? 0), 0);
    for (let after = BEFORE_ALL; ;) {
      const { rows: [row] } = await tx.query<{ keys: Buffer | null; last: string }>(
        `SELECT string_agg(uuid_send(key), ''::bytea ORDER BY key) AS keys, (array_agg(key::text ORDER BY key DESC))[1] AS last
         FROM (SELECT key FROM usage_keys WHERE slot = $1 AND key > $2::uuid ORDER BY key LIMIT $3) k`, [slot, after, KEYS_PER_READ]);
      const keys = row?.keys;
      if (keys == null) return true;
      for (let at = 0; at < keys.length; at += KEY_BYTES) filter.add(keys.readUInt32LE(at), keys.readUInt32LE(at + 4));
      if (others + filter.bytes > FILTER_BYTES_MAX) return false;
      if (keys.length < KEYS_PER_READ * KEY_BYTES) return true;
      after = row!.last;
    }
  }
}

const addTo = (filter: KeyFilter | undefined, { words, into }: Written): void => {
  if (filter === undefined || into.has(filter)) return;
  into.add(filter);
  for (let at = 0; at < words.length; at += 2) filter.add(words[at]!, words[at + 1]!);
};
