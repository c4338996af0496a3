import { Decimal } from '@valueverse/kernel';
import type { EventTerms } from '../event-terms';
import type { PriceFields } from '../price-fields';
import type { PricingModel } from './pricing-model';

/** What each event says that it costs, times a factor. Metering adds it up. */
export interface DynamicPrice {
  readonly model: 'dynamic';
  /** Where an event's data holds its amount, in major units: `$.cost`. */
  readonly amountProperty: string;
  /** 1 if not given. */
  readonly multiplier?: string;
}

/** The paths that metering reads: `$` and names behind points. */
const PROPERTY = /^\$(?:\.[A-Za-z_][A-Za-z0-9_-]*){1,20}$/;

const read = (fields: PriceFields): DynamicPrice => {
  const amountProperty = fields.text('amountProperty');
  if (amountProperty !== '' && !PROPERTY.test(amountProperty)) fields.note('amountProperty', 'invalid_json_path', 'a path into the data such as "$.cost" belongs here');
  const multiplier = fields.optionalAmount('multiplier');
  fields.noteLongOfEvents(['multiplier']);
  return { model: 'dynamic', amountProperty, ...(multiplier === undefined ? {} : { multiplier }) };
};

/** The terms by which metering prices single events. */
export const dynamicTerms = ({ amountProperty, multiplier }: DynamicPrice): EventTerms => ({ kind: 'dynamic', amountProperty, ...(multiplier === undefined ? {} : { multiplier }) });

export const dynamic: PricingModel<DynamicPrice> = {
  read,
  steps: (price, { priced }) => (priced === undefined ? [] : [{
    kind: 'events',
    terms: dynamicTerms(price),
    freeEvents: priced.freeEvents,
    paidEvents: priced.paidEvents,
    ...(priced.unpriced === undefined ? {} : { unpriced: priced.unpriced }),
    paidValue: Decimal.parse(priced.paidValue).toString(),
    amount: Decimal.parse(priced.amount).toString(),
  }]),
};
