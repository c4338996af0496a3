import { Decimal, type Rounding } from '@valueverse/kernel';

/** All numbers of a step are exact decimal texts, amounts in major units of the line's currency. */
interface OfAmount {
  /** What the step adds to the line; negative where it takes away. */
  readonly amount: string;
}

/** An amount that is due once. */
export interface FlatStep extends OfAmount {
  readonly kind: 'flat';
}

/** `quantity x unitAmount`. */
export interface UnitStep extends OfAmount {
  readonly kind: 'unit';
  readonly quantity: string;
  readonly unitAmount: string;
}

/** The part of a quantity above `from` and up to and including `upTo` (null: open): `quantity x unitAmount + flatAmount`. */
export interface TierStep extends OfAmount {
  readonly kind: 'tier';
  readonly from: string;
  readonly upTo: string | null;
  readonly quantity: string;
  readonly unitAmount: string;
  /** Only where the tier has one and it is due. */
  readonly flatAmount?: string;
}

/** A running total: `full x numerator / denominator`, rounded; the one at the start of a slice is taken away. */
export interface ProrationStep extends OfAmount {
  readonly kind: 'proration';
  readonly full: string;
  readonly numerator: string;
  readonly denominator: string;
}

/** What rounding the line to the digits of its currency adds to the exact sum of the other steps. */
export interface RoundingStep extends OfAmount {
  readonly kind: 'rounding';
  readonly rounding: Rounding;
}

/** One line of the sum that explains an amount. It holds numbers and no words, so that any language can tell it. */
export type Step = FlatStep | UnitStep | TierStep | ProrationStep | RoundingStep;

/** The exact sum of the amounts of steps, in major units. */
export const sumOfSteps = (steps: readonly Step[]): Decimal => Decimal.sum(steps.map(({ amount }) => Decimal.parse(amount)));
