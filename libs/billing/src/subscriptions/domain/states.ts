import { compareInstants, type Instant } from '@valueverse/kernel';
import type { Subscription, SubscriptionCommand } from './subscription.decider';
import { livesOf, stretchAt, stretchesOf, type PlanCourses } from './timeline';

export type SubscriptionStatus = 'scheduled' | 'trialing' | 'active' | 'paused' | 'cancelled';
/** What leads from a status to another: a command that takes effect at once, or time alone. */
export type Cause = Exclude<SubscriptionCommand['type'], 'StartSubscription' | 'DropChange' | 'BillSubscription'> | 'time';
export interface Transition { readonly from: SubscriptionStatus; readonly cause: Cause; readonly to: SubscriptionStatus }
/** A command that is refused in a status, and by which code. */
export interface Refusal { readonly from: SubscriptionStatus; readonly cause: Exclude<Cause, 'time'>; readonly code: string }

/** The life of a subscription. Everything else is refused. */
export const TRANSITIONS: readonly Transition[] = [
  { from: 'scheduled', cause: 'time', to: 'trialing' }, { from: 'scheduled', cause: 'time', to: 'active' }, { from: 'trialing', cause: 'time', to: 'active' },
  { from: 'trialing', cause: 'PauseSubscription', to: 'paused' }, { from: 'trialing', cause: 'ChangeSubscription', to: 'trialing' }, { from: 'trialing', cause: 'CancelSubscription', to: 'cancelled' },
  { from: 'active', cause: 'ChangeSubscription', to: 'active' }, { from: 'active', cause: 'PauseSubscription', to: 'paused' }, { from: 'active', cause: 'CancelSubscription', to: 'cancelled' },
  { from: 'paused', cause: 'ResumeSubscription', to: 'active' }, { from: 'paused', cause: 'time', to: 'active' }, { from: 'paused', cause: 'ChangeSubscription', to: 'paused' }, { from: 'paused', cause: 'CancelSubscription', to: 'cancelled' },
  { from: 'cancelled', cause: 'ReactivateSubscription', to: 'active' },
];
export const REFUSALS: readonly Refusal[] = [
  { from: 'trialing', cause: 'ResumeSubscription', code: 'not_paused' }, { from: 'trialing', cause: 'ReactivateSubscription', code: 'not_cancelled' },
  { from: 'active', cause: 'ResumeSubscription', code: 'not_paused' }, { from: 'active', cause: 'ReactivateSubscription', code: 'not_cancelled' },
  { from: 'paused', cause: 'PauseSubscription', code: 'already_paused' }, { from: 'paused', cause: 'ReactivateSubscription', code: 'not_cancelled' },
  { from: 'cancelled', cause: 'ChangeSubscription', code: 'after_cancellation' }, { from: 'cancelled', cause: 'PauseSubscription', code: 'after_cancellation' }, { from: 'cancelled', cause: 'CancelSubscription', code: 'subscription_ended' },
  { from: 'cancelled', cause: 'ResumeSubscription', code: 'not_paused' },
];

/** The status at an instant, from the timeline. */
export const statusAt = (subscription: Subscription, courses: PlanCourses, at: Instant): SubscriptionStatus => {
  const isOver = compareInstants(at, subscription.started!.startsAt) >= 0 && !livesOf(subscription).some(({ from, to }) => compareInstants(from, at) <= 0 && (to === undefined || compareInstants(at, to) < 0));
  return isOver ? 'cancelled' : stretchAt(stretchesOf(subscription, courses), at)?.status ?? 'scheduled';
};

const WORDS: Readonly<Record<Cause, string>> = { time: 'time', ChangeSubscription: 'change', CancelSubscription: 'cancel', ReactivateSubscription: 'reactivate', PauseSubscription: 'pause', ResumeSubscription: 'resume' };
/** The picture of it, for docs/subscriptions.md. */
export const stateDiagram = (): string => ['stateDiagram-v2', '  [*] --> scheduled', ...TRANSITIONS.map(({ from, cause, to }) => `  ${from} --> ${to}: ${WORDS[cause]}`)].join('\n');
