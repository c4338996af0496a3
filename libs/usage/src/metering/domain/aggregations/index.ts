import { Refused } from '@valueverse/kernel';
import type { Aggregation } from './aggregation';
import { count } from './count';
import { sum } from './sum';

export type { Aggregation, Tally } from './aggregation';

const AGGREGATIONS: ReadonlyMap<string, Aggregation> = new Map([sum, count].map((aggregation) => [aggregation.name, aggregation]));

/** The aggregation of a name. Refuses others with `unsupported_aggregation`. */
export const aggregationNamed = (name: string): Aggregation => {
  const aggregation = AGGREGATIONS.get(name);
  if (aggregation === undefined) throw new Refused('unsupported_aggregation', `one of ${[...AGGREGATIONS.keys()].join(', ')} is expected`, '/aggregation');
  return aggregation;
};
