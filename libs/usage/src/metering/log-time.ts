/** As far as senders may be ahead, the clocks of the processes that take usage in may be: they differ. */
export const AHEAD_MAX_MICROS = 300_000_000;
/** What is this far behind what was read of other partitions was written by a clock that is behind, or waited: which of the two, nobody can say. */
export const BEHIND_MAX_MICROS = 86_400_000_000;
const DAY_MICROS = 86_400_000_000;

export const dayOf = (logTime: number): number => Math.floor(logTime / DAY_MICROS);

/** What the database says when a partition is taken: the time by its own clock, and the latest log time of all partitions. In microseconds. */
export interface LogClock { readonly now: number; readonly latest: number }

/** The log time of an envelope, and the days of keys that follow from it. */
export interface LogTime {
  readonly logTime: number;
  /** The day that its keys are kept with, where that is not the day of its log time: it is stored with the copy. */
  readonly keyDay: number | undefined;
  /** No key of its partition is kept with a later day. */
  readonly lastKeyDay: number;
}

/**
 * The log time that follows for an envelope: when it was recorded, as far as that can be true, and never before what came before it. A process whose clock is ahead would move the log time of whatever it writes,
 * and with it the window of duplicates, the days of keys, and what retention may drop: nothing comes from after now. One whose clock is behind would have its keys forgotten too early where a partition was idle:
 * keys of what is far behind other partitions are kept with the day at which those are.
 */
export const nextLogTime = ({ now, latest }: LogClock, before: number, recordedAt: number): LogTime => {
  const logTime = Math.max(before, Math.min(recordedAt, now + AHEAD_MAX_MICROS));
  const others = Math.min(latest, now);
  return { logTime, keyDay: logTime < others - BEHIND_MAX_MICROS ? dayOf(others) : undefined, lastKeyDay: Math.max(dayOf(logTime), dayOf(others)) };
};
