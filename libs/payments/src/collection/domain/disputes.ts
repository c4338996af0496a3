import { Refused } from '@valueverse/kernel';
import type { PaymentRequested } from '@valueverse/contracts';
import type { CloseDispute, OpenDispute } from './payment-command';
import type { PaymentEvent } from './payment-event';
import type { PaymentState } from './payment';

export const openDispute = ({ paymentId, disputeId, amount, currency, reason, providerReference, evidenceDueBy, fee, at }: OpenDispute, { invoiceId, accountId }: PaymentRequested, { disputes }: PaymentState): readonly PaymentEvent[] =>
  (disputes.some((one) => one.disputeId === disputeId) ? [] : [{
    type: 'DisputeOpened', paymentId, disputeId, invoiceId, accountId, amount, currency, reason, providerReference, openedAt: at, ...(evidenceDueBy === undefined ? {} : { evidenceDueBy }), ...(fee === undefined ? {} : { fee }),
  }]);

/** A dispute is closed once: the bank says so once. Refuses with `dispute_not_found`. */
export const closeDispute = ({ paymentId, disputeId, outcome, at }: CloseDispute, { invoiceId, accountId, currency }: PaymentRequested, { disputes }: PaymentState): readonly PaymentEvent[] => {
  const found = disputes.find((one) => one.disputeId === disputeId);
  if (found === undefined) throw new Refused('dispute_not_found', 'this payment has no such dispute');
  return found.status === 'open' ? [{ type: 'DisputeClosed', paymentId, disputeId, invoiceId, accountId, amount: found.amount, currency, outcome, closedAt: at }] : [];
};
