import type { SubscriptionStarted } from '@valueverse/contracts';
import type { DeciderDefinition, ReadModel } from '@valueverse/event-log';
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
