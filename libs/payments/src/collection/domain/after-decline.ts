import type { PaymentAttemptDeclined, PaymentFailed, PaymentRequested } from '@valueverse/contracts';

/** What follows from a decline. A payment has one attempt, so that it fails; whoever tries again decides so here and nowhere else. */
export const afterDecline = (request: PaymentRequested, { declineCode, declinedAt }: PaymentAttemptDeclined): readonly PaymentFailed[] => {
  const { paymentId, invoiceId, accountId, amount, currency } = request;
  return [{ type: 'PaymentFailed', paymentId, invoiceId, accountId, amount, currency, declineCode, failedAt: declinedAt }];
};
