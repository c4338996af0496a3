import { anchorAt, calendarAnchor, compareInstants, laterOf, periodAt, periodContaining, type BillingAnchor, type Interval, type Period } from '@valueverse/kernel';
import type { SubscriptionStarted } from '@valueverse/contracts';

export type Alignment = 'anniversary' | 'calendar';

/** The anchor of a new subscription: its start, the calendar, or what was asked for. */
export const anchorOf = (alignment: Alignment, interval: Interval, startsAt: string, zone: string, asked: string | undefined): BillingAnchor => {
  if (asked !== undefined) return { local: asked, zone };
  return alignment === 'calendar' ? calendarAnchor(interval.unit, startsAt, zone) : anchorAt(startsAt, zone);
};

/** One period of a cycle: `aligned` is whole, `served` is the part of it in which the subscription lives. `nth` counts the served ones from 0. */
export interface CyclePeriod { readonly nth: number; readonly aligned: Period; readonly served: Period }

/** The n-th period of a subscription's life, computed from the anchor. The first one is short where the start is not on a boundary. */
export const cyclePeriod = (started: Pick<SubscriptionStarted, 'anchor' | 'interval' | 'startsAt'>, nth: number): CyclePeriod => {
  const first = periodContaining(started.anchor, started.interval, started.startsAt);
  const aligned = nth === 0 ? first.period : periodAt(started.anchor, started.interval, first.index + nth);
  return { nth, aligned, served: { from: laterOf(aligned.from, started.startsAt), to: aligned.to } };
};

/** The period of a subscription's life that an instant falls in; `undefined` before its start. */
export const cyclePeriodAt = (started: Pick<SubscriptionStarted, 'anchor' | 'interval' | 'startsAt'>, instant: string): CyclePeriod | undefined => {
  if (compareInstants(instant, started.startsAt) < 0) return undefined;
  const first = periodContaining(started.anchor, started.interval, started.startsAt);
  const { index } = periodContaining(started.anchor, started.interval, instant);
  return cyclePeriod(started, index - first.index);
};

/** The time whose usage a period bills: of the first one from where the subscription counts, which may be before its start. */
export const usagePeriod = ({ countFrom }: Pick<SubscriptionStarted, 'countFrom'>, { nth, served }: CyclePeriod): Period => (nth === 0 ? { ...served, from: countFrom ?? served.from } : served);

/** The times whose usage each period bills, as far as they touch a stretch of time, in order. One more than `max` where there are more. */
export const usagePeriods = (started: Pick<SubscriptionStarted, 'anchor' | 'interval' | 'startsAt' | 'countFrom'>, { from, to }: Period, max: number): Period[] => {
  const found: Period[] = [];
  for (let nth = cyclePeriodAt(started, from)?.nth ?? 0; found.length <= max; nth++) {
    const period = usagePeriod(started, cyclePeriod(started, nth));
    if (compareInstants(period.from, to) >= 0) return found;
    if (compareInstants(period.to, from) > 0) found.push(period);
  }
  return found;
};
