import { Money } from '@valueverse/kernel';
import type { InterimLine, InvoiceItem, InvoiceLine } from '@valueverse/contracts';

/** An interim invoice as it was issued: what it bills, and its lines. */
export interface InterimInvoice { readonly invoiceId: string; readonly items: readonly InvoiceItem[]; readonly lines: readonly Pick<InvoiceLine, 'lineId' | 'itemId' | 'type' | 'dimensions' | 'window' | 'amount' | 'credits'>[] }

/** The same charge in the same window: that of an add-on may have the key of one of the plan. The window of the interim item ends earlier. */
const isSameUsage = (one: InvoiceItem, other: InvoiceItem): boolean =>
  one.kind === 'usage' && one.subscriptionId === other.subscriptionId && one.addOnKey === other.addOnKey && one.charge.key === other.charge.key && one.served.from === other.served.from;

/** What interim invoices have charged of items, in the order of the invoices. */
export const interimLinesOf = (items: readonly InvoiceItem[], invoices: readonly InterimInvoice[]): InterimLine[] => items.flatMap((item) => (item.interimInvoices ?? []).flatMap((id) => invoices.filter(({ invoiceId }) => invoiceId === id)).flatMap(({ invoiceId, items: billed, lines }) => {
  const own = new Set(billed.filter((one) => isSameUsage(one, item)).map(({ itemId }) => itemId));
  return lines.filter(({ itemId, type }) => own.has(itemId) && type === 'usage')
    .map(({ lineId, dimensions, window, amount, credits }) => ({ itemId: item.itemId, invoiceId, lineId, dimensions, amount, ...(window === undefined ? {} : { window }), ...(credits === undefined ? {} : { creditsLineId: credits.lineId }) }));
}));

/** A part of what an interim invoice has charged that is given back. */
export interface GivenBack { readonly of: InterimLine; readonly amount: Money }

/** An amount is given back to the lines that took it, the latest first: of each at most what was not given back of it before. */
export const givenBackOf = (charged: readonly InterimLine[], amount: Money): GivenBack[] => {
  let left = amount;
  return charged.toReversed().flatMap((of): GivenBack[] => {
    const standing = charged.filter(({ creditsLineId }) => creditsLineId === of.lineId).reduce((sum, one) => sum.add(Money.parse(one.amount, amount.currency)), Money.parse(of.amount, amount.currency));
    const part = left.min(standing);
    if (!part.isPositive()) return [];
    left = left.subtract(part);
    return [{ of, amount: part }];
  });
};
