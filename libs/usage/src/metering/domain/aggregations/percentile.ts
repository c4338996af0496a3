import { Decimal } from '@valueverse/kernel';
import { type Stretch, united } from '../bucket';
import { type Aggregation, type AggregationSettings, type Part, QUOTIENT_DIGITS } from './aggregation';
import { ZERO } from './parts';

const MICROS_PER_SECOND = Decimal.of(1_000_000);
const HUNDRED = Decimal.of(100);

/** Sample windows that the stretches touch -> how much of each they cover, in microseconds. */
const windowsOf = (stretches: readonly Stretch[], length: number): Map<number, number> => {
  const covered = new Map<number, number>();
  // Subjects of one period are one stream, and one may be there for a part of it only.
  for (const { from, to } of united(stretches)) {
    for (let start = from - (from % length); start < to; start += length) {
      covered.set(start, (covered.get(start) ?? 0) + Math.min(to, start + length) - Math.max(from, start));
    }
  }
  return covered;
};

const samplesOf = (parts: readonly Part[], { bucketMicros, perSecond }: AggregationSettings): Decimal[] => {
  const covered = windowsOf(parts.map(({ stretch }) => stretch), bucketMicros);
  const sums = new Map<number, Decimal>();
  for (const { samples } of parts) for (const [start, tally] of samples ?? []) sums.set(start, (sums.get(start) ?? ZERO).plus(tally.total));
  return [...covered].map(([start, micros]) => {
    const sum = sums.get(start) ?? ZERO;
    return perSecond ? sum.times(MICROS_PER_SECOND).dividedBy(Decimal.of(micros), QUOTIENT_DIGITS, 'half_up') : sum;
  });
};

/**
 * Nearest rank over the sums of the sample windows, aligned to UTC, that lie in the period; a window without an event is a sample of 0. With
 * `rate: "per_second"` each is divided by its seconds first, rounded half-up at 12 digits: a 95th percentile of bits per second, as transit is billed.
 */
export const percentile: Aggregation = {
  name: 'percentile', value: 'number', fold: 'add', weighsTime: false, samples: true, carries: false,
  quantity: (parts, _, settings) => {
    const samples = samplesOf(parts, settings).sort((left, right) => left.compare(right));
    if (samples.length === 0) return undefined;
    const rank = (settings.percentile ?? HUNDRED).times(Decimal.of(samples.length)).dividedBy(HUNDRED, 0, 'up');
    return samples[Number(rank.toString()) - 1];
  },
};
