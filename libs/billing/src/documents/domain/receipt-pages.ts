import { Money } from '@valueverse/kernel';
import type { InvoiceFinalized } from '@valueverse/contracts';
import { dateIn, lookOf } from './invoice-pages';
import { beginLetter, endLetter, type Letter, type Look } from './letterhead';
import { writeTable } from './line-table';
import type { Measure, Page } from './page';
import { writeTotals, type TotalRow } from './totals';

/** Whose receipt it is, and how it looks: as its invoice did, or as an invoice of the account would now. */
export type ReceiptPaper = Pick<InvoiceFinalized, 'currency' | 'billTo' | 'seller' | 'document' | 'zone'>;
/** What an invoice took of money. Amounts are decimals: `applied` is what it took, in its currency; `remaining` what was due of it afterwards. */
export interface AppliedTo { readonly number: string; readonly issuedAt: string; readonly applied: string; readonly remaining: string }
/** Money that came in: for an invoice, or paid ahead, where there is none. `unapplied` is what no invoice took, in the currency in which it came. */
export interface ReceiptToPrint { readonly paper: ReceiptPaper; readonly invoice?: AppliedTo; readonly paymentId: string; readonly receivedAt: string; readonly unapplied: string; readonly unappliedCurrency: string }

const paidOf = ({ paper: { currency }, invoice, unapplied, unappliedCurrency }: ReceiptToPrint, { formats }: Look): string => {
  if (invoice === undefined || unappliedCurrency !== currency) return formats.money(unapplied, unappliedCurrency);
  return formats.money(Money.parse(invoice.applied, currency).add(Money.parse(unapplied, currency)).toString(), currency);
};

const letterOf = (print: ReceiptToPrint): Letter => {
  const { paper, invoice, paymentId, receivedAt } = print;
  const look = lookOf(paper);
  const { words } = look;
  const date = dateIn(look, receivedAt);
  const of: readonly (readonly [string, string])[] = invoice === undefined ? [] : [[words.ofInvoice, `${invoice.number}, ${dateIn(look, invoice.issuedAt)}`]];
  return { look, title: words.receipt, number: paymentId, billTo: paper.billTo, seller: paper.seller, headline: words.paidOn(paidOf(print, look), date), facts: [[words.paid, date], ...of, [words.payment, paymentId]] };
};

const totalRows = (print: ReceiptToPrint, look: Look): TotalRow[] => {
  const { paper: { currency }, invoice, unapplied, unappliedCurrency } = print;
  const { words, formats } = look;
  const paid: TotalRow = { label: words.amountPaid, amount: paidOf(print, look), isStrong: true };
  if (invoice === undefined) return [paid];
  return [paid, ...(Money.parse(unapplied, unappliedCurrency).isPositive() ? [{ label: words.leftOver, amount: formats.money(unapplied, unappliedCurrency) }] : []), { label: words.stillDue, amount: formats.money(invoice.remaining, currency) }];
};

/** A receipt on pages: who paid what, when, for which invoice, and what is due of it still; of what was paid ahead, that it was added to the credit of the account. */
export const receiptPages = (print: ReceiptToPrint, measure: Measure): readonly Page[] => {
  const { paper: { currency }, invoice, unapplied } = print;
  const letter = letterOf(print);
  const { look } = letter;
  const { words, formats } = look;
  const sheet = beginLetter(letter, measure);
  const [title, amount] = invoice === undefined ? [words.settledBalance, unapplied] : [`${words.invoice} ${invoice.number}`, invoice.applied];
  writeTable(sheet, { look, heads: [`${words.amount} (${currency})`], groups: [{ rows: [{ title, notes: [], amount: Money.parse(amount, currency), cells: [formats.number(amount)] }] }], nothing: Money.zero(currency) });
  writeTotals(sheet, totalRows(print, look));
  return endLetter(sheet, letter);
};
