import type { SessionReport } from './accounting';

/** Clocks of a NAS count whole seconds, and a report may have been on its way for a while. */
export const START_TOLERANCE_MICROS = 30_000_000;
export const MICROS = 1_000_000;

/** When the session of a report began, as far as the report tells; `at` is its time by one of the clocks. */
export const beganAt = ({ status, counters }: SessionReport, at: number): number | undefined => {
  if (status === 'start') return at;
  return counters.seconds === undefined ? undefined : at - Number(counters.seconds) * MICROS;
};
