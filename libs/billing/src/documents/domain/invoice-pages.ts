import { localDateOf, Money } from '@valueverse/kernel';
import type { InvoiceFinalized, InvoiceLine } from '@valueverse/contracts';
import type { InvoiceStep } from '@valueverse/rating';
import { daysOf, formatsFor } from './formats';
import { ACCENT_DEFAULT, beginLetter, endLetter, type Letter, type Look } from './letterhead';
import { writeTable, type TableGroup, type TableRow } from './line-table';
import { GREY, type Measure, type Page, type Sheet } from './page';
import { writeTotals, type TotalRow } from './totals';
import { wordsFor } from './words';

/** An issued invoice, and since when it is void, if it is. */
export interface InvoiceToPrint { readonly invoice: InvoiceFinalized; readonly voidedAt?: string | undefined }

const TYPE_NOTES = { proration_credit: 'givenBack', true_up: 'trueUp' } as const;

export const lookOf = ({ document, zone = 'UTC' }: Pick<InvoiceFinalized, 'document' | 'zone'>): Look => {
  const language = document?.language ?? 'en';
  return { words: wordsFor(language), formats: formatsFor(language), pageSize: document?.pageSize ?? 'A4', accent: document?.accentColor ?? ACCENT_DEFAULT, zone };
};
export const dateIn = ({ formats, zone }: Look, instant: string): string => formats.date(localDateOf(instant, zone));
export const periodText = ({ words, formats, zone }: Look, period: InvoiceLine['servicePeriod']): string => {
  const { first, last } = daysOf(period, zone);
  return first >= last ? formats.date(first) : words.until(formats.date(first), formats.date(last));
};

const letterOf = ({ invoice, voidedAt }: InvoiceToPrint): Letter => {
  const look = lookOf(invoice);
  const { words, formats } = look;
  const { number, issuedAt, dueAt, servicePeriod, amountDue, currency, billTo, seller } = invoice;
  const due = Money.parse(amountDue, currency).isPositive() ? words.dueBy(formats.money(amountDue, currency), dateIn(look, dueAt)) : words.nothingDue;
  return {
    look, title: words.invoice, number, facts: [[words.number, number], [words.issued, dateIn(look, issuedAt)], [words.due, dateIn(look, dueAt)], [words.period, periodText(look, servicePeriod)]],
    billTo, seller, headline: voidedAt === undefined ? due : words.voidSince(dateIn(look, voidedAt)), stamp: voidedAt === undefined ? undefined : words.void,
  };
};

/** The rates of a line, or of a part of one. */
export const ratesText = (taxes: InvoiceLine['taxes'], { formats }: Look): string => (taxes.length === 0 ? '–' : taxes.map(({ rate }) => formats.percent(rate)).join(' + '));

const rowOf = (line: InvoiceLine, look: Look, currency: string, isTaxed: boolean): TableRow => {
  const { words, formats } = look;
  const { description, type, quantity, billedQuantity, amount, discounts, taxes, taxBehavior, servicePeriod } = line;
  const note = TYPE_NOTES[type as keyof typeof TYPE_NOTES];
  return {
    title: description, amount: Money.parse(amount, currency),
    notes: [
      periodText(look, servicePeriod), ...(note === undefined ? [] : [words[note]]), ...(billedQuantity === quantity ? [] : [`${words.billedQuantity}: ${formats.number(billedQuantity)}`]),
      ...(taxBehavior === 'inclusive' && taxes.length > 0 ? [words.includesTax] : []), ...discounts.map((discount) => `${words.discount} ${discount.couponKey}: -${formats.number(discount.amount)}`),
    ],
    cells: [formats.number(quantity), ...(isTaxed ? [ratesText(taxes, look)] : []), formats.number(amount)],
  };
};

/** The lines of each subscription together, in the order of their first lines; those of none are apart. */
const groupsOf = (lines: readonly InvoiceLine[], look: Look, currency: string): TableGroup[] => {
  const { words, formats } = look;
  const isTaxed = lines.some(({ taxes }) => taxes.length > 0);
  const bySubscription = Map.groupBy(lines, ({ subscriptionId }) => subscriptionId);
  return Array.from(bySubscription, ([subscriptionId, own]) => {
    const rows = own.map((line) => rowOf(line, look, currency, isTaxed));
    if (bySubscription.size === 1) return { rows };
    const plans = [...new Set(own.flatMap(({ planKey }) => planKey ?? []))].join(', ');
    const title = subscriptionId === undefined ? words.otherLines : `${plans === '' ? '' : `${words.plan} ${plans} · `}${words.subscription} ${subscriptionId}`;
    return { title, sum: formats.number(Money.sum(rows.map(({ amount }) => amount), currency).toString()), rows };
  });
};

/** What the rate is called on the lines. */
const taxName = (lines: readonly InvoiceLine[], key: string): string => lines.flatMap(({ taxes }) => taxes).find((tax) => tax.key === key)?.name ?? key;
export const taxLabel = (name: string, rate: string, base: string, { words, formats }: Look): string => {
  const percent = formats.percent(rate);
  return name.includes(percent) || name.includes(percent.replace(' ', '')) ? words.taxOn(name, '', formats.number(base)).replace('  ', ' ') : words.taxOn(name, percent, formats.number(base));
};

const stepRows = ({ lines, totalSteps }: InvoiceFinalized, look: Look): TotalRow[] => (totalSteps as readonly InvoiceStep[]).flatMap((step) => {
  const { words, formats } = look;
  if (step.kind === 'coupon') return [{ label: `${words.discount} ${step.coupon}${step.discount.type === 'percent' ? ` (${formats.percent(step.discount.value)})` : ''}`, amount: formats.number(step.amount) }];
  return step.kind === 'tax' ? [{ label: taxLabel(taxName(lines, step.key), step.rate, step.base, look), amount: formats.number(step.amount) }] : [];
});
/** Of invoices from before there were steps. */
const sumRows = ({ discountTotal, taxTotal, currency }: InvoiceFinalized, { words, formats }: Look): TotalRow[] => [
  ...(Money.parse(discountTotal, currency).isZero() ? [] : [{ label: words.discount, amount: `-${formats.number(discountTotal)}` }]), ...(Money.parse(taxTotal, currency).isZero() ? [] : [{ label: words.tax, amount: formats.number(taxTotal) }]),
];

const totalRows = ({ invoice, voidedAt }: InvoiceToPrint, look: Look): TotalRow[] => {
  const { words, formats, accent } = look;
  const { lines, subtotal, total, creditApplied, amountDue, currency, totalSteps } = invoice;
  const between = totalSteps.length === 0 ? sumRows(invoice, look) : stepRows(invoice, look);
  const isInclusive = lines.some(({ taxBehavior, taxes }) => taxBehavior === 'inclusive' && taxes.length > 0);
  const credit = Money.parse(creditApplied, currency);
  return [
    ...(between.length === 0 ? [] : [{ label: isInclusive ? words.subtotalWithoutTax : words.subtotal, amount: formats.number(subtotal) }]), ...between,
    { label: words.total, amount: formats.money(total, currency), isStrong: true },
    ...(credit.isZero() ? [] : [credit.isPositive() ? { label: words.creditUsed, amount: `-${formats.number(creditApplied)}` } : { label: words.toCredit, amount: formats.number(credit.negate().toString()) }]),
    ...(voidedAt === undefined ? [{ label: words.amountDue, amount: formats.money(amountDue, currency), isStrong: true, color: accent }] : []),
  ];
};

const remarks = (sheet: Sheet, { untaxed, taxTotal, currency, memo }: InvoiceFinalized, { words }: Look): void => {
  sheet.y += 10;
  if (untaxed !== undefined && Money.parse(taxTotal, currency).isZero()) {
    sheet.text(untaxed.reason === 'reverse_charge' ? words.reverseCharge : [words.exempt, untaxed.detail].filter(Boolean).join(': '), sheet.left, sheet.width, { color: GREY });
    sheet.y += 6;
  }
  if (memo !== undefined) sheet.text(memo, sheet.left, sheet.width);
};

/** An issued invoice on pages, from the fact alone: the same invoice gives the same pages. Dates are local to its account. */
export const invoicePages = (print: InvoiceToPrint, measure: Measure): readonly Page[] => {
  const { invoice } = print;
  const { lines, currency } = invoice;
  const letter = letterOf(print);
  const { look } = letter;
  const { words } = look;
  const sheet = beginLetter(letter, measure);
  const isTaxed = lines.some(({ taxes }) => taxes.length > 0);
  writeTable(sheet, { look, heads: [words.quantity, ...(isTaxed ? [words.tax] : []), `${words.amount} (${currency})`], groups: groupsOf(lines, look, currency), nothing: Money.zero(currency) });
  writeTotals(sheet, totalRows(print, look));
  remarks(sheet, invoice, look);
  return endLetter(sheet, letter);
};
