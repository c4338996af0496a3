/** As far as senders may be ahead, the clocks of the processes that take usage in may be: they differ. */
export const AHEAD_MAX_MICROS = 300_000_000;
/** Brokers keep `usage.events` for seven days: what is read of a partition was not written longer ago than that before what was read last of another one. */
export const BEHIND_MAX_MICROS = 7 * 86_400_000_000;

/** What the database says when a partition is taken: the time by its own clock, and the latest log time of all partitions. In microseconds. */
export interface LogClock { readonly now: number; readonly latest: number }

/**
 * When an envelope was recorded, as far as it can be true: a process whose clock is wrong would move the log time of whatever it writes, and with it the window of duplicates, the days of keys, and what retention
 * may drop. Nothing comes from after now, and a partition falls no further behind the others than the feed reaches back.
 */
export const recordedWithin = ({ now, latest }: LogClock, recordedAt: number): number => Math.min(Math.max(recordedAt, Math.min(latest, now) - BEHIND_MAX_MICROS), now + AHEAD_MAX_MICROS);
