import { derivedId, type Period } from '@valueverse/kernel';
import type { InvoiceItem, Schedule, StatementRequest } from '@valueverse/contracts';
import { eventTermsOf, type Price } from '@valueverse/rating';
import type { KnownMeter } from '../catalog/known-meters';
import { coveredUsage, type Covering } from '../subscriptions/domain/covered-usage';
import { scheduleSpans } from '../subscriptions/domain/schedule-spans';

/** Whose usage an item bills, among whom an account's subjects are shared, and the meters as they are known. */
export interface Around { readonly covering: Covering; readonly siblings: readonly Covering[]; readonly meters: ReadonlyMap<string, KnownMeter> }

/** One window of an item's usage: the periods in which it is open, and the price that it has. */
interface Window { readonly name: string | undefined; readonly periods: readonly Period[]; readonly price: Price }

const windowsOf = ({ charge, zone }: InvoiceItem, usage: Period): Window[] => {
  const schedule = charge.schedule as Schedule | undefined;
  if (schedule === undefined) return [{ name: undefined, periods: [usage], price: charge.price as Price }];
  const spans = scheduleSpans(schedule, zone, usage);
  return [...spans].map(([name, periods]) => ({ name, periods, price: (schedule.windows.find((window) => window.name === name)?.price ?? schedule.otherwise ?? charge.price) as Price }));
};

/** A usage item with what metering is asked for it: a question for each window of its schedule. Other items stay as they are. */
export const withRequests = (item: InvoiceItem, invoiceId: string, { covering, siblings, meters }: Around): { item: InvoiceItem; requests: StatementRequest[] } => {
  const { charge, served, usageFrom, aligned } = item;
  if (item.kind !== 'usage' || charge.meterKey === undefined) return { item, requests: [] };
  const meterKey = charge.meterKey;
  const meter = meters.get(meterKey);
  const asked = windowsOf(item, { from: usageFrom ?? served.from, to: served.to }).map(({ name, periods, price }) => {
    const terms = eventTermsOf(price);
    const request: StatementRequest = {
      requestId: derivedId('req', invoiceId, item.itemId, name ?? ''), subscriptionId: covering.subscriptionId, chargeKey: charge.key, meterKey, meterVersion: meter?.version ?? 1,
      usage: periods.flatMap((period) => coveredUsage(covering, siblings, meterKey, period)), groupBy: price.model === 'matrix' ? [...price.dimensions] : [], period: { from: aligned.from, to: aligned.to },
      ...(terms === undefined ? {} : { terms }),
    };
    return { name, request };
  });
  return {
    item: { ...item, ...(meter?.aggregation == null ? {} : { aggregation: meter.aggregation }), requests: asked.map(({ name, request: { requestId } }) => ({ requestId, ...(name === undefined ? {} : { window: name }) })) },
    requests: asked.map(({ request }) => request),
  };
};
