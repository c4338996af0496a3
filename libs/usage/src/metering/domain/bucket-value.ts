import { Decimal } from '@valueverse/kernel';
import type { MeterRule } from './measure';
import type { Tally } from './tally';

/** What a bucket holds, as a number: how many different values, how many events, or what the values come to. */
export const valueOfBucket = ({ aggregation: { fold, value } }: Pick<MeterRule, 'aggregation'>, tally: Tally): string =>
  (fold === 'distinct' ? Decimal.of(tally.values.size) : value === 'none' ? Decimal.of(tally.events) : tally.total).toString();
