import type { Aggregation } from './aggregation';
import { merged } from './parts';

/** The greatest value. Of no event it is no quantity. */
export const max: Aggregation = {
  name: 'max', value: 'number', fold: 'greatest', weighsTime: false, samples: false, carries: false,
  quantity: (parts) => merged(parts)?.choice,
};
