import type { Decimal } from '@valueverse/kernel';
import type { PriceFields } from '../price-fields';
import type { Step } from '../step';

/** What a pricing model needs to know beside its price. */
export interface RatedQuantity {
  /** As billed: after conversion and free units. */
  readonly quantity: Decimal;
  /** Whether a flat part is due although nothing was used. */
  readonly flatAtZero: boolean;
}

/** How one kind of price is read and what it makes of a quantity. A new model is a file beside this one and a row in `pricingModels`. */
export interface PricingModel<P extends { readonly model: string }> {
  /** Reads every field of the model and notes every fault; what it returns counts only if there is none. */
  readonly read: (fields: PriceFields) => P;
  /** The steps whose exact sum is the amount. Nothing is rounded here. */
  readonly steps: (price: P, rated: RatedQuantity) => readonly Step[];
}

/** Whether a part that is due once is due: for any quantity above zero, and for zero where it is wanted. */
export const isFlatDue = ({ quantity, flatAtZero }: RatedQuantity): boolean =>
  quantity.isPositive() || (quantity.isZero() && flatAtZero);
