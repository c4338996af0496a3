import type { Decimal } from '@valueverse/kernel';
import type { InvoicePaymentUnmatched } from '@valueverse/contracts';
import type { ReadModel } from '@valueverse/event-log';
import type { InvoiceEvent } from '../invoicing/domain/invoice.decider';
import { afterFact, type ReceivedFact, type ReceivedMoney, standingOf } from './domain/received-money';

/** Money that came in, as billing sees it, and what became of it. What was not applied has a reason. */
export interface ReceivedPaymentRow extends ReceivedMoney {
  readonly paymentId: string;
  readonly invoiceId: string;
  readonly accountId?: string;
  readonly currency?: string;
  readonly reason?: InvoicePaymentUnmatched['reason'];
  readonly receivedAt: string;
}

const after = (fact: ReceivedFact, row: ReceivedPaymentRow): ReceivedPaymentRow => ({ ...row, ...afterFact(fact, row) });
const headOf = ({ paymentId, invoiceId, currency, ...fact }: ReceivedFact): Omit<ReceivedPaymentRow, 'receivedAt'> =>
  ({ paymentId, invoiceId, ...('accountId' in fact && fact.accountId !== undefined ? { accountId: fact.accountId } : {}), ...(currency === undefined ? {} : { currency }) });

const statusOf = (money: ReceivedMoney): string => {
  const { unapplied } = standingOf(money);
  return unapplied.isZero() ? 'applied' : money.applied === undefined ? 'unapplied' : 'partially_applied';
};

/** A row of each payment: what of it an invoice took, what is over, and what went back. */
export const receivedPaymentsModel: ReadModel<InvoiceEvent, ReceivedPaymentRow> = {
  table: 'received_payments', version: 1, key: (event) => ('paymentId' in event ? event.paymentId : ''), initial: {} as ReceivedPaymentRow,
  on: {
    InvoicePaymentApplied: (fact, row) => ({ ...after(fact, row), ...headOf(fact), receivedAt: fact.appliedAt }),
    InvoicePaymentUnmatched: (fact, row) => ({ ...after(fact, row), ...headOf(fact), reason: fact.reason, receivedAt: fact.unmatchedAt }),
    InvoicePaymentDuplicated: after, InvoicePaymentCredited: after, InvoicePaymentRefunded: after, InvoiceRefundReturned: after, InvoicePaymentDisputed: after, InvoiceDisputeClosed: after,
  },
  columns: { status: statusOf, invoice_id: ({ invoiceId }) => invoiceId, account_id: ({ accountId }) => accountId ?? null }, sortBy: ({ receivedAt }) => receivedAt,
};

/** A payment as it is answered: `amount` is what came in, `applied` and `unapplied` add up to it; `refunded`, `disputed` and `lost` are what of it went back. Its `allocations` say the same of what an invoice took. */
export const receivedToApi = (row: ReceivedPaymentRow): Record<string, unknown> => {
  const { paymentId, invoiceId, accountId, currency, applied, unapplied, reason, duplicates = [], refunds = [], disputes = [], receivedAt } = row;
  const digits = (applied ?? unapplied!).split('.')[1]?.length ?? 0;
  const text = (amount: Decimal): string => amount.toFixed(digits);
  const { ofInvoice, ...whole } = standingOf(row);
  return {
    id: paymentId, invoiceId, ...(accountId === undefined ? {} : { accountId }), ...(currency === undefined ? {} : { currency }), amount: text(whole.amount), applied: text(ofInvoice.applied), unapplied: text(whole.unapplied),
    reason: reason ?? (duplicates.length > 0 ? 'duplicate' : null), refunded: text(whole.refunded), disputed: text(whole.disputed), lost: text(whole.lost), status: statusOf(row), receivedAt,
    allocations: applied === undefined ? [] : [{ invoiceId, amount: text(ofInvoice.applied), refunded: text(ofInvoice.refunded), disputed: text(ofInvoice.disputed), lost: text(ofInvoice.lost) }],
    refunds: refunds.map(({ attempt: _attempt, creditId: _creditId, ...refund }) => refund), disputes: disputes.map(({ attempt: _attempt, ...dispute }) => ({ ...dispute, closedAt: dispute.closedAt ?? null })),
  };
};
