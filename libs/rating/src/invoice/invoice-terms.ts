import type { Money, Rounding } from '@valueverse/kernel';
import type { InvoiceStep } from './invoice-steps';

/** A rate of tax that is due on a line. Several on one line are each of the same net amount; none is of another one. */
export interface TaxRate {
  readonly key: string;
  /** In percent, zero or more, as a decimal text. */
  readonly rate: string;
}

/** A rated line on its way to an invoice. */
export interface LineToTotal {
  readonly lineId: string;
  /** As priced: without its tax where that is exclusive, with it where it is inclusive. Below zero for what is given back. */
  readonly amount: Money;
  readonly taxBehavior: 'exclusive' | 'inclusive';
  /** Empty where no tax is due, as of a reverse charge. */
  readonly taxRates: readonly TaxRate[];
}

/** A discount on lines as they are priced. */
export interface AppliedCoupon {
  readonly key: string;
  /** Percent from 0 to 100, or major units of the invoice's currency. */
  readonly discount: { readonly type: 'percent' | 'amount'; readonly value: string };
  /** The lines that it is for; of an invoice coupon absent. */
  readonly lineIds?: readonly string[] | undefined;
  /** Whether it goes together with others. One that does not is alone on the lines that it discounts: the first that comes to a line has it. */
  readonly stackable: boolean;
}

/** Money of the account that is used before anything is asked for. */
export interface AvailableCredit {
  readonly creditId: string;
  readonly amount: Money;
}

export interface InvoiceToTotal {
  readonly lines: readonly LineToTotal[];
  /** In the order in which they were given to the account: those for lines are used first, then those for the invoice. */
  readonly coupons?: readonly AppliedCoupon[] | undefined;
  /** Oldest first. */
  readonly credits?: readonly AvailableCredit[] | undefined;
  /** ISO 4217; every amount is in it. */
  readonly currency: string;
  readonly rounding: Rounding;
  /** Whether exclusive tax is rounded once for each rate on the invoice, or for each rate on each line. */
  readonly taxRounding: 'invoice' | 'line';
  /** Which part of an inclusive price is rounded; the other one is the rest. */
  readonly inclusiveRounding: 'net' | 'tax';
}

/** What a coupon takes from a line. */
export interface LineDiscount {
  readonly coupon: string;
  /** Without tax. */
  readonly amount: Money;
  /** As priced: with the tax in it where that is inclusive. */
  readonly pricedAmount: Money;
}

export interface LineTax extends TaxRate {
  readonly amount: Money;
}

/** A line with all that the invoice makes of it. `subtotal - discounts = netAmount`, and `taxes` add up to `taxAmount`. */
export interface TotalledLine {
  readonly lineId: string;
  /** As priced. */
  readonly amount: Money;
  /** The amount without tax, before discounts. */
  readonly subtotal: Money;
  readonly discounts: readonly LineDiscount[];
  /** Without tax, after discounts. */
  readonly netAmount: Money;
  readonly taxes: readonly LineTax[];
  readonly taxAmount: Money;
}

/** `subtotal - discountTotal + taxTotal = total`, the first two without tax; `total - creditApplied = amountDue`. */
export interface TotalledInvoice {
  readonly lines: readonly TotalledLine[];
  readonly subtotal: Money;
  readonly discountTotal: Money;
  readonly taxTotal: Money;
  readonly total: Money;
  readonly credits: readonly AvailableCredit[];
  readonly creditApplied: Money;
  readonly amountDue: Money;
  readonly steps: readonly InvoiceStep[];
}
