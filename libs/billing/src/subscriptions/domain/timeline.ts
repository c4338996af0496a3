import { addLocalDays, anchorAt, compareInstants, isBefore, laterOf, periodAt, type Instant, type Period } from '@valueverse/kernel';
import type { Commitment, PlanPhase, Proration, SubscriptionTerms } from '@valueverse/contracts';
import type { Subscription } from './subscription.decider';

/** What of a plan version decides over time: its phases, how many days at the start are free, and what is promised for a period. */
export interface PlanCourse { readonly name?: string | undefined; readonly commitment?: Commitment | undefined; readonly phases?: readonly PlanPhase[] | undefined; readonly trialDays?: number | undefined; readonly proration?: Proration | undefined }
export type PlanCourses = (terms: Pick<SubscriptionTerms, 'planKey' | 'planVersion'>) => PlanCourse;

/** A stretch of a subscription's life in which nothing about it changes, half-open; without `to` it goes on. */
export interface Stretch {
  readonly from: Instant;
  readonly to: Instant | undefined;
  readonly terms: SubscriptionTerms;
  readonly proration: Proration | undefined;
  readonly phase: PlanPhase | undefined;
  readonly status: 'trialing' | 'active' | 'paused';
  readonly isBilled: boolean;
  /** Where its fees that are paid in advance end: at `to`, or, where nothing is given back then, at the end of the phase in which they are; they stay those of the whole period otherwise. */
  readonly feesTo: Instant | undefined;
  /** When its terms began, and whether fees in advance wait for the first period that begins after that: a change that says `none` neither gives back nor charges for the rest of the present one. */
  readonly changedAt: Instant;
  readonly feesFromNext: boolean;
  /** Since when it has each of its add-ons without a break. */
  readonly addOnsSince: ReadonlyMap<string, Instant>;
}

interface Span { readonly from: Instant; readonly to: Instant | undefined }
const contains = ({ from, to }: Span, instant: Instant): boolean => compareInstants(from, instant) <= 0 && (to === undefined || isBefore(instant, to));

/** The terms that hold from each instant on, in order. */
export const termsOf = ({ started, changes }: Subscription): readonly { readonly at: Instant; readonly terms: SubscriptionTerms; readonly proration?: Proration | undefined }[] => {
  const { planKey, planVersion, currency, interval, anchor, quantity, addOns, overrides, startsAt } = started!;
  const first: SubscriptionTerms = { planKey, planVersion, currency, interval, anchor, ...(quantity === undefined ? {} : { quantity }), ...(addOns === undefined ? {} : { addOns }), ...(overrides === undefined ? {} : { overrides }) };
  return [{ at: startsAt, terms: first }, ...changes];
};

/** The times in which it lives: from the start to its end, and again from where it was reactivated. */
export const livesOf = ({ started, ends }: Subscription): readonly (Span & { readonly keepsFees: boolean })[] => {
  const lives: (Span & { keepsFees: boolean })[] = [];
  let from: Instant | undefined = started!.startsAt;
  for (const { at, until, credit } of ends) {
    lives.push({ from: from!, to: laterOf(at, from!), keepsFees: credit === 'none' });
    from = until;
  }
  return from === undefined ? lives : [...lives, { from, to: undefined, keepsFees: false }];
};

/** When each phase of a plan begins and ends, counted from `from` by local time; those after the last one with a duration go on. */
const phaseSpans = (phases: readonly PlanPhase[], from: Instant, zone: string): (Span & { readonly phase: PlanPhase })[] => {
  const spans: (Span & { phase: PlanPhase })[] = [];
  let begins = from;
  for (const phase of phases) {
    const to = phase.duration === undefined ? undefined : periodAt(anchorAt(begins, zone), phase.duration, 0).to;
    spans.push({ from: begins, to, phase });
    if (to === undefined) break;
    begins = to;
  }
  return spans;
};

/** The end of the free days at the start; the start itself where there are none. They are counted from the start also after a change of plan, so that no change gives them twice. */
export const trialEnd = (startsAt: Instant, zone: string, days: number | undefined): Instant => (days === undefined ? startsAt : addLocalDays(startsAt, days, zone));

const isNone = (proration: Proration | undefined): boolean => proration?.granularity === 'none';

/** The life of a subscription in stretches, in order and without overlap; what is still to come is in it as far as it is known. */
export const stretchesOf = (subscription: Subscription, courses: PlanCourses): Stretch[] => {
  const { startsAt, trialDays } = subscription.started!;
  const all: Stretch[] = [];
  const terms = termsOf(subscription);
  const lives = livesOf(subscription);
  let phasesFrom = startsAt;
  let addOnsSince: ReadonlyMap<string, Instant> = new Map();
  for (const [nth, { at, terms: own, proration }] of terms.entries()) {
    const before = terms[nth - 1]?.terms;
    // Another version of the same plan goes on with its phases where the old one was.
    if (before !== undefined && before.planKey !== own.planKey) phasesFrom = at;
    const had = addOnsSince;
    addOnsSince = new Map((own.addOns ?? []).map(({ key }) => [key, had.get(key) ?? at]));
    const course = courses(own);
    const { zone } = own.anchor;
    const trial = { from: startsAt, to: trialEnd(startsAt, zone, trialDays ?? course.trialDays) };
    const phases = phaseSpans(course.phases ?? [], phasesFrom, zone);
    const next = terms[nth + 1];
    const whole: Span = { from: at, to: next?.at };
    const cuts = [trial, ...phases, ...lives, ...subscription.pauses].flatMap(({ from, to }) => [from, to]);
    for (const span of pieces(whole, cuts)) {
      const life = lives.find((one) => contains(one, span.from));
      if (life === undefined) continue;
      const inPhase = phases.find((one) => contains(one, span.from));
      const phase = inPhase?.phase;
      const pause = subscription.pauses.find((one) => contains(one, span.from));
      const isTrial = contains(trial, span.from) || phase?.trial === true;
      const endsByChange = span.to !== undefined && span.to === next?.at;
      // What a cancellation gives back, it gives back of what a change has left as it was paid, too.
      const unlessEnded = [inPhase?.to, life.keepsFees ? undefined : life.to].filter((at): at is Instant => at !== undefined).sort(compareInstants)[0];
      const keepsFees = (life.keepsFees && span.to === life.to) || (endsByChange && isNone(next.proration));
      all.push({
        ...span, terms: own, proration: course.proration, phase, changedAt: at, feesFromNext: nth > 0 && isNone(proration),
        addOnsSince, status: pause !== undefined ? 'paused' : isTrial ? 'trialing' : 'active', isBilled: !isTrial && pause?.billing !== 'stop', feesTo: keepsFees ? unlessEnded : span.to,
      });
    }
  }
  return all;
};

/** A span cut at every instant that falls inside it. */
const pieces = ({ from, to }: Span, cuts: readonly (Instant | undefined)[]): Span[] => {
  if (to !== undefined && compareInstants(from, to) >= 0) return [];
  const inside = [...new Set(cuts.filter((cut): cut is Instant => cut !== undefined && isBefore(from, cut) && (to === undefined || isBefore(cut, to))))].sort(compareInstants);
  const edges: (Instant | undefined)[] = [from, ...inside, to];
  return edges.slice(1).map((end, nth) => ({ from: edges[nth]!, to: end }));
};

/** The stretch of an instant; `undefined` before the start, after the end, and between two lives. */
export const stretchAt = (stretches: readonly Stretch[], instant: Instant): Stretch | undefined => stretches.find((one) => contains(one, instant));

/** What two spans have in common, as far as it lies before `by` where one is open. */
export const overlapOf = ({ from, to }: Span, period: Period): Period | undefined => {
  const begins = laterOf(from, period.from);
  const ends = to === undefined || isBefore(period.to, to) ? period.to : to;
  return isBefore(begins, ends) ? { from: begins, to: ends } : undefined;
};
