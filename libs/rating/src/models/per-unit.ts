import { Decimal } from '@valueverse/kernel';
import type { PricingModel } from './pricing-model';

/** `quantity x unitAmount`. A quantity below zero gives a credit. */
export interface PerUnitPrice {
  readonly model: 'per_unit';
  /** Major units of the plan's currency for one unit of the quantity, with as many digits as it takes. */
  readonly unitAmount: string;
}

export const perUnit: PricingModel<PerUnitPrice> = {
  read: (fields) => ({ model: 'per_unit', unitAmount: fields.amount('unitAmount') }),
  steps: (price, { quantity }) => {
    if (quantity.isZero()) return [];
    const unitAmount = Decimal.parse(price.unitAmount);
    return [{ kind: 'unit', quantity: quantity.toString(), unitAmount: unitAmount.toString(), amount: quantity.times(unitAmount).toString() }];
  },
};
