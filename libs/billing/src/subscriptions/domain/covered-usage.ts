import { compareInstants, earlierOf, laterOf, type Period } from '@valueverse/kernel';
import type { SubscriptionStarted, UsageSpan } from '@valueverse/contracts';

export type OfAccount = NonNullable<SubscriptionStarted['ofAccount']>;
export type Covering = Pick<SubscriptionStarted, 'subscriptionId' | 'subjects' | 'startsAt' | 'countFrom' | 'ofAccount'>;

/**
 * What a new subscription has of its account's subjects: each meter of its plan, from where its usage begins. Where an earlier subscription has the meter already, from now on at the earliest: what was
 * the earlier one's alone stays so, since it may be billed.
 */
export const claimedOfAccount = (subjects: readonly string[], meterKeys: readonly string[], from: string, now: string, earlier: readonly Pick<Covering, 'ofAccount'>[]): OfAccount => ({
  subjects,
  meters: [...new Set(meterKeys)].map((meterKey) => {
    const isTaken = earlier.some(({ ofAccount }) => ofAccount?.meters.some((claim) => claim.meterKey === meterKey && compareInstants(claim.from, now) <= 0));
    return { meterKey, from: isTaken ? laterOf(from, now) : from };
  }),
});

const claimOn = ({ ofAccount }: Pick<Covering, 'ofAccount'>, meterKey: string): string | undefined => ofAccount?.meters.find((claim) => claim.meterKey === meterKey)?.from;

/** The time in which a subscription alone of its account has a meter; `undefined` where there is none. It ends where the first other one begins. */
export const soleTime = (subscription: Covering, siblings: readonly Covering[], meterKey: string, within: Period): Period | undefined => {
  const claimed = claimOn(subscription, meterKey);
  if (claimed === undefined) return undefined;
  const others = siblings.filter(({ subscriptionId }) => subscriptionId !== subscription.subscriptionId).flatMap((other) => claimOn(other, meterKey) ?? []);
  const sole = { from: laterOf(within.from, claimed), to: others.reduce(earlierOf, within.to) };
  return compareInstants(sole.from, sole.to) < 0 ? sole : undefined;
};

/** The usage of a meter that a subscription is billed for in a stretch of time: of its own subjects all, of its account's while it alone has the meter. `siblings` are all subscriptions of the account. */
export const coveredUsage = (subscription: Covering, siblings: readonly Covering[], meterKey: string, within: Period): UsageSpan[] => {
  const sole = soleTime(subscription, siblings, meterKey, within);
  return [
    ...subscription.subjects.map((subject) => ({ subject, from: within.from, to: within.to })),
    ...(sole === undefined ? [] : subscription.ofAccount!.subjects.map((subject) => ({ subject, from: sole.from, to: sole.to }))),
  ];
};
