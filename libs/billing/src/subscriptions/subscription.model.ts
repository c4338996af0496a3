import type { SubscriptionStarted } from '@valueverse/contracts';
import { ident, tableOf, type DeciderDefinition, type ReadModel, type Tx } from '@valueverse/event-log';
import { subscription, type StartSubscription, type Subscription } from './domain/subscription.decider';

export type SubscriptionRow = Omit<SubscriptionStarted, 'type'>;

export const subscriptionsModel: ReadModel<SubscriptionStarted, SubscriptionRow> = {
  table: 'subscriptions', version: 1, key: ({ subscriptionId }) => subscriptionId, initial: {} as SubscriptionRow,
  on: { SubscriptionStarted: ({ type: _, ...row }) => row },
  columns: { account_id: ({ accountId }) => accountId, plan_key: ({ planKey }) => planKey }, sortBy: ({ startedAt }) => startedAt,
};

export const subscriptionDecider: DeciderDefinition<StartSubscription, SubscriptionStarted, Subscription> = {
  name: 'subscription', decider: subscription, stream: ({ subscriptionId }) => `subscription-${subscriptionId}`, views: [subscriptionsModel],
};

/** The subscriptions of an account, among which its subjects are shared. */
export const subscriptionsOf = async (tx: Tx, tenant: string, accountId: string): Promise<readonly SubscriptionRow[]> => {
  const { rows } = await tx.query<{ row: SubscriptionRow }>(`SELECT row FROM ${ident(tableOf(subscriptionsModel))} WHERE tenant = $1 AND account_id = $2 ORDER BY key`, [tenant, accountId]);
  return rows.map(({ row }) => row);
};
/** Those that may share its usage with a subscription: none where it has subjects of its own alone. */
export const siblingsOf = async (tx: Tx, tenant: string, { accountId, ofAccount }: SubscriptionRow): Promise<readonly SubscriptionRow[]> =>
  (ofAccount === undefined ? [] : subscriptionsOf(tx, tenant, accountId));
