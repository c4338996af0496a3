import { compareInstants, isBefore, laterOf, periodAt, periodContaining, type Instant, type Period } from '@valueverse/kernel';
import type { Subscription } from './subscription.decider';
import { overlapOf, stretchesOf, type PlanCourses, type Stretch } from './timeline';

/** One period of a subscription: `aligned` is whole, `served` is the part of it in which it is on one version of a plan, `usage` the time whose usage is billed with that. */
export interface UsageWindow { readonly stretch: Stretch; readonly aligned: Period; readonly served: Period; readonly usage: Period }

const isSamePlan = (left: Stretch, right: Stretch): boolean =>
  left.to === right.from && left.isBilled === right.isBilled && left.terms.planKey === right.terms.planKey && left.terms.planVersion === right.terms.planVersion && left.terms.anchor === right.terms.anchor;

/** Stretches between which nothing changes that usage looks at, made one. */
const joined = (stretches: readonly Stretch[]): Stretch[] => {
  const all: Stretch[] = [];
  for (const stretch of stretches) {
    const last = all.at(-1);
    if (last !== undefined && isSamePlan(last, stretch)) all[all.length - 1] = { ...stretch, from: last.from };
    else all.push(stretch);
  }
  return all;
};

/** The windows of a subscription's usage that touch a stretch of time, in order; one more than `max` where there are more. The first one of all begins where it counts from. */
export const usageWindows = (subscription: Subscription, courses: PlanCourses, { from, to }: Period, max: number): UsageWindow[] => {
  const { startsAt, countFrom = startsAt } = subscription.started!;
  const found: UsageWindow[] = [];
  for (const stretch of joined(stretchesOf(subscription, courses)).filter(({ isBilled }) => isBilled)) {
    const { anchor, interval } = stretch.terms;
    if (stretch.to !== undefined && compareInstants(stretch.to, from) <= 0) continue;
    for (let nth = periodContaining(anchor, interval, laterOf(stretch.from, from)).index; found.length <= max; nth++) {
      const aligned = periodAt(anchor, interval, nth);
      const served = overlapOf(stretch, aligned);
      if (served === undefined) break;
      const usage = { from: served.from === startsAt && isBefore(countFrom, startsAt) ? countFrom : served.from, to: served.to };
      if (compareInstants(usage.from, to) >= 0) return found;
      if (compareInstants(usage.to, from) > 0) found.push({ stretch, aligned, served, usage });
    }
  }
  return found;
};

/** The window of an instant; before the start the first one. */
export const windowAt = (subscription: Subscription, courses: PlanCourses, instant: Instant): UsageWindow | undefined => {
  const { startsAt, countFrom = startsAt } = subscription.started!;
  const at = laterOf(instant, countFrom);
  return usageWindows(subscription, courses, { from: at, to: '2200-12-31T00:00:00Z' }, 0)[0];
};
