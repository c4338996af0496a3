import { billingInterval, CATALOG_EVENTS, charge } from './catalog';
import { defineEvent, type EventOf } from './event-definition';
import { anything, decimal, instant, list, mapOf, nullable, object, oneOf, optional, personal, text, whole, type TypeOf } from './schema';
import { groupQuantity, statementRequest } from './usage';

export const period = object({ from: instant(), to: instant() });
export const postalAddress = object({
  line1: optional(text(256)), line2: optional(text(256)), city: optional(text(256)), postalCode: optional(text(64)), state: optional(text(64)), country: text(2),
});
export type PostalAddress = TypeOf<typeof postalAddress>;
export const AccountOpened = defineEvent({
  name: 'AccountOpened', topic: 'billing.accounts', fact: 'account.opened', personalKey: 'accountId',
  data: object({
    accountId: text(), name: personal(text(256)), email: optional(personal(text(320))), address: optional(personal(postalAddress)),
    currency: text(3), timezone: text(64), testClockId: optional(text()), externalId: optional(text(256)), metadata: mapOf(text()), openedAt: instant(),
    /** Their usage is billed by the one subscription of the account that has the meter. */
    subjects: optional(list(text(256))),
  }),
});
export type AccountOpened = EventOf<typeof AccountOpened>;

export const SubscriptionStarted = defineEvent({
  name: 'SubscriptionStarted', topic: 'billing.subscriptions', fact: 'subscription.started',
  data: object({
    subscriptionId: text(), accountId: text(), planKey: text(256), planVersion: whole(1), currency: text(3), interval: billingInterval,
    startsAt: instant(), anchor: object({ local: text(32), zone: text(64) }), subjects: list(text(256)), metadata: mapOf(text()), startedAt: instant(),
    /** Usage of its subjects from then on is billed with its first period. Its start where it is not given. */
    countFrom: optional(instant()),
    /** The subjects of its account, and since when it has each meter of its plan. While another one has the meter too, nobody is billed. */
    ofAccount: optional(object({ subjects: list(text(256)), meters: list(object({ meterKey: text(256), from: instant() })) })),
  }),
});
export type SubscriptionStarted = EventOf<typeof SubscriptionStarted>;

/** A statement as an invoice line cites it. */
export const citedStatement = object({ statementId: text(), quantities: list(groupQuantity), asOf: mapOf(text()), evidence: text() });

/** What an invoice is made from, complete: deciding its lines needs nothing else but its statements. */
export const InvoiceDrafted = defineEvent({
  name: 'InvoiceDrafted', topic: 'billing.invoices', fact: 'invoice.drafted',
  data: object({
    invoiceId: text(), accountId: text(), subscriptionId: text(), currency: text(3), planKey: text(256), planVersion: whole(1),
    zone: text(64), rounding: oneOf('half_up', 'half_even'),
    /** The fees of this period are billed in advance, the usage and arrears of that one. */
    advance: object({ period, aligned: period, charges: list(charge) }),
    arrears: nullable(object({ period, aligned: period, charges: list(charge), /** Where its usage begins, if before the period. */ usageFrom: optional(instant()) })),
    requests: list(statementRequest), draftedAt: instant(), finalizeAt: instant(),
  }),
});
export type InvoiceDrafted = EventOf<typeof InvoiceDrafted>;

export const InvoiceUsageStated = defineEvent({
  name: 'InvoiceUsageStated', topic: 'billing.invoices', fact: 'invoice.usage_stated',
  data: object({ invoiceId: text(), requestId: text(), chargeKey: text(), statement: citedStatement, statedAt: instant() }),
});
export type InvoiceUsageStated = EventOf<typeof InvoiceUsageStated>;

export const invoiceLine = object({
  lineId: text(), chargeKey: text(256), type: oneOf('recurring', 'usage'), description: text(512), quantity: decimal(), billedQuantity: decimal(),
  amount: decimal(), netAmount: decimal(), taxAmount: decimal(), servicePeriod: period, dimensions: mapOf(text()),
  /** The arithmetic, in order; the amounts add up to the line before rounding, and the last step is the rounding. */
  steps: list(anything()), statement: optional(citedStatement),
});
export type InvoiceLine = TypeOf<typeof invoiceLine>;

export const InvoiceFinalized = defineEvent({
  name: 'InvoiceFinalized', topic: 'billing.invoices', fact: 'invoice.finalized', personalKey: 'accountId',
  data: object({
    invoiceId: text(), accountId: text(), subscriptionId: text(), number: text(64), currency: text(3), servicePeriod: period, issuedAt: instant(), dueAt: instant(),
    /** The zone of the subscription: local dates on the document are in it. */
    zone: optional(text(64)), planKey: text(256), planVersion: whole(1), rounding: oneOf('half_up', 'half_even'),
    lines: list(invoiceLine), subtotal: decimal(), discountTotal: decimal(), taxTotal: decimal(), total: decimal(),
    /** The one billed, as it was at the moment of issue. */
    billTo: personal(object({ name: text(256), email: optional(text(320)), address: optional(postalAddress) })),
  }),
});
export type InvoiceFinalized = EventOf<typeof InvoiceFinalized>;

export const InvoicePaymentApplied = defineEvent({
  name: 'InvoicePaymentApplied', topic: 'billing.invoices', fact: 'invoice.payment_applied',
  data: object({ invoiceId: text(), paymentId: text(), amount: decimal(), appliedAt: instant() }),
});
/** Money that came in and does not fit the invoice that it was meant for. It is kept and understood later. */
export const InvoicePaymentUnmatched = defineEvent({
  name: 'InvoicePaymentUnmatched', topic: 'billing.invoices', fact: 'invoice.payment_unmatched',
  data: object({ invoiceId: text(), paymentId: text(), amount: decimal(), currency: optional(text(3)), reason: oneOf('no_invoice', 'nothing_due', 'over_paid', 'wrong_currency'), unmatchedAt: instant() }),
});
export const InvoicePaid = defineEvent({ name: 'InvoicePaid', topic: 'billing.invoices', fact: 'invoice.paid', data: object({ invoiceId: text(), paidAt: instant() }) });
export type InvoicePaymentApplied = EventOf<typeof InvoicePaymentApplied>;
export type InvoicePaymentUnmatched = EventOf<typeof InvoicePaymentUnmatched>;
export type InvoicePaid = EventOf<typeof InvoicePaid>;

export const BILLING_EVENTS = [
  AccountOpened, ...CATALOG_EVENTS, SubscriptionStarted, InvoiceDrafted, InvoiceUsageStated, InvoiceFinalized, InvoicePaymentApplied, InvoicePaymentUnmatched, InvoicePaid,
] as const;

/** Queries of other contexts to billing. */
export interface InvoiceDocuments {
  /** The invoice as a PDF. `undefined` for an unknown or unfinished one. */
  pdf(tenant: string, invoiceId: string): Promise<{ fileName: string; content: Buffer } | undefined>;
}

/** The billing periods in which somebody is billed for what a meter counts of subjects, as far as they touch `[from, to)`. */
export interface BillingPeriodsQuestion { readonly subjects: readonly string[]; readonly meterKey: string; readonly from: string; readonly to: string }
/**
 * In order, without gap; the first one begins where its usage does. Refused: `no_subscription` for a subject that nobody is billed for; `ambiguous_subject` for one of an account more than one of whose
 * subscriptions has the meter; `different_billing_periods` for subjects whose periods are not the same; `too_many_windows`.
 */
export type BillingPeriods = { readonly periods: readonly TypeOf<typeof period>[] } | { readonly refused: BillingPeriodsRefusal; readonly detail: string };
export type BillingPeriodsRefusal = 'no_subscription' | 'ambiguous_subject' | 'different_billing_periods' | 'too_many_windows';
/** Queries of other contexts to billing. */
export interface BillingReader {
  periods(tenant: string, question: BillingPeriodsQuestion): Promise<BillingPeriods>;
}
