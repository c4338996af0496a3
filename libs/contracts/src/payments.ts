import { defineEvent, type EventOf } from './event-definition';
import { decimal, flag, instant, object, oneOf, optional, text, whole } from './schema';

/** `enteredAt`: the customer did it at the provider, then by its clock. */
export const PaymentMethodAttached = defineEvent({
  name: 'PaymentMethodAttached', topic: 'payments.methods', fact: 'payment_method.attached',
  data: object({
    methodId: text(), accountId: text(), provider: text(64), token: text(256), default: flag(), attachedAt: instant(), brand: optional(text(64)), last4: optional(text(4)), expires: optional(text(7)),
    enteredAt: optional(instant()),
  }),
});
export type PaymentMethodAttached = EventOf<typeof PaymentMethodAttached>;

const ofMethod = { methodId: text(), accountId: text(), brand: optional(text(64)), last4: optional(text(4)) };
/** The bank has sent another card for the same account: what the provider says of it now. */
export const PaymentMethodUpdated = defineEvent({
  name: 'PaymentMethodUpdated', topic: 'payments.methods', fact: 'payment_method.updated', data: object({ ...ofMethod, expires: optional(text(7)), updatedAt: instant() }),
});
export type PaymentMethodUpdated = EventOf<typeof PaymentMethodUpdated>;
/** A card works until the end of its last month, `expires`: told 30 days before, by the customer's calendar. */
export const PaymentMethodExpiryAnnounced = defineEvent({
  name: 'PaymentMethodExpiryAnnounced', topic: 'payments.methods', fact: 'payment_method.expiry_announced', data: object({ ...ofMethod, expires: text(7), toldAt: instant() }),
});
export type PaymentMethodExpiryAnnounced = EventOf<typeof PaymentMethodExpiryAnnounced>;
/** It is charged no more. `detached`: the provider had let it go before, because its customer removed it there. */
export const PaymentMethodRemoved = defineEvent({
  name: 'PaymentMethodRemoved', topic: 'payments.methods', fact: 'payment_method.removed', data: object({ methodId: text(), accountId: text(), provider: text(64), detached: flag(), removedAt: instant() }),
});
export type PaymentMethodRemoved = EventOf<typeof PaymentMethodRemoved>;
/**
 * This method of the account is charged from now on: asked for by the tenant, chosen by the customer at the provider, or by the rule where the default was removed: the oldest that is left. `requestId` is the request to
 * attach it that found it attached already.
 */
export const PaymentMethodDefaultChosen = defineEvent({
  name: 'PaymentMethodDefaultChosen', topic: 'payments.methods', fact: 'payment_method.default_chosen',
  data: object({ methodId: text(), accountId: text(), provider: text(64), chosenBy: oneOf('tenant', 'customer', 'rule'), requestId: optional(text()), chosenAt: instant() }),
});
export type PaymentMethodDefaultChosen = EventOf<typeof PaymentMethodDefaultChosen>;

const ofPayment = { paymentId: text(), attempt: whole(1) };
const ofInvoice = { paymentId: text(), invoiceId: text(), accountId: text(), amount: decimal(), currency: text(3) };
const declineClass = oneOf('hard', 'soft', 'fraud', 'technical');

/** An invoice is to be collected: one open payment per invoice. Where it is prepaid there is none: then `creditId` is what the account has once the money is in, and stands in the place of the invoice too. */
export const PaymentRequested = defineEvent({
  name: 'PaymentRequested', topic: 'payments.payments', fact: 'payment.requested',
  data: object({ ...ofInvoice, methodId: text(), provider: text(64), requestedAt: instant(), creditId: optional(text()) }),
});
/** The attempt number and the key for the provider are stored before anything is sent. The method is that of the request where none is named; `amount` is what it asks for, where that is not what was asked for before: a part may have come in meanwhile. */
export const PaymentAttemptStarted = defineEvent({
  name: 'PaymentAttemptStarted', topic: 'payments.payments', fact: 'payment.attempt_started',
  data: object({ ...ofPayment, providerKey: text(), startedAt: instant(), methodId: optional(text()), provider: optional(text(64)), amount: optional(decimal()) }),
});
export const PaymentAttemptDeclined = defineEvent({
  name: 'PaymentAttemptDeclined', topic: 'payments.payments', fact: 'payment.attempt_declined',
  data: object({ ...ofPayment, declineCode: text(128), declineClass, declinedAt: instant() }),
});
/** The answer was lost. Not a failure: the provider is asked before anything is tried again. */
export const PaymentAttemptLost = defineEvent({
  name: 'PaymentAttemptLost', topic: 'payments.payments', fact: 'payment.attempt_lost',
  data: object({ ...ofPayment, reason: text(), lostAt: instant() }),
});
/** The money is on its way, and arrives within days or not. */
export const PaymentAttemptAccepted = defineEvent({
  name: 'PaymentAttemptAccepted', topic: 'payments.payments', fact: 'payment.attempt_accepted',
  data: object({ ...ofPayment, providerReference: text(256), acceptedAt: instant() }),
});
/** The customer has to confirm the attempt, at `url`. */
export const PaymentActionRequired = defineEvent({
  name: 'PaymentActionRequired', topic: 'payments.payments', fact: 'payment.action_required',
  data: object({ ...ofPayment, invoiceId: text(), accountId: text(), providerReference: text(256), url: text(2048), requiredAt: instant() }),
});
/** The next attempt begins at `retryAt`, by this method. What it is about, and the bank's word, are said for whoever tells the customer. */
export const PaymentRetryScheduled = defineEvent({
  name: 'PaymentRetryScheduled', topic: 'payments.payments', fact: 'payment.retry_scheduled',
  data: object({ ...ofPayment, retryAt: instant(), methodId: text(), provider: text(64), declineClass, scheduledAt: instant(), invoiceId: optional(text()), accountId: optional(text()), amount: optional(decimal()), currency: optional(text(3)), declineCode: optional(text(128)) }),
});
export const PaymentSucceeded = defineEvent({
  name: 'PaymentSucceeded', topic: 'payments.payments', fact: 'payment.succeeded',
  data: object({ ...ofInvoice, attempt: whole(1), providerReference: text(256), succeededAt: instant(), fee: optional(decimal()) }),
});
export const PaymentFailed = defineEvent({
  name: 'PaymentFailed', topic: 'payments.payments', fact: 'payment.failed',
  data: object({ ...ofInvoice, declineCode: optional(text(128)), failedAt: instant() }),
});
/** Nothing is collected any more: the invoice was paid in another way, or is void. */
export const PaymentCancelled = defineEvent({
  name: 'PaymentCancelled', topic: 'payments.payments', fact: 'payment.cancelled',
  data: object({ ...ofInvoice, reason: text(512), cancelledAt: instant() }),
});
/** A second attempt took money too, against what its provider had said before: it is given back. Facts before the first release lack `invoiceId`. */
export const PaymentDuplicated = defineEvent({
  name: 'PaymentDuplicated', topic: 'payments.payments', fact: 'payment.duplicated',
  data: object({ ...ofPayment, accountId: text(), amount: decimal(), currency: text(3), providerReference: text(256), foundAt: instant(), invoiceId: optional(text()), fee: optional(decimal()) }),
});

const ofRefund = { paymentId: text(), refundId: text(), amount: decimal(), currency: text(3) };
/** The key for the provider is stored before anything is sent; `providerReference` is the charge that is given back. `origin`: it was made at the provider's own pages, and nothing is sent. */
export const RefundRequested = defineEvent({
  name: 'RefundRequested', topic: 'payments.payments', fact: 'refund.requested',
  data: object({ ...ofRefund, reason: text(512), providerKey: text(), providerReference: text(256), attempt: whole(1), requestedAt: instant(), origin: optional(oneOf('provider')), heldBackId: optional(text()) }),
});
/** What was to go back by itself, and is disputed just now: it goes back when the bank lets it go, by a request with this `refundId` as its `heldBackId`. */
export const RefundHeldBack = defineEvent({
  name: 'RefundHeldBack', topic: 'payments.payments', fact: 'refund.held_back', data: object({ ...ofRefund, reason: text(512), attempt: whole(1), heldBackAt: instant() }),
});
export type RefundHeldBack = EventOf<typeof RefundHeldBack>;
/** `creditId`: what it pays out was left to the account, and is none of the invoice's. */
export const RefundSucceeded = defineEvent({
  name: 'RefundSucceeded', topic: 'payments.payments', fact: 'refund.succeeded',
  data: object({ ...ofRefund, invoiceId: text(), accountId: text(), providerReference: text(256), refundedAt: instant(), attempt: optional(whole(1)), creditId: optional(text()) }),
});
/** Also after it had succeeded: the bank of the customer sent the money back to us. */
export const RefundFailed = defineEvent({
  name: 'RefundFailed', topic: 'payments.payments', fact: 'refund.failed',
  data: object({ ...ofRefund, code: text(128), failedAt: instant(), invoiceId: optional(text()) }),
});
const ofDispute = { paymentId: text(), disputeId: text(), amount: decimal(), currency: text(3) };
/** The customer takes the money back through the bank; it is gone until the dispute is won, and so is the bank's fee, however it ends. `attempt` is the one whose money it is: the one that succeeded first where it is not said. */
export const DisputeOpened = defineEvent({
  name: 'DisputeOpened', topic: 'payments.payments', fact: 'dispute.opened',
  data: object({ ...ofDispute, invoiceId: text(), accountId: text(), reason: text(128), providerReference: text(256), evidenceDueBy: optional(instant()), openedAt: instant(), fee: optional(decimal()), attempt: optional(whole(1)) }),
});
export const DisputeClosed = defineEvent({
  name: 'DisputeClosed', topic: 'payments.payments', fact: 'dispute.closed',
  data: object({ ...ofDispute, invoiceId: text(), accountId: text(), outcome: oneOf('won', 'lost'), closedAt: instant() }),
});
/** The bank asks about a payment, and takes nothing: the customer may dispute it later, under the same `disputeId`. */
export const InquiryOpened = defineEvent({
  name: 'InquiryOpened', topic: 'payments.payments', fact: 'inquiry.opened',
  data: object({ ...ofDispute, invoiceId: text(), accountId: text(), reason: text(128), providerReference: text(256), evidenceDueBy: optional(instant()), openedAt: instant(), attempt: optional(whole(1)) }),
});
/** The bank asks no more: it was answered, or the money was given back. */
export const InquiryClosed = defineEvent({ name: 'InquiryClosed', topic: 'payments.payments', fact: 'inquiry.closed', data: object({ ...ofDispute, invoiceId: text(), accountId: text(), closedAt: instant() }) });
/** Money that is the account's now: what of a payment no invoice took (`paymentId`), or what came for no invoice (`reference`, `receivedAt`). Its next invoices take it. `refundId`: it was the account's before, and this refund of it did not arrive. */
export const MoneyCredited = defineEvent({
  name: 'MoneyCredited', topic: 'payments.payments', fact: 'money.credited',
  data: object({ creditId: text(), accountId: text(), amount: decimal(), currency: text(3), paymentId: optional(text()), invoiceId: optional(text()), reference: optional(text(128)), receivedAt: optional(instant()), creditedAt: instant(), refundId: optional(text()) }),
});
export type MoneyCredited = EventOf<typeof MoneyCredited>;
const ofTakenBack = { creditId: text(), accountId: text(), amount: decimal(), currency: text(3), paymentId: optional(text()) };
/**
 * Money that was left to an account is there no more: its bank takes it back, it was given back at the provider's own page, or it bounced. Whoever keeps the account's balance takes it from there, also where it was used. Once per `takenBackId`.
 */
export const CreditTakenBack = defineEvent({ name: 'CreditTakenBack', topic: 'payments.payments', fact: 'credit.taken_back', data: object({ ...ofTakenBack, takenBackId: text(), reason: optional(text(128)), takenBackAt: instant() }) });
export type CreditTakenBack = EventOf<typeof CreditTakenBack>;
/** It is there again, or a part of it: a dispute was won, or what was given back did not arrive. Once per `restoredId`. */
export const CreditRestored = defineEvent({ name: 'CreditRestored', topic: 'payments.payments', fact: 'credit.restored', data: object({ ...ofTakenBack, restoredId: text(), restoredAt: instant() }) });
export type CreditRestored = EventOf<typeof CreditRestored>;
const ofCreditRefund = { refundId: text(), creditId: text(), accountId: text(), amount: decimal(), currency: text(3), paymentId: optional(text()) };
/** Money that was left to an account is to be paid out: whoever keeps the account's balance takes it from there, or says that it was used. */
export const CreditRefundRequested = defineEvent({ name: 'CreditRefundRequested', topic: 'payments.payments', fact: 'credit.refund_requested', data: object({ ...ofCreditRefund, reason: text(512), requestedAt: instant() }) });
export type CreditRefundRequested = EventOf<typeof CreditRefundRequested>;
/** It was taken from the balance: a refund of its payment gives it back, under the same `refundId`; where it came by hand it goes by hand. */
export const CreditRefundApproved = defineEvent({ name: 'CreditRefundApproved', topic: 'payments.payments', fact: 'credit.refund_approved', data: object({ ...ofCreditRefund, approvedAt: instant() }) });
export type CreditRefundApproved = EventOf<typeof CreditRefundApproved>;
/** Nothing goes back: `credit_used`, or `payment_disputed` where the bank took the money back meanwhile. */
export const CreditRefundRefused = defineEvent({ name: 'CreditRefundRefused', topic: 'payments.payments', fact: 'credit.refund_refused', data: object({ ...ofCreditRefund, code: oneOf('credit_used', 'payment_disputed'), refusedAt: instant() }) });
export type CreditRefundRefused = EventOf<typeof CreditRefundRefused>;
/** A payout to the tenant's bank as its provider says it now, and what it is made of: `charged + refunded + disputed + other - fees`. Said again when it changes. */
export const PayoutRecorded = defineEvent({
  name: 'PayoutRecorded', topic: 'payments.payments', fact: 'payout.recorded',
  data: object({
    payoutId: text(), provider: text(64), reference: text(256), amount: decimal(), currency: text(3), status: oneOf('pending', 'in_transit', 'paid', 'failed', 'cancelled'), arrivesAt: instant(), charged: decimal(), refunded: decimal(), disputed: decimal(),
    fees: decimal(), other: decimal(), lines: whole(0), createdAt: instant(), recordedAt: instant(),
  }),
});
export type PayoutRecorded = EventOf<typeof PayoutRecorded>;
export type PaymentRequested = EventOf<typeof PaymentRequested>;
export type PaymentAttemptStarted = EventOf<typeof PaymentAttemptStarted>;
export type PaymentAttemptDeclined = EventOf<typeof PaymentAttemptDeclined>;
export type PaymentAttemptLost = EventOf<typeof PaymentAttemptLost>;
export type PaymentAttemptAccepted = EventOf<typeof PaymentAttemptAccepted>;
export type PaymentActionRequired = EventOf<typeof PaymentActionRequired>;
export type PaymentRetryScheduled = EventOf<typeof PaymentRetryScheduled>;
export type PaymentSucceeded = EventOf<typeof PaymentSucceeded>;
export type PaymentFailed = EventOf<typeof PaymentFailed>;
export type PaymentCancelled = EventOf<typeof PaymentCancelled>;
export type PaymentDuplicated = EventOf<typeof PaymentDuplicated>;
export type RefundRequested = EventOf<typeof RefundRequested>;
export type RefundSucceeded = EventOf<typeof RefundSucceeded>;
export type RefundFailed = EventOf<typeof RefundFailed>;
export type DisputeOpened = EventOf<typeof DisputeOpened>;
export type DisputeClosed = EventOf<typeof DisputeClosed>;
export type InquiryOpened = EventOf<typeof InquiryOpened>;
export type InquiryClosed = EventOf<typeof InquiryClosed>;

export const PAYMENT_EVENTS = [
  PaymentMethodAttached, PaymentMethodUpdated, PaymentMethodExpiryAnnounced, PaymentMethodRemoved, PaymentMethodDefaultChosen, PaymentRequested, PaymentAttemptStarted, PaymentAttemptDeclined, PaymentAttemptLost, PaymentAttemptAccepted, PaymentActionRequired, PaymentRetryScheduled, PaymentSucceeded, PaymentFailed, PaymentCancelled,
  PaymentDuplicated, RefundRequested, RefundHeldBack, RefundSucceeded, RefundFailed, DisputeOpened, DisputeClosed, InquiryOpened, InquiryClosed, MoneyCredited, CreditRefundRequested, CreditRefundApproved, CreditRefundRefused, CreditTakenBack, CreditRestored, PayoutRecorded,
] as const;
