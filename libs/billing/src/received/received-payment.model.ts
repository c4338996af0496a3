import { Decimal } from '@valueverse/kernel';
import type { InvoicePaymentApplied, InvoicePaymentUnmatched } from '@valueverse/contracts';
import type { ReadModel } from '@valueverse/event-log';
import type { InvoiceEvent } from '../invoicing/domain/invoice.decider';

/** Money that came in, as billing sees it. Amounts are decimals of major units; what was not applied has a reason. */
export interface ReceivedPaymentRow {
  readonly paymentId: string;
  readonly invoiceId: string;
  readonly accountId?: string;
  readonly currency?: string;
  readonly applied?: string | undefined;
  readonly unapplied?: string | undefined;
  readonly reason?: InvoicePaymentUnmatched['reason'];
  readonly receivedAt: string;
}

const headOf = ({ paymentId, invoiceId, accountId, currency }: InvoicePaymentApplied | InvoicePaymentUnmatched): Omit<ReceivedPaymentRow, 'receivedAt'> =>
  ({ paymentId, invoiceId, ...(accountId === undefined ? {} : { accountId }), ...(currency === undefined ? {} : { currency }) });

const statusOf = ({ applied, unapplied }: Pick<ReceivedPaymentRow, 'applied' | 'unapplied'>): string => (unapplied === undefined ? 'applied' : applied === undefined ? 'unapplied' : 'partially_applied');

/** A row of each payment: what of it an invoice took, and what is over. */
export const receivedPaymentsModel: ReadModel<InvoiceEvent, ReceivedPaymentRow> = {
  table: 'received_payments', version: 1, key: (event) => ('paymentId' in event ? event.paymentId : ''), initial: {} as ReceivedPaymentRow,
  on: {
    InvoicePaymentApplied: (fact, row) => ({ ...row, ...headOf(fact), applied: fact.amount, receivedAt: fact.appliedAt }),
    InvoicePaymentUnmatched: (fact, row) => ({ ...row, ...headOf(fact), unapplied: fact.amount, reason: fact.reason, receivedAt: fact.unmatchedAt }),
  },
  columns: { status: statusOf, invoice_id: ({ invoiceId }) => invoiceId, account_id: ({ accountId }) => accountId ?? null }, sortBy: ({ receivedAt }) => receivedAt,
};

/** Nothing with as many digits as an amount has. */
const nothingLike = (amount: string): string => Decimal.zero.toFixed(amount.split('.')[1]?.length ?? 0);

/** A payment as it is answered: `amount` is what came in, `applied` and `unapplied` add up to it. */
export const receivedToApi = ({ paymentId, applied, unapplied, reason, ...row }: ReceivedPaymentRow): Record<string, unknown> => {
  const like = applied ?? unapplied!;
  const [taken, over] = [applied ?? nothingLike(like), unapplied ?? nothingLike(like)];
  return {
    id: paymentId, ...row, amount: Decimal.parse(taken).plus(Decimal.parse(over)).toFixed(like.split('.')[1]?.length ?? 0), applied: taken, unapplied: over, reason: reason ?? null,
    status: statusOf({ applied, unapplied }),
  };
};
