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

/** The part of the period that a promise of an amount or of units is for: what was over of it at its start and at its end. */
export interface ElapsedPart {
  readonly start: { readonly numerator: string; readonly denominator: string };
  readonly end: { readonly numerator: string; readonly denominator: string };
}

/** Units that cost nothing, of `freeUnits` in all that the charge has in this part of the period. */
export interface FreeUnitsStep extends OfAmount {
  readonly kind: 'free_units';
  readonly freeUnits: string;
  readonly quantity: string;
}

/** What proration by a share of the period takes away: `full x numerator / denominator`, rounded, less `full`. */
export interface ShareStep extends OfAmount {
  readonly kind: 'share';
  readonly full: string;
  readonly numerator: string;
  readonly denominator: string;
}

/** What is above a commitment costs `factor` times: `above x (factor - 1)` more. `committed` is what the commitment is in this part of the period. */
export interface OverageStep extends OfAmount {
  readonly kind: 'overage';
  readonly full: string;
  readonly part?: ElapsedPart;
  readonly committed: string;
  readonly above: string;
  readonly factor: string;
}

/** What is taken away so that the charge is not above its maximum, which is `maximum` in this part of the period. */
export interface MaximumStep extends OfAmount {
  readonly kind: 'maximum';
  readonly full: string;
  readonly part?: ElapsedPart;
  readonly maximum: string;
}

/** The least that is due in this part of the period: the amount is that of the minimum or the commitment, `full` that of a whole period. */
export interface FloorStep extends OfAmount {
  readonly kind: 'minimum' | 'commitment';
  readonly full: string;
  readonly part?: ElapsedPart;
}

/** What was spent of the least that is due, taken away from it. */
export interface SpentStep extends OfAmount {
  readonly kind: 'spent';
}

/** A whole fee, taken away again because running totals follow in its place. */
export interface WholeFeeStep extends OfAmount {
  readonly kind: 'whole_fee';
}

/** What rounding the line to the digits of its currency adds to the exact sum of the other steps. */
export interface RoundingStep extends OfAmount {
  readonly kind: 'rounding';
  readonly rounding: Rounding;
}

/** One line of the sum that explains an amount. It holds numbers and no words, so that any language can tell it. */
export type Step =
  | FlatStep | UnitStep | TierStep | VolumeStep | StairStep | PackageStep | PercentStep | PercentTierStep | EventsStep | UnpricedStep
  | ProrationStep | FreeUnitsStep | ShareStep | OverageStep | MaximumStep | FloorStep | SpentStep | WholeFeeStep | RoundingStep;

/** The exact sum of the amounts of steps, in major units. */
export const sumOfSteps = (steps: readonly Step[]): Decimal => Decimal.sum(steps.map(({ amount }) => Decimal.parse(amount)));
