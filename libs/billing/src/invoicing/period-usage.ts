import { Decimal, Money, type Period } from '@valueverse/kernel';
import { decimal, instant, list, nullable, object, optional, period, text, whole, type InvoiceLine, type UsageReader } from '@valueverse/contracts';
import { addLines, type Price, type Step } from '@valueverse/rating';
import type { PlanVersion } from '../catalog/plan.model';
import type { SubscriptionRow } from '../subscriptions/subscription.model';
import { allowanceOf, tierReached } from './domain/allowance';
import { priceLines } from './domain/lines';
import { draftOf, invoiceIdOf } from './draft';
import { liveStatements } from './upcoming-invoice';

export const PERIOD_USAGE = object({
  subscriptionId: text(), invoiceId: nullable(text()), currency: text(3), period, usagePeriod: period, asOf: optional(instant()),
  charges: list(object({
    chargeKey: text(), name: text(), meterKey: text(), quantity: decimal(), billedQuantity: decimal(), amount: decimal(),
    included: nullable(object({ units: nullable(decimal()), used: decimal(), remaining: nullable(decimal()) })),
    tier: nullable(object({ number: whole(1), from: decimal(), upTo: nullable(decimal()), unitAmount: decimal(), remaining: nullable(decimal()) })),
  })),
  total: decimal(),
});

interface Known { readonly subscription: SubscriptionRow; readonly plan: PlanVersion; readonly siblings: readonly SubscriptionRow[] }

/** The usage of a subscription's n-th period so far, charge by charge, priced as its invoice will price it. `served` is that period, `usage` the time whose usage it bills; one that is over has an invoice. */
export const periodUsage = async (reader: UsageReader, tenant: string, { subscription, plan, siblings }: Known, { nth, served, usage, isOver }: { nth: number; served: Period; usage: Period; isOver: boolean }): Promise<unknown> => {
  const { subscriptionId, currency } = subscription;
  const charges = plan.charges.filter(({ type }) => type === 'usage');
  // The invoice over this period is cut at the start of the next one.
  const draft = draftOf(subscription, { ...plan, charges }, nth + 1, { meterVersions: new Map(), siblings });
  const { statements, asOf } = draft === undefined ? { statements: new Map(), asOf: undefined } : await liveStatements(reader, tenant, draft);
  const lines = draft === undefined ? [] : priceLines(draft, statements, draft);
  return {
    subscriptionId, invoiceId: isOver ? invoiceIdOf(subscriptionId, nth + 1) : null, currency, period: served, usagePeriod: usage, ...(asOf === undefined ? {} : { asOf }),
    charges: lines.map((line) => chargeToApi(charges.find(({ key }) => key === line.chargeKey)!, line)),
    total: addLines(lines.map(({ amount }) => ({ amount: Money.parse(amount, currency) })), currency).toString(),
  };
};

const chargeToApi = ({ key, name, meterKey, price }: PlanVersion['charges'][number], { quantity, billedQuantity, amount, steps }: InvoiceLine): unknown => {
  const billed = Decimal.parse(billedQuantity);
  return {
    chargeKey: key, name, meterKey, quantity, billedQuantity, amount,
    included: allowanceOf(price as Price, billed) ?? null, tier: tierReached(price as Price, steps as readonly Step[], billed) ?? null,
  };
};
