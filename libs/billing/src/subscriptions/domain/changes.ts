import { addMicros, anchorAt, assertZone, compareInstants, Decimal, isBefore, laterOf, periodContaining, Refused, refusedAt, type Instant, type Interval } from '@valueverse/kernel';
import type { AddOnChoice, Proration, SubscriptionTerms } from '@valueverse/contracts';
import { rateFee, type ChargeTerms } from '@valueverse/rating';
import type { Catalogue, ChargeInForce } from './due-items';
import type { Subscription } from './subscription.decider';
import { stretchAt, stretchesOf, termsOf, type Stretch } from './timeline';

/** What somebody wants to be otherwise. What is not named stays; of another plan its interval and its own prices come with it. */
export interface WantedChange {
  readonly plan?: { readonly planKey: string; readonly planVersion: number; readonly interval: Interval } | undefined;
  readonly quantity?: string | undefined;
  readonly addOns?: readonly AddOnChoice[] | undefined;
  readonly overrides?: Readonly<Record<string, unknown>> | undefined;
  readonly anchor?: 'keep' | 'reset' | undefined;
  readonly timezone?: string | undefined;
  readonly proration?: Proration | undefined;
  readonly at?: 'now' | 'period_end' | Instant | undefined;
}

/** The terms that hold at an instant, or would before the start. */
export const termsAt = (subscription: Subscription, at: Instant): SubscriptionTerms => {
  const all = termsOf(subscription);
  return (all.filter((one) => compareInstants(one.at, at) <= 0).at(-1) ?? all[0]!).terms;
};

export const newTerms = (current: SubscriptionTerms, wanted: WantedChange, effectiveAt: Instant): SubscriptionTerms => {
  const { plan, quantity = current.quantity, addOns = current.addOns } = wanted;
  const overrides = wanted.overrides ?? (plan === undefined || plan.planKey === current.planKey ? current.overrides : undefined);
  const zone = wanted.timezone ?? current.anchor.zone;
  // Another zone closes the period at the change.
  const anchor = wanted.anchor === 'reset' || zone !== current.anchor.zone ? anchorAt(effectiveAt, zone) : current.anchor;
  return {
    planKey: plan?.planKey ?? current.planKey, planVersion: plan?.planVersion ?? current.planVersion, currency: current.currency, interval: plan?.interval ?? current.interval, anchor,
    ...(quantity === undefined ? {} : { quantity }), ...(addOns === undefined || addOns.length === 0 ? {} : { addOns }), ...(overrides === undefined || Object.keys(overrides).length === 0 ? {} : { overrides }),
  };
};

const PER_YEAR: Readonly<Record<Interval['unit'], readonly [bigint, bigint]>> = { day: [365n, 1n], week: [365n, 7n], month: [12n, 1n], quarter: [4n, 1n], year: [1n, 1n] };
const DIGITS = 12;

/** What the fees of terms come to in a year, for telling a higher price from a lower one: 365 days, 12 months. */
export const yearlyPrice = (charges: readonly ChargeInForce[], interval: Interval, currency: string): Decimal => Decimal.sum(charges.filter(({ charge: { type } }) => type === 'recurring').map(({ charge, quantity, interval: own = interval }) => {
  const { full } = rateFee({ charge: charge as unknown as ChargeTerms, quantity: Decimal.parse(quantity), currency, rounding: 'half_up' });
  const [numerator, denominator] = PER_YEAR[own.unit];
  return full.timesFraction(numerator, denominator * BigInt(own.count), DIGITS, 'half_up');
}));

/** The end of the period that an instant is in. */
export const periodEndAt = ({ anchor, interval }: Pick<SubscriptionTerms, 'anchor' | 'interval'>, instant: Instant): Instant => periodContaining(anchor, interval, instant).period.to;

/** How a set of terms would be priced from an instant on. */
const asStretch = (subscription: Subscription, catalogue: Catalogue, terms: SubscriptionTerms, at: Instant): Stretch => {
  const changed: Subscription = { ...subscription, changes: [...subscription.changes.filter((one) => compareInstants(one.at, at) < 0), { changeId: '', at, terms }], ends: [], pauses: [] };
  return stretchAt(stretchesOf(changed, catalogue.courses), at)!;
};

/** When a change comes where nobody says: a higher yearly price at once, a lower or equal one at the end of the period. */
export const defaultInstant = (subscription: Subscription, catalogue: Catalogue, wanted: WantedChange, now: Instant): 'now' | 'period_end' => {
  const current = termsAt(subscription, now);
  const price = (terms: SubscriptionTerms): Decimal => yearlyPrice(catalogue.chargesOf(asStretch(subscription, catalogue, terms, now)), terms.interval, terms.currency);
  return price(newTerms(current, wanted, now)).gt(price(current)) ? 'now' : 'period_end';
};

/** What comes to a subscription comes within ten years: a preview looks at every period until then. */
export const AHEAD_DAYS_MAX = 3_653;
const MICROS_PER_DAY = 86_400_000_000n;

/**
 * The instant that a request means: now (the start where that is to come), the end of the period, or the one that it names. Refuses with `before_start` and `too_far_ahead`.
 */
export const instantMeant = (subscription: Subscription, at: 'now' | 'period_end' | Instant, now: Instant): Instant => {
  const { startsAt } = subscription.started!;
  const from = laterOf(now, startsAt);
  if (at === 'now') return from;
  if (at === 'period_end') return periodEndAt(termsAt(subscription, from), from);
  if (isBefore(at, startsAt)) throw new Refused('before_start', `the subscription starts at ${startsAt}`, '/at');
  if (isBefore(addMicros(from, BigInt(AHEAD_DAYS_MAX) * MICROS_PER_DAY), at)) throw new Refused('too_far_ahead', `${AHEAD_DAYS_MAX} days ahead at most`, '/at');
  return at;
};

/** The instant of a change and the terms from it on. Refuses as `instantMeant` does, with `currency_mismatch` where the new terms have no price in the subscription's currency, `unknown_zone`, and `nothing_changes`. */
export const resolveChange = (subscription: Subscription, catalogue: Catalogue, wanted: WantedChange, now: Instant): { effectiveAt: Instant; terms: SubscriptionTerms } => {
  if (wanted.timezone !== undefined) refusedAt('/timezone', () => assertZone(wanted.timezone!));
  const priced = wanted.plan === undefined ? '/overrides' : '/planKey';
  const effectiveAt = instantMeant(subscription, wanted.at ?? refusedAt(priced, () => defaultInstant(subscription, catalogue, wanted, laterOf(now, subscription.started!.startsAt))), now);
  const current = termsAt(subscription, effectiveAt);
  const terms = newTerms(current, wanted, effectiveAt);
  if (JSON.stringify(terms) === JSON.stringify(newTerms(current, {}, effectiveAt))) throw new Refused('nothing_changes', 'these are the terms that it is on');
  refusedAt(priced, () => catalogue.chargesOf(asStretch(subscription, catalogue, terms, effectiveAt)));
  return { effectiveAt, terms };
};
