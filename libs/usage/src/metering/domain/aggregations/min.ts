import type { Aggregation } from './aggregation';
import { merged } from './parts';

/** The least value. Of no event it is no quantity. */
export const min: Aggregation = {
  name: 'min', value: 'number', fold: 'least', weighsTime: false, samples: false, carries: false,
  quantity: (parts) => merged(parts)?.choice,
};
