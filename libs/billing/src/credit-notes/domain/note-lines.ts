import { Money } from '@valueverse/kernel';
import type { CreditNoteLine, InvoiceLine } from '@valueverse/contracts';

/** What of a line was given back before. */
export interface GivenBack { readonly netAmount: string; readonly taxAmount: string }
export interface Left { readonly net: Money; readonly tax: Money }

/** What is left of a line to be given back, tax apart. */
export const leftOf = ({ netAmount, taxAmount }: Pick<InvoiceLine, 'netAmount' | 'taxAmount'>, before: GivenBack | undefined, currency: string): Left => ({
  net: Money.parse(netAmount, currency).subtract(Money.parse(before?.netAmount ?? '0', currency)),
  tax: Money.parse(taxAmount, currency).subtract(Money.parse(before?.taxAmount ?? '0', currency)),
});

/** Tax that belongs to a part of what is left of a line's net amount: in proportion, all of it with the last part. */
export const taxOfPart = (net: Money, left: Left): Money => {
  if (left.net.isZero() || net.compare(left.net) >= 0) return left.tax;
  return left.tax.allocate([net.toDecimal(), left.net.subtract(net).toDecimal()])[0]!;
};

/** The taxes of a line in the proportion of a part of its tax; they add up to that part. */
export const taxesOfPart = ({ taxes }: Pick<InvoiceLine, 'taxes'>, net: Money, tax: Money): CreditNoteLine['taxes'] => {
  const weights = taxes.map(({ amount }) => Money.parse(amount, tax.currency).toDecimal());
  const shares = weights.some((weight) => !weight.isZero()) ? tax.allocate(weights) : taxes.map(() => Money.zero(tax.currency));
  return taxes.map((one, nth) => ({ ...one, base: net.toString(), amount: shares[nth]!.toString() }));
};
