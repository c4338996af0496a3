import { currency, type Decimal, elapsedByDay, elapsedBySecond, type Fraction, type Instant, Money, type Period, type Rounding } from '@valueverse/kernel';
import { elapsedByActual30, elapsedByStrict30 } from './months-of-30';
import type { ProrationStep } from './step';

/**
 * What a fee is split by. `day`: local dates, a change belongs to the day on which it happens. `second`: time, to the
 * microsecond. `30_360_strict`: local dates of months that all have 30 days, the last day of a month being its 30th.
 * `30_360_actual`: whole months, and the actual days of one that was begun over 30.
 */
export type ElapsedBy = 'day' | 'second' | '30_360_actual' | '30_360_strict';

/** How a fee is split; `none` charges every slice the whole fee. */
export type Granularity = ElapsedBy | 'none';
/** Of a charge whose plan says nothing else. */
export const DEFAULT_GRANULARITY: Granularity = 'day';

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

/**
 * How much of an aligned period is over at an instant, between 0 and 1. The denominator is always the whole aligned
 * period, also for a subscription that began inside it. The source of `30_360_strict`: Zuora, Kill Bill's fixed months; of
 * `30_360_actual`: Zuora's actual/360. Refuses with `unknown_zone`.
 */
export const elapsedAt = (by: ElapsedBy, period: Period, instant: Instant, zone: string): Fraction => {
  switch (by) {
    case 'second': return elapsedBySecond(period, instant);
    case 'day': return elapsedByDay(period, instant, zone);
    case '30_360_strict': return elapsedByStrict30(period, instant, zone);
    case '30_360_actual': return elapsedByActual30(period, instant, zone);
  }
};

/** How the start and the end of a slice are split: they differ where a change has named another granularity than the plan. */
export interface SplitBy { readonly from: Granularity; readonly to: Granularity }

/**
 * The slice of an aligned period that was served; with granularity `none` from its start, or to its end. Where two granularities put the end before the start, as within one day, it is empty. Refuses with
 * `unknown_zone`.
 */
export const sliceOf = (granularity: Granularity | SplitBy, aligned: Period, served: Period, zone: string): Slice => {
  const { from, to } = typeof granularity === 'string' ? { from: granularity, to: granularity } : granularity;
  const elapsedAtStart = from === 'none' ? NOTHING : elapsedAt(from, aligned, served.from, zone);
  const elapsedAtEnd = to === 'none' ? WHOLE : elapsedAt(to, aligned, served.to, zone);
  return shareOf({ elapsedAtStart, elapsedAtEnd }).numerator < 0n ? { elapsedAtStart, elapsedAtEnd: elapsedAtStart } : { elapsedAtStart, elapsedAtEnd };
};

/** How much of the whole a slice is. Of an empty slice it is nothing. */
export const shareOf = ({ elapsedAtStart: start, elapsedAtEnd: end }: Slice): Fraction => {
  if (start.denominator === end.denominator) return { numerator: end.numerator - start.numerator, denominator: end.denominator };
  return { numerator: end.numerator * start.denominator - start.numerator * end.denominator, denominator: end.denominator * start.denominator };
};

/** Whether a slice is the whole period. */
export const isWhole = (slice: Slice | undefined): boolean => {
  if (slice === undefined) return true;
  const { numerator, denominator } = shareOf(slice);
  return numerator === denominator;
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
  readonly granularity: Granularity | SplitBy;
  /** The subscription's zone: its midnights are what days are told by. */
  readonly zone: string;
  readonly currency: string;
  readonly rounding: Rounding;
}

/**
 * The fee for the part of an aligned period that was served, such as a short first period. With granularity `none` it is
 * the whole fee, rounded. Refuses with `unknown_zone` and `unknown_currency`.
 */
export const prorateFee = ({ full, aligned, served, granularity, zone, currency: code, rounding }: ServedFee): SlicedFee =>
  sliceFee(full, sliceOf(granularity, aligned, served, zone), code, rounding);
