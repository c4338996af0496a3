import { earlierOf, Money } from '@valueverse/kernel';
import type { InvoiceUsageStated, UsageReader } from '@valueverse/contracts';
import { addLines } from '@valueverse/rating';
import type { PlanVersion } from '../catalog/plan.model';
import { cyclePeriodAt } from '../subscriptions/domain/billing-cycle';
import type { SubscriptionRow } from '../subscriptions/subscription.model';
import { priceLines } from './domain/lines';
import { draftOf, type Draft } from './draft';
import { lineToApi } from './invoice-api';

/** Metering's live numbers in the place of statements that are not there yet. */
export const liveStatements = async (usage: UsageReader, tenant: string, draft: Pick<Draft, 'requests'>): Promise<{ statements: Map<string, InvoiceUsageStated['statement']>; asOf: string | undefined }> => {
  const statements = new Map<string, InvoiceUsageStated['statement']>();
  let asOf: string | undefined;
  for (const { requestId, chargeKey, meterKey, usage: spans, groupBy, period, terms } of draft.requests) {
    const answer = await usage.quantities(tenant, { meterKey, usage: spans, groupBy, period, terms });
    asOf = asOf === undefined ? answer.asOf : earlierOf(asOf, answer.asOf);
    statements.set(chargeKey, { statementId: requestId, quantities: answer.quantities, asOf: {}, evidence: '' });
  }
  return { statements, asOf };
};

/** A preview of the invoice at the end of the present period. */
export const upcomingInvoice = async (usage: UsageReader, tenant: string, subscription: SubscriptionRow, plan: PlanVersion, siblings: readonly SubscriptionRow[], now: string): Promise<unknown> => {
  const nth = (cyclePeriodAt(subscription, now)?.nth ?? -1) + 1;
  const draft = draftOf(subscription, plan, nth, { meterVersions: new Map(), siblings });
  const { currency, accountId, subscriptionId } = subscription;
  if (draft === undefined) return { accountId, subscriptionId, currency, lines: [], total: Money.zero(currency).toString() };
  const { statements, asOf } = await liveStatements(usage, tenant, draft);
  const lines = priceLines(draft, statements, draft);
  const subtotal = addLines(lines.map(({ amount }) => ({ amount: Money.parse(amount, currency) })), currency).toString();
  const zero = Money.zero(currency).toString();
  return {
    accountId, subscriptionId, currency, issuesAt: draft.advance.period.from, ...(asOf === undefined ? {} : { usageAsOf: asOf }),
    lines: lines.map((line) => lineToApi(line)), subtotal, discountTotal: zero, taxTotal: zero, total: subtotal,
  };
};
