const STEP = /^(\d{1,4})(h|d|w|mo|y)$/;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const DAYS_PER_WEEK = 7;
const MONTHS_PER_YEAR = 12;

/** An instant moved by `3d` or `1mo`, in UTC and clamped to the month's last day; `undefined` where the text is no such step. */
export const laterBy = (instant: string, step: string): string | undefined => {
  const [, count, unit] = STEP.exec(step) ?? [];
  if (count === undefined) return undefined;
  const from = new Date(instant);
  const milliseconds = { h: HOUR_MS, d: DAY_MS, w: DAYS_PER_WEEK * DAY_MS }[unit!];
  if (milliseconds !== undefined) return new Date(from.getTime() + Number(count) * milliseconds).toISOString();
  const months = Number(count) * (unit === 'y' ? MONTHS_PER_YEAR : 1);
  const day = from.getUTCDate();
  const moved = new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + months, 1, from.getUTCHours(), from.getUTCMinutes(), from.getUTCSeconds(), from.getUTCMilliseconds()));
  const lastDay = new Date(Date.UTC(moved.getUTCFullYear(), moved.getUTCMonth() + 1, 0)).getUTCDate();
  moved.setUTCDate(Math.min(day, lastDay));
  return moved.toISOString();
};
