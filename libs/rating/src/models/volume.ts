import { Decimal } from '@valueverse/kernel';
import { isFlatDue, type PricingModel } from './pricing-model';
import { boundedTiers, boundsOf, readTiers, type Tier, tierOf } from './tiers';

/**
 * The whole quantity at the price of the one tier that it falls in, and that tier's flat amount once; so a total may fall where a bound is
 * crossed. At zero nothing is due, or the first tier's flat amount where `flatAtZero` says so. Below zero it is a credit at the first tier's price.
 */
export interface VolumePrice {
  readonly model: 'volume';
  readonly tiers: readonly Tier[];
}

export const volume: PricingModel<VolumePrice> = {
  read: (fields) => ({ model: 'volume', tiers: readTiers(fields) }),
  steps: ({ tiers }, rated) => {
    const { quantity, boundsShare } = rated;
    const flatDue = isFlatDue(rated);
    if (quantity.isZero() && !flatDue) return [];
    const found = tierOf(boundedTiers(tiers, boundsShare), quantity);
    const unitAmount = Decimal.parse(found.tier.unitAmount ?? '0');
    const flatAmount = flatDue && found.tier.flatAmount !== undefined ? Decimal.parse(found.tier.flatAmount) : undefined;
    return [{
      kind: 'volume',
      ...boundsOf(found),
      quantity: quantity.toString(),
      unitAmount: unitAmount.toString(),
      ...(flatAmount === undefined ? {} : { flatAmount: flatAmount.toString() }),
      amount: quantity.times(unitAmount).plus(flatAmount ?? Decimal.zero).toString(),
    }];
  },
};
