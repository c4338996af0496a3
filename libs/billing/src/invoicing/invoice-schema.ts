import { anything, decimal, flag, instant, list, mapOf, nullable, object, oneOf, optional, period, text, whole } from '@valueverse/contracts';
import { LATE_USAGE_SHOWN } from './late-usage';

// What the routes of invoices answer, for their OpenAPI document.
export const LINE = object({
  id: text(), chargeKey: text(), type: oneOf('recurring', 'usage'), description: text(), quantity: decimal(), billedQuantity: decimal(), amount: decimal(), netAmount: decimal(), taxAmount: decimal(),
  servicePeriod: period, dimensions: mapOf(text()), taxes: list(anything()), discounts: list(anything()), lateUsage: optional(LATE_USAGE_SHOWN),
});
const TOTALS = { currency: text(3), subtotal: decimal(), discountTotal: decimal(), taxTotal: decimal(), total: decimal(), lines: list(LINE) };

export const INVOICE = object({
  id: text(), number: nullable(text()), accountId: text(), subscriptionId: text(), status: oneOf('draft', 'finalized'), paymentStatus: oneOf('unpaid', 'partially_paid', 'paid'),
  servicePeriod: period, issuedAt: optional(instant()), dueAt: optional(instant()), finalizesAt: optional(instant()), usageAsOf: optional(instant()),
  ...TOTALS, amountPaid: decimal(), amountRemaining: decimal(), hasMore: flag(), lateUsage: nullable(LATE_USAGE_SHOWN),
});
export const UPCOMING_INVOICE = object({ accountId: text(), subscriptionId: text(), issuesAt: optional(instant()), usageAsOf: optional(instant()), ...TOTALS });
export const EXPLANATION = object({
  lineId: text(), description: text(), type: text(), currency: text(3), quantity: decimal(), amount: decimal(), servicePeriod: period, steps: list(anything()),
  rules: object({ plan: text(), planVersion: whole(1), rounding: text(), roundedAt: text(), zone: text() }),
  recurring: optional(object({ timing: text(), servedPeriod: period, wholePeriod: period })),
  statement: optional(object({ id: text(), quantity: decimal(), events: text(), buckets: text(), asOf: mapOf(text()), evidence: text() })),
});
const FIGURES = object({ quantity: nullable(decimal()), amount: nullable(decimal()), evidence: optional(text()) });
export const PROOF = object({ matches: nullable(flag()), expected: FIGURES, actual: FIGURES, level: oneOf('events', 'dates', 'sealed') });
