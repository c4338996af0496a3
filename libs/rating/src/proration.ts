import {
  currency, daysBetween, type Decimal, elapsedByDay, elapsedBySecond, type Fraction, type Instant, isBefore, type LocalDate, localDateOf, Money, type Period,
  type Rounding,
} from '@valueverse/kernel';
import type { ProrationStep } from './step';

/**
 * What a fee is split by. `day`: local dates, a change belongs to the day on which it happens. `second`: time, to the
 * microsecond. `30_360_strict`: local dates of months that all have 30 days, the last day of a month being its 30th.
 */
export type ElapsedBy = 'day' | 'second' | '30_360_strict';

/** How a fee is split; `none` charges every slice the whole fee. */
export type Granularity = ElapsedBy | 'none';

/** The part of the whole that is over at the start and at the end of a slice. */
export interface Slice {
  readonly elapsedAtStart: Fraction;
  readonly elapsedAtEnd: Fraction;
}

export interface SlicedFee {
  readonly amount: Money;
  /** Two running totals whose difference is the amount, or one where the slice starts at zero. They add up to the amount. */
  readonly steps: readonly ProrationStep[];
}

export const NOTHING: Fraction = { numerator: 0n, denominator: 1n };
export const WHOLE: Fraction = { numerator: 1n, denominator: 1n };

const DAYS_PER_MONTH = 30;
const MONTHS_PER_YEAR = 12;

const isLastOfMonth = (date: LocalDate): boolean => {
  const [year, month] = [Number(date.slice(0, 4)), Number(date.slice(5, 7))];
  const next = month === MONTHS_PER_YEAR ? `${year + 1}-01-01` : `${year}-${String(month + 1).padStart(2, '0')}-01`;
  return daysBetween(date, next) === 1;
};

/** The number of a date in a calendar of months of 30 days, in which the last day of a month is its 30th. */
const dayOf30 = (date: LocalDate): number => {
  const day = isLastOfMonth(date) ? DAYS_PER_MONTH : Number(date.slice(8, 10));
  return (Number(date.slice(0, 4)) * MONTHS_PER_YEAR + Number(date.slice(5, 7))) * DAYS_PER_MONTH + day;
};

const elapsedBy30 = (period: Period, instant: Instant, zone: string): Fraction => {
  const dayAt = (at: Instant): number => dayOf30(localDateOf(at, zone));
  const start = dayAt(period.from);
  const days = dayAt(period.to) - start;
  if (days <= 0 || isBefore(period.to, instant)) return elapsedByDay(period, instant, zone);
  return { numerator: BigInt(Math.max(0, dayAt(instant) - start)), denominator: BigInt(days) };
};

/**
 * How much of an aligned period is over at an instant, between 0 and 1. The denominator is always the whole aligned
 * period, also for a subscription that began inside it. The source of `30_360_strict`: Zuora, Kill Bill's fixed months.
 * Refuses with `unknown_zone`.
 */
export const elapsedAt = (by: ElapsedBy, period: Period, instant: Instant, zone: string): Fraction => {
  if (by === 'second') return elapsedBySecond(period, instant);
  return by === 'day' ? elapsedByDay(period, instant, zone) : elapsedBy30(period, instant, zone);
};

/** `full x elapsed`, divided and rounded in one go to the digits of the currency. */
const runningTotal = (full: Decimal, elapsed: Fraction, currencyCode: string, rounding: Rounding): Money => {
  const major = full.timesFraction(elapsed.numerator, elapsed.denominator, currency(currencyCode).exponent, rounding);
  return Money.fromDecimal(major, currencyCode, rounding);
};

/**
 * A slice of a fee: round(full x elapsed at its end) - round(full x elapsed at its start), in the currency's minor
 * units. Running totals are rounded, not slices, so that the slices of any cut, on however many invoices, add up to the
 * rounded whole. `full` is in major units. Refuses with `unknown_currency`.
 */
export const sliceFee = (full: Decimal, { elapsedAtStart, elapsedAtEnd }: Slice, currencyCode: string, rounding: Rounding): SlicedFee => {
  const stepAt = ({ numerator, denominator }: Fraction, amount: Money): ProrationStep => ({
    kind: 'proration',
    full: full.toString(),
    numerator: numerator.toString(),
    denominator: denominator.toString(),
    amount: amount.toDecimal().toString(),
  });
  const before = runningTotal(full, elapsedAtStart, currencyCode, rounding);
  const after = runningTotal(full, elapsedAtEnd, currencyCode, rounding);
  const steps = [stepAt(elapsedAtEnd, after)];
  if (elapsedAtStart.numerator !== 0n) steps.push(stepAt(elapsedAtStart, before.negate()));
  return { amount: after.subtract(before), steps };
};

/** The amount of `sliceFee` alone. */
export const sliceAmount = (full: Decimal, elapsedAtStart: Fraction, elapsedAtEnd: Fraction, currencyCode: string, rounding: Rounding): Money =>
  sliceFee(full, { elapsedAtStart, elapsedAtEnd }, currencyCode, rounding).amount;

export interface ServedFee {
  /** The fee of the whole aligned period, in major units. */
  readonly full: Decimal;
  /** The period as the anchor gives it. */
  readonly aligned: Period;
  /** The part of it that is charged: shorter at a start inside the period, a change, or an end. */
  readonly served: Period;
  readonly granularity: Granularity;
  /** The subscription's zone: its midnights are what days are told by. */
  readonly zone: string;
  readonly currency: string;
  readonly rounding: Rounding;
}

/**
 * The fee for the part of an aligned period that was served, such as a short first period. With granularity `none` it is
 * the whole fee, rounded. Refuses with `unknown_zone` and `unknown_currency`.
 */
export const prorateFee = ({ full, aligned, served, granularity, zone, currency: code, rounding }: ServedFee): SlicedFee => {
  if (granularity === 'none') return sliceFee(full, { elapsedAtStart: NOTHING, elapsedAtEnd: WHOLE }, code, rounding);
  const slice = {
    elapsedAtStart: elapsedAt(granularity, aligned, served.from, zone),
    elapsedAtEnd: elapsedAt(granularity, aligned, served.to, zone),
  };
  return sliceFee(full, slice, code, rounding);
};
