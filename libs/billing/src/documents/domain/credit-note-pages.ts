import { Money } from '@valueverse/kernel';
import type { CreditNoteIssued, CreditNoteLine, InvoiceFinalized } from '@valueverse/contracts';
import { dateIn, lookOf, periodText, ratesText, taxLabel } from './invoice-pages';
import { beginLetter, endLetter, type Letter, type Look } from './letterhead';
import { writeTable, type TableRow } from './line-table';
import type { Measure, Page } from './page';
import { writeTotals, type TotalRow } from './totals';

/** A credit note, and the invoice that it gives back a part of: it has its seller, its look and the names of its lines. */
export interface NoteToPrint { readonly note: CreditNoteIssued; readonly invoice: InvoiceFinalized }

const letterOf = ({ note, invoice }: NoteToPrint): Letter => {
  const look = lookOf(invoice);
  const { words, formats } = look;
  return {
    look, title: words.creditNote, number: note.number, billTo: note.billTo, seller: invoice.seller, headline: formats.money(note.total, note.currency),
    facts: [[words.number, note.number], [words.issued, dateIn(look, note.issuedAt)], [words.ofInvoice, `${invoice.number}, ${dateIn(look, invoice.issuedAt)}`], [words.reason, note.reason]],
  };
};

const rowOf = (line: CreditNoteLine, { note: { currency }, invoice }: NoteToPrint, look: Look, isTaxed: boolean): TableRow => {
  const { formats } = look;
  const { lineId, netAmount, taxAmount, taxes, servicePeriod } = line;
  return {
    title: invoice.lines.find((one) => one.lineId === lineId)?.description ?? lineId, notes: servicePeriod === undefined ? [] : [periodText(look, servicePeriod)], amount: Money.parse(netAmount, currency),
    cells: [...(isTaxed ? [ratesText(taxes, look), formats.number(taxAmount)] : []), formats.number(netAmount)],
  };
};

/** What each rate comes to, in the order of the lines. */
const taxRows = ({ lines, currency }: CreditNoteIssued, look: Look): TotalRow[] => {
  const byRate = Map.groupBy(lines.flatMap(({ taxes }) => taxes), ({ key, rate }) => JSON.stringify([key, rate]));
  return Array.from(byRate.values(), (own) => {
    const sumOf = (amounts: readonly string[]): string => Money.sum(amounts.map((amount) => Money.parse(amount, currency)), currency).toString();
    return { label: taxLabel(own[0]!.name, own[0]!.rate, sumOf(own.map(({ base }) => base)), look), amount: look.formats.number(sumOf(own.map(({ amount }) => amount))) };
  });
};

const totalRows = ({ note, invoice }: NoteToPrint, look: Look): TotalRow[] => {
  const { words, formats } = look;
  const { netTotal, total, applied, toBalance, toRefund, currency } = note;
  const taxes = taxRows(note, look);
  const settled: readonly (readonly [string, string])[] = [[words.settledOn(invoice.number), applied], [words.settledBalance, toBalance], [words.settledRefund, toRefund]];
  return [
    ...(taxes.length === 0 ? [] : [{ label: words.subtotalWithoutTax, amount: formats.number(netTotal) }]), ...taxes, { label: words.total, amount: formats.money(total, currency), isStrong: true },
    ...settled.filter(([, amount]) => Money.parse(amount, currency).isPositive()).map(([label, amount]) => ({ label, amount: formats.number(amount) })),
  ];
};

/** A credit note on pages, from its fact and that of its invoice. Amounts are above zero: the document gives them back. */
export const creditNotePages = (print: NoteToPrint, measure: Measure): readonly Page[] => {
  const { note: { lines, currency } } = print;
  const letter = letterOf(print);
  const { look } = letter;
  const { words } = look;
  const sheet = beginLetter(letter, measure);
  const isTaxed = lines.some(({ taxes }) => taxes.length > 0);
  writeTable(sheet, { look, heads: [...(isTaxed ? [words.tax, `${words.tax} (${currency})`] : []), `${isTaxed ? words.net : words.amount} (${currency})`], groups: [{ rows: lines.map((line) => rowOf(line, print, look, isTaxed)) }], nothing: Money.zero(currency) });
  writeTotals(sheet, totalRows(print, look));
  return endLetter(sheet, letter);
};
