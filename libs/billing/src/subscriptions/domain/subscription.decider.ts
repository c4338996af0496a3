import { compareInstants, dispatch, isBefore, Refused, type Decider, type Instant } from '@valueverse/kernel';
import type {
  BilledSlice, Proration, SubscriptionBilled, SubscriptionCancelled, SubscriptionChanged, SubscriptionEvent, SubscriptionPaused, SubscriptionStarted, SubscriptionTerms,
} from '@valueverse/contracts';
import { ledgerOf } from './ledger';

/** Puts an account on a plan version. Periods are counted from the anchor, a local date-time in a zone. */
export type StartSubscription = { readonly type: 'StartSubscription'; readonly at: string } & Omit<SubscriptionStarted, 'type' | 'startedAt'>;
/** From `effectiveAt` on it is on other terms. */
export interface ChangeSubscription {
  readonly type: 'ChangeSubscription'; readonly subscriptionId: string; readonly changeId: string; readonly effectiveAt: string; readonly terms: SubscriptionTerms;
  readonly proration?: Proration; readonly ofAccount?: NonNullable<SubscriptionChanged['ofAccount']>; readonly at: string;
}
export interface DropChange { readonly type: 'DropChange'; readonly subscriptionId: string; readonly changeId: string; readonly at: string }
export interface CancelSubscription { readonly type: 'CancelSubscription'; readonly subscriptionId: string; readonly effectiveAt: string; readonly credit: SubscriptionCancelled['credit']; readonly reason?: string; readonly at: string }
export interface ReactivateSubscription { readonly type: 'ReactivateSubscription'; readonly subscriptionId: string; readonly at: string }
export interface PauseSubscription { readonly type: 'PauseSubscription'; readonly subscriptionId: string; readonly effectiveAt: string; readonly until?: string; readonly billing: SubscriptionPaused['billing']; readonly at: string }
export interface ResumeSubscription { readonly type: 'ResumeSubscription'; readonly subscriptionId: string; readonly effectiveAt: string; readonly at: string }
/** Notes what an invoice charges of it. `revision` is the one that the slices were computed from. */
export interface BillSubscription { readonly type: 'BillSubscription'; readonly subscriptionId: string; readonly invoiceId: string; readonly billedTo: string; readonly slices: readonly BilledSlice[]; readonly revision: number; readonly at: string }
export type SubscriptionCommand = StartSubscription | ChangeSubscription | DropChange | CancelSubscription | ReactivateSubscription | PauseSubscription | ResumeSubscription | BillSubscription;

export interface Change { readonly changeId: string; readonly at: Instant; readonly terms: SubscriptionTerms; readonly proration?: Proration; readonly ofAccount?: NonNullable<SubscriptionChanged['ofAccount']> }
/** An end of its life, and where it lives again. */
export interface End { readonly at: Instant; readonly credit: SubscriptionCancelled['credit']; readonly reason?: string; readonly until?: Instant }
export interface Pause { readonly from: Instant; readonly to: Instant | undefined; readonly billing: SubscriptionPaused['billing'] }
export type Billed = BilledSlice & { readonly invoiceId: string };

/** Everything that decides over what it costs, as plain data: the row is the same. */
export interface Subscription {
  readonly started?: Omit<SubscriptionStarted, 'type'>;
  /** In the order of their instants. */
  readonly changes: readonly Change[];
  readonly ends: readonly End[];
  readonly pauses: readonly Pause[];
  /** What was charged and given back of periods that may still change. */
  readonly billed: readonly Billed[];
  /** The latest instant that was billed, and from where on `billed` is complete: periods that were over before are closed. */
  readonly billedTo?: Instant;
  readonly floor?: Instant;
  /** Counts what happened to it. */
  readonly revision: number;
}
export const NEW_SUBSCRIPTION: Subscription = { changes: [], ends: [], pauses: [], billed: [], revision: 0 };

/** Where it ends, if that is known. */
export const endOf = ({ ends }: Subscription): End | undefined => {
  const last = ends.at(-1);
  return last === undefined || last.until !== undefined ? undefined : last;
};
const known = (subscription: Subscription): Subscription => {
  if (subscription.started === undefined) throw new Refused('subscription_not_found', 'there is no such subscription');
  return subscription;
};

/** A change inside of a window leaves its beginning, where what interim invoices have charged of it is taken off; one at its beginning, or before, would leave nothing to take it off. */
const refuseBeforeInterim = ({ billed }: Subscription, effectiveAt: Instant, pointer: string): void => {
  const begun = billed.filter(({ interim }) => interim === true).map(({ from }) => from).sort(compareInstants).at(-1);
  if (begun !== undefined && compareInstants(effectiveAt, begun) <= 0) throw new Refused('usage_billed', `an interim invoice has billed its usage from ${begun} on; a change cannot be put there, nor before`, pointer);
};
/** What was charged of periods that are over cannot be told any more from what is due of them. */
const refuseClosed = ({ floor }: Subscription, effectiveAt: Instant, pointer: string): void => {
  if (floor !== undefined && isBefore(effectiveAt, floor)) throw new Refused('period_closed', `its periods up to ${floor} are billed and closed; a change cannot be put before that`, pointer);
};
/** What was billed of usage stays: a change cannot reach back behind it, nor behind the change before, nor into a period that is closed. */
const refuseBackdated = (subscription: Subscription, effectiveAt: Instant, now: Instant, pointer: string): void => {
  const { started, changes, billed, pauses } = known(subscription);
  if (isBefore(effectiveAt, started!.startsAt)) throw new Refused('before_start', `the subscription starts at ${started!.startsAt}`, pointer);
  const passed = changes.filter(({ at }) => compareInstants(at, now) <= 0).map(({ at }) => at);
  const last = [...passed, ...pauses.map(({ from, to }) => (to !== undefined && compareInstants(to, now) <= 0 ? to : from)).filter((at) => compareInstants(at, now) <= 0)].sort(compareInstants).at(-1);
  if (last !== undefined && isBefore(effectiveAt, last)) throw new Refused('before_last_change', `it was changed at ${last}; a change cannot be put before that`, pointer);
  refuseClosed(subscription, effectiveAt, pointer);
  const closed = billed.filter(({ kind, interim }) => kind === 'usage' && interim !== true).map(({ to }) => to).sort(compareInstants).at(-1);
  if (closed !== undefined && isBefore(effectiveAt, closed)) throw new Refused('usage_billed', `its usage is billed up to ${closed}; a change cannot be put before that`, pointer);
  refuseBeforeInterim(subscription, effectiveAt, pointer);
};
const refuseEnded = (subscription: Subscription, effectiveAt: Instant, pointer: string): void => {
  const end = endOf(subscription);
  if (end !== undefined && compareInstants(end.at, effectiveAt) <= 0) throw new Refused('after_cancellation', `the subscription ends at ${end.at}`, pointer);
};
/** The pause of an instant, if it is in one. */
export const pauseAt = ({ pauses }: Subscription, instant: Instant): Pause | undefined =>
  pauses.find(({ from, to }) => compareInstants(from, instant) <= 0 && (to === undefined || isBefore(instant, to)));

const change = ({ at, effectiveAt, type: _, ...facts }: ChangeSubscription, subscription: Subscription): readonly SubscriptionEvent[] => {
  if (known(subscription).changes.some(({ changeId }) => changeId === facts.changeId)) return [];
  refuseBackdated(subscription, effectiveAt, at, '/at');
  refuseEnded(subscription, effectiveAt, '/at');
  return [{ ...facts, type: 'SubscriptionChanged', at: effectiveAt, changedAt: at }];
};

const cancel = ({ subscriptionId, effectiveAt, credit, reason, at }: CancelSubscription, subscription: Subscription): readonly SubscriptionEvent[] => {
  const end = endOf(known(subscription));
  if (end !== undefined && compareInstants(end.at, at) <= 0) throw new Refused('subscription_ended', `it ended at ${end.at}`);
  refuseBackdated(subscription, effectiveAt, at, '/at');
  if (end?.at === effectiveAt && end.credit === credit) return [];
  return [{ type: 'SubscriptionCancelled', subscriptionId, at: effectiveAt, credit, ...(reason === undefined ? {} : { reason }), cancelledAt: at }];
};

const pause = ({ subscriptionId, effectiveAt, until, billing, at }: PauseSubscription, subscription: Subscription): readonly SubscriptionEvent[] => {
  refuseBackdated(known(subscription), effectiveAt, at, '/at');
  refuseEnded(subscription, effectiveAt, '/at');
  if (subscription.pauses.some(({ to }) => to === undefined || isBefore(effectiveAt, to))) throw new Refused('already_paused', 'it is paused, or will be');
  if (until !== undefined && compareInstants(until, effectiveAt) <= 0) throw new Refused('end_before_start', 'a pause ends after it begins', '/until');
  return [{ type: 'SubscriptionPaused', subscriptionId, at: effectiveAt, ...(until === undefined ? {} : { until }), billing, pausedAt: at }];
};

const resume = ({ subscriptionId, effectiveAt, at }: ResumeSubscription, subscription: Subscription): readonly SubscriptionEvent[] => {
  const paused = pauseAt(known(subscription), effectiveAt);
  if (paused === undefined) throw new Refused('not_paused', `it is not paused at ${effectiveAt}`, '/at');
  refuseEnded(subscription, effectiveAt, '/at');
  if (effectiveAt === paused.from) {
    refuseClosed(subscription, effectiveAt, '/at');
    refuseBeforeInterim(subscription, effectiveAt, '/at');
  } else refuseBackdated(subscription, effectiveAt, at, '/at');
  return [{ type: 'SubscriptionResumed', subscriptionId, at: effectiveAt, resumedAt: at }];
};

const decide = dispatch<SubscriptionCommand, Subscription, readonly SubscriptionEvent[]>({
  StartSubscription: ({ at, ...facts }, { started }) => (started === undefined ? [{ ...facts, type: 'SubscriptionStarted', startedAt: at }] : []),
  ChangeSubscription: change,
  DropChange: ({ subscriptionId, changeId, at }, subscription) => {
    const found = known(subscription).changes.find((one) => one.changeId === changeId);
    if (found === undefined) throw new Refused('change_not_found', `there is no change ${changeId}`);
    if (compareInstants(found.at, at) <= 0) throw new Refused('change_has_come', `the change came at ${found.at}`);
    return [{ type: 'SubscriptionChangeDropped', subscriptionId, changeId, droppedAt: at }];
  },
  CancelSubscription: cancel,
  ReactivateSubscription: ({ subscriptionId, at }, subscription) => {
    if (endOf(known(subscription)) === undefined) throw new Refused('not_cancelled', 'it is not cancelled');
    return [{ type: 'SubscriptionReactivated', subscriptionId, at, reactivatedAt: at }];
  },
  PauseSubscription: pause,
  ResumeSubscription: resume,
  BillSubscription: ({ subscriptionId, invoiceId, billedTo, slices, revision, at }, subscription) => {
    // The invoice was computed from what it was then; whoever computed it looks again.
    if (known(subscription).revision !== revision) throw new Refused('subscription_moved', 'it was changed or billed meanwhile');
    return [{ type: 'SubscriptionBilled', subscriptionId, invoiceId, at: billedTo, slices, billedAt: at }];
  },
});

/** What was charged of periods that are over cannot be given back any more: only the present one and what ends with it is remembered. */
const withBilled = (state: Subscription, { invoiceId, at, slices }: SubscriptionBilled): Subscription => {
  const billedTo = state.billedTo === undefined || isBefore(state.billedTo, at) ? at : state.billedTo;
  return { ...state, billedTo, ...ledgerOf([...state.billed, ...slices.map((slice) => ({ ...slice, invoiceId }))], billedTo, state.floor) };
};

const reactivated = (state: Subscription, at: Instant): Subscription => {
  const last = state.ends.at(-1)!;
  const before = state.ends.slice(0, -1);
  return { ...state, ends: isBefore(at, last.at) ? before : [...before, { ...last, until: at }] };
};

const evolveFact = dispatch<SubscriptionEvent, Subscription, Subscription>({
  SubscriptionStarted: ({ type: _, ...started }, state) => ({ ...state, started }),
  // What was to come is replaced by what was decided last.
  SubscriptionChanged: ({ changeId, at, terms, proration, ofAccount, changedAt }, state) => ({
    ...state,
    changes: [...state.changes.filter((one) => compareInstants(one.at, changedAt) <= 0 && isBefore(one.at, at)), { changeId, at, terms, ...(proration === undefined ? {} : { proration }), ...(ofAccount === undefined ? {} : { ofAccount }) }],
  }),
  SubscriptionChangeDropped: ({ changeId }, state) => ({ ...state, changes: state.changes.filter((one) => one.changeId !== changeId) }),
  SubscriptionCancelled: ({ at, credit, reason }, state) => ({ ...state, ends: [...(endOf(state) === undefined ? state.ends : state.ends.slice(0, -1)), { at, credit, ...(reason === undefined ? {} : { reason }) }] }),
  SubscriptionReactivated: ({ at }, state) => reactivated(state, at),
  SubscriptionPaused: ({ at, until, billing }, state) => ({ ...state, pauses: [...state.pauses, { from: at, to: until, billing }] }),
  SubscriptionResumed: ({ at }, state) => ({ ...state, pauses: state.pauses.map((one) => (one === pauseAt(state, at) ? { ...one, to: at } : one)).filter(({ from, to }) => from !== to) }),
  SubscriptionBilled: (billed, state) => withBilled(state, billed),
});
export const evolveSubscription = (event: SubscriptionEvent, state: Subscription): Subscription => ({ ...evolveFact(event, state), revision: state.revision + 1 });

/**
 * One subscription through its life. Refuses with `before_start`, `before_last_change`, `usage_billed`, `period_closed` (changes that reach back too far), `after_cancellation`, `subscription_ended`, `not_cancelled`,
 * `already_paused`, `not_paused`, `end_before_start`, `change_not_found`, `change_has_come`; `subscription_moved` to bill what is not so any more.
 */
export const subscription: Decider<SubscriptionCommand, SubscriptionEvent, Subscription> = { initial: NEW_SUBSCRIPTION, decide, evolve: evolveSubscription };
