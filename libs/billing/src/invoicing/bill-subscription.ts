import { addDuration, addMicros, compareInstants, laterOf, type Instant } from '@valueverse/kernel';
import type { BilledSlice, BillingSettings, InvoiceDrafted, InvoiceItem, StatementRequest } from '@valueverse/contracts';
import { ident, tableOf, type Tx } from '@valueverse/event-log';
import { lineIdOf } from './domain/line-id';
import { knownMetersOf, type KnownMeter } from '../catalog/known-meters';
import { oncePerTx } from '../once-per-tx';
import { DEFAULT_SETTINGS, settingsInForce, type SettingsVersion } from '../settings/domain/settings.decider';
import { settingsVersions } from '../settings/settings.model';
import { loadCatalogue } from '../subscriptions/catalogue';
import type { Covering } from '../subscriptions/domain/covered-usage';
import { creditItem, dueAt, nextDueAfter, openUsageAt, type Catalogue, type DueItem } from '../subscriptions/domain/due-items';
import { coveringOf, siblingsOf, type SubscriptionRow } from '../subscriptions/subscription.model';
import { invoicesModel, type InvoiceRow } from './invoice.model';
import { withRequests } from './statement-requests';

export type Draft = Omit<InvoiceDrafted, 'type' | 'draftedAt'>;
/** What an invoice charges of one subscription. `revision` is that of the subscription as it was looked at; up to `billedTo` nothing is due any more. */
export interface BilledPart { readonly subscriptionId: string; readonly revision: number; readonly billedTo: Instant; readonly slices: readonly BilledSlice[] }
export interface Bill { readonly draft: Draft; readonly parts: readonly BilledPart[] }
export interface BillRun { readonly bills: readonly Bill[]; readonly catalogue: Catalogue }

export interface BillOptions {
  /** What is due up to this instant is billed. */
  readonly at: Instant;
  /** When it is drafted. */
  readonly now: Instant;
  readonly kind?: InvoiceDrafted['kind'];
  /** The invoice in a currency. */
  readonly invoiceIdOf: (currency: string) => string;
}

/** Items of several subscriptions that are drafted by one run: an invoice is one fact, and a fact is to fit into a record of the feed. */
const ITEMS_TOGETHER_MAX = 2_500;

/**
 * What is due of subscriptions that go on one invoice, as drafts: one for each currency. Those of which there is no room are left out; the first one always is in it. Nothing is stored. The same function makes the invoices of a run, those of a preview, and interim ones.
 */
export const billSubscriptions = async (tx: Tx, tenant: string, rows: readonly SubscriptionRow[], { at, now, kind = 'cycle', invoiceIdOf }: BillOptions, loaded?: Catalogue): Promise<BillRun> => {
  const catalogue = loaded ?? await loadCatalogue(tx, tenant, rows);
  const dueOf = async (row: SubscriptionRow): Promise<readonly DueItem[]> => {
    const invoiceId = invoiceIdOf(row.started.currency);
    if (kind === 'interim') return openUsageAt(row, catalogue, at, invoiceId);
    const { items, credits } = dueAt(row, catalogue, billedToOf(row, at), invoiceId);
    const originals = await itemsOf(tx, tenant, credits.map(({ of }) => of.invoiceId));
    return [...items, ...credits.flatMap((credit) => { const original = originals.get(credit.of.lineId); return original === undefined ? [] : [creditItem(credit, original, invoiceId)]; })];
  };
  const found: { row: SubscriptionRow; due: readonly DueItem[] }[] = [];
  let count = 0;
  for (const row of rows) {
    const due = await dueOf(row);
    count += due.length;
    if (found.length > 0 && count > ITEMS_TOGETHER_MAX) break;
    found.push({ row, due });
  }
  const currencies = [...new Set(found.filter(({ due }) => due.length > 0).map(({ row }) => row.started.currency))];
  const bills: Bill[] = [];
  for (const currency of currencies) bills.push(await billOf(tx, tenant, found.filter(({ row, due }) => row.started.currency === currency && due.length > 0), { invoiceId: invoiceIdOf(currency), at, now, kind }));
  return { bills, catalogue };
};

/** A change that was put before what is billed already is a matter of what is billed since. */
const billedToOf = ({ billedTo }: SubscriptionRow, at: Instant): Instant => (billedTo === undefined ? at : laterOf(at, billedTo));

/** Whether anything of a subscription is to be billed at an instant. */
export const isDue = (row: SubscriptionRow, catalogue: Catalogue, at: Instant): boolean => {
  const { items, credits } = dueAt(row, catalogue, billedToOf(row, at), '');
  return items.length > 0 || credits.length > 0;
};

/** When something of the subscriptions may fall due next. */
export const nextRun = (row: SubscriptionRow, catalogue: Catalogue, after: Instant): Instant | undefined => nextDueAfter(row, catalogue, after);

/** The fees of invoices by the id of their one line. */
const itemsOf = async (tx: Tx, tenant: string, invoiceIds: readonly string[]): Promise<ReadonlyMap<string, InvoiceItem>> => {
  const rows = await invoiceRows(tx, tenant, [...new Set(invoiceIds)]);
  return new Map(rows.flatMap(({ invoiceId, drafted }) => drafted.items.map((item) => [lineIdOf(invoiceId, item.itemId), item] as const)));
};
export const invoiceRows = async (tx: Tx, tenant: string, invoiceIds: readonly string[]): Promise<readonly InvoiceRow[]> => {
  if (invoiceIds.length === 0) return [];
  const { rows } = await tx.query<{ row: InvoiceRow }>(`SELECT row FROM ${ident(tableOf(invoicesModel))} WHERE tenant = $1 AND key = ANY($2)`, [tenant, invoiceIds]);
  return rows.map(({ row }) => row);
};

const metersOnce = oncePerTx<ReadonlyMap<string, KnownMeter>>();
const settingsOnce = oncePerTx<readonly SettingsVersion[]>();
/** By account: what billing changes of subscriptions says nothing of whose usage they have. */
const siblingsOnce = oncePerTx<readonly Covering[]>();

interface Found { readonly row: SubscriptionRow; readonly due: readonly DueItem[] }
const billOf = async (tx: Tx, tenant: string, found: readonly Found[], { invoiceId, at, now, kind }: { invoiceId: string; at: Instant; now: Instant; kind: InvoiceDrafted['kind'] }): Promise<Bill> => {
  const items: InvoiceItem[] = [];
  const requests: StatementRequest[] = [];
  for (const { row, due } of found) {
    const meterKeys = [...new Set(due.flatMap(({ item: { kind: own, charge } }) => (own === 'usage' && charge.meterKey !== undefined ? [charge.meterKey] : [])))].sort();
    const meters = await metersOnce(tx, JSON.stringify([tenant, meterKeys]), () => knownMetersOf(tx, tenant, meterKeys));
    const covering = coveringOf(row);
    const siblings = meters.size === 0 || covering.ofAccount === undefined ? [] : await siblingsOnce(tx, JSON.stringify([tenant, row.started.accountId]), () => siblingsOf(tx, tenant, row));
    const around = { covering, siblings, meters };
    for (const { item } of due) {
      const asked = withRequests(item, invoiceId, around);
      items.push(asked.item);
      requests.push(...asked.requests);
    }
  }
  const [{ row: { started: { accountId, subscriptionId, currency, anchor } } }] = found as [Found];
  const settings = settingsInForce(await settingsOnce(tx, tenant, () => settingsVersions(tx, tenant)), at)?.settings ?? DEFAULT_SETTINGS;
  return {
    draft: {
      invoiceId, accountId, ...(found.length === 1 ? { subscriptionId } : {}), kind, currency, zone: anchor.zone, rounding: settings.rounding, items, requests,
      finalizeAt: await finalizeAt(tx, tenant, { items, requests, at, now, kind }, settings),
    },
    parts: found.map(({ row, due }) => ({ subscriptionId: row.started.subscriptionId, revision: row.revision, billedTo: kind === 'interim' ? row.billedTo ?? row.started.startsAt : billedToOf(row, at), slices: due.map(({ slice }) => slice) })),
  };
};

/** Fees alone wait for nothing; usage has a time for events that come late. What gives back a part of a draft is issued after it: only then is known what that comes to. */
const finalizeAt = async (tx: Tx, tenant: string, { items, requests, at, now, kind }: { items: readonly InvoiceItem[]; requests: readonly StatementRequest[]; at: Instant; now: Instant; kind: InvoiceDrafted['kind'] }, { gracePeriod }: BillingSettings): Promise<Instant> => {
  const own = requests.length === 0 || kind === 'interim' ? now : addDuration(at, gracePeriod);
  const originals = await invoiceRows(tx, tenant, [...new Set(items.flatMap(({ credits }) => credits?.invoiceId ?? []))]);
  return originals.filter(({ status }) => status === 'draft').map(({ drafted }) => addMicros(drafted.finalizeAt, 1n)).reduce((latest, one) => (compareInstants(one, latest) > 0 ? one : latest), own);
};
