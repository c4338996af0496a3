import type { Decimal, Fraction } from '@valueverse/kernel';
import type { Price } from '../price';
import type { PriceFields } from '../price-fields';
import type { Step } from '../step';

/** What single events cost together, as metering found it: decimal texts, amounts in major units. `unpriced` events name no amount. */
export interface EventsPriced {
  readonly amount: string;
  readonly paidValue: string;
  readonly freeEvents: number;
  readonly paidEvents: number;
  readonly unpriced?: number | undefined;
}

/** What a pricing model needs to know beside its price. */
export interface RatedQuantity {
  /** As billed: after conversion and free units. */
  readonly quantity: Decimal;
  /** Whether a flat part is due although nothing was used. */
  readonly flatAtZero: boolean;
  /** The part of a whole period that the bounds of tiers are for; absent where they stand as written. */
  readonly boundsShare?: Fraction | undefined;
  /** What the usage was told apart by: a matrix finds its cell by them. */
  readonly dimensions?: Readonly<Record<string, string>> | undefined;
  /** For prices that look at single events (`eventTermsOf`). */
  readonly priced?: EventsPriced | undefined;
}

/** How one kind of price is read and what it makes of a quantity. A new model is a file beside this one and a row in `pricingModels`. */
export interface PricingModel<P extends { readonly model: string }> {
  /** Reads every field of the model and notes every fault; what it returns counts only if there is none. `readNested` reads a price inside a price. */
  readonly read: (fields: PriceFields, readNested: (nested: PriceFields) => Price | undefined) => P;
  /** The steps whose exact sum is the amount. Nothing is rounded here. */
  readonly steps: (price: P, rated: RatedQuantity, stepsOfNested: (price: Price, rated: RatedQuantity) => readonly Step[]) => readonly Step[];
}

/** Whether a part that is due once is due: for any quantity above zero, and for zero where it is wanted. */
export const isFlatDue = ({ quantity, flatAtZero }: RatedQuantity): boolean =>
  quantity.isPositive() || (quantity.isZero() && flatAtZero);
