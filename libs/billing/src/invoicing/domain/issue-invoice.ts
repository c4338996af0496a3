import { earlierOf, laterOf, Money, type Instant, type Period, type Rounding } from '@valueverse/kernel';
import type { CitedStatement, CreditedLine, InterimLine, InvoiceDrafted, InvoiceFinalized, InvoiceItem, InvoiceLine, TaxRateUsed } from '@valueverse/contracts';
import { totalInvoice, type AppliedCoupon, type TotalledInvoice, type TotalledLine } from '@valueverse/rating';
import type { Discount } from '../../coupons/domain/discount';
import { priceItems, type PricedLine, type Pricing } from './lines';

/** What an invoice is computed with, beside its draft and statements. It is kept with the invoice, so that it can be computed again. */
export interface IssueTerms {
  readonly taxRounding: 'invoice' | 'line';
  readonly inclusiveRounding: 'net' | 'tax';
  /** In the order in which they are taken. */
  readonly coupons: readonly Discount[];
  /** Line -> the rates that it is taxed at. */
  readonly lineTaxes: Readonly<Record<string, readonly TaxRateUsed[]>>;
  /** Line -> why it has none. */
  readonly taxReasons?: Readonly<Record<string, NonNullable<InvoiceLine['taxReason']>>>;
  readonly credited: Readonly<Record<string, CreditedLine>>;
  readonly interim: readonly InterimLine[];
}
export type Drafted = Pick<InvoiceDrafted, 'invoiceId' | 'kind' | 'currency' | 'rounding'> & { readonly items: readonly InvoiceItem[] };
export type Statements = ReadonlyMap<string, CitedStatement>;

/** The money of an invoice. Major units. */
export type InvoiceMoney = Pick<InvoiceFinalized, 'lines' | 'subtotal' | 'discountTotal' | 'taxTotal' | 'total' | 'totalSteps' | 'creditApplied' | 'amountDue'>;
/** What is given back of the lines of one invoice, above zero. */
export interface NoteParts { readonly invoiceId: string; readonly lines: readonly { readonly lineId: string; readonly line: InvoiceLine }[] }
export interface Issue {
  /** The invoice, by what the account has to its credit; `undefined` where everything that is billed is given back. */
  readonly invoiceWith: (balance: Money) => InvoiceMoney | undefined;
  /** Where the invoice would come out below zero, what is given back goes out as credit notes to the invoices that took it, and the invoice has the rest. */
  readonly notes: readonly NoteParts[];
  /** The redemptions that lowered the invoice. */
  readonly usedRedemptions: readonly string[];
}

export const pricingOf = ({ invoiceId, kind, currency, rounding }: Drafted, statements: Statements, { credited, interim }: Pick<IssueTerms, 'credited' | 'interim'>): Pricing => ({ invoiceId, kind, currency, rounding, statements, credited, interim });

const couponsFor = (lines: readonly PricedLine[], coupons: readonly Discount[]): AppliedCoupon[] => coupons.map(({ redemptionId, discount, planKeys, chargeKeys, stackable }) => ({
  key: redemptionId, discount, stackable,
  ...(planKeys === undefined && chargeKeys === undefined ? {} : {
    lineIds: lines.filter(({ planKey, chargeKey }) => (planKeys === undefined || (planKey !== undefined && planKeys.includes(planKey))) && (chargeKeys === undefined || chargeKeys.includes(chargeKey))).map(({ lineId }) => lineId),
  }),
}));

/** What gives back a part of a line is taxed as that line was. */
const ratesOf = ({ lineId, credits }: PricedLine, { credited, lineTaxes }: IssueTerms): readonly TaxRateUsed[] =>
  (credits === undefined ? undefined : credited[credits.lineId]?.taxes) ?? lineTaxes[lineId] ?? [];

interface Totals { readonly currency: string; readonly rounding: Rounding; readonly balance: Money }
const totalsOf = (lines: readonly PricedLine[], terms: IssueTerms, { currency, rounding, balance }: Totals): TotalledInvoice => totalInvoice({
  lines: lines.map((line) => ({ lineId: line.lineId, amount: Money.parse(line.amount, currency), taxBehavior: line.taxBehavior ?? 'exclusive', taxRates: ratesOf(line, terms) })),
  coupons: couponsFor(lines, terms.coupons), credits: balance.isPositive() ? [{ creditId: 'balance', amount: balance }] : [], currency, rounding, taxRounding: terms.taxRounding, inclusiveRounding: terms.inclusiveRounding,
});

const finished = (line: PricedLine, totalled: TotalledLine, terms: IssueTerms): InvoiceLine => {
  const rates = ratesOf(line, terms);
  return {
    ...line, ...(terms.taxReasons?.[line.lineId] === undefined ? {} : { taxReason: terms.taxReasons[line.lineId]! }), netAmount: totalled.netAmount.toString(), taxAmount: totalled.taxAmount.toString(),
    discounts: totalled.discounts.map(({ coupon, amount }) => ({ couponKey: terms.coupons.find(({ redemptionId }) => redemptionId === coupon)!.couponKey, amount: amount.toString() })),
    taxes: totalled.taxes.map(({ key, rate, amount }) => {
      const used = rates.find((one) => one.key === key)!;
      return { key, name: used.name, rate, base: totalled.netAmount.toString(), amount: amount.toString(), ...(used.reason === undefined ? {} : { reason: used.reason }) };
    }),
  };
};

/** Keys of coupons in the steps of a total are those of redemptions while it is computed; a reader knows the coupon. */
const readable = (totalled: TotalledInvoice, { coupons }: IssueTerms): unknown[] =>
  totalled.steps.map((step) => (step.kind === 'coupon' ? { ...step, coupon: coupons.find(({ redemptionId }) => redemptionId === step.coupon)!.couponKey } : step));

const moneyOf = (lines: readonly PricedLine[], totalled: TotalledInvoice, terms: IssueTerms): InvoiceMoney => {
  const { subtotal, discountTotal, taxTotal, total, creditApplied, amountDue } = totalled;
  // A total below zero that belongs to no earlier invoice goes to the account's balance: credit is used in the other direction.
  const isOwedBack = total.isNegative();
  return {
    lines: lines.map((line, nth) => finished(line, totalled.lines[nth]!, terms)), subtotal: subtotal.toString(), discountTotal: discountTotal.toString(), taxTotal: taxTotal.toString(), total: total.toString(),
    totalSteps: readable(totalled, terms), creditApplied: (isOwedBack ? total : creditApplied).toString(), amountDue: (isOwedBack ? Money.zero(total.currency) : amountDue).toString(),
  };
};

/** What an invoice comes to: its lines priced, discounts, tax, and the credit of its account. The same function makes a preview, the invoice, and the proof of its lines. */
export const issueInvoice = (drafted: Drafted, statements: Statements, terms: IssueTerms): Issue => {
  const { currency, rounding } = drafted;
  const lines = priceItems(drafted.items, pricingOf(drafted, statements, terms));
  const totals = (of: readonly PricedLine[], balance: Money): TotalledInvoice => totalsOf(of, terms, { currency, rounding, balance });
  const whole = totals(lines, Money.zero(currency));
  const back = lines.filter(({ credits }) => credits !== undefined);
  const isSplit = whole.total.isNegative() && back.length > 0;
  const charged = isSplit ? lines.filter(({ credits }) => credits === undefined) : lines;
  return {
    invoiceWith: (balance) => (charged.length === 0 ? undefined : moneyOf(charged, totals(charged, balance), terms)), notes: isSplit ? notesOf(back, terms, drafted) : [],
    usedRedemptions: [...new Set((isSplit ? totals(charged, Money.zero(currency)) : whole).lines.flatMap(({ discounts }) => discounts.map(({ coupon }) => coupon)))],
  };
};

/** What is given back, invoice by invoice, above zero. */
const notesOf = (lines: readonly PricedLine[], terms: IssueTerms, { currency, rounding }: Pick<Drafted, 'currency' | 'rounding'>): NoteParts[] => [...Map.groupBy(lines, ({ credits }) => credits!.invoiceId)].map(([invoiceId, own]) => {
  const above = own.map((line) => ({ ...line, amount: Money.parse(line.amount, currency).negate().toString() }));
  const totalled = totalsOf(above, { ...terms, coupons: [] }, { currency, rounding, balance: Money.zero(currency) });
  return { invoiceId, lines: above.map((line, nth) => ({ lineId: line.credits!.lineId, line: finished(line, totalled.lines[nth]!, terms) })) };
});

/** From the beginning of what is billed to its end; the moment of issue where nothing is. */
export const servicePeriodOf = (items: readonly Pick<InvoiceItem, 'served' | 'usageFrom'>[], at: Instant): Period => (items.length === 0 ? { from: at, to: at } : {
  from: items.map(({ served, usageFrom }) => usageFrom ?? served.from).reduce(earlierOf), to: items.map(({ served }) => served.to).reduce(laterOf),
});
