import { type Instant, parseInstant } from './instant';

/** Where time comes from. Nothing below the apps reads the wall clock: it asks a clock, which a test can move. */
export interface Clock {
  now(): Instant;
}

/** A clock that stands still. Refuses what is not an instant with `invalid_time`. */
export const fixedClock = (at: string): Clock => {
  const now = parseInstant(at);
  return { now: () => now };
};
