import { Decimal } from '@valueverse/kernel';
import { percentOf } from '../percent';
import type { PercentTierStep } from '../step';
import { isFlatDue, type PricingModel } from './pricing-model';
import { boundedTiers, boundsOf, type EnteredTier, enteredTiers, type PercentTier, readPercentTiers } from './tiers';

/** Each part of a value at the rate of the tier that it falls in; flat amounts, zero and what is below it as in `graduated`. */
export interface GraduatedPercentagePrice {
  readonly model: 'graduated_percentage';
  readonly tiers: readonly PercentTier[];
}

const tierStep = (entered: EnteredTier<PercentTier>, flatDue: boolean): PercentTierStep => {
  const { tier, part } = entered;
  const rate = Decimal.parse(tier.rate);
  const flatAmount = flatDue && tier.flatAmount !== undefined ? Decimal.parse(tier.flatAmount) : undefined;
  return {
    kind: 'percent_tier',
    ...boundsOf(entered),
    value: part.toString(),
    rate: rate.toString(),
    ...(flatAmount === undefined ? {} : { flatAmount: flatAmount.toString() }),
    amount: percentOf(part, rate).plus(flatAmount ?? Decimal.zero).toString(),
  };
};

export const graduatedPercentage: PricingModel<GraduatedPercentagePrice> = {
  read: (fields) => ({ model: 'graduated_percentage', tiers: readPercentTiers(fields) }),
  steps: ({ tiers }, rated) => {
    const { quantity, boundsShare } = rated;
    const flatDue = isFlatDue(rated);
    if (quantity.isZero() && !flatDue) return [];
    return enteredTiers(boundedTiers(tiers, boundsShare), quantity).map((tier) => tierStep(tier, flatDue));
  },
};
