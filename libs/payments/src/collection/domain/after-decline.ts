import type { PaymentAttemptDeclined, PaymentFailed, PaymentRequested, PaymentRetryScheduled } from '@valueverse/contracts';
import type { NextTry } from './payment-command';

/** What follows from a decline: another try where there is to be one, else the payment has failed. */
export const afterDecline = (request: PaymentRequested, { declineCode, declineClass, attempt, declinedAt }: PaymentAttemptDeclined, next: NextTry | undefined): readonly (PaymentFailed | PaymentRetryScheduled)[] => {
  const { paymentId, invoiceId, accountId, amount, currency } = request;
  if (next !== undefined) return [{ type: 'PaymentRetryScheduled', paymentId, attempt: attempt + 1, ...next, declineClass, scheduledAt: declinedAt, invoiceId, accountId, amount, currency, declineCode }];
  return [{ type: 'PaymentFailed', paymentId, invoiceId, accountId, amount, currency, declineCode, failedAt: declinedAt }];
};
