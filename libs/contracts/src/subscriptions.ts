import { billingInterval, periodCut, proration } from './catalog';
import { defineEvent, type EventOf } from './event-definition';
import { anything, decimal, flag, instant, list, mapOf, object, oneOf, optional, text, whole, type TypeOf } from './schema';

/** What a subscription has of its account's subjects: since when it has each meter of its plan, and until when where a change has dropped it. While another one has the meter too, nobody is billed. */
const ofAccount = object({ subjects: list(text(256)), meters: list(object({ meterKey: text(256), from: instant(), to: optional(instant()) })) });
export const addOnChoice = object({ key: text(256), quantity: optional(decimal()) });
export type AddOnChoice = TypeOf<typeof addOnChoice>;

/** What a subscription is on from one instant to the next change. */
const terms = {
  planKey: text(256), planVersion: whole(1), currency: text(3), interval: billingInterval, anchor: object({ local: text(32), zone: text(64) }),
  /** How many of what recurring charges count, such as seats. */
  quantity: optional(decimal()), addOns: optional(list(addOnChoice, 50)),
  /** Charge key -> what it has in place of what the plan says. */
  overrides: optional(mapOf(anything())),
};
export const subscriptionTerms = object(terms);
export type SubscriptionTerms = TypeOf<typeof subscriptionTerms>;

export const SubscriptionStarted = defineEvent({
  name: 'SubscriptionStarted', topic: 'billing.subscriptions', fact: 'subscription.started',
  data: object({
    subscriptionId: text(), accountId: text(), ...terms, startsAt: instant(), subjects: list(text(256)), metadata: mapOf(text()), startedAt: instant(),
    /** Usage of its subjects from then on is billed with its first period. Its start where it is not given. */
    countFrom: optional(instant()), ofAccount: optional(ofAccount),
    /** Local days from the start of which nothing is billed. */
    trialDays: optional(whole(1)),
    /** What closes at the same moment for its account goes on one invoice. */
    invoiceTogether: optional(flag()), externalId: optional(text(256)),
    /** Usage that is not charged yet is charged by an interim invoice once it comes to so much, before tax. */
    interimThreshold: optional(decimal()),
  }),
});
export type SubscriptionStarted = EventOf<typeof SubscriptionStarted>;

/** From `at` on it is on other terms. A change of a later instant that was there before is replaced by this one. */
export const SubscriptionChanged = defineEvent({
  name: 'SubscriptionChanged', topic: 'billing.subscriptions', fact: 'subscription.changed',
  data: object({ subscriptionId: text(), changeId: text(), at: instant(), terms: subscriptionTerms, proration: optional(proration), ofAccount: optional(ofAccount), changedAt: instant() }),
});
export type SubscriptionChanged = EventOf<typeof SubscriptionChanged>;
/** A change that had not come yet will not come. */
export const SubscriptionChangeDropped = defineEvent({
  name: 'SubscriptionChangeDropped', topic: 'billing.subscriptions', fact: 'subscription.change_dropped', data: object({ subscriptionId: text(), changeId: text(), droppedAt: instant() }),
});
export type SubscriptionChangeDropped = EventOf<typeof SubscriptionChangeDropped>;
/** It ends at `at`, which may be to come. What was paid for the time after is given back (`unused`) or not. */
export const SubscriptionCancelled = defineEvent({
  name: 'SubscriptionCancelled', topic: 'billing.subscriptions', fact: 'subscription.cancelled',
  data: object({ subscriptionId: text(), at: instant(), credit: oneOf('unused', 'none'), reason: optional(text(512)), cancelledAt: instant() }),
});
export type SubscriptionCancelled = EventOf<typeof SubscriptionCancelled>;
/** A cancellation that had not come yet is taken back, or one that has: then it goes on from `at`. */
export const SubscriptionReactivated = defineEvent({
  name: 'SubscriptionReactivated', topic: 'billing.subscriptions', fact: 'subscription.reactivated', data: object({ subscriptionId: text(), at: instant(), reactivatedAt: instant() }),
});
export type SubscriptionReactivated = EventOf<typeof SubscriptionReactivated>;
/** Paused from `at` on, until it is resumed or `until` comes; billed on or not. */
export const SubscriptionPaused = defineEvent({
  name: 'SubscriptionPaused', topic: 'billing.subscriptions', fact: 'subscription.paused',
  data: object({ subscriptionId: text(), at: instant(), until: optional(instant()), billing: oneOf('stop', 'continue'), pausedAt: instant() }),
});
export type SubscriptionPaused = EventOf<typeof SubscriptionPaused>;
export const SubscriptionResumed = defineEvent({
  name: 'SubscriptionResumed', topic: 'billing.subscriptions', fact: 'subscription.resumed', data: object({ subscriptionId: text(), at: instant(), resumedAt: instant() }),
});
export type SubscriptionResumed = EventOf<typeof SubscriptionResumed>;

/** A stretch of time that an item of an invoice charges, or gives back. `slot` names what is charged and the aligned period that it is a part of. */
export const billedSlice = object({
  slot: text(128), kind: oneOf('fee', 'usage', 'one_off'), from: instant(), to: instant(), alignedTo: instant(), lineId: text(), credit: optional(flag()),
  /** How its ends are split, where a change said so: whatever is charged or given back there later is split the same way. */
  cuts: optional(list(periodCut)),
  /** Usage that an interim invoice has charged: the window goes on, and the next invoice charges the whole of it less that. */
  interim: optional(flag()),
  /** Of what is billed once: how many, as what is taken later is billed then. */
  quantity: optional(decimal()),
});
export type BilledSlice = TypeOf<typeof billedSlice>;
/** What an invoice charges and gives back of it. */
export const SubscriptionBilled = defineEvent({
  name: 'SubscriptionBilled', topic: 'billing.subscriptions', fact: 'subscription.billed',
  data: object({ subscriptionId: text(), invoiceId: text(), at: instant(), slices: list(billedSlice), billedAt: instant() }),
});
export type SubscriptionBilled = EventOf<typeof SubscriptionBilled>;

export const SUBSCRIPTION_EVENTS = [
  SubscriptionStarted, SubscriptionChanged, SubscriptionChangeDropped, SubscriptionCancelled, SubscriptionReactivated, SubscriptionPaused, SubscriptionResumed, SubscriptionBilled,
] as const;
export type SubscriptionEvent =
  SubscriptionStarted | SubscriptionChanged | SubscriptionChangeDropped | SubscriptionCancelled | SubscriptionReactivated | SubscriptionPaused | SubscriptionResumed | SubscriptionBilled;
