import { Decimal } from '@valueverse/kernel';
import type { EventTerms } from '../event-terms';
import { percentOf } from '../percent';
import type { PriceFields } from '../price-fields';
import type { EventsStep } from '../step';
import type { EventsPriced, PricingModel } from './pricing-model';

/**
 * A part of a value. With any of the other fields it looks at single events, in the order of their time: an event is free while neither
 * `freeEvents` nor `freeAmount` is used up, and the one that crosses `freeAmount` pays for the part above it; `minAmountPerEvent` and
 * `maxAmountPerEvent` bound the event's rate part and `fixedAmount` together. Amounts are in major units.
 */
export interface PercentagePrice {
  readonly model: 'percentage';
  /** In percent. */
  readonly rate: string;
  readonly fixedAmount?: string;
  readonly freeEvents?: number;
  readonly freeAmount?: string;
  readonly minAmountPerEvent?: string;
  readonly maxAmountPerEvent?: string;
}

const AMOUNTS = ['fixedAmount', 'freeAmount', 'minAmountPerEvent', 'maxAmountPerEvent'] as const;
/** What makes a percentage one of single events. */
const OF_EVENTS = [...AMOUNTS, 'freeEvents'] as const;

const read = (fields: PriceFields): PercentagePrice => {
  const rate = fields.amount('rate');
  const amounts = AMOUNTS.flatMap((name) => {
    const amount = fields.optionalAmount(name);
    return amount === undefined ? [] : [[name, amount] as const];
  });
  const freeEvents = fields.optionalWhole('freeEvents');
  const [least, most] = [fields.decimal('minAmountPerEvent'), fields.decimal('maxAmountPerEvent')];
  if (least !== undefined && most?.lt(least) === true) fields.note('maxAmountPerEvent', 'maximum_below_minimum', 'is at least minAmountPerEvent');
  if (OF_EVENTS.some((name) => fields.optional(name) !== undefined)) fields.noteLongOfEvents(['rate', ...AMOUNTS]);
  return { model: 'percentage', rate, ...(freeEvents === undefined ? {} : { freeEvents }), ...Object.fromEntries(amounts) };
};

/** The terms by which metering prices single events; `undefined` where the value alone says the amount. What else stands beside the price, such as a window's commitment, is none of them. */
export const percentageTerms = (price: PercentagePrice): EventTerms | undefined => {
  const own = OF_EVENTS.filter((name) => price[name] !== undefined).map((name) => [name, price[name]] as const);
  return own.length === 0 ? undefined : { kind: 'percentage', rate: price.rate, ...Object.fromEntries(own) };
};

const eventsStep = (terms: EventTerms, { amount, paidValue, freeEvents, paidEvents }: EventsPriced): EventsStep =>
  ({ kind: 'events', terms, freeEvents, paidEvents, paidValue: Decimal.parse(paidValue).toString(), amount: Decimal.parse(amount).toString() });

export const percentage: PricingModel<PercentagePrice> = {
  read,
  steps: (price, { quantity, priced }) => {
    const terms = percentageTerms(price);
    if (terms !== undefined) return priced === undefined ? [] : [eventsStep(terms, priced)];
    if (quantity.isZero()) return [];
    const rate = Decimal.parse(price.rate);
    return [{ kind: 'percent', value: quantity.toString(), rate: rate.toString(), amount: percentOf(quantity, rate).toString() }];
  },
};
