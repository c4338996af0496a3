import { Money } from '@valueverse/kernel';
import type { CreditNoteIssued, InvoiceFinalized, InvoiceLine } from '@valueverse/contracts';
import { totalInvoice } from '@valueverse/rating';

export const JANUARY = { from: '2024-01-01T00:00:00Z', to: '2024-02-01T00:00:00Z' };
export const SELLER = {
  name: 'Wolke Hosting GmbH', address: { line1: 'Invalidenstraße 116', postalCode: '10115', city: 'Berlin', country: 'DE' }, taxId: 'DE123456789', email: 'billing@wolke.example',
  footer: 'Wolke Hosting GmbH · Amtsgericht Charlottenburg HRB 123456\nIBAN DE02 1203 0000 0000 2020 51',
};
export const BUYER = { name: 'Acme Corporation', email: 'ap@acme.example', address: { line1: '1 Main Street', city: 'Springfield', state: 'IL', postalCode: '62701', country: 'US' }, taxId: '99-1234567' };

export interface SampleLine extends Partial<Pick<InvoiceLine, 'description' | 'quantity' | 'billedQuantity' | 'type' | 'subscriptionId' | 'planKey'>> { readonly amount: string }
export interface Sample extends Partial<Pick<InvoiceFinalized, 'document' | 'untaxed' | 'memo' | 'billTo' | 'seller' | 'dueAt' | 'zone'>> {
  readonly currency?: string;
  readonly lines: readonly SampleLine[];
  readonly rates?: readonly { readonly key: string; readonly name: string; readonly rate: string }[];
  readonly behavior?: 'exclusive' | 'inclusive';
  /** In percent. */
  readonly coupon?: string;
  readonly credit?: string;
}

/** An issued invoice of some lines, totalled as invoices are. */
export const sampleInvoice = ({ currency = 'USD', lines: given, rates = [], behavior = 'exclusive', coupon, credit, ...more }: Sample): InvoiceFinalized => {
  const totalled = totalInvoice({
    lines: given.map(({ amount }, nth) => ({ lineId: `line_${nth}`, amount: Money.parse(amount, currency), taxBehavior: behavior, taxRates: rates.map(({ key, rate }) => ({ key, rate })) })), currency, rounding: 'half_up', taxRounding: 'invoice',
    inclusiveRounding: 'net', ...(coupon === undefined ? {} : { coupons: [{ key: 'SPRING', discount: { type: 'percent', value: coupon }, stackable: true }] }),
    ...(credit === undefined ? {} : { credits: [{ creditId: 'balance', amount: Money.parse(credit, currency) }] }),
  });
  const lines = totalled.lines.map(({ lineId, amount, netAmount, taxAmount, discounts, taxes }, nth): InvoiceLine => {
    const { description = `Line ${nth}`, quantity = '1', billedQuantity = quantity, type = 'recurring', subscriptionId = 'sub_1', planKey = 'team' } = given[nth]!;
    return {
      lineId, itemId: lineId, chargeKey: `charge-${nth}`, type, description, subscriptionId, planKey, quantity, billedQuantity, amount: amount.toString(), netAmount: netAmount.toString(), taxAmount: taxAmount.toString(), taxBehavior: behavior,
      discounts: discounts.map((discount) => ({ couponKey: discount.coupon, amount: discount.amount.toString() })),
      taxes: taxes.map((tax) => ({ key: tax.key, name: rates.find(({ key }) => key === tax.key)!.name, rate: tax.rate, base: netAmount.toString(), amount: tax.amount.toString() })), servicePeriod: JANUARY, dimensions: {}, steps: [],
    };
  });
  const { subtotal, discountTotal, taxTotal, total, creditApplied, amountDue, steps } = totalled;
  return {
    type: 'InvoiceFinalized', invoiceId: 'inv_1', accountId: 'acc_1', kind: 'cycle', number: 'INV-000042', currency, servicePeriod: JANUARY, issuedAt: JANUARY.to, dueAt: '2024-02-15T00:00:00Z', zone: 'UTC', rounding: 'half_up', lines,
    subtotal: subtotal.toString(), discountTotal: discountTotal.toString(), taxTotal: taxTotal.toString(), total: total.toString(), totalSteps: [...steps], creditApplied: creditApplied.toString(), amountDue: amountDue.toString(), billTo: BUYER, seller: SELLER, ...more,
  };
};

/** A credit note over a part of the first line of an invoice. */
export const sampleNote = ({ accountId, invoiceId, currency, billTo, lines }: InvoiceFinalized): CreditNoteIssued => ({
  type: 'CreditNoteIssued', creditNoteId: 'cn_1', number: 'CN-000007', invoiceId, accountId, currency, netTotal: '100.00', taxTotal: '19.00', total: '119.00', applied: '19.00', toBalance: '100.00', toRefund: '0.00', settlement: 'balance',
  reason: 'a change of the subscription', issuedAt: '2024-03-01T00:00:00Z', billTo,
  lines: [{ lineId: lines[0]!.lineId, amount: '100.00', netAmount: '100.00', taxAmount: '19.00', taxes: [{ ...lines[0]!.taxes[0]!, base: '100.00', amount: '19.00' }], servicePeriod: JANUARY, steps: [] }],
});
