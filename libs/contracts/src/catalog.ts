import { defineEvent, type EventOf } from './event-definition';
import { anything, decimal, flag, instant, list, mapOf, object, oneOf, optional, text, whole, type TypeOf } from './schema';

export const billingInterval = object({ unit: oneOf('day', 'week', 'month', 'quarter', 'year'), count: whole(1) });

/** How a fee is split over time, and what else is: tier bounds and free units only where `prorateBounds` says so, minimum, maximum and commitment unless `prorateAmounts` is false. */
export const proration = object({
  granularity: optional(oneOf('day', 'second', 'none', '30_360_actual', '30_360_strict')), prorateBounds: optional(flag()), prorateAmounts: optional(flag()),
});
export type Proration = TypeOf<typeof proration>;

/** A promise to spend `amount` in a period. What is used above it costs `overageFactor` times; `trueUp` (the default) bills what is missing. */
export const commitment = object({ amount: decimal(), overageFactor: optional(decimal()), trueUp: optional(flag()) });
export type Commitment = TypeOf<typeof commitment>;

/** Time-of-day windows in the subscription's zone, `from` to `to` in local time, half-open; usage in none of them has the price `otherwise`. */
export const schedule = object({
  windows: list(object({ name: text(64), from: text(5), to: text(5), days: optional(list(oneOf('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'), 7)), price: anything() }), 24), otherwise: anything(),
});
export type Schedule = TypeOf<typeof schedule>;

export const charge = object({
  key: text(256), name: text(256), type: oneOf('recurring', 'usage'), timing: optional(oneOf('in_advance', 'in_arrears')),
  meterKey: optional(text(256)), price: anything(), chargeFlatAtZero: optional(flag()),
  /** Prices in other currencies than the plan's, by currency. */
  currencyPrices: optional(mapOf(anything())),
  /** Of a recurring charge: how many, where the subscription says nothing else. One if not given; a flat price does not look at it. */
  quantity: optional(decimal()),
  freeUnits: optional(decimal()), minimumAmount: optional(decimal()), maximumAmount: optional(decimal()), commitment: optional(commitment), schedule: optional(schedule), proration: optional(proration),
  taxBehavior: optional(oneOf('exclusive', 'inclusive')), taxCode: optional(text(64)), taxRateKeys: optional(list(text(256), 20)), productKey: optional(text(256)),
});
export type Charge = TypeOf<typeof charge>;

/** A stretch of a subscription's life from its start on, such as a trial or a step of a ramp. The one without `duration` lasts; phases follow each other in order. */
export const planPhase = object({
  key: text(256), name: text(256), duration: optional(billingInterval),
  /** Nothing is billed of it, neither fees nor usage. */
  trial: optional(flag()),
  /** Charge key -> the price that it has in this phase, in place of its own. */
  prices: optional(mapOf(anything())),
});
export type PlanPhase = TypeOf<typeof planPhase>;

/** What a version of a plan says. It never changes. */
const planTerms = {
  planKey: text(256), version: whole(1), name: text(256), currency: text(3), interval: billingInterval, charges: list(charge), metadata: mapOf(text()), createdAt: instant(),
  phases: optional(list(planPhase, 20)), proration: optional(proration), commitment: optional(commitment), taxRateKeys: optional(list(text(256), 20)),
  /** Feature key -> its value: `true`, or a text. */
  features: optional(mapOf(anything())), trialDays: optional(whole(1)), productKey: optional(text(256)),
};
export const PlanCreated = defineEvent({ name: 'PlanCreated', topic: 'billing.plans', fact: 'plan.created', data: object(planTerms) });
export type PlanCreated = EventOf<typeof PlanCreated>;
/** The next version of a plan. Subscriptions stay on theirs until they are moved. */
export const PlanVersionAdded = defineEvent({ name: 'PlanVersionAdded', topic: 'billing.plans', fact: 'plan.version_added', data: object(planTerms) });
export type PlanVersionAdded = EventOf<typeof PlanVersionAdded>;
