import type { Aggregation } from './aggregation';

/** The sum of the values. */
export const sum: Aggregation = { name: 'sum', needsValue: true, quantity: ({ total }) => total };
