import { dynamicTerms } from './models/dynamic';
import { percentageTerms } from './models/percentage';
import type { Price } from './price';

/** What a price says of single events, in the shape in which metering is asked. Rates in percent, amounts in major units. */
export interface EventTerms {
  readonly kind: 'percentage' | 'dynamic';
  readonly rate?: string;
  readonly fixedAmount?: string;
  readonly freeEvents?: number;
  readonly freeAmount?: string;
  readonly minAmountPerEvent?: string;
  readonly maxAmountPerEvent?: string;
  readonly amountProperty?: string;
  readonly multiplier?: string;
}

/** The terms of a price that looks at single events; metering then says what they cost as `priced`. `undefined` where a quantity is enough. */
export const eventTermsOf = (price: Price): EventTerms | undefined => {
  if (price.model === 'dynamic') return dynamicTerms(price);
  return price.model === 'percentage' ? percentageTerms(price) : undefined;
};
