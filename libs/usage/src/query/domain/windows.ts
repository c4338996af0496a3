import { calendarAnchor, type Instant, microsNumberOfText, type Period, periodAt, Refused } from '@valueverse/kernel';
import type { Stretch } from '../../metering/domain/bucket';

export const CALENDAR_WINDOWS = ['minute', 'quarter_hour', 'hour', 'day', 'week', 'month'] as const;
export type CalendarWindow = (typeof CALENDAR_WINDOWS)[number];
/** Billing says where its periods are; the others are the calendar's. */
export const WINDOW_SIZES = [...CALENDAR_WINDOWS, 'billing_period'] as const;
export type WindowSize = (typeof WINDOW_SIZES)[number];

/** The most windows of one answer: a week of minutes, more than a year of hours. */
export const WINDOWS_MAX = 10_080;

/** The first instant that an event can have. */
export const BEGINNING = 0;

const MINUTE = 60_000_000;
/** Windows below a day are counted from the local midnight of their day, so that one of summer time's odd days is cut like any other. */
const PARTS_OF_A_DAY: Partial<Record<CalendarWindow, number>> = { minute: MINUTE, quarter_hour: 15 * MINUTE, hour: 60 * MINUTE };

const cut = (stretch: Stretch, size: number | undefined): Stretch[] => {
  if (size === undefined) return [stretch];
  const count = Math.ceil((stretch.to - stretch.from) / size);
  return Array.from({ length: count }, (_, nth) => ({ from: stretch.from + nth * size, to: Math.min(stretch.from + (nth + 1) * size, stretch.to) }));
};

const wholeOf = (from: Instant, to: Instant): Stretch => {
  const whole = { from: microsNumberOfText(from), to: microsNumberOfText(to) };
  if (whole.from >= whole.to) throw new Refused('invalid_period', '"to" is after "from"', '/to');
  return whole;
};
const clipped = (window: Stretch, whole: Stretch): Stretch[] => {
  const both = { from: Math.max(window.from, whole.from), to: Math.min(window.to, whole.to) };
  return both.from < both.to ? [both] : [];
};

/** Periods in order as windows of `[from, to)`, clipped to it. Refuses with `invalid_period`. */
export const windowsOfPeriods = (from: Instant, to: Instant, periods: readonly Period[]): Stretch[] => {
  const whole = wholeOf(from, to);
  return periods.flatMap((period) => clipped({ from: microsNumberOfText(period.from), to: microsNumberOfText(period.to) }, whole));
};

/**
 * The windows of `[from, to)` in a zone, clipped to it, in order; one without a size. Refuses with `invalid_period` when there is nothing between
 * them, `too_many_windows`, `unknown_zone`.
 */
export const windowsOf = (from: Instant, to: Instant, size: CalendarWindow | undefined, zone: string): Stretch[] => {
  const whole = wholeOf(from, to);
  if (size === undefined) return [whole];
  const part = PARTS_OF_A_DAY[size];
  const unit = part === undefined ? size as 'day' | 'week' | 'month' : 'day';
  const anchor = calendarAnchor(unit, from, zone);
  const windows: Stretch[] = [];
  for (let nth = 0; ; nth++) {
    const period = periodAt(anchor, { unit, count: 1 }, nth);
    const calendar = { from: microsNumberOfText(period.from), to: microsNumberOfText(period.to) };
    if (calendar.from >= whole.to) return windows;
    for (const window of cut(calendar, part)) {
      windows.push(...clipped(window, whole));
    }
    if (windows.length > WINDOWS_MAX) throw new Refused('too_many_windows', `at most ${WINDOWS_MAX} windows; take a larger window or a shorter period`, '/windowSize');
  }
};

/** The index of the window that holds an instant; -1 where none does. The windows are in order and do not overlap. */
export const windowAt = (windows: readonly Stretch[], micros: number): number => {
  let [low, high] = [0, windows.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const window = windows[middle]!;
    if (micros < window.from) high = middle - 1;
    else if (micros >= window.to) low = middle + 1;
    else return middle;
  }
  return -1;
};

/** Stretches in order, those that touch made one. */
export const joined = (stretches: readonly Stretch[]): Stretch[] => {
  const all: { from: number; to: number }[] = [];
  for (const { from, to } of stretches) {
    const last = all.at(-1);
    if (last?.to === from) last.to = to;
    else all.push({ from, to });
  }
  return all;
};
