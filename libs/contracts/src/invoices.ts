import { addOnCharge, periodCut, proration } from './catalog';
import { defineEvent, type EventOf } from './event-definition';
import { businessAddress, period, postalAddress } from './places';
import { anything, decimal, flag, instant, list, mapOf, object, oneOf, optional, personal, text, whole, type TypeOf } from './schema';
import { groupQuantity, statementRequest } from './usage';

/** A statement as an invoice line cites it. */
export const citedStatement = object({ statementId: text(), quantities: list(groupQuantity), asOf: mapOf(text()), evidence: text() });
export type CitedStatement = TypeOf<typeof citedStatement>;

/** A tax rate as it stood when a line was taxed; in percent. */
export const taxRateUsed = object({ key: text(256), name: text(256), rate: decimal(), reason: optional(text(256)) });
export type TaxRateUsed = TypeOf<typeof taxRateUsed>;

/** What a line came to that a part of is given back: as priced, and after discounts (of a price with tax in it with that); and the rates that it was taxed at. */
export const creditedLine = object({
  amount: decimal(), paid: decimal(), servicePeriod: period, taxes: list(taxRateUsed),
  /** As `paid`, less what was given back of it before. */
  left: optional(decimal()),
});
export type CreditedLine = TypeOf<typeof creditedLine>;
const lineRef = object({ invoiceId: text(), lineId: text() });
/** What an interim invoice has charged of an item. */
export const interimLine = object({
  itemId: text(), invoiceId: text(), lineId: text(), dimensions: mapOf(text()), window: optional(text(64)), amount: decimal(),
  /** Of one that gives back: the line of an earlier interim invoice that it gives back. */
  creditsLineId: optional(text()),
});
export type InterimLine = TypeOf<typeof interimLine>;

/** A fee of a period in which its plan has a commitment: it fills that first, on whichever invoice it was charged. */
const committedFee = object({ charge: addOnCharge, quantity: decimal(), served: period, proration: optional(proration) });
export type CommittedFee = TypeOf<typeof committedFee>;

/** One thing that an invoice charges or gives back, complete: pricing it needs nothing else but its statements. */
export const invoiceItem = object({
  itemId: text(), kind: oneOf('fee', 'usage', 'one_off', 'credit'), subscriptionId: optional(text()), planKey: optional(text(256)), planVersion: optional(whole(1)), phaseKey: optional(text(256)), addOnKey: optional(text(256)),
  /** With the price that is in force. */
  charge: addOnCharge, quantity: optional(decimal()),
  /** The whole period, and the part of it that is charged. The same where an item knows no periods. */
  aligned: period, served: period, zone: text(64), cuts: optional(list(periodCut)),
  /** Where its usage begins, if before the part that is charged. */
  usageFrom: optional(instant()),
  /** Of a usage charge: how its meter counts, which says whether the amount of a part is a share of the whole. */
  aggregation: optional(text(32)), proration: optional(proration), credits: optional(lineRef),
  /** Interim invoices that have charged parts of it. */
  interimInvoices: optional(list(text())),
  /** Of the commitment of a plan, which is an item of its own: the fees of the same time. Its usage is that of the items of the plan whose part of the period ends in its own. */
  fees: optional(list(committedFee)),
  /** The statement requests of its usage; more than one where the time of day decides over the price. */
  requests: optional(list(object({ requestId: text(), window: optional(text(64)) }))),
});
export type InvoiceItem = TypeOf<typeof invoiceItem>;

type Old = Record<string, never>;
/** An invoice had the fees of one period and the arrears of another; now it has items, made from them. What it had stays. */
const toItems = (data: Record<string, unknown>): Record<string, unknown> => {
  const { advance, arrears, planKey, planVersion, zone, requests } = data as unknown as { advance: Old; arrears: Old | null; planKey: string; planVersion: number; zone: string; requests: readonly { requestId: string; chargeKey: string }[] };
  const itemsOf = (part: { period: unknown; aligned: unknown; charges: readonly { key: string; type: string }[]; usageFrom?: string } | null): unknown[] => (part === null ? [] : part.charges.map((one) => ({
    itemId: one.key, kind: one.type === 'usage' ? 'usage' : 'fee', subscriptionId: data['subscriptionId'], planKey, planVersion, charge: one, aligned: part.aligned, served: part.period, zone,
    ...(one.type === 'usage' ? { ...(part.usageFrom === undefined ? {} : { usageFrom: part.usageFrom }), requests: requests.filter(({ chargeKey }) => chargeKey === one.key).map(({ requestId }) => ({ requestId })) } : {}),
  })));
  return { ...data, kind: 'cycle', items: [...itemsOf(arrears as never), ...itemsOf(advance as never)] };
};

/** What an invoice is made from, complete: deciding its lines needs nothing else but its statements. */
export const InvoiceDrafted = defineEvent({
  name: 'InvoiceDrafted', topic: 'billing.invoices', fact: 'invoice.drafted', version: 2,
  data: object({
    invoiceId: text(), accountId: text(), subscriptionId: optional(text()), kind: oneOf('cycle', 'interim', 'one_off'), currency: text(3), zone: text(64), rounding: oneOf('half_up', 'half_even'),
    /** The seller; the tenant's only one where it is not given. */
    entityKey: optional(text(256)), memo: optional(text(1_024)), items: list(invoiceItem), requests: list(statementRequest), draftedAt: instant(), finalizeAt: instant(),
  }),
  history: [{ version: 1, upcast: toItems }],
});
export type InvoiceDrafted = EventOf<typeof InvoiceDrafted>;

/** Items that were added to a draft by hand, or taken out of it. */
export const InvoiceItemsChanged = defineEvent({
  name: 'InvoiceItemsChanged', topic: 'billing.invoices', fact: 'invoice.items_changed', data: object({ invoiceId: text(), added: list(invoiceItem), removed: list(text()), changedAt: instant() }),
});
export type InvoiceItemsChanged = EventOf<typeof InvoiceItemsChanged>;

/** What metering has said to one request of an invoice. */
const statedUsage = object({ requestId: text(), chargeKey: text(), statement: citedStatement });
export type StatedUsage = TypeOf<typeof statedUsage>;
/** The usage of an invoice, as metering has stated it: all of it at once, when it is issued. There was a fact for each request. */
export const InvoiceUsageStated = defineEvent({
  name: 'InvoiceUsageStated', topic: 'billing.invoices', fact: 'invoice.usage_stated', version: 2,
  data: object({ invoiceId: text(), stated: list(statedUsage), statedAt: instant() }),
  history: [{ version: 1, upcast: (data) => { const { requestId, chargeKey, statement } = data; return { ...data, stated: [{ requestId, chargeKey, statement }] }; } }],
});
export type InvoiceUsageStated = EventOf<typeof InvoiceUsageStated>;

export const lineDiscount = object({ couponKey: text(256), amount: decimal() });
export const lineTax = object({ key: text(256), name: text(256), rate: decimal(), base: decimal(), amount: decimal(), reason: optional(text(256)) });
export const invoiceLine = object({
  lineId: text(), itemId: text(), chargeKey: text(256), type: oneOf('recurring', 'usage', 'one_off', 'true_up', 'adjustment', 'proration_credit'), description: text(512),
  subscriptionId: optional(text()), planKey: optional(text(256)), planVersion: optional(whole(1)),
  /** As metered; as billed: after conversion and free units. */
  quantity: decimal(), billedQuantity: decimal(),
  /** As priced. Of an inclusive price with the tax in it; the net amount is after discounts and without tax. */
  amount: decimal(), netAmount: decimal(), taxAmount: decimal(), taxBehavior: optional(oneOf('exclusive', 'inclusive')), discounts: list(lineDiscount), taxes: list(lineTax),
  /** Why no tax is due: the customer is exempt, accounts for it, or what was named is not valid. */
  taxReason: optional(object({ reason: text(64), detail: optional(text(256)) })),
  servicePeriod: period, dimensions: mapOf(text()), window: optional(text(64)),
  /** The arithmetic, in order; the amounts add up to the line before rounding, and the last step is the rounding. */
  steps: list(anything()), statement: optional(citedStatement),
  /** The line that this one gives back a part of. */
  credits: optional(lineRef),
});
export type InvoiceLine = TypeOf<typeof invoiceLine>;

const zeroLike = (amount: unknown): string => String(amount).replace(/^-/, '').replace(/[0-9]/g, '0').replace(/^0+(?=0(\.|$))/, '');
const withTotals = (data: Record<string, unknown>): Record<string, unknown> => {
  const { planKey, planVersion } = data;
  const lines = (data['lines'] as readonly Record<string, unknown>[]).map((line) => ({ ...line, itemId: line['chargeKey'], planKey, planVersion, subscriptionId: data['subscriptionId'], discounts: [], taxes: [] }));
  return { ...data, kind: 'cycle', lines, totalSteps: [], creditApplied: zeroLike(data['total']), amountDue: data['total'] };
};

export const InvoiceFinalized = defineEvent({
  name: 'InvoiceFinalized', topic: 'billing.invoices', fact: 'invoice.finalized', personalKey: 'accountId', version: 2,
  data: object({
    invoiceId: text(), accountId: text(), subscriptionId: optional(text()), kind: oneOf('cycle', 'interim', 'one_off'), number: text(64), currency: text(3), servicePeriod: period, issuedAt: instant(), dueAt: instant(),
    /** The zone of the account: local dates on the document are in it. */
    zone: optional(text(64)), rounding: oneOf('half_up', 'half_even'), entityKey: optional(text(256)), memo: optional(text(1_024)),
    lines: list(invoiceLine), subtotal: decimal(), discountTotal: decimal(), taxTotal: decimal(), total: decimal(),
    /** How lines, discounts, taxes and credit come to what is due, in order. */
    totalSteps: list(anything()),
    /** What of the account's balance it used, and what is left to be paid. */
    creditApplied: decimal(), amountDue: decimal(),
    /** What the totals were computed with, beside the lines. */
    terms: optional(object({ taxRounding: oneOf('invoice', 'line'), inclusiveRounding: oneOf('net', 'tax'), coupons: list(anything()), lineTaxes: mapOf(list(taxRateUsed)), taxReasons: optional(mapOf(object({ reason: text(64), detail: optional(text(256)) }))), credited: mapOf(creditedLine), interim: list(interimLine) })),
    /** The one billed and the seller, as they were at the moment of issue. */
    billTo: personal(object({ name: text(256), email: optional(text(320)), address: optional(postalAddress), taxId: optional(text(64)) })),
    seller: optional(object({ name: text(256), address: optional(businessAddress), taxId: optional(text(64)), email: optional(text(320)), footer: optional(text(1_024)) })),
    /** How its document looks: a language tag, and of the seller the paper and a colour such as `#0055aa`. */
    document: optional(object({ language: text(16), pageSize: oneOf('A4', 'Letter'), accentColor: optional(text(7)) })),
    /** Why nothing is taxed, where the account says so. */
    untaxed: optional(object({ reason: oneOf('exempt', 'reverse_charge'), detail: optional(text(256)) })),
  }),
  history: [{ version: 1, upcast: withTotals }],
});
export type InvoiceFinalized = EventOf<typeof InvoiceFinalized>;

/** A finalized invoice that is not owed any more. Its number stays taken. */
export const InvoiceVoided = defineEvent({ name: 'InvoiceVoided', topic: 'billing.invoices', fact: 'invoice.voided', data: object({ invoiceId: text(), accountId: text(), reason: text(512), voidedAt: instant() }) });
export type InvoiceVoided = EventOf<typeof InvoiceVoided>;
/** A draft that will not be issued: there was nothing to bill, or somebody took it back. */
export const InvoiceDropped = defineEvent({ name: 'InvoiceDropped', topic: 'billing.invoices', fact: 'invoice.dropped', data: object({ invoiceId: text(), reason: text(512), droppedAt: instant() }) });
export type InvoiceDropped = EventOf<typeof InvoiceDropped>;

export const InvoicePaymentApplied = defineEvent({
  name: 'InvoicePaymentApplied', topic: 'billing.invoices', fact: 'invoice.payment_applied',
  data: object({ invoiceId: text(), paymentId: text(), accountId: optional(text()), amount: decimal(), currency: optional(text(3)), appliedAt: instant() }),
});
/** Money that came in and does not fit the invoice that it was meant for. It is kept and understood later. */
export const InvoicePaymentUnmatched = defineEvent({
  name: 'InvoicePaymentUnmatched', topic: 'billing.invoices', fact: 'invoice.payment_unmatched',
  data: object({ invoiceId: text(), paymentId: text(), accountId: optional(text()), amount: decimal(), currency: optional(text(3)), reason: oneOf('no_invoice', 'nothing_due', 'over_paid', 'wrong_currency'), unmatchedAt: instant() }),
});
export const InvoicePaid = defineEvent({ name: 'InvoicePaid', topic: 'billing.invoices', fact: 'invoice.paid', data: object({ invoiceId: text(), paidAt: instant() }) });

const ofReceived = { invoiceId: text(), paymentId: text(), amount: decimal(), currency: text(3) };
/** A further attempt of a payment took money too. No invoice takes it, and it is given back. */
export const InvoicePaymentDuplicated = defineEvent({ name: 'InvoicePaymentDuplicated', topic: 'billing.invoices', fact: 'invoice.payment_duplicated', data: object({ ...ofReceived, attempt: whole(1), duplicatedAt: instant() }) });
/** What the invoice did not take of a payment is the balance of its account now. */
export const InvoicePaymentCredited = defineEvent({ name: 'InvoicePaymentCredited', topic: 'billing.invoices', fact: 'invoice.payment_credited', data: object({ ...ofReceived, creditId: text(), creditedAt: instant() }) });
/** Money of a payment was given back. What is owed does not change by it: that is what credit notes are for. `creditId`: it was the balance of the account. */
export const InvoicePaymentRefunded = defineEvent({
  name: 'InvoicePaymentRefunded', topic: 'billing.invoices', fact: 'invoice.payment_refunded', data: object({ ...ofReceived, refundId: text(), attempt: optional(whole(1)), refundedAt: instant(), creditId: optional(text()) }),
});
/** A refund did not reach the customer after all. */
export const InvoiceRefundReturned = defineEvent({ name: 'InvoiceRefundReturned', topic: 'billing.invoices', fact: 'invoice.refund_returned', data: object({ ...ofReceived, refundId: text(), returnedAt: instant() }) });
/** The customer takes money of a payment back through the bank: it is gone until the dispute is won. `ofInvoice` is what of it the invoice had taken, `attempt` the one whose money it is, where payments say it. */
export const InvoicePaymentDisputed = defineEvent({
  name: 'InvoicePaymentDisputed', topic: 'billing.invoices', fact: 'invoice.payment_disputed', data: object({ ...ofReceived, disputeId: text(), ofInvoice: decimal(), disputedAt: instant(), attempt: optional(whole(1)) }),
});
/** Said again where a bank that has taken the money lets go of it after all. `promised`: so much of what is lost credit notes had promised to refund, and nobody had yet; it is not owed again. */
export const InvoiceDisputeClosed = defineEvent({
  name: 'InvoiceDisputeClosed', topic: 'billing.invoices', fact: 'invoice.dispute_closed', data: object({ ...ofReceived, disputeId: text(), outcome: oneOf('won', 'lost'), closedAt: instant(), promised: optional(decimal()) }),
});
/** A lost dispute took `amount` of what was paid: it is due again, or it is given up as uncollectible, and taken where it comes in all the same. */
export const InvoiceReopened = defineEvent({
  name: 'InvoiceReopened', topic: 'billing.invoices', fact: 'invoice.reopened', data: object({ ...ofReceived, accountId: text(), disputeId: text(), isCollectible: flag(), reopenedAt: instant() }),
});
export type InvoicePaymentDuplicated = EventOf<typeof InvoicePaymentDuplicated>;
export type InvoicePaymentCredited = EventOf<typeof InvoicePaymentCredited>;
export type InvoicePaymentRefunded = EventOf<typeof InvoicePaymentRefunded>;
export type InvoiceRefundReturned = EventOf<typeof InvoiceRefundReturned>;
export type InvoicePaymentDisputed = EventOf<typeof InvoicePaymentDisputed>;
export type InvoiceDisputeClosed = EventOf<typeof InvoiceDisputeClosed>;
export type InvoiceReopened = EventOf<typeof InvoiceReopened>;
/** A bank has let go of money after all that a lost dispute had taken: so much is not owed any more. */
export const InvoiceRecovered = defineEvent({
  name: 'InvoiceRecovered', topic: 'billing.invoices', fact: 'invoice.recovered', data: object({ ...ofReceived, accountId: text(), disputeId: text(), recoveredAt: instant() }),
});
export type InvoiceRecovered = EventOf<typeof InvoiceRecovered>;
export type InvoicePaymentApplied = EventOf<typeof InvoicePaymentApplied>;
export type InvoicePaymentUnmatched = EventOf<typeof InvoicePaymentUnmatched>;
export type InvoicePaid = EventOf<typeof InvoicePaid>;

export const creditNoteLine = object({ lineId: text(), amount: decimal(), netAmount: decimal(), taxAmount: decimal(), taxes: list(lineTax), servicePeriod: optional(period), steps: list(anything()) });
export type CreditNoteLine = TypeOf<typeof creditNoteLine>;
/** Gives back a part of an invoice: it first lowers what is still due there (`applied`), the rest goes to the account's balance or is to be refunded. Amounts are above zero. */
export const CreditNoteIssued = defineEvent({
  name: 'CreditNoteIssued', topic: 'billing.invoices', fact: 'credit_note.issued', personalKey: 'accountId',
  data: object({
    creditNoteId: text(), number: text(64), invoiceId: text(), accountId: text(), currency: text(3), entityKey: optional(text(256)), lines: list(creditNoteLine), netTotal: decimal(), taxTotal: decimal(), total: decimal(),
    applied: decimal(), toBalance: decimal(), toRefund: decimal(), settlement: oneOf('balance', 'refund', 'offset'), reason: text(512), issuedAt: instant(),
    billTo: personal(object({ name: text(256), email: optional(text(320)), address: optional(postalAddress), taxId: optional(text(64)) })),
  }),
});
export type CreditNoteIssued = EventOf<typeof CreditNoteIssued>;
/** A credit note took `amount` off what is due, and promises `toRefund`, where that is anything; `lines` says how much of each line it gives back. */
export const InvoiceCredited = defineEvent({
  name: 'InvoiceCredited', topic: 'billing.invoices', fact: 'invoice.credited',
  data: object({ invoiceId: text(), creditNoteId: text(), amount: decimal(), lines: list(object({ lineId: text(), amount: decimal(), netAmount: decimal(), taxAmount: decimal() })), creditedAt: instant(), toRefund: optional(decimal()) }),
});
export type InvoiceCredited = EventOf<typeof InvoiceCredited>;

/** What an account has to its credit, in one currency. One stream for each. */
export const BalanceCredited = defineEvent({
  name: 'BalanceCredited', topic: 'billing.accounts', fact: 'balance.credited',
  data: object({ accountId: text(), currency: text(3), amount: decimal(), source: oneOf('credit_note', 'void', 'payment'), sourceId: text(), creditedAt: instant() }),
});
export const BalanceUsed = defineEvent({
  name: 'BalanceUsed', topic: 'billing.accounts', fact: 'balance.used', data: object({ accountId: text(), currency: text(3), amount: decimal(), invoiceId: text(), usedAt: instant() }),
});
/** A part of a balance is paid out; `refundId` is the request of payments. */
export const BalanceReturned = defineEvent({
  name: 'BalanceReturned', topic: 'billing.accounts', fact: 'balance.returned', data: object({ accountId: text(), currency: text(3), amount: decimal(), refundId: text(), returnedAt: instant() }),
});
/** It is not there any more: invoices have taken it. */
export const BalanceReturnRefused = defineEvent({
  name: 'BalanceReturnRefused', topic: 'billing.accounts', fact: 'balance.return_refused', data: object({ accountId: text(), currency: text(3), amount: decimal(), refundId: text(), available: decimal(), refusedAt: instant() }),
});
/** Money that had become the balance is gone: a bank took it back, or it bounced. Where it was used before, the balance is below zero by that, and what comes next fills it. */
export const BalanceTakenBack = defineEvent({
  name: 'BalanceTakenBack', topic: 'billing.accounts', fact: 'balance.taken_back', data: object({ accountId: text(), currency: text(3), amount: decimal(), takenBackId: text(), takenBackAt: instant() }),
});
export type BalanceTakenBack = EventOf<typeof BalanceTakenBack>;
export type BalanceReturned = EventOf<typeof BalanceReturned>;
export type BalanceReturnRefused = EventOf<typeof BalanceReturnRefused>;
export type BalanceCredited = EventOf<typeof BalanceCredited>;
export type BalanceUsed = EventOf<typeof BalanceUsed>;

export const INVOICE_EVENTS = [
  InvoiceDrafted, InvoiceItemsChanged, InvoiceUsageStated, InvoiceFinalized, InvoiceVoided, InvoiceDropped, InvoicePaymentApplied, InvoicePaymentUnmatched, InvoicePaid, InvoiceCredited, CreditNoteIssued,
  InvoicePaymentDuplicated, InvoicePaymentCredited, InvoicePaymentRefunded, InvoiceRefundReturned, InvoicePaymentDisputed, InvoiceDisputeClosed, InvoiceReopened, InvoiceRecovered,
  BalanceCredited, BalanceUsed, BalanceReturned, BalanceReturnRefused, BalanceTakenBack,
] as const;
