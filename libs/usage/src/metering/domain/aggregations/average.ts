import { Decimal } from '@valueverse/kernel';
import { type Aggregation, QUOTIENT_DIGITS } from './aggregation';
import { merged } from './parts';

/** The arithmetic mean of the values, rounded half-up at 12 digits. Of no event it is no quantity. */
export const average: Aggregation = {
  name: 'average', value: 'number', fold: 'add', weighsTime: false, samples: false, carries: false,
  quantity: (parts) => {
    const tally = merged(parts);
    return tally === undefined || tally.events === 0 ? undefined : tally.total.dividedBy(Decimal.of(tally.events), QUOTIENT_DIGITS, 'half_up');
  },
};
