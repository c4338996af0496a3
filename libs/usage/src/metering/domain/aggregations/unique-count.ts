import { Decimal } from '@valueverse/kernel';
import type { Aggregation } from './aggregation';
import { mergedWithBefore } from './parts';

/** The number of different values. Exact: each is kept, none is estimated. */
export const uniqueCount: Aggregation = {
  name: 'unique_count', value: 'scalar', fold: 'distinct', weighsTime: false, samples: false, carries: true,
  quantity: (parts) => Decimal.of(mergedWithBefore(parts)?.values.size ?? 0),
};
