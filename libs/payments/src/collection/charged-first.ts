import type { Tx } from '@valueverse/event-log';
import { defaultMethods, type DefaultMethodRow, methodsOfAccounts } from '../methods/methods';
import { settingsOf } from '../settings/settings';
import { type Collected, routed } from './domain/routing';

/** What is charged first for a payment of one of these accounts: its default method, or another one where the rules of the tenant say so. */
export const chargedFirst = async (tx: Tx, tenant: string, accountIds: readonly string[]): Promise<(accountId: string, what: Collected) => DefaultMethodRow | undefined> => {
  const { routing } = await settingsOf(tx, tenant);
  if (routing.length === 0) {
    const defaults = await defaultMethods(tx, tenant, accountIds);
    return (accountId) => defaults.get(accountId);
  }
  const methods = await methodsOfAccounts(tx, tenant, accountIds);
  return (accountId, what) => routed(methods.get(accountId) ?? [], routing, what)[0];
};
