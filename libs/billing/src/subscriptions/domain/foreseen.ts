import { isBefore, type Instant } from '@valueverse/kernel';
import type { SubscriptionEvent } from '@valueverse/contracts';
import { creditSlice, dueAt, lastDueBefore, type Catalogue } from './due-items';
import { evolveSubscription, subscription, type Subscription, type SubscriptionCommand } from './subscription.decider';

/** The subscription as a command leaves it. Refuses as the command does. */
const after = <S extends Subscription>(row: S, command: SubscriptionCommand): S =>
  subscription.decide(command, row).reduce((state: S, event: SubscriptionEvent) => evolveSubscription(event, state) as S, row);

/** The subscription as it is once everything that is due by an instant was billed. */
export const billedUpTo = <S extends Subscription>(row: S, catalogue: Catalogue, at: Instant): S => {
  const { subscriptionId, startsAt } = row.started!;
  if (isBefore(at, startsAt)) return row;
  const { items, credits } = dueAt(row, catalogue, at, '');
  if (items.length === 0 && credits.length === 0) return row;
  const slices = [...items.map(({ slice }) => slice), ...credits.map(creditSlice)];
  return evolveSubscription({ type: 'SubscriptionBilled', subscriptionId, invoiceId: '', at, slices, billedAt: at }, row) as S;
};

/**
 * The subscription as it will be when a command that is given now comes into effect: the runs until then have billed what was due, knowing of the command, and what is due at that instant is left. So what a preview
 * says is what the run of that instant bills. Where a run of before is still on its way, it will know of the command too.
 */
export const foreseen = <S extends Subscription>(row: S, catalogue: Catalogue, command: SubscriptionCommand, effectiveAt: Instant, now: Instant): S => {
  const changed = after(row, command);
  const last = lastDueBefore(changed, catalogue, effectiveAt);
  const isToCome = last !== undefined && (isBefore(now, last) || billedUpTo(row, catalogue, last) !== row);
  return isToCome ? billedUpTo(changed, catalogue, last) : changed;
};
