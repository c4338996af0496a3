import { type Decimal, type Fraction, Money, type Rounding } from '@valueverse/kernel';
import type { EventsPriced } from './models/pricing-model';
import { type Price, priceSteps } from './price';
import { type RoundingStep, type Step, sumOfSteps } from './step';

export interface Charged {
  readonly price: Price;
  /** As billed: after conversion and free units. */
  readonly quantity: Decimal;
  /** ISO 4217; the price's amounts are in its major units. */
  readonly currency: string;
  /** How the line is rounded to the digits of the currency. */
  readonly rounding: Rounding;
  /** Whether flat parts are due although nothing was used; they are not by default. */
  readonly flatAtZero?: boolean;
  /** The part of a whole period that the bounds of tiers are for; they stand as written by default. */
  readonly boundsShare?: Fraction | undefined;
  /** What the usage was told apart by: a matrix finds its cell by them. */
  readonly dimensions?: Readonly<Record<string, string>> | undefined;
  /** What single events cost, where the price looks at them (`eventTermsOf`). Without it they cost nothing: there were none. */
  readonly priced?: EventsPriced | undefined;
}

export interface RatedCharge {
  /** `exact`, rounded once. */
  readonly amount: Money;
  /** The exact sum of the steps, in major units. */
  readonly exact: Decimal;
  readonly steps: readonly Step[];
}

/**
 * The amount of a line, and the sum that explains it. All arithmetic is exact, and the line is rounded once. Presumes
 * a price that `parsePrice` accepted; refuses a code that is no currency with `unknown_currency`.
 */
export const rateCharge = ({ price, currency, rounding, quantity, flatAtZero = false, boundsShare, dimensions, priced }: Charged): RatedCharge => {
  const steps = priceSteps(price, { quantity, flatAtZero, boundsShare, dimensions, priced });
  const exact = sumOfSteps(steps);
  return { amount: Money.fromDecimal(exact, currency, rounding), exact, steps };
};

/** What rounding added to the exact sum, as a step that closes an explanation; `undefined` where it added nothing. */
export const roundingStep = ({ amount, exact }: Pick<RatedCharge, 'amount' | 'exact'>, rounding: Rounding): RoundingStep | undefined => {
  const difference = amount.toDecimal().minus(exact);
  return difference.isZero() ? undefined : { kind: 'rounding', rounding, amount: difference.toString() };
};

/** Steps with the one that rounds them, where it adds anything: they add up to the amount. */
export const closedSteps = ({ amount, exact, steps }: RatedCharge, rounding: Rounding): readonly Step[] => {
  const closing = roundingStep({ amount, exact }, rounding);
  return closing === undefined ? steps : [...steps, closing];
};
