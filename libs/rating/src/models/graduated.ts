import { Decimal } from '@valueverse/kernel';
import type { TierStep } from '../step';
import { isFlatDue, type PricingModel } from './pricing-model';
import { boundedTiers, boundsOf, type EnteredTier, enteredTiers, readTiers, type Tier } from './tiers';

/**
 * Each part of the quantity at the price of the tier that it falls in. Tiers are `(lower, upTo]`; a tier's flat amount
 * is due once the quantity is above its lower bound. At zero nothing is due, or the first tier's flat amount where
 * `flatAtZero` says so. A quantity below zero is a credit at the price of the first tier.
 */
export interface GraduatedPrice {
  readonly model: 'graduated';
  readonly tiers: readonly Tier[];
}

const tierStep = (entered: EnteredTier<Tier>, flatDue: boolean): TierStep => {
  const { tier, part } = entered;
  const unitAmount = Decimal.parse(tier.unitAmount ?? '0');
  const flatAmount = flatDue && tier.flatAmount !== undefined ? Decimal.parse(tier.flatAmount) : undefined;
  return {
    kind: 'tier',
    ...boundsOf(entered),
    quantity: part.toString(),
    unitAmount: unitAmount.toString(),
    ...(flatAmount === undefined ? {} : { flatAmount: flatAmount.toString() }),
    amount: part.times(unitAmount).plus(flatAmount ?? Decimal.zero).toString(),
  };
};

export const graduated: PricingModel<GraduatedPrice> = {
  read: (fields) => ({ model: 'graduated', tiers: readTiers(fields) }),
  steps: ({ tiers }, rated) => {
    const { quantity, boundsShare } = rated;
    const flatDue = isFlatDue(rated);
    if (quantity.isZero() && !flatDue) return [];
    return enteredTiers(boundedTiers(tiers, boundsShare), quantity).map((tier) => tierStep(tier, flatDue));
  },
};
