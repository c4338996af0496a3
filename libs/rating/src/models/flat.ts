import { Decimal } from '@valueverse/kernel';
import { isFlatDue, type PricingModel } from './pricing-model';

/** One amount, whatever the quantity, so long as there is one. A recurring fee is rated with quantity 1. */
export interface FlatPrice {
  readonly model: 'flat';
  /** Major units of the plan's currency. */
  readonly amount: string;
}

export const flat: PricingModel<FlatPrice> = {
  read: (fields) => ({ model: 'flat', amount: fields.due('amount') }),
  steps: ({ amount }, rated) => (isFlatDue(rated) ? [{ kind: 'flat', amount: Decimal.parse(amount).toString() }] : []),
};
