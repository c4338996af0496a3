import { dispatch, type BillingAnchor, type Decider } from '@valueverse/kernel';
import type { SubscriptionStarted } from '@valueverse/contracts';
import type { OfAccount } from './covered-usage';

/** Puts an account on a plan version. Periods are counted from the anchor, a local date-time in a zone. */
export interface StartSubscription {
  readonly type: 'StartSubscription';
  readonly subscriptionId: string;
  readonly accountId: string;
  readonly planKey: string;
  readonly planVersion: number;
  readonly currency: string;
  readonly interval: SubscriptionStarted['interval'];
  readonly startsAt: string;
  readonly anchor: BillingAnchor;
  readonly subjects: readonly string[];
  readonly countFrom?: string;
  readonly ofAccount?: OfAccount;
  readonly metadata: Readonly<Record<string, string>>;
  readonly at: string;
}
export interface Subscription { readonly isStarted: boolean }

export const subscription: Decider<StartSubscription, SubscriptionStarted, Subscription> = {
  initial: { isStarted: false },
  decide: dispatch<StartSubscription, Subscription, readonly SubscriptionStarted[]>({
    StartSubscription: ({ at, ...facts }, { isStarted }) => (isStarted ? [] : [{ ...facts, type: 'SubscriptionStarted', startedAt: at }]),
  }),
  evolve: dispatch<SubscriptionStarted, Subscription, Subscription>({ SubscriptionStarted: () => ({ isStarted: true }) }),
};
