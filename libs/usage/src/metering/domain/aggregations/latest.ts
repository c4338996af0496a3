import type { Aggregation } from './aggregation';
import { mergedWithBefore } from './parts';

/** The value of the latest event by its own time; of two at one instant, that of the greater (source, id). Of no event it is no quantity. */
export const latest: Aggregation = {
  name: 'latest', value: 'number', fold: 'latest', weighsTime: false, samples: false, carries: true,
  quantity: (parts) => mergedWithBefore(parts)?.choice,
};
