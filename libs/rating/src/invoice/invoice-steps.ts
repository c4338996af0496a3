import type { AppliedCoupon, LineToTotal } from './invoice-terms';

/** A step without its number. */
export type Unnumbered = { readonly amount: string } & (
  | { readonly kind: 'subtotal' | 'total' | 'due' }
  /** `base` is what the coupon was of, `pricedAmount` what it took, both as priced; `amount` is the same without tax, below zero. */
  | { readonly kind: 'coupon'; readonly coupon: string; readonly scope: 'lines' | 'invoice'; readonly discount: AppliedCoupon['discount']; readonly base: string; readonly pricedAmount: string }
  /** `base` is the net amount that the rate is of. */
  | { readonly kind: 'tax'; readonly key: string; readonly rate: string; readonly behavior: LineToTotal['taxBehavior']; readonly base: string }
  | { readonly kind: 'credit'; readonly creditId: string }
);

/**
 * How the total came about, numbered from 1. Amounts are texts in major units with the digits of the currency, to be added up in order: `subtotal`, less each `coupon`, plus each
 * `tax`, is the `total`; less each `credit` it is what is `due`. Numbers and keys alone, no words.
 */
export type InvoiceStep = Unnumbered & { readonly number: number };

export const numbered = (steps: readonly Unnumbered[]): readonly InvoiceStep[] => steps.map((step, index) => ({ number: index + 1, ...step }));
