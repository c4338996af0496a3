import { anything, decimal, flag, instant, lineDiscount, lineTax, list, mapOf, nullable, object, oneOf, optional, period, text, whole } from '@valueverse/contracts';
import { LATE_USAGE_SHOWN } from './late-usage';

// What the routes of invoices answer, for their OpenAPI document.
export const LINE = object({
  id: text(), itemId: text(), chargeKey: text(), type: oneOf('recurring', 'usage', 'one_off', 'true_up', 'adjustment', 'proration_credit'), description: text(), subscriptionId: optional(text()), planKey: optional(text()), planVersion: optional(whole(1)),
  quantity: decimal(), billedQuantity: decimal(), amount: decimal(), netAmount: decimal(), taxAmount: decimal(), taxBehavior: optional(text()), taxReason: optional(object({ reason: text(), detail: optional(text()) })), servicePeriod: period, dimensions: mapOf(text()), window: optional(text()), taxes: list(lineTax),
  discounts: list(lineDiscount), credits: optional(object({ invoiceId: text(), lineId: text() })), lateUsage: optional(LATE_USAGE_SHOWN),
});
const TOTALS = { currency: text(3), subtotal: decimal(), discountTotal: decimal(), taxTotal: decimal(), total: decimal(), creditApplied: decimal(), amountDue: decimal(), totalSteps: optional(list(anything())), lines: list(LINE) };
/** What would be given back by credit notes. */
const NOTES = optional(list(object({ invoiceId: text(), lines: list(LINE) })));

export const INVOICE = object({
  id: text(), number: nullable(text()), accountId: text(), subscriptionId: nullable(text()), kind: oneOf('cycle', 'interim', 'one_off'), status: oneOf('draft', 'finalized', 'void', 'dropped'),
  paymentStatus: oneOf('unpaid', 'partially_paid', 'paid', 'overdue', 'disputed', 'uncollectible'), servicePeriod: period, issuedAt: optional(instant()), dueAt: optional(instant()), finalizesAt: optional(instant()), usageAsOf: optional(instant()), entityKey: optional(text()),
  memo: optional(text()), voidedAt: optional(instant()), voidReason: optional(text()), ...TOTALS, amountPaid: decimal(), amountCredited: decimal(), amountRemaining: decimal(), creditNotes: NOTES, hasMore: flag(), lateUsage: nullable(LATE_USAGE_SHOWN),
});
export const UPCOMING_INVOICE = object({ accountId: text(), subscriptionId: text(), issuesAt: optional(instant()), usageAsOf: optional(instant()), ...TOTALS, creditNotes: NOTES });
export const EXPLANATION = object({
  lineId: text(), description: text(), type: text(), currency: text(3), quantity: decimal(), billedQuantity: decimal(), amount: decimal(), discounts: list(lineDiscount), netAmount: decimal(), taxes: list(lineTax), taxAmount: decimal(),
  servicePeriod: period, steps: list(anything()),
  rules: object({
    plan: nullable(text()), planVersion: nullable(whole(1)), phase: optional(text()), addOn: optional(text()), chargeKey: text(), price: anything(), rounding: text(), roundedAt: text(), zone: text(), taxBehavior: text(),
  }),
  proration: optional(object({ granularity: text(), from: instant(), to: instant(), wholeFrom: instant(), wholeTo: instant(), isWhole: flag(), elapsedAtStart: optional(text()), elapsedAtEnd: optional(text()) })),
  recurring: optional(object({ timing: text(), servedPeriod: period, wholePeriod: period })), credits: optional(object({ invoiceId: text(), lineId: text() })),
  statement: optional(object({ id: text(), quantity: decimal(), events: text(), buckets: text(), asOf: mapOf(text()), evidence: text() })),
});
const FIGURES = object({ quantity: nullable(decimal()), amount: nullable(decimal()), evidence: optional(nullable(text())) });
export const PROOF = object({ matches: nullable(flag()), expected: FIGURES, actual: FIGURES, level: oneOf('events', 'dates', 'sealed') });
