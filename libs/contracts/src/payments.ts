import { defineEvent, type EventOf } from './event-definition';
import { decimal, flag, instant, object, oneOf, optional, text, whole } from './schema';

export const PaymentMethodAttached = defineEvent({
  name: 'PaymentMethodAttached', topic: 'payments.methods', fact: 'payment_method.attached',
  data: object({ methodId: text(), accountId: text(), provider: text(64), token: text(256), default: flag(), attachedAt: instant() }),
});
export type PaymentMethodAttached = EventOf<typeof PaymentMethodAttached>;

/** An invoice is to be collected: one open payment per invoice. */
export const PaymentRequested = defineEvent({
  name: 'PaymentRequested', topic: 'payments.payments', fact: 'payment.requested',
  data: object({ paymentId: text(), invoiceId: text(), accountId: text(), amount: decimal(), currency: text(3), methodId: text(), provider: text(64), requestedAt: instant() }),
});
/** The attempt number and the key for the provider are stored before anything is sent. */
export const PaymentAttemptStarted = defineEvent({
  name: 'PaymentAttemptStarted', topic: 'payments.payments', fact: 'payment.attempt_started',
  data: object({ paymentId: text(), attempt: whole(1), providerKey: text(), startedAt: instant() }),
});
export const PaymentAttemptDeclined = defineEvent({
  name: 'PaymentAttemptDeclined', topic: 'payments.payments', fact: 'payment.attempt_declined',
  data: object({ paymentId: text(), attempt: whole(1), declineCode: text(128), declineClass: oneOf('hard', 'soft', 'fraud', 'technical'), declinedAt: instant() }),
});
/** The answer was lost. Not a failure: the provider is asked before anything is tried again. */
export const PaymentAttemptLost = defineEvent({
  name: 'PaymentAttemptLost', topic: 'payments.payments', fact: 'payment.attempt_lost',
  data: object({ paymentId: text(), attempt: whole(1), reason: text(), lostAt: instant() }),
});
export const PaymentSucceeded = defineEvent({
  name: 'PaymentSucceeded', topic: 'payments.payments', fact: 'payment.succeeded',
  data: object({ paymentId: text(), invoiceId: text(), accountId: text(), amount: decimal(), currency: text(3), attempt: whole(1), providerReference: text(256), succeededAt: instant() }),
});
export const PaymentFailed = defineEvent({
  name: 'PaymentFailed', topic: 'payments.payments', fact: 'payment.failed',
  data: object({ paymentId: text(), invoiceId: text(), accountId: text(), amount: decimal(), currency: text(3), declineCode: optional(text(128)), failedAt: instant() }),
});
export type PaymentRequested = EventOf<typeof PaymentRequested>;
export type PaymentAttemptStarted = EventOf<typeof PaymentAttemptStarted>;
export type PaymentAttemptDeclined = EventOf<typeof PaymentAttemptDeclined>;
export type PaymentAttemptLost = EventOf<typeof PaymentAttemptLost>;
export type PaymentSucceeded = EventOf<typeof PaymentSucceeded>;
export type PaymentFailed = EventOf<typeof PaymentFailed>;

export const PAYMENT_EVENTS = [
  PaymentMethodAttached, PaymentRequested, PaymentAttemptStarted, PaymentAttemptDeclined, PaymentAttemptLost, PaymentSucceeded, PaymentFailed,
] as const;
