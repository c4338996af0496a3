import { Decimal } from '@valueverse/kernel';
import { type Aggregation, type Part, QUOTIENT_DIGITS } from './aggregation';
import { ZERO } from './parts';

/**
 * Value x microseconds in a part: the level that it begins with lasts for all of it, and each value from its own instant to the end.
 * Sum of v x (end - t) = end x sum of v - sum of v x t, so it can be added up from buckets without their events.
 */
const area = ({ stretch: { from, to }, tally, before }: Part): Decimal => {
  const level = (before?.total ?? ZERO).times(Decimal.of(to - from));
  return level.plus(tally.total.times(Decimal.of(to))).minus(tally.moment);
};

/** Values are what a level goes up or down by; the quantity is the mean level over the period, rounded half-up at 12 digits. */
export const timeWeightedSum: Aggregation = {
  name: 'time_weighted_sum', value: 'number', fold: 'add', weighsTime: true, samples: false, carries: true,
  quantity: (parts, { from, to }) => Decimal.sum(parts.map(area)).dividedBy(Decimal.of(to - from), QUOTIENT_DIGITS, 'half_up'),
};
