import { randomFillSync } from 'node:crypto';
import { type Clock, type IdSource, instantFromMicros, newIdFrom } from '@valueverse/kernel';

const MICROS_PER_MILLI = 1000;
const ID_RANDOM_BYTES = 10;

/** The wall clock, to the millisecond. Nothing else below the apps reads it. */
export const systemClock: Clock = { now: () => instantFromMicros(Date.now() * MICROS_PER_MILLI) };

/** Random bytes for many ids are fetched at once: asking the system for a few costs as much as for all of them. Each is used for one id only. */
const pool = new Uint8Array(ID_RANDOM_BYTES * 512);
let used = pool.length;
const randomOfId = (): Uint8Array => {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += ID_RANDOM_BYTES;
  return pool.subarray(used - ID_RANDOM_BYTES, used);
};

/** New ids, ordered by the wall clock and otherwise random. */
export const systemIds: IdSource = { next: (prefix) => newIdFrom(prefix, Date.now(), randomOfId()) };
