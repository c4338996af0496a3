import { earlierOf, isBefore, laterOf, type Instant, type Period } from '@valueverse/kernel';
import type { SubscriptionStarted, UsageSpan } from '@valueverse/contracts';
import { merged, without } from './intervals';

export type OfAccount = NonNullable<SubscriptionStarted['ofAccount']>;
export type Covering = Pick<SubscriptionStarted, 'subscriptionId' | 'subjects' | 'startsAt' | 'countFrom' | 'ofAccount'> & {
  /** The times in which it lives, where it has ended once: after its end it has no meter. */
  readonly lives?: readonly { readonly to: Instant | undefined; readonly from: Instant }[];
};
type Claiming = Pick<Covering, 'ofAccount' | 'lives'>;

/** When a subscription has a meter, inside of a stretch of time: since it claimed it, until its plan drops it, as long as it lives. What was used before its start counts with its first life. */
const claimsOn = ({ ofAccount, lives = [] }: Claiming, meterKey: string, within: Period): Period[] => {
  const ended = lives.flatMap(({ to }, nth) => (to === undefined ? [] : [{ from: to, to: lives[nth + 1]?.from ?? within.to }])).filter(({ from, to }) => isBefore(from, to));
  const claimed = (ofAccount?.meters ?? []).filter((claim) => claim.meterKey === meterKey).map(({ from, to }) => ({ from: laterOf(from, within.from), to: to === undefined ? within.to : earlierOf(to, within.to) }));
  return without(claimed.filter(({ from, to }) => isBefore(from, to)), ended);
};

/**
 * What a new subscription has of its account's subjects: each meter of its plan, from where its usage begins. Where an earlier subscription has the meter already, from now on at the earliest, or from where that had
 * ended: what was the earlier one's alone stays so, since it may be billed.
 */
export const claimedOfAccount = (subjects: readonly string[], meterKeys: readonly string[], from: string, now: string, earlier: readonly Claiming[]): OfAccount =>
  ({ subjects, meters: [...new Set(meterKeys)].map((meterKey) => ({ meterKey, from: freeFrom(meterKey, from, now, earlier) })) });

/** From where on a meter can be claimed: behind what others have of it until now. */
export const freeFrom = (meterKey: string, from: Instant, now: Instant, others: readonly Claiming[]): Instant => {
  if (!isBefore(from, now)) return from;
  return merged(others.flatMap((other) => claimsOn(other, meterKey, { from, to: now }))).map(({ to }) => to).reduce(laterOf, from);
};

/** The times in which a subscription alone of its account has a meter, in order. */
export const soleTimes = (subscription: Covering, siblings: readonly Covering[], meterKey: string, within: Period): Period[] =>
  without(claimsOn(subscription, meterKey, within), siblings.filter(({ subscriptionId }) => subscriptionId !== subscription.subscriptionId).flatMap((other) => claimsOn(other, meterKey, within)));

/** The usage of a meter that a subscription is billed for in a stretch of time: of its own subjects all, of its account's while it alone has the meter. `siblings` are all subscriptions of the account. */
export const coveredUsage = (subscription: Covering, siblings: readonly Covering[], meterKey: string, within: Period): UsageSpan[] => [
  ...subscription.subjects.map((subject) => ({ subject, from: within.from, to: within.to })),
  ...soleTimes(subscription, siblings, meterKey, within).flatMap(({ from, to }) => subscription.ofAccount!.subjects.map((subject) => ({ subject, from, to }))),
];
