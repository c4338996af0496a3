import { Decimal } from '@valueverse/kernel';
import type { TierStep } from '../step';
import { isFlatDue, type PricingModel, type RatedQuantity } from './pricing-model';
import { readTiers, type Tier } from './tiers';

/**
 * Each part of the quantity at the price of the tier that it falls in. Tiers are `(lower, upTo]`; a tier's flat amount
 * is due once the quantity is above its lower bound. At zero nothing is due, or the first tier's flat amount where
 * `flatAtZero` says so. A quantity below zero is a credit at the price of the first tier.
 */
export interface GraduatedPrice {
  readonly model: 'graduated';
  readonly tiers: readonly Tier[];
}

const tierStep = (tier: Tier, lower: Decimal, quantity: Decimal, flatDue: boolean): TierStep => {
  const unitAmount = Decimal.parse(tier.unitAmount ?? '0');
  const flatAmount = flatDue && tier.flatAmount !== undefined ? Decimal.parse(tier.flatAmount) : undefined;
  return {
    kind: 'tier',
    from: lower.toString(),
    upTo: tier.upTo === null ? null : Decimal.parse(tier.upTo).toString(),
    quantity: quantity.toString(),
    unitAmount: unitAmount.toString(),
    ...(flatAmount === undefined ? {} : { flatAmount: flatAmount.toString() }),
    amount: quantity.times(unitAmount).plus(flatAmount ?? Decimal.zero).toString(),
  };
};

const steps = ({ tiers }: GraduatedPrice, rated: RatedQuantity): readonly TierStep[] => {
  const { quantity } = rated;
  const flatDue = isFlatDue(rated);
  if (quantity.isZero() && !flatDue) return [];
  const entered: TierStep[] = [];
  let lower = Decimal.zero;
  for (const tier of tiers) {
    const upTo = tier.upTo === null ? undefined : Decimal.parse(tier.upTo);
    const end = upTo?.lt(quantity) === true ? upTo : quantity;
    entered.push(tierStep(tier, lower, end.minus(lower), flatDue));
    if (upTo === undefined || upTo.gte(quantity)) break;
    lower = upTo;
  }
  return entered;
};

export const graduated: PricingModel<GraduatedPrice> = {
  read: (fields) => ({ model: 'graduated', tiers: readTiers(fields) }),
  steps,
};
