import { Decimal } from '@valueverse/kernel';
import type { Aggregation } from './aggregation';
import { merged } from './parts';

/** The number of events, whatever their data. */
export const count: Aggregation = {
  name: 'count', value: 'none', fold: 'add', weighsTime: false, samples: false, carries: false,
  quantity: (parts) => Decimal.of(merged(parts)?.events ?? 0),
};
