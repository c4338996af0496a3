import type { SubscriptionEvent, SubscriptionStarted } from '@valueverse/contracts';
import { ident, tableOf, type DeciderDefinition, type ReadModel, type Tx } from '@valueverse/event-log';
import type { Covering } from './domain/covered-usage';
import { livesOf } from './domain/timeline';
import { evolveSubscription, NEW_SUBSCRIPTION, subscription, type Subscription, type SubscriptionCommand } from './domain/subscription.decider';

/** A subscription with everything that decides over what it costs. */
export type SubscriptionRow = Subscription & { readonly started: Omit<SubscriptionStarted, 'type'> };

const fold = (event: SubscriptionEvent, row: SubscriptionRow): SubscriptionRow => evolveSubscription(event, row) as SubscriptionRow;

export const subscriptionsModel: ReadModel<SubscriptionEvent, SubscriptionRow> = {
  table: 'subscriptions', version: 3, key: ({ subscriptionId }) => subscriptionId, initial: NEW_SUBSCRIPTION as SubscriptionRow,
  on: {
    SubscriptionStarted: fold, SubscriptionChanged: fold, SubscriptionChangeDropped: fold, SubscriptionCancelled: fold, SubscriptionReactivated: fold, SubscriptionPaused: fold, SubscriptionResumed: fold, SubscriptionBilled: fold,
  },
  columns: { account_id: ({ started }) => started.accountId, plan_key: (row) => latestTerms(row).planKey, external_id: ({ started }) => started.externalId ?? null },
  unique: ['external_id'], sortBy: ({ started }) => started.startedAt,
};
const latestTerms = ({ started, changes }: SubscriptionRow): { readonly planKey: string } => changes.at(-1)?.terms ?? started;

export const subscriptionDecider: DeciderDefinition<SubscriptionCommand, SubscriptionEvent, Subscription> = {
  name: 'subscription', decider: subscription, stream: ({ subscriptionId }) => `subscription-${subscriptionId}`, views: [subscriptionsModel],
};

/** Whose usage a subscription is billed for. */
export const coveringOf = (row: SubscriptionRow): Covering => {
  const { started, changes, ends } = row;
  const { subscriptionId, subjects, startsAt, countFrom, ofAccount } = started;
  const claims = changes.flatMap((change) => change.ofAccount ?? []).at(-1) ?? ofAccount;
  return { subscriptionId, subjects, startsAt, ...(countFrom === undefined ? {} : { countFrom }), ...(claims === undefined ? {} : { ofAccount: claims }), ...(ends.length === 0 ? {} : { lives: livesOf(row) }) };
};

/** The subscriptions of an account. */
export const subscriptionsOf = async (tx: Tx, tenant: string, accountId: string): Promise<readonly SubscriptionRow[]> => {
  const { rows } = await tx.query<{ row: SubscriptionRow }>(`SELECT row FROM ${ident(tableOf(subscriptionsModel))} WHERE tenant = $1 AND account_id = $2 ORDER BY key`, [tenant, accountId]);
  return rows.map(({ row }) => row);
};
/** Those that may share its usage with a subscription: none where it has subjects of its own alone. */
export const siblingsOf = async (tx: Tx, tenant: string, row: SubscriptionRow): Promise<readonly Covering[]> =>
  (coveringOf(row).ofAccount === undefined ? [] : (await subscriptionsOf(tx, tenant, row.started.accountId)).map(coveringOf));
