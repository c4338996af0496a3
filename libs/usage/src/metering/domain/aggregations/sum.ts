import type { Aggregation } from './aggregation';
import { mergedWithBefore, ZERO } from './parts';

/** The sum of the values. */
export const sum: Aggregation = {
  name: 'sum', value: 'number', fold: 'add', weighsTime: false, samples: false, carries: true,
  quantity: (parts) => mergedWithBefore(parts)?.total ?? ZERO,
};
