import { Refused } from '@valueverse/kernel';
import { type Aggregation, AGGREGATION_NAMES } from './aggregation';
import { average } from './average';
import { count } from './count';
import { latest } from './latest';
import { max } from './max';
import { min } from './min';
import { percentile } from './percentile';
import { sum } from './sum';
import { timeWeightedSum } from './time-weighted-sum';
import { uniqueCount } from './unique-count';

export { AGGREGATION_NAMES, type Aggregation, type AggregationName, type AggregationSettings, type Fold, type Part, QUOTIENT_DIGITS } from './aggregation';

const AGGREGATIONS: ReadonlyMap<string, Aggregation> = new Map(
  [count, sum, min, max, average, latest, uniqueCount, timeWeightedSum, percentile].map((aggregation) => [aggregation.name, aggregation]));

/** The aggregation of a name. Refuses others with `unsupported_aggregation`. */
export const aggregationNamed = (name: string): Aggregation => {
  const aggregation = AGGREGATIONS.get(name);
  if (aggregation === undefined) throw new Refused('unsupported_aggregation', `one of ${AGGREGATION_NAMES.join(', ')} is expected`, '/aggregation');
  return aggregation;
};
