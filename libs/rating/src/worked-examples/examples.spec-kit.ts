import { Decimal, type Money, type Rounding } from '@valueverse/kernel';
import { readChargeTerms } from '../charge/charge-terms';
import { type RatedLine, rateUsage } from '../charge/rate-usage';
import type { UsageGroup } from '../charge/usage-groups';
import { sumOfSteps } from '../step';

/** Tiers as `[upTo, unitAmount, flatAmount]`, the last one open. */
export const tiered = (model: string, ...rows: readonly (readonly [upTo: string | null, unit: string, flat?: string])[]): Record<string, unknown> => ({
  model,
  tiers: rows.map(([upTo, unit, flatAmount]) => ({ upTo, ...(model === 'graduated_percentage' ? { rate: unit } : { unitAmount: unit }), ...(flatAmount === undefined ? {} : { flatAmount }) })),
});

export interface Example { readonly currency?: string; readonly rounding?: Rounding }

export const group = (quantity: string, more: Partial<UsageGroup> = {}): UsageGroup => ({ dimensions: {}, quantity: Decimal.parse(quantity), billed: Decimal.parse(quantity), ...more });

/** The lines of a usage charge, whose steps add up. */
export const linesOf = (charge: Record<string, unknown>, groups: readonly UsageGroup[], { currency = 'USD', rounding = 'half_up' }: Example = {}): readonly RatedLine[] => {
  const read = readChargeTerms(charge, '', currency);
  if ('errors' in read) throw new Error(JSON.stringify(read.errors));
  const lines = rateUsage({ charge: read.terms, groups, currency, rounding });
  for (const { steps, amount } of lines) expect(sumOfSteps(steps)).toEqual(amount.toDecimal());
  return lines;
};

/** What a quantity costs, all lines together. */
export const costOf = (charge: Record<string, unknown>, quantity: string, example: Example = {}): Decimal =>
  Decimal.sum(linesOf(charge, [group(quantity)], example).map(({ amount }) => amount.toDecimal()));

export const costs = (charge: Record<string, unknown>, ...quantities: string[]): string[] => quantities.map((quantity) => costOf(charge, quantity).toFixed(2));

/** What more of a quantity costs once a part of it was billed: the price after less the price before. */
export const costOfMore = (charge: Record<string, unknown>, billed: string, more: string): string =>
  costOf(charge, Decimal.parse(billed).plus(Decimal.parse(more)).toString()).minus(costOf(charge, billed)).toFixed(2);

export const texts = (amounts: readonly Money[]): string[] => amounts.map(String);
