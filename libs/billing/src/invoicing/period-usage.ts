import { Decimal, Money, type Rounding } from '@valueverse/kernel';
import { decimal, instant, list, mapOf, nullable, object, optional, period, text, whole, type Charge, type InvoiceItem } from '@valueverse/contracts';
import { ident, tableOf, type Tx } from '@valueverse/event-log';
import type { Price, Step } from '@valueverse/rating';
import type { BillingHost } from '../billing-host';
import { knownMetersOf } from '../catalog/known-meters';
import { settingsAt } from '../settings/settings.model';
import { usageItemsOf, type Catalogue } from '../subscriptions/domain/due-items';
import type { UsageWindow } from '../subscriptions/domain/usage-windows';
import { coveringOf, siblingsOf, type SubscriptionRow } from '../subscriptions/subscription.model';
import { invoicesModel } from './invoice.model';
import { allowanceOf, tierReached } from './domain/allowance';
import { priceItems, type PricedLine } from './domain/lines';
import { liveStatements } from './preview';
import { withRequests } from './statement-requests';

export const PERIOD_USAGE = object({
  subscriptionId: text(), invoiceId: nullable(text()), currency: text(3), period, usagePeriod: period, asOf: optional(instant()),
  charges: list(object({
    chargeKey: text(), name: text(), meterKey: text(), dimensions: optional(mapOf(text())), quantity: decimal(), billedQuantity: decimal(), amount: decimal(),
    included: nullable(object({ units: nullable(decimal()), used: decimal(), remaining: nullable(decimal()) })),
    tier: nullable(object({ number: whole(1), from: decimal(), upTo: nullable(decimal()), unitAmount: decimal(), remaining: nullable(decimal()) })),
  })),
  total: decimal(),
});

/** What metering is asked for the usage of a window. */
export const askedOf = async (tx: Tx, tenant: string, row: SubscriptionRow, catalogue: Catalogue, window: UsageWindow): Promise<{ items: InvoiceItem[]; requests: ReturnType<typeof withRequests>['requests']; invoiceId: string | null; rounding: Rounding }> => {
  const { subscriptionId } = row.started;
  const items = usageItemsOf(catalogue, window, subscriptionId, subscriptionId);
  const meters = await knownMetersOf(tx, tenant, items.flatMap(({ charge: { meterKey } }) => meterKey ?? []));
  const around = { covering: coveringOf(row), siblings: await siblingsOf(tx, tenant, row), meters };
  const asked = items.map((item) => withRequests(item, subscriptionId, around));
  return { items: asked.map(({ item }) => item), requests: asked.flatMap(({ requests }) => requests), invoiceId: await invoiceOf(tx, tenant, row, window), rounding: (await settingsAt(tx, tenant, window.served.to)).rounding };
};

/** The invoice that bills the usage of a window, once there is one. */
const invoiceOf = async (tx: Tx, tenant: string, { started: { accountId, subscriptionId } }: SubscriptionRow, { served: { from } }: UsageWindow): Promise<string | null> => {
  const { rows } = await tx.query<{ key: string }>(
    `SELECT key FROM ${ident(tableOf(invoicesModel))} WHERE tenant = $1 AND account_id = $2 AND row->'drafted'->>'kind' = 'cycle' AND EXISTS (
       SELECT FROM json_array_elements(row->'drafted'->'items') i WHERE i->>'subscriptionId' = $3 AND i->>'kind' = 'usage' AND i->'served'->>'from' = $4) ORDER BY key LIMIT 1`, [tenant, accountId, subscriptionId, from]);
  return rows[0]?.key ?? null;
};

/** The usage of a subscription in a window so far, charge by charge, priced as its invoice will price it. One that is over may have an invoice already. */
export const periodUsage = async (host: BillingHost, tenant: string, row: SubscriptionRow, window: UsageWindow, { items, requests, invoiceId, rounding }: Awaited<ReturnType<typeof askedOf>>): Promise<unknown> => {
  const { subscriptionId, currency } = row.started;
  const { statements, asOf } = await liveStatements(host.usage, tenant, { requests });
  const lines = priceItems(items, { invoiceId: subscriptionId, kind: 'cycle', currency, rounding, statements, credited: {}, interim: [] });
  return {
    subscriptionId, invoiceId, currency, period: window.served, usagePeriod: window.usage, ...(asOf === undefined ? {} : { asOf }),
    charges: lines.filter(({ type }) => type === 'usage').map((line) => chargeToApi(items.find(({ itemId }) => itemId === line.itemId)!.charge as Charge, line)),
    total: Money.sum(lines.map(({ amount }) => Money.parse(amount, currency)), currency).toString(),
  };
};

const chargeToApi = ({ key, name, meterKey, price }: Charge, { quantity, billedQuantity, amount, steps, dimensions }: PricedLine): unknown => {
  const billed = Decimal.parse(billedQuantity);
  return {
    chargeKey: key, name, meterKey, ...(Object.keys(dimensions).length === 0 ? {} : { dimensions }), quantity, billedQuantity, amount,
    included: allowanceOf(price as Price, billed) ?? null, tier: tierReached(price as Price, steps as readonly Step[], billed) ?? null,
  };
};
