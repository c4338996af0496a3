import { Decimal, type Rounding } from '@valueverse/kernel';
import type { EventTerms } from './event-terms';

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

/** The whole quantity in the one tier that it falls in: `quantity x unitAmount + flatAmount`. */
export interface VolumeStep extends Omit<TierStep, 'kind'> {
  readonly kind: 'volume';
}

/** The one amount of the tier that the whole quantity falls in. */
export interface StairStep extends OfAmount {
  readonly kind: 'stair';
  readonly from: string;
  readonly upTo: string | null;
  readonly quantity: string;
}

/** `packages x packageAmount`: how many packages of this size the quantity begins. */
export interface PackageStep extends OfAmount {
  readonly kind: 'package';
  readonly quantity: string;
  readonly packageSize: string;
  readonly packages: string;
  readonly packageAmount: string;
}

/** `value x rate / 100`. */
export interface PercentStep extends OfAmount {
  readonly kind: 'percent';
  readonly value: string;
  /** In percent. */
  readonly rate: string;
}

/** The part of a value above `from` and up to and including `upTo` (null: open): `value x rate / 100 + flatAmount`. */
export interface PercentTierStep extends OfAmount {
  readonly kind: 'percent_tier';
  readonly from: string;
  readonly upTo: string | null;
  readonly value: string;
  /** In percent. */
  readonly rate: string;
  readonly flatAmount?: string;
}

/** What single events cost by these terms, as metering added it up. `unpriced` events name no amount that could be read. */
export interface EventsStep extends OfAmount {
  readonly kind: 'events';
  readonly terms: EventTerms;
  readonly freeEvents: number;
  readonly paidEvents: number;
  readonly unpriced?: number;
  /** The part of the events' values that was paid for. */
  readonly paidValue: string;
}

/** Usage of a combination for which a matrix has neither a cell nor a default: it costs nothing. */
export interface UnpricedStep extends OfAmount {
  readonly kind: 'unpriced';
  readonly quantity: string;
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
export type Step =
  | FlatStep | UnitStep | TierStep | VolumeStep | StairStep | PackageStep | PercentStep | PercentTierStep | EventsStep | UnpricedStep
  | ProrationStep | RoundingStep;

/** The exact sum of the amounts of steps, in major units. */
export const sumOfSteps = (steps: readonly Step[]): Decimal => Decimal.sum(steps.map(({ amount }) => Decimal.parse(amount)));
