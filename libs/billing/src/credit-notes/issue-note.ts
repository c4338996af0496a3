import { Money, type Instant } from '@valueverse/kernel';
import type { CreditNoteIssued, CreditNoteLine } from '@valueverse/contracts';
import { follow, type Reaction, type Tx } from '@valueverse/event-log';
import { balanceDecider } from '../balances/balance.model';
import { invoiceDecider, type InvoiceRow } from '../invoicing/invoice.model';
import { nextNumber } from '../invoicing/number-series';
import { creditNoteDecider } from './credit-note.model';

export interface NewNote {
  readonly creditNoteId: string;
  readonly lines: readonly CreditNoteLine[];
  readonly settlement: CreditNoteIssued['settlement'];
  readonly reason: string;
  readonly billTo: CreditNoteIssued['billTo'];
}
export interface IssuedNote { readonly commands: NonNullable<Reaction['commands']>; readonly number: string; readonly total: Money; readonly applied: Money; readonly toBalance: Money; readonly toRefund: Money }

/**
 * A credit note against an invoice, whose row the transaction holds: it first lowers what is still due there; the rest goes to the account's balance, or is to be refunded. The invoice says whether its lines
 * have that much left.
 */
export const issueNote = async (tx: Tx, tenant: string, row: InvoiceRow, { creditNoteId, lines, settlement, reason, billTo }: NewNote, { at, clockId }: { at: Instant; clockId: string | undefined }): Promise<IssuedNote> => {
  const { invoiceId, accountId, drafted: { currency }, issued } = row;
  const { entityKey } = issued!;
  const sumOf = (amounts: readonly string[]): Money => Money.sum(amounts.map((amount) => Money.parse(amount, currency)), currency);
  const [net, tax] = [sumOf(lines.map(({ netAmount }) => netAmount)), sumOf(lines.map(({ taxAmount }) => taxAmount))];
  const total = net.add(tax);
  const applied = total.min(Money.parse(row.amountRemaining, currency)).max(Money.zero(currency));
  const rest = total.subtract(applied);
  const [toBalance, toRefund] = settlement === 'refund' ? [Money.zero(currency), rest] : [rest, Money.zero(currency)];
  const number = await nextNumber(tx, tenant, { kind: 'credit_note', entityKey, clockId });
  const commands = [
    follow(invoiceDecider, { type: 'CreditInvoice', invoiceId, creditNoteId, amount: applied.toString(), lines: lines.map(({ lineId, amount, netAmount, taxAmount }) => ({ lineId, amount, netAmount, taxAmount })), ...(toRefund.isPositive() ? { toRefund: toRefund.toString() } : {}), at }),
    follow(creditNoteDecider, {
      type: 'IssueCreditNote', creditNoteId, number, invoiceId, accountId, currency, ...(entityKey === undefined ? {} : { entityKey }), lines, netTotal: net.toString(), taxTotal: tax.toString(), total: total.toString(),
      applied: applied.toString(), toBalance: toBalance.toString(), toRefund: toRefund.toString(), settlement, reason, billTo, at,
    }),
    ...(toBalance.isPositive() ? [follow(balanceDecider, { type: 'CreditBalance', accountId, currency, amount: toBalance.toString(), source: 'credit_note', sourceId: creditNoteId, at })] : []),
  ];
  return { commands, number, total, applied, toBalance, toRefund };
};
