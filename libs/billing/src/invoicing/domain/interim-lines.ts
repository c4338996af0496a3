import { Decimal, Money, type Rounding } from '@valueverse/kernel';
import type { CreditedLine, InterimLine, InvoiceItem, InvoiceLine } from '@valueverse/contracts';

/** An interim invoice as it was issued: what it bills, and its lines. */
export interface InterimInvoice { readonly invoiceId: string; readonly items: readonly InvoiceItem[]; readonly lines: readonly InterimCharge[] }
type InterimCharge = Pick<InvoiceLine, 'lineId' | 'itemId' | 'type' | 'dimensions' | 'window' | 'amount' | 'credits' | 'steps'>

/** The same charge in the same window: that of an add-on may have the key of one of the plan. The window of the interim item ends earlier. */
const isSameUsage = (one: InvoiceItem, other: InvoiceItem): boolean =>
  one.kind === 'usage' && one.subscriptionId === other.subscriptionId && one.addOnKey === other.addOnKey && one.charge.key === other.charge.key && one.served.from === other.served.from;

/** What a line charges, or gives back, of usage as it is priced: what it gives back is less the discount that this had. */
const pricedAmount = ({ amount, steps }: Pick<InterimCharge, 'amount' | 'steps'>): string => {
  const discounts = (steps as readonly { readonly kind: string; readonly amount: string }[]).filter(({ kind }) => kind === 'discount');
  return discounts.reduce((left, one) => left.minus(Decimal.parse(one.amount)), Decimal.parse(amount)).toString();
};

/** What interim invoices have charged of items, in the order of the invoices. */
export const interimLinesOf = (items: readonly InvoiceItem[], invoices: readonly InterimInvoice[]): InterimLine[] => items.flatMap((item) => (item.interimInvoices ?? []).flatMap((id) => invoices.filter(({ invoiceId }) => invoiceId === id)).flatMap(({ invoiceId, items: billed, lines }) => {
  const own = new Set(billed.filter((one) => isSameUsage(one, item)).map(({ itemId }) => itemId));
  return lines.filter(({ itemId, type }) => own.has(itemId) && type === 'usage')
    .map(({ lineId, dimensions, window, credits, ...line }) => ({ itemId: item.itemId, invoiceId, lineId, dimensions, amount: pricedAmount(line), ...(window === undefined ? {} : { window }), ...(credits === undefined ? {} : { creditsLineId: credits.lineId }) }));
}));

/** A part of what an interim invoice has charged that is given back, as it was priced; `before` is what was given back of it already. */
export interface GivenBack { readonly of: InterimLine; readonly amount: Money; readonly before: Money }

/** An amount is given back to the lines that took it, the latest first: of each at most what was not given back of it before. */
export const givenBackOf = (charged: readonly InterimLine[], amount: Money): GivenBack[] => {
  let left = amount;
  return charged.toReversed().flatMap((of): GivenBack[] => {
    const standing = charged.filter(({ creditsLineId }) => creditsLineId === of.lineId).reduce((sum, one) => sum.add(Money.parse(one.amount, amount.currency)), Money.parse(of.amount, amount.currency));
    const part = left.min(standing);
    if (!part.isPositive()) return [];
    left = left.subtract(part);
    return [{ of, amount: part, before: Money.parse(of.amount, amount.currency).subtract(standing) }];
  });
};

/** The part of the discount that had lowered it, by running totals: what is given back in pieces is given back whole, and never more than was paid. */
export const discountOf = ({ of, amount, before }: GivenBack, charged: Pick<CreditedLine, 'amount' | 'paid'> | undefined, rounding: Rounding): Money => {
  const { currency } = amount;
  if (charged === undefined) return Money.zero(currency);
  const discount = Money.parse(charged.amount, currency).subtract(Money.parse(charged.paid, currency));
  const whole = Money.parse(of.amount, currency);
  const upTo = (part: Money): Money => discount.timesFraction(part.minor, whole.minor, rounding);
  return upTo(before.add(amount)).subtract(upTo(before));
};
