import { CATALOG_EVENTS } from './catalog';
import { defineEvent, type EventOf } from './event-definition';
import { INVOICE_EVENTS } from './invoices';
import { businessAddress, period, postalAddress } from './places';
import { flag, instant, list, mapOf, object, oneOf, optional, personal, text, type TypeOf } from './schema';
import { SUBSCRIPTION_EVENTS } from './subscriptions';

/** What an account says of how it is billed. */
const accountTerms = {
  /** The seller that its invoices name; the tenant's first one where it is not given. */
  entityKey: optional(text(256)), taxRateKeys: optional(list(text(256), 20)),
  /** No tax at all, and why; or the customer accounts for the tax itself. */
  taxExemption: optional(object({ reason: text(256) })), reverseCharge: optional(flag()), taxId: optional(text(64)),
  /** Everything that closes at the same moment goes on one invoice. */
  consolidate: optional(flag()),
  /** Days until an invoice is due, such as `P14D`, and the language of its documents, where they are not the tenant's. */
  paymentTerms: optional(text(32)), language: optional(text(16)),
};
export const AccountOpened = defineEvent({
  name: 'AccountOpened', topic: 'billing.accounts', fact: 'account.opened', personalKey: 'accountId',
  data: object({
    accountId: text(), name: personal(text(256)), email: optional(personal(text(320))), address: optional(personal(postalAddress)),
    currency: text(3), timezone: text(64), testClockId: optional(text()), externalId: optional(text(256)), metadata: mapOf(text()), openedAt: instant(),
    /** Their usage is billed by the one subscription of the account that has the meter. */
    subjects: optional(list(text(256))), ...accountTerms,
  }),
});
export type AccountOpened = EventOf<typeof AccountOpened>;

/** All that an account says from then on, what did not change included. A zone holds for new subscriptions. */
export const AccountChanged = defineEvent({
  name: 'AccountChanged', topic: 'billing.accounts', fact: 'account.changed', personalKey: 'accountId',
  data: object({
    accountId: text(), name: personal(text(256)), email: optional(personal(text(320))), address: optional(personal(postalAddress)), timezone: text(64), metadata: mapOf(text()), changedAt: instant(), ...accountTerms,
  }),
});
export type AccountChanged = EventOf<typeof AccountChanged>;

/** A seller, as it is named on invoices from then on. Its numbers are counted in series of its own. */
export const BillingEntityDefined = defineEvent({
  name: 'BillingEntityDefined', topic: 'billing.plans', fact: 'billing_entity.defined',
  data: object({
    entityKey: text(256), name: text(256), address: optional(businessAddress), email: optional(text(320)), taxId: optional(text(64)), numberPrefix: text(16), footer: optional(text(1_024)),
    accentColor: optional(text(7)), pageSize: optional(oneOf('A4', 'Letter')), language: optional(text(16)), isDefault: flag(), metadata: mapOf(text()), definedAt: instant(),
  }),
});
export type BillingEntityDefined = EventOf<typeof BillingEntityDefined>;

export const BILLING_EVENTS = [AccountOpened, AccountChanged, BillingEntityDefined, ...CATALOG_EVENTS, ...SUBSCRIPTION_EVENTS, ...INVOICE_EVENTS] as const;

/** A document that can be kept and sent. */
export interface IssuedDocument { readonly fileName: string; readonly content: Buffer }
/** Queries of other contexts to billing. */
export interface InvoiceDocuments {
  /** The invoice as a PDF. `undefined` for an unknown or unfinished one. */
  pdf(tenant: string, invoiceId: string): Promise<IssuedDocument | undefined>;
  /** The credit note as a PDF. `undefined` for an unknown one. */
  creditNotePdf(tenant: string, creditNoteId: string): Promise<IssuedDocument | undefined>;
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
