import { Money } from '@valueverse/kernel';
import type { InvoiceFinalized } from '@valueverse/contracts';
import { dateIn, lookOf } from './invoice-pages';
import { beginLetter, endLetter, type Letter, type Look } from './letterhead';
import { writeTable } from './line-table';
import type { Measure, Page } from './page';
import { writeTotals, type TotalRow } from './totals';

/** Money that came in for an invoice. Amounts are decimals: `applied` is what the invoice took, in its currency; `unapplied` what it did not, in the currency in which it came; `remaining` what was due of it afterwards. */
export interface ReceiptToPrint {
  readonly invoice: InvoiceFinalized; readonly paymentId: string; readonly receivedAt: string; readonly applied: string; readonly unapplied: string; readonly unappliedCurrency: string; readonly remaining: string;
}

const paidOf = ({ invoice: { currency }, applied, unapplied, unappliedCurrency }: ReceiptToPrint, { formats }: Look): string => {
  if (unappliedCurrency !== currency) return formats.money(unapplied, unappliedCurrency);
  return formats.money(Money.parse(applied, currency).add(Money.parse(unapplied, currency)).toString(), currency);
};

const letterOf = (print: ReceiptToPrint): Letter => {
  const { invoice, paymentId, receivedAt } = print;
  const look = lookOf(invoice);
  const { words } = look;
  const date = dateIn(look, receivedAt);
  return {
    look, title: words.receipt, number: paymentId, billTo: invoice.billTo, seller: invoice.seller, headline: words.paidOn(paidOf(print, look), date),
    facts: [[words.paid, date], [words.ofInvoice, `${invoice.number}, ${dateIn(look, invoice.issuedAt)}`], [words.payment, paymentId]],
  };
};

const totalRows = (print: ReceiptToPrint, look: Look): TotalRow[] => {
  const { invoice: { currency }, unapplied, unappliedCurrency, remaining } = print;
  const { words, formats } = look;
  return [
    { label: words.amountPaid, amount: paidOf(print, look), isStrong: true },
    ...(Money.parse(unapplied, unappliedCurrency).isPositive() ? [{ label: words.leftOver, amount: formats.money(unapplied, unappliedCurrency) }] : []),
    { label: words.stillDue, amount: formats.money(remaining, currency) },
  ];
};

/** A receipt on pages, in the look of its invoice: who paid what, when, for which invoice, and what is due of it still. */
export const receiptPages = (print: ReceiptToPrint, measure: Measure): readonly Page[] => {
  const { invoice: { currency, number }, applied } = print;
  const letter = letterOf(print);
  const { look } = letter;
  const { words, formats } = look;
  const sheet = beginLetter(letter, measure);
  writeTable(sheet, { look, heads: [`${words.amount} (${currency})`], groups: [{ rows: [{ title: `${words.invoice} ${number}`, notes: [], amount: Money.parse(applied, currency), cells: [formats.number(applied)] }] }], nothing: Money.zero(currency) });
  writeTotals(sheet, totalRows(print, look));
  return endLetter(sheet, letter);
};
