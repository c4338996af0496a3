import { derivedId } from '@valueverse/kernel';
import type { Charge, InvoiceDrafted, StatementRequest } from '@valueverse/contracts';
import type { PlanVersion } from '../catalog/plan.model';
import { cyclePeriod, usagePeriod, type CyclePeriod } from '../subscriptions/domain/billing-cycle';
import { coveredUsage } from '../subscriptions/domain/covered-usage';
import type { SubscriptionRow } from '../subscriptions/subscription.model';

/** The default between the end of a period and the invoice over its usage, for events that come late. */
export const GRACE_PERIOD = 'PT1H';
const ROUNDING = 'half_up';

export type Draft = Omit<InvoiceDrafted, 'type' | 'draftedAt' | 'finalizeAt'>;

/** What a draft needs beside its subscription: the version of each meter that is asked for its usage, and all subscriptions among which the account's subjects are shared. */
export interface Around { readonly meterVersions: ReadonlyMap<string, number>; readonly siblings: readonly SubscriptionRow[] }

/** The id of the invoice that is cut at the start of a subscription's n-th period: the same however often it is computed. */
export const invoiceIdOf = (subscriptionId: string, nth: number): string => derivedId('inv', subscriptionId, String(nth));

/**
 * What the invoice at the start of a subscription's n-th period is made from: the fees of that period in advance, the usage and arrears of the
 * one before. `undefined` when there is nothing to bill. The first period's usage begins where the subscription counts from.
 */
export const draftOf = (subscription: SubscriptionRow, plan: PlanVersion, nth: number, around: Around): Draft | undefined => {
  const { subscriptionId, accountId, currency, planKey, planVersion, anchor } = subscription;
  const invoiceId = invoiceIdOf(subscriptionId, nth);
  const current = cyclePeriod(subscription, nth);
  const advance = plan.charges.filter(({ type, timing }) => type === 'recurring' && timing !== 'in_arrears');
  const arrears = plan.charges.filter((charge) => !advance.includes(charge));
  const before = nth === 0 || arrears.length === 0 ? null : cyclePeriod(subscription, nth - 1);
  if (advance.length === 0 && before === null) return undefined;
  return {
    invoiceId, accountId, subscriptionId, currency, planKey, planVersion, zone: anchor.zone, rounding: ROUNDING,
    advance: { period: current.served, aligned: current.aligned, charges: advance },
    arrears: before === null ? null : { period: before.served, aligned: before.aligned, charges: arrears, ...(arrears.some(({ type }) => type === 'usage') ? usageFrom(subscription, before) : {}) },
    requests: before === null ? [] : arrears.flatMap((charge) => requestOf(subscription, invoiceId, charge, before, around)),
  };
};

/** Said only where it is before the period. */
const usageFrom = (subscription: SubscriptionRow, period: CyclePeriod): { usageFrom?: string } => {
  const { from } = usagePeriod(subscription, period);
  return from === period.served.from ? {} : { usageFrom: from };
};

const requestOf = (subscription: SubscriptionRow, invoiceId: string, { key, type, meterKey }: Charge, period: CyclePeriod, { meterVersions, siblings }: Around): StatementRequest[] => {
  if (type !== 'usage' || meterKey === undefined) return [];
  return [{
    requestId: derivedId('req', invoiceId, key), subscriptionId: subscription.subscriptionId, chargeKey: key, meterKey, meterVersion: meterVersions.get(meterKey) ?? 1,
    usage: coveredUsage(subscription, siblings, meterKey, usagePeriod(subscription, period)), groupBy: [], period: { from: period.aligned.from, to: period.aligned.to },
  }];
};
