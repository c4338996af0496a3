import { type Decimal, Money, Refused } from '@valueverse/kernel';
import type { CreditNoteLine, InvoiceLine } from '@valueverse/contracts';
import { leftOf, taxesOfPart, taxOfPart, type GivenBack, type Left } from './note-lines';

/** What somebody wants to give back: of lines, as they are priced (with the tax in it where a price is inclusive, without it where not), or so much of the whole invoice, tax included. */
export type NoteRequest = { readonly lines: readonly { readonly lineId: string; readonly amount: string }[] } | { readonly amount: string };
export interface Noted { readonly currency: string; readonly lines: readonly InvoiceLine[]; readonly credited: Readonly<Record<string, GivenBack>> }

const noteLine = (line: InvoiceLine, left: Left, net: Money, tax: Money, amount: Money): CreditNoteLine => ({
  lineId: line.lineId, amount: amount.toString(), netAmount: net.toString(), taxAmount: tax.toString(), taxes: taxesOfPart(line, net, tax), servicePeriod: line.servicePeriod,
  steps: [{ kind: 'given_back', of: left.net.add(left.tax).toString(), net: net.toString(), tax: tax.toString(), amount: net.add(tax).toString() }],
});

/** Net and tax of an amount with tax in it, in the proportion of what is left of its line. */
const splitGross = (gross: Money, left: Left): { net: Money; tax: Money } => {
  if (gross.compare(left.net.add(left.tax)) >= 0) return { net: gross.subtract(left.tax), tax: left.tax };
  if (left.tax.isZero()) return { net: gross, tax: left.tax };
  const [net, tax] = gross.allocate([left.net.toDecimal(), left.tax.toDecimal()]) as [Money, Money];
  return { net, tax };
};

/**
 * The lines of a credit note by hand. Tax comes in proportion, all of it with the last part of a line. Refuses with `line_not_found`, `credit_exceeds_line`, `credit_exceeds_invoice`, and `amount_not_positive`.
 */
export const noteLinesFor = (noted: Noted, request: NoteRequest): CreditNoteLine[] => ('lines' in request ? byLine(noted, request.lines) : byAmount(noted, request.amount));

const positive = (text: string, currency: string, pointer: string): Money => {
  const amount = Money.parse(text, currency);
  if (!amount.isPositive()) throw new Refused('amount_not_positive', 'more than nothing is given back', pointer);
  return amount;
};

const byLine = ({ currency, lines, credited }: Noted, wanted: readonly { readonly lineId: string; readonly amount: string }[]): CreditNoteLine[] => wanted.map(({ lineId, amount: text }, nth) => {
  const line = lines.find((one) => one.lineId === lineId);
  if (line === undefined || wanted.findIndex((one) => one.lineId === lineId) !== nth) throw new Refused('line_not_found', line === undefined ? `the invoice has no line ${lineId}` : 'a line is named once', `/lines/${nth}/lineId`);
  const amount = positive(text, currency, `/lines/${nth}/amount`);
  const left = leftOf(line, credited[lineId], currency);
  const most = line.taxBehavior === 'inclusive' ? left.net.add(left.tax) : left.net;
  if (amount.compare(most) > 0) throw new Refused('credit_exceeds_line', `${most.toString()} of the line is left to be given back`, `/lines/${nth}/amount`);
  const { net, tax } = line.taxBehavior === 'inclusive' ? splitGross(amount, left) : { net: amount, tax: taxOfPart(amount, left) };
  return noteLine(line, left, net, tax, amount);
});

/** So much of an invoice is taken from its lines in the proportion of what is left of each. */
const byAmount = ({ currency, lines, credited }: Noted, text: string): CreditNoteLine[] => {
  const amount = positive(text, currency, '/amount');
  const parts = lines.map((line) => ({ line, left: leftOf(line, credited[line.lineId], currency) })).filter(({ left }) => left.net.add(left.tax).isPositive());
  const whole = Money.sum(parts.map(({ left }) => left.net.add(left.tax)), currency);
  if (amount.compare(whole) > 0) throw new Refused('credit_exceeds_invoice', `${whole.toString()} of the invoice is left to be given back`, '/amount');
  const weights: Decimal[] = parts.map(({ left }) => left.net.add(left.tax).toDecimal());
  return amount.allocate(weights).flatMap((share, nth) => {
    const { line, left } = parts[nth]!;
    if (share.isZero()) return [];
    const { net, tax } = splitGross(share, left);
    return [noteLine(line, left, net, tax, line.taxBehavior === 'inclusive' ? share : net)];
  });
};
