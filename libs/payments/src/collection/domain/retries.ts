import { addDuration, anchorAt, compareInstants, type Instant, periodAt } from '@valueverse/kernel';
import type { PaymentAttemptDeclined } from '@valueverse/contracts';
import type { NextTry } from './payment-command';

/** An attempt that was declined. */
export interface DeclinedTry { readonly methodId: string; readonly class: PaymentAttemptDeclined['declineClass']; readonly at: Instant }
export interface Method { readonly methodId: string; readonly provider: string }
export interface RetryRules {
  /** After so many days from the first decline, by the customer's calendar, a soft decline is tried again. */
  readonly days: readonly number[];
  readonly zone: string;
}
/** What is not the card's fault is tried again soon, so often. */
const TECHNICAL_TRIES = 3;
const TECHNICAL_AFTER = 'PT1H';
export const RETRY_DAYS: readonly number[] = [1, 3, 5, 7];

/**
 * When and by what a payment is tried again after its last decline; `undefined` where it is given up. `methods` has the account's default first, without those that were removed. A card that is
 * declined for good, or for fraud, is not tried again: the next one of the account is, at once. So it is where the card was removed, then also by one that was declined for a while before. A soft decline waits for its
 * day, at the same time on the customer's wall.
 */
export const nextTry = (tries: readonly DeclinedTry[], methods: readonly Method[], { days, zone }: RetryRules): NextTry | undefined => {
  const last = tries.at(-1)!;
  const same = methods.find(({ methodId }) => methodId === last.methodId);
  if (last.class === 'technical' && same !== undefined && trailing(tries) <= TECHNICAL_TRIES) return { methodId: same.methodId, provider: same.provider, retryAt: addDuration(last.at, TECHNICAL_AFTER) };
  if (last.class === 'hard' || last.class === 'fraud' || same === undefined) {
    const isTried = ({ methodId }: Method, ...classes: readonly DeclinedTry['class'][]): boolean => tries.some((one) => one.methodId === methodId && classes.includes(one.class));
    const left = methods.find((one) => !isTried(one, 'hard', 'fraud', 'soft')) ?? (same === undefined ? methods.find((one) => !isTried(one, 'hard', 'fraud')) : undefined);
    return left === undefined ? undefined : { methodId: left.methodId, provider: left.provider, retryAt: last.at };
  }
  const soft = tries.filter((one) => one.methodId === last.methodId && one.class !== 'hard' && one.class !== 'fraud');
  const first = anchorAt(soft[0]!.at, zone);
  // Each day is tried once, also where a clock was put back.
  const used = Math.max(0, soft.filter((one) => one.class === 'soft').length - 1);
  const due = days.slice(used).map((day) => periodAt(first, { unit: 'day', count: 1 }, day).from).find((instant) => compareInstants(instant, last.at) > 0);
  return due === undefined ? undefined : { methodId: same.methodId, provider: same.provider, retryAt: due };
};

/** How many technical declines came one after the other up to now. */
const trailing = (tries: readonly DeclinedTry[]): number => tries.length - 1 - tries.findLastIndex((one) => one.class !== 'technical');
