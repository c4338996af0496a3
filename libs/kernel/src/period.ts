import type { Temporal } from 'temporal-polyfill';
import { Refused } from './decider';
import { compareInstants, type Instant, isBefore, microsBetween } from './instant';
import {
  daysBetween, instantOfPlain, localDateOf, type LocalDateTime, localOf, plainDateTime, plainOfInstant,
} from './zone';

/** A half-open stretch of time: `from` belongs to it, `to` does not. */
export interface Period {
  readonly from: Instant;
  readonly to: Instant;
}

/** Where a subscription's periods are counted from: a time on the wall in an IANA zone. It is a stored fact. */
export interface BillingAnchor {
  readonly local: LocalDateTime;
  readonly zone: string;
}

export type IntervalUnit = 'day' | 'week' | 'month' | 'quarter' | 'year';

/** How long a period is: `count` units of the calendar. */
export interface Interval {
  readonly unit: IntervalUnit;
  readonly count: number;
}

/** The most units that one period may have. */
export const INTERVAL_COUNT_MAX = 1000;

/** An exact fraction. The denominator is positive; it need not be in lowest terms. */
export interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** A calendar unit is a number of days or of months: the two that have no fixed ratio. */
const UNITS: Record<IntervalUnit, { readonly of: 'days' | 'months'; readonly times: number }> = {
  day: { of: 'days', times: 1 },
  week: { of: 'days', times: 7 },
  month: { of: 'months', times: 1 },
  quarter: { of: 'months', times: 3 },
  year: { of: 'months', times: 12 },
};

const stepOf = ({ unit, count }: Interval): { of: 'days' | 'months'; size: number } => {
  const calendar = Object.hasOwn(UNITS, unit) ? UNITS[unit] : undefined;
  if (calendar === undefined || !Number.isInteger(count) || count < 1 || count > INTERVAL_COUNT_MAX)
    throw new Refused('invalid_interval', `not 1 to ${INTERVAL_COUNT_MAX} of ${Object.keys(UNITS).join(', ')}`);
  return { of: calendar.of, size: calendar.times * count };
};

/** Answers that follow from their question alone, as they were worked out last: many subscriptions have the same anchor, and calendars are slow. */
class Known<T> {
  private readonly answers = new Map<string, T>();
  of(question: string, answer: () => T): T {
    const known = this.answers.get(question);
    if (known !== undefined) return known;
    const found = answer();
    if (this.answers.size >= KNOWN_MAX) this.answers.clear();
    this.answers.set(question, found);
    return found;
  }
}
const KNOWN_MAX = 2_000;
const PERIODS = new Known<Period>();
const CONTAINING = new Known<{ readonly index: number; readonly period: Period }>();
const nameOf = ({ local, zone }: BillingAnchor, { unit, count }: Interval, of: string): string => JSON.stringify([local, zone, unit, count, of]);

/** The time on the wall `n` steps from the anchor. Counted from the anchor, so that 31 January comes back to the 31st after a short month. */
const occurrence = (anchor: Temporal.PlainDateTime, step: ReturnType<typeof stepOf>, n: number): Temporal.PlainDateTime =>
  anchor.add({ [step.of]: step.size * n }, { overflow: 'constrain' });

/**
 * Period `n` of an anchor: from its n-th to its next occurrence; 0 starts at the anchor, negative ones come before it.
 * The day is clamped to the month's last one, gaps and overlaps of summer time go by `instantOfPlain`. Every period
 * ends where the next one starts; one is empty where the zone skips a whole day (Pacific/Apia, 30 December 2011).
 * Refuses with `unknown_zone`, `invalid_local_time`, `invalid_interval`, and `invalid_time` outside the years of an instant.
 */
export const periodAt = (anchor: BillingAnchor, interval: Interval, n: number): Period => PERIODS.of(nameOf(anchor, interval, String(n)), () => {
  const step = stepOf(interval);
  const start = plainDateTime(anchor.local);
  return {
    from: instantOfPlain(occurrence(start, step, n), anchor.zone),
    to: instantOfPlain(occurrence(start, step, n + 1), anchor.zone),
  };
});

/** The period that an instant is in, and its number; also before the anchor. Refuses as `periodAt` does. */
export const periodContaining = (anchor: BillingAnchor, interval: Interval, instant: Instant): { readonly index: number; readonly period: Period } => CONTAINING.of(nameOf(anchor, interval, instant), () => {
  const step = stepOf(interval);
  const elapsed = plainDateTime(anchor.local).until(plainOfInstant(instant, anchor.zone), { largestUnit: step.of });
  // The guess goes by the wall; clamped days and moved clocks put it off by one, a skipped day by one more.
  let index = Math.floor(elapsed[step.of] / step.size);
  let period = periodAt(anchor, interval, index);
  while (isBefore(instant, period.from)) period = periodAt(anchor, interval, --index);
  while (!isBefore(instant, period.to)) period = periodAt(anchor, interval, ++index);
  return { index, period };
});

/** Whether the instant is in the period: `from` is, `to` is not. */
export const periodContains = (period: Period, instant: Instant): boolean =>
  !isBefore(instant, period.from) && isBefore(instant, period.to);

/** What two periods have in common; `undefined` where that is nothing. */
export const intersection = (left: Period, right: Period): Period | undefined => {
  const from = isBefore(left.from, right.from) ? right.from : left.from;
  const to = isBefore(left.to, right.to) ? left.to : right.to;
  return isBefore(from, to) ? { from, to } : undefined;
};

/** The anchor that starts at an instant: what the wall shows then. Refuses with `unknown_zone`. */
export const anchorAt = (instant: Instant, zone: string): BillingAnchor => ({ local: localOf(instant, zone), zone });

const CALENDAR_START: Record<IntervalUnit, (date: Temporal.PlainDate) => Temporal.PlainDate> = {
  day: (date) => date,
  week: (date) => date.subtract({ days: date.dayOfWeek - 1 }),
  month: (date) => date.with({ day: 1 }),
  quarter: (date) => date.with({ day: 1, month: date.month - ((date.month - 1) % 3) }),
  year: (date) => date.with({ day: 1, month: 1 }),
};

/**
 * The anchor at the start of the calendar unit that an instant is in: local midnight of the day, of Monday, of the first
 * of the month, quarter or year. Refuses with `unknown_zone`.
 */
export const calendarAnchor = (unit: IntervalUnit, instant: Instant, zone: string): BillingAnchor => ({
  local: `${CALENDAR_START[unit](plainOfInstant(instant, zone).toPlainDate()).toString()}T00:00:00`,
  zone,
});

const clamped = (numerator: bigint, denominator: bigint): Fraction =>
  ({ numerator: numerator < 0n ? 0n : numerator > denominator ? denominator : numerator, denominator });

/** Nothing or all of a period that has no length in its unit. */
const allOrNothing = (period: Period, instant: Instant): Fraction =>
  ({ numerator: isBefore(period.from, instant) ? 1n : 0n, denominator: 1n });

/**
 * How much of a period is over at an instant, in days: the local dates from the period's start to the instant over
 * those to its end. A change falls on the local midnight that starts its day, and a day of 23 or 25 hours is a day.
 * Between 0 and 1; of a period within one date it is all as soon as it has begun. Refuses with `unknown_zone`.
 */
export const elapsedByDay = (period: Period, instant: Instant, zone: string): Fraction => {
  const start = localDateOf(period.from, zone);
  const days = daysBetween(start, localDateOf(period.to, zone));
  if (days <= 0) return allOrNothing(period, instant);
  return clamped(BigInt(daysBetween(start, localDateOf(instant, zone))), BigInt(days));
};

/** How much of a period is over at an instant, in time: microseconds over microseconds. Between 0 and 1. */
export const elapsedBySecond = (period: Period, instant: Instant): Fraction => {
  if (compareInstants(period.from, period.to) >= 0) return allOrNothing(period, instant);
  return clamped(microsBetween(period.from, instant), microsBetween(period.from, period.to));
};
