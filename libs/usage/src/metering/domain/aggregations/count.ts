import { Decimal } from '@valueverse/kernel';
import type { Aggregation } from './aggregation';

/** The number of events, whatever their data. */
export const count: Aggregation = { name: 'count', needsValue: false, quantity: ({ events }) => Decimal.of(events) };
