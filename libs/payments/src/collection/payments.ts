import { isId, Money } from '@valueverse/kernel';
import type { DisputeOpened, InquiryOpened, PaymentAttemptDeclined } from '@valueverse/contracts';
import type { DeciderDefinition, ReadModel } from '@valueverse/event-log';
import { creditRefundView, creditView } from '../credits/credits';
import { sortableInstant } from '../methods/methods';
import { payment, type PaymentCommand, type PaymentEvent, type PaymentState } from './domain/payment';
import { isOver, type PaymentStatus } from './domain/states';

export interface AttemptRow {
  readonly number: number;
  readonly status: 'started' | 'succeeded' | 'declined' | 'unknown' | 'requires_action';
  readonly methodId: string;
  readonly provider: string;
  readonly providerKey: string;
  readonly providerReference?: string;
  /** What it asks for, where that is not what the payment asked for before. */
  readonly asked?: string;
  /** What it took. */
  readonly amount?: string;
  /** What the provider kept of it, where another attempt is the payment; of that one the payment says it. */
  readonly fee?: string;
  /** Where the customer confirms it. */
  readonly url?: string;
  readonly declineCode?: string;
  readonly declineClass?: PaymentAttemptDeclined['declineClass'];
  readonly startedAt: string;
  readonly endedAt: string | null;
}
export interface RefundRow {
  readonly id: string; readonly attempt: number; readonly amount: string; readonly status: 'pending' | 'succeeded' | 'failed'; readonly reason: string; readonly providerKey: string; readonly chargeReference: string;
  readonly providerReference?: string; readonly code?: string; readonly createdAt: string; readonly endedAt: string | null;
  /** It was made at the provider's own pages. */
  readonly origin?: 'provider';
}
export interface DisputeRow {
  readonly id: string; readonly paymentId: string; readonly invoiceId: string; readonly accountId: string; readonly amount: string; readonly currency: string; readonly reason: string; readonly status: 'inquiry' | 'inquiry_closed' | 'open' | 'won' | 'lost';
  /** Whose money it is, where that is known. */
  readonly attempt?: number;
  readonly evidenceDueBy: string | null; readonly providerReference: string; readonly openedAt: string; readonly closedAt: string | null;
  /** What the bank takes for it; `null` where the provider does not say. */
  readonly fee: string | null;
  /** What is gone: the amount until it is won; nothing of an inquiry. */
  readonly heldBack: string;
}
export interface PaymentRow {
  readonly id: string;
  /** Of what is prepaid its `creditId`. */
  readonly invoiceId: string;
  readonly creditId?: string;
  readonly accountId: string;
  readonly status: PaymentStatus;
  readonly amount: string;
  readonly currency: string;
  readonly methodId: string;
  readonly provider: string;
  readonly attempts: readonly AttemptRow[];
  readonly refunds: readonly RefundRow[];
  readonly amountRefunded: string;
  /** What customers have taken back through their banks, and not lost again. */
  readonly amountDisputed: string;
  readonly nextAttemptAt: string | null;
  readonly fee?: string;
  readonly createdAt: string;
}

/** The invoice of a payment, or of a dispute of it; `null` of one that is prepaid. */
export const invoiceOf = (invoiceId: string): string | null => (isId('crd', invoiceId) ? null : invoiceId);

const NONE: PaymentRow = { id: '', invoiceId: '', accountId: '', status: 'pending', amount: '', currency: '', methodId: '', provider: '', attempts: [], refunds: [], amountRefunded: '', amountDisputed: '', nextAttemptAt: null, createdAt: '' };
const withAttempt = (row: PaymentRow, number: number, change: Partial<AttemptRow>): PaymentRow['attempts'] =>
  row.attempts.map((attempt) => (attempt.number === number ? { ...attempt, ...change } : attempt));
const withRefund = (row: PaymentRow, refundId: string, change: Partial<RefundRow>): PaymentRow => {
  const refunds = row.refunds.map((refund) => (refund.id === refundId ? { ...refund, ...change } : refund));
  return { ...row, refunds, amountRefunded: Money.sum(refunds.filter(({ status }) => status === 'succeeded').map(({ amount }) => Money.parse(amount, row.currency)), row.currency).toString() };
};

const lastReference = (attempts: readonly AttemptRow[]): string | undefined => attempts.findLast(({ providerReference }) => providerReference !== undefined)?.providerReference;
/** A row per payment. An invoice has one payment under way at most, and the database holds that too. */
export const paymentView: ReadModel<PaymentEvent, PaymentRow> = {
  table: 'payments', version: 5, key: ({ paymentId = '' }) => paymentId, initial: NONE,
  on: {
    PaymentRequested: ({ paymentId, invoiceId, creditId, accountId, amount, currency, methodId, provider, requestedAt }) =>
      ({ ...NONE, id: paymentId, invoiceId, ...(creditId === undefined ? {} : { creditId }), accountId, amount, currency, methodId, provider, amountRefunded: Money.zero(currency).toString(), amountDisputed: Money.zero(currency).toString(), createdAt: requestedAt }),
    PaymentAttemptStarted: ({ attempt, providerKey, amount, methodId, provider, startedAt }, row) => ({
      ...row, status: 'processing', nextAttemptAt: null, amount: amount ?? row.amount, methodId: methodId ?? row.methodId, provider: provider ?? row.provider,
      attempts: [...row.attempts, { number: attempt, status: 'started', methodId: methodId ?? row.methodId, provider: provider ?? row.provider, providerKey, ...(amount === undefined ? {} : { asked: amount }), startedAt, endedAt: null }],
    }),
    PaymentAttemptDeclined: ({ attempt, declineCode, declineClass, declinedAt }, row) =>
      ({ ...row, status: row.status === 'succeeded' ? row.status : 'pending', attempts: withAttempt(row, attempt, { status: 'declined', declineCode, declineClass, endedAt: declinedAt }) }),
    PaymentAttemptLost: ({ attempt }, row) => ({ ...row, status: 'unknown', attempts: withAttempt(row, attempt, { status: 'unknown' }) }),
    PaymentAttemptAccepted: ({ attempt, providerReference }, row) => ({ ...row, status: 'processing', attempts: withAttempt(row, attempt, { status: 'started', providerReference }) }),
    PaymentActionRequired: ({ attempt, providerReference, url }, row) => ({ ...row, status: 'requires_action', attempts: withAttempt(row, attempt, { status: 'requires_action', providerReference, url }) }),
    PaymentRetryScheduled: ({ retryAt }, row) => ({ ...row, nextAttemptAt: retryAt }),
    PaymentSucceeded: ({ attempt, amount, currency, providerReference, fee, succeededAt }, row) =>
      ({ ...row, status: 'succeeded', amount, currency, nextAttemptAt: null, ...(fee === undefined ? {} : { fee }), attempts: withAttempt(row, attempt, { status: 'succeeded', providerReference, amount, endedAt: succeededAt }) }),
    PaymentFailed: (_, row) => ({ ...row, status: 'failed', nextAttemptAt: null }),
    PaymentCancelled: (_, row) => ({ ...row, status: 'cancelled', nextAttemptAt: null }),
    PaymentDuplicated: ({ attempt, amount, providerReference, foundAt, fee }, row) => ({ ...row, attempts: withAttempt(row, attempt, { status: 'succeeded', providerReference, amount, ...(fee === undefined ? {} : { fee }), endedAt: foundAt }) }),
    RefundRequested: ({ refundId, attempt, amount, reason, providerKey, providerReference, requestedAt, origin }, row) =>
      ({ ...row, refunds: [...row.refunds, { id: refundId, attempt, amount, status: 'pending', reason, providerKey, chargeReference: providerReference, createdAt: requestedAt, endedAt: null, ...(origin === undefined ? {} : { origin }) }] }),
    RefundSucceeded: ({ refundId, providerReference, refundedAt }, row) => withRefund(row, refundId, { status: 'succeeded', providerReference, endedAt: refundedAt }),
    RefundFailed: ({ refundId, code, failedAt }, row) => withRefund(row, refundId, { status: 'failed', code, endedAt: failedAt }),
    DisputeOpened: ({ amount, currency }, row) => ({ ...row, amountDisputed: Money.parse(row.amountDisputed, currency).add(Money.parse(amount, currency)).toString() }),
    DisputeClosed: ({ amount, currency, outcome }, row) => (outcome === 'lost' ? row : { ...row, amountDisputed: Money.parse(row.amountDisputed, currency).subtract(Money.parse(amount, currency)).toString() }),
  },
  columns: {
    invoice_id: ({ invoiceId }) => invoiceId, account_id: ({ accountId }) => accountId, status: ({ status }) => status,
    provider_reference: ({ attempts }) => lastReference(attempts) ?? null,
    // What another attempt took too is disputed and given back under its own reference.
    duplicate_reference: ({ attempts }) => attempts.find(({ status, providerReference }) => status === 'succeeded' && providerReference !== lastReference(attempts))?.providerReference ?? null,
    open_invoice_id: ({ status, invoiceId }) => (isOver(status) ? null : invoiceId),
  },
  unique: ['open_invoice_id'],
  sortBy: ({ createdAt }) => sortableInstant(createdAt),
};

const disputeOf = ({ type: _type, disputeId: id, evidenceDueBy, ...fact }: InquiryOpened | DisputeOpened, row: Pick<DisputeRow, 'status' | 'fee' | 'heldBack'>): DisputeRow => ({ id, ...fact, evidenceDueBy: evidenceDueBy ?? null, closedAt: null, ...row });
/** A row per dispute or inquiry; those that are open have to be answered before `evidenceDueBy`. */
export const disputeView: ReadModel<PaymentEvent, DisputeRow> = {
  table: 'payment_disputes', version: 2, key: (fact) => ('disputeId' in fact ? fact.disputeId : ''),
  initial: { id: '', paymentId: '', invoiceId: '', accountId: '', amount: '', currency: '', reason: '', status: 'open', evidenceDueBy: null, providerReference: '', openedAt: '', closedAt: null, fee: null, heldBack: '' },
  on: {
    DisputeOpened: (fact) => disputeOf(fact, { status: 'open', fee: fact.fee ?? null, heldBack: fact.amount }),
    InquiryOpened: (fact) => disputeOf(fact, { status: 'inquiry', fee: null, heldBack: Money.zero(fact.currency).toString() }),
    InquiryClosed: ({ closedAt }, row) => ({ ...row, status: 'inquiry_closed', closedAt }),
    DisputeClosed: ({ outcome, currency, closedAt }, row) => ({ ...row, status: outcome, closedAt, ...(outcome === 'won' ? { heldBack: Money.zero(currency).toString() } : {}) }),
  },
  columns: { account_id: ({ accountId }) => accountId, status: ({ status }) => status, payment_id: ({ paymentId }) => paymentId }, sortBy: ({ openedAt }) => sortableInstant(openedAt),
};

export const paymentDecider: DeciderDefinition<PaymentCommand, PaymentEvent, PaymentState> = {
  name: 'payment', decider: payment, stream: ({ paymentId }) => `payment-${paymentId}`, views: [paymentView, disputeView, creditView, creditRefundView],
};
