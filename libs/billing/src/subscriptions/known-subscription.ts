import type { Tx } from '@valueverse/event-log';
import { heldRow, Problem, rowOf } from '@valueverse/platform';
import { accountsModel, type AccountRow } from '../accounts/account.model';
import type { BillingHost } from '../billing-host';
import { clockTime } from '../clocks/clock-time';
import { loadCatalogue, type Loaded } from './catalogue';
import type { Catalogue } from './domain/due-items';
import { heldAccount } from './start-subscription';
import { subscriptionsModel, type SubscriptionRow } from './subscription.model';

export interface KnownSubscription { readonly row: SubscriptionRow; readonly account: AccountRow; readonly catalogue: Catalogue & Loaded; readonly now: string }
/** A subscription with its account, what the catalogue says of it, and the account's time. Refuses with 404 `subscription_not_found`. */
export const knownSubscription = async (host: BillingHost, tx: Tx, tenant: string, id: string): Promise<KnownSubscription> => knownAs(host, tx, tenant, id, await rowOf<SubscriptionRow>(tx, subscriptionsModel, id));
/** The same of one that is about to change: it is held, so that of changes that come at once each sees those before it; and so is its account where subscriptions share its subjects. */
export const heldSubscription = async (host: BillingHost, tx: Tx, tenant: string, id: string): Promise<KnownSubscription> => {
  const held = await knownAs(host, tx, tenant, id, await heldRow<SubscriptionRow>(tx, tenant, subscriptionsModel, id));
  if (held.account.subjects !== undefined) await heldAccount(tx, tenant, held.account.accountId);
  return held;
};
const knownAs = async (host: BillingHost, tx: Tx, tenant: string, id: string, row: SubscriptionRow | undefined): Promise<KnownSubscription> => {
  if (row === undefined) throw new Problem(404, 'subscription_not_found', `there is no subscription ${id}`);
  const account = (await rowOf<AccountRow>(tx, accountsModel, row.started.accountId))!;
  return { row, account, catalogue: await loadCatalogue(tx, tenant, [row]), now: await clockTime(tx, host.service.clock, account.testClockId) };
};
