import type { PaymentAttemptDeclined } from '@valueverse/contracts';
import type { DeciderDefinition, ReadModel } from '@valueverse/event-log';
import { sortableInstant } from '../methods/methods';
import { payment, type PaymentCommand, type PaymentEvent, type PaymentState } from './domain/payment';

export interface AttemptRow {
  readonly number: number;
  readonly status: 'started' | 'succeeded' | 'declined' | 'unknown';
  readonly providerKey: string;
  readonly declineCode?: string;
  readonly declineClass?: PaymentAttemptDeclined['declineClass'];
  readonly startedAt: string;
  readonly endedAt: string | null;
}
export interface PaymentRow {
  readonly id: string;
  readonly invoiceId: string;
  readonly accountId: string;
  readonly status: Exclude<PaymentState['status'], 'none'>;
  readonly amount: string;
  readonly currency: string;
  readonly methodId: string;
  readonly provider: string;
  readonly attempts: readonly AttemptRow[];
  readonly createdAt: string;
}

const NONE: PaymentRow = { id: '', invoiceId: '', accountId: '', status: 'pending', amount: '', currency: '', methodId: '', provider: '', attempts: [], createdAt: '' };
const withAttempt = (row: PaymentRow, number: number, change: Partial<AttemptRow>): PaymentRow['attempts'] =>
  row.attempts.map((attempt) => (attempt.number === number ? { ...attempt, ...change } : attempt));

/** A row per payment. An invoice has one payment under way at most, and the database holds that too. */
export const paymentView: ReadModel<PaymentEvent, PaymentRow> = {
  table: 'payments', version: 1, key: ({ paymentId }) => paymentId, initial: NONE,
  on: {
    PaymentRequested: ({ paymentId, invoiceId, accountId, amount, currency, methodId, provider, requestedAt }) =>
      ({ ...NONE, id: paymentId, invoiceId, accountId, amount, currency, methodId, provider, createdAt: requestedAt }),
    PaymentAttemptStarted: ({ attempt, providerKey, startedAt }, row) =>
      ({ ...row, status: 'processing', attempts: [...row.attempts, { number: attempt, status: 'started', providerKey, startedAt, endedAt: null }] }),
    PaymentAttemptDeclined: ({ attempt, declineCode, declineClass, declinedAt }, row) =>
      ({ ...row, status: 'pending', attempts: withAttempt(row, attempt, { status: 'declined', declineCode, declineClass, endedAt: declinedAt }) }),
    PaymentAttemptLost: ({ attempt }, row) => ({ ...row, status: 'unknown', attempts: withAttempt(row, attempt, { status: 'unknown' }) }),
    PaymentSucceeded: ({ attempt, amount, currency, succeededAt }, row) =>
      ({ ...row, status: 'succeeded', amount, currency, attempts: withAttempt(row, attempt, { status: 'succeeded', endedAt: succeededAt }) }),
    PaymentFailed: (_, row) => ({ ...row, status: 'failed' }),
  },
  columns: {
    invoice_id: ({ invoiceId }) => invoiceId, account_id: ({ accountId }) => accountId,
    open_invoice_id: ({ status, invoiceId }) => (status === 'succeeded' || status === 'failed' ? null : invoiceId),
  },
  unique: ['open_invoice_id'],
  sortBy: ({ createdAt }) => sortableInstant(createdAt),
};

export const paymentDecider: DeciderDefinition<PaymentCommand, PaymentEvent, PaymentState> = {
  name: 'payment', decider: payment, stream: ({ paymentId }) => `payment-${paymentId}`, views: [paymentView],
};
