import { Decimal } from '@valueverse/kernel';
import { isFlatDue, type PricingModel } from './pricing-model';
import { boundedTiers, boundsOf, readFlatTiers, type TierBound, tierOf } from './tiers';

/** One amount for the tier that the whole quantity falls in. Below zero, and at zero unless `flatAtZero` says so, nothing is due. */
export interface StairstepPrice {
  readonly model: 'stairstep';
  readonly tiers: readonly (TierBound & { readonly flatAmount: string })[];
}

export const stairstep: PricingModel<StairstepPrice> = {
  read: (fields) => ({ model: 'stairstep', tiers: readFlatTiers(fields) }),
  steps: ({ tiers }, rated) => {
    if (!isFlatDue(rated)) return [];
    const found = tierOf(boundedTiers(tiers, rated.boundsShare), rated.quantity);
    return [{ kind: 'stair', ...boundsOf(found), quantity: rated.quantity.toString(), amount: Decimal.parse(found.tier.flatAmount).toString() }];
  },
};
