import type { InterimLine, InvoiceItem, InvoiceLine } from '@valueverse/contracts';

/** An interim invoice as it was issued: what it bills, and its lines. */
export interface InterimInvoice { readonly invoiceId: string; readonly items: readonly InvoiceItem[]; readonly lines: readonly Pick<InvoiceLine, 'lineId' | 'itemId' | 'type' | 'dimensions' | 'window' | 'amount'>[] }

/** The same charge in the same window: that of an add-on may have the key of one of the plan. The window of the interim item ends earlier. */
const isSameUsage = (one: InvoiceItem, other: InvoiceItem): boolean =>
  one.kind === 'usage' && one.subscriptionId === other.subscriptionId && one.addOnKey === other.addOnKey && one.charge.key === other.charge.key && one.served.from === other.served.from;

/** What interim invoices have charged of items. */
export const interimLinesOf = (items: readonly InvoiceItem[], invoices: readonly InterimInvoice[]): InterimLine[] => items.flatMap((item) => invoices.filter(({ invoiceId }) => item.interimInvoices?.includes(invoiceId)).flatMap(({ invoiceId, items: billed, lines }) => {
  const own = new Set(billed.filter((one) => isSameUsage(one, item)).map(({ itemId }) => itemId));
  return lines.filter(({ itemId, type }) => own.has(itemId) && type === 'usage').map(({ lineId, dimensions, window, amount }) => ({ itemId: item.itemId, invoiceId, lineId, dimensions, amount, ...(window === undefined ? {} : { window }) }));
}));
