import { randomBytes } from 'node:crypto';
import { type Clock, type IdSource, instantFromMicros, newIdFrom } from '@valueverse/kernel';

const MICROS_PER_MILLI = 1000;
const ID_RANDOM_BYTES = 10;

/** The wall clock, to the millisecond. Nothing else below the apps reads it. */
export const systemClock: Clock = { now: () => instantFromMicros(Date.now() * MICROS_PER_MILLI) };

/** New ids, ordered by the wall clock and otherwise random. */
export const systemIds: IdSource = { next: (prefix) => newIdFrom(prefix, Date.now(), randomBytes(ID_RANDOM_BYTES)) };
