import type { Decimal } from '@valueverse/kernel';
import type { Stretch } from '../bucket';
import type { Tally } from '../tally';

/** How the values of a bucket become one: added up, the least, the greatest, the latest by event time, or each different one once. */
export type Fold = 'add' | 'least' | 'greatest' | 'latest' | 'distinct';

/** What was counted in one stretch of time. */
export interface Part {
  readonly stretch: Stretch;
  readonly tally: Tally;
  /** What came before the stretch, as far as it is carried into it; absent where nothing is. */
  readonly before?: Tally | undefined;
  /** Start of a sample window, microseconds -> what was counted in it. Only for aggregations that look at samples. */
  readonly samples?: ReadonlyMap<number, Tally>;
}

/** The settings of a meter that its aggregation looks at. */
export interface AggregationSettings {
  readonly percentile?: Decimal | undefined;
  /** Length of a bucket, which is the sample window, in microseconds. */
  readonly bucketMicros: number;
  readonly perSecond: boolean;
}

/** How a meter makes a quantity of events. All of its functions are exact: tallies of parts, in whatever order they are put together, make the tally of the whole. */
export interface Aggregation {
  readonly name: AggregationName;
  /** What an event has to hold to count: a number, any scalar, or nothing at all. */
  readonly value: 'number' | 'scalar' | 'none';
  readonly fold: Fold;
  /** Whether values are also weighted by their instants. */
  readonly weighsTime: boolean;
  /** Whether quantities are made of sample windows one by one. */
  readonly samples: boolean;
  /** Whether `carryOver` makes sense: the next period starts where the last one ended. */
  readonly carries: boolean;
  /** Of parts that do not overlap, in `period`, which divides what is an average over time; undefined where nothing is no quantity. */
  readonly quantity: (parts: readonly Part[], period: Stretch, settings: AggregationSettings) => Decimal | undefined;
}

export const AGGREGATION_NAMES = ['count', 'sum', 'min', 'max', 'average', 'latest', 'unique_count', 'time_weighted_sum', 'percentile'] as const;
export type AggregationName = (typeof AGGREGATION_NAMES)[number];

/** Quotients are rounded half-up at so many digits after the point. */
export const QUOTIENT_DIGITS = 12;
