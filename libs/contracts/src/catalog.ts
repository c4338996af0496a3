import { defineEvent, type EventOf } from './event-definition';
import { anything, decimal, flag, instant, list, mapOf, object, oneOf, optional, text, whole, type TypeOf } from './schema';

export const billingInterval = object({ unit: oneOf('day', 'week', 'month', 'quarter', 'year'), count: whole(1) });

/** How a fee is split over time, and what else is: tier bounds and free units only where `prorateBounds` says so, minimum, maximum and commitment unless `prorateAmounts` is false. */
export const proration = object({
  granularity: optional(oneOf('day', 'second', 'none', '30_360_actual', '30_360_strict')), prorateBounds: optional(flag()), prorateAmounts: optional(flag()),
});
export type Proration = TypeOf<typeof proration>;
/** An instant at which a change has split a period, by the granularity that the change named. */
export const periodCut = object({ at: instant(), granularity: oneOf('day', 'second', '30_360_actual', '30_360_strict') });
export type PeriodCut = TypeOf<typeof periodCut>;

/** A promise to spend `amount` in a period. What is used above it costs `overageFactor` times; `trueUp` (the default) bills what is missing. */
export const commitment = object({ amount: decimal(), overageFactor: optional(decimal()), trueUp: optional(flag()) });
export type Commitment = TypeOf<typeof commitment>;

/** Time-of-day windows in the subscription's zone, `from` to `to` in local time, half-open; usage in none of them has the price `otherwise`. */
export const schedule = object({
  windows: list(object({ name: text(64), from: text(5), to: text(5), days: optional(list(oneOf('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'), 7)), price: anything() }), 24), otherwise: anything(),
});
export type Schedule = TypeOf<typeof schedule>;

const chargeTerms = {
  timing: optional(oneOf('in_advance', 'in_arrears')), meterKey: optional(text(256)), price: anything(), chargeFlatAtZero: optional(flag()),
  /** Prices in other currencies than the plan's, by currency. */
  currencyPrices: optional(mapOf(anything())),
  /** Of a recurring charge: how many, where the subscription says nothing else. One if not given; a flat price does not look at it. */
  quantity: optional(decimal()),
  freeUnits: optional(decimal()), minimumAmount: optional(decimal()), maximumAmount: optional(decimal()), commitment: optional(commitment), schedule: optional(schedule), proration: optional(proration),
  taxBehavior: optional(oneOf('exclusive', 'inclusive')), taxCode: optional(text(64)), taxRateKeys: optional(list(text(256), 20)), productKey: optional(text(256)),
};
export const charge = object({ key: text(256), name: text(256), type: oneOf('recurring', 'usage'), ...chargeTerms });
export type Charge = TypeOf<typeof charge>;

/** A stretch of a subscription's life from its start on, such as a trial or a step of a ramp. The one without `duration` lasts; phases follow each other in order. */
export const planPhase = object({
  key: text(256), name: text(256), duration: optional(billingInterval),
  /** Nothing is billed of it, neither fees nor usage. */
  trial: optional(flag()),
  /** Charge key -> the price that it has in this phase, in place of its own. */
  prices: optional(mapOf(anything())),
  /** The same in other currencies: currency -> charge key -> price. */
  currencyPrices: optional(mapOf(mapOf(anything()))),
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
/** New subscriptions are refused; those that have it go on. */
export const PlanArchived = defineEvent({ name: 'PlanArchived', topic: 'billing.plans', fact: 'plan.archived', data: object({ planKey: text(256), archivedAt: instant() }) });
export type PlanArchived = EventOf<typeof PlanArchived>;
export const PlanRestored = defineEvent({ name: 'PlanRestored', topic: 'billing.plans', fact: 'plan.restored', data: object({ planKey: text(256), restoredAt: instant() }) });
export type PlanRestored = EventOf<typeof PlanRestored>;

/** A product names what plans, add-ons and charges sell. It has no price. */
export const ProductCreated = defineEvent({
  name: 'ProductCreated', topic: 'billing.plans', fact: 'product.created',
  data: object({ productKey: text(256), name: text(256), description: optional(text(1_024)), metadata: mapOf(text()), createdAt: instant() }),
});
export type ProductCreated = EventOf<typeof ProductCreated>;

/** What a customer may use: whether at all (`boolean`), with a fixed value (`static`), or as much as a meter counts (`metered`). */
export const FeatureCreated = defineEvent({
  name: 'FeatureCreated', topic: 'billing.plans', fact: 'feature.created',
  data: object({ featureKey: text(256), name: text(256), description: optional(text(1_024)), featureType: oneOf('boolean', 'static', 'metered'), meterKey: optional(text(256)), metadata: mapOf(text()), createdAt: instant() }),
});
export type FeatureCreated = EventOf<typeof FeatureCreated>;

/** As a charge of a plan, or `one_off`: billed once, when the add-on is taken. */
export const addOnCharge = object({ key: text(256), name: text(256), type: oneOf('recurring', 'usage', 'one_off'), ...chargeTerms });
export type AddOnCharge = TypeOf<typeof addOnCharge>;
/** Charges that are sold beside a plan. Without `interval` its recurring charges have the interval of the subscription. */
export const AddOnCreated = defineEvent({
  name: 'AddOnCreated', topic: 'billing.plans', fact: 'add_on.created',
  data: object({ addOnKey: text(256), name: text(256), currency: text(3), interval: optional(billingInterval), charges: list(addOnCharge), productKey: optional(text(256)), metadata: mapOf(text()), createdAt: instant() }),
});
export type AddOnCreated = EventOf<typeof AddOnCreated>;

/** `percent`: 0 to 100. `amount`: major units of `currency` for each invoice, off prices as they are written (with the tax in it where that is inclusive); `currencyValues` says what it is in other currencies. */
export const couponDiscount = object({ type: oneOf('percent', 'amount'), value: decimal(), currency: optional(text(3)), currencyValues: optional(mapOf(decimal())) });
export const CouponCreated = defineEvent({
  name: 'CouponCreated', topic: 'billing.plans', fact: 'coupon.created',
  data: object({
    couponKey: text(256), name: text(256), discount: couponDiscount,
    /** Only lines of these plans and of these charges, where either is said; of the whole invoice if not. */
    appliesTo: optional(object({ planKeys: optional(list(text(256), 100)), chargeKeys: optional(list(text(256), 100)) })),
    /** How many invoices of an account it lowers; without end if not said. */
    periods: optional(whole(1)),
    /** How often it may be redeemed by all accounts, and by one: once if not said. */
    maxRedemptions: optional(whole(1)), maxRedemptionsPerAccount: optional(whole(1)),
    /** Whether others may lower the same lines. One that does not is alone on those that it lowers. */
    stackable: flag(),
    /** When it may be redeemed, `[validFrom, validTo)`. What was redeemed goes on. */
    validFrom: optional(instant()), validTo: optional(instant()), metadata: mapOf(text()), createdAt: instant(),
  }),
});
export type CouponCreated = EventOf<typeof CouponCreated>;
/** An account has redeemed a coupon: from then on its invoices are lowered. */
export const CouponRedeemed = defineEvent({
  name: 'CouponRedeemed', topic: 'billing.accounts', fact: 'coupon.redeemed', data: object({ redemptionId: text(), couponKey: text(256), accountId: text(), redeemedAt: instant() }),
});
export type CouponRedeemed = EventOf<typeof CouponRedeemed>;
/** It lowers no further invoice. It still counts as redeemed. */
export const CouponRemoved = defineEvent({
  name: 'CouponRemoved', topic: 'billing.accounts', fact: 'coupon.removed', data: object({ redemptionId: text(), couponKey: text(256), accountId: text(), removedAt: instant() }),
});
export type CouponRemoved = EventOf<typeof CouponRemoved>;

/** A rate of tax in percent. Valid in `[validFrom, validTo)`; in `jurisdiction` for what has its `taxCode`, where it is found by address. */
export const TaxRateCreated = defineEvent({
  name: 'TaxRateCreated', topic: 'billing.plans', fact: 'tax_rate.created',
  data: object({
    taxRateKey: text(256), name: text(256), rate: decimal(), jurisdiction: optional(object({ country: text(2), state: optional(text(64)) })), taxCode: optional(text(64)),
    validFrom: optional(instant()), validTo: optional(instant()), metadata: mapOf(text()), createdAt: instant(),
  }),
});
export type TaxRateCreated = EventOf<typeof TaxRateCreated>;

/** What may change of a thing in the catalogue: its name, description and metadata, here as they are from now on. `kind`: product, feature, add_on, coupon or tax_rate. */
export const CatalogItemChanged = defineEvent({
  name: 'CatalogItemChanged', topic: 'billing.plans', fact: 'catalog_item.changed',
  data: object({ kind: text(32), key: text(256), name: text(256), description: optional(text(1_024)), metadata: mapOf(text()), changedAt: instant() }),
});
export type CatalogItemChanged = EventOf<typeof CatalogItemChanged>;
/** Nothing new may use it; what uses it goes on. */
export const CatalogItemArchived = defineEvent({
  name: 'CatalogItemArchived', topic: 'billing.plans', fact: 'catalog_item.archived', data: object({ kind: text(32), key: text(256), archivedAt: instant() }),
});
export type CatalogItemArchived = EventOf<typeof CatalogItemArchived>;
export const CatalogItemRestored = defineEvent({
  name: 'CatalogItemRestored', topic: 'billing.plans', fact: 'catalog_item.restored', data: object({ kind: text(32), key: text(256), restoredAt: instant() }),
});
export type CatalogItemRestored = EventOf<typeof CatalogItemRestored>;

/** How a tenant bills from `validFrom` on; from the beginning of time where it is not said. */
export const billingSettings = object({
  rounding: oneOf('half_up', 'half_even'), taxRounding: oneOf('invoice', 'line'), inclusiveRounding: oneOf('net', 'tax'),
  /** ISO 8601: hours, minutes and seconds; days. */
  gracePeriod: text(32), paymentTerms: text(32), taxRateKeys: list(text(256), 20), zeroAmountInvoices: oneOf('issue', 'skip'),
  /** What a lost dispute makes of the invoice that was paid; `reopen` where it is not said. */
  lostDisputes: optional(oneOf('reopen', 'write_off', 'leave_paid')),
});
export type BillingSettings = TypeOf<typeof billingSettings>;
export const BillingSettingsChanged = defineEvent({
  name: 'BillingSettingsChanged', topic: 'billing.plans', fact: 'billing_settings.changed', data: object({ settings: billingSettings, validFrom: optional(instant()), changedAt: instant() }),
});
export type BillingSettingsChanged = EventOf<typeof BillingSettingsChanged>;

export const CATALOG_EVENTS = [
  PlanCreated, PlanVersionAdded, PlanArchived, PlanRestored, ProductCreated, FeatureCreated, AddOnCreated, CouponCreated, CouponRedeemed, CouponRemoved, TaxRateCreated, CatalogItemChanged, CatalogItemArchived, CatalogItemRestored,
  BillingSettingsChanged,
] as const;
