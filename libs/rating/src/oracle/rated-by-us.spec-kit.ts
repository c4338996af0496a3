import { Decimal, type Fraction } from '@valueverse/kernel';
import { isNightly, type OracleGroup, oracleRatio, type OracleUsageQuestion, runs } from '@valueverse/testing';
import { type ChargeTerms, readChargeTerms } from '../charge/charge-terms';
import type { UsageGroup } from '../charge/usage-groups';
import { eventTermsOf } from '../event-terms';
import { PercentageEvents } from '../per-event';
import type { Price } from '../price';
import type { Slice } from '../proration';

/** So many random pairs of a plan and its usage by day, and at night. */
const PAIRS = isNightly() ? 100_000 : 2_000;
/** The settings of a property of that many pairs, or a share of them. */
export const seeded = (seed: number, share = 1) => ({ ...runs(seed, 1), numRuns: PAIRS * share });

/** The terms of a charge, as this library reads them. */
export const termsOf = (charge: unknown, currency: string): ChargeTerms => {
  const read = readChargeTerms(charge, '', currency);
  if ('errors' in read) throw new Error(JSON.stringify(read.errors));
  return read.terms;
};

/** What metering makes of single events: their price by the terms of the charge. */
const pricedOf = (price: Price, { events }: OracleGroup): Pick<UsageGroup, 'priced'> => {
  const terms = eventTermsOf(price);
  if (terms === undefined || events === undefined) return {};
  const decimal = (text: string | undefined): Decimal | undefined => (text === undefined ? undefined : Decimal.parse(text));
  if (terms.kind === 'dynamic') {
    const costs = events.flatMap(({ cost }) => (cost === undefined ? [] : [Decimal.parse(cost).times(Decimal.parse(terms.multiplier ?? '1'))]));
    return { priced: { amount: Decimal.sum(costs).toString(), paidValue: '0', freeEvents: 0, paidEvents: costs.length, unpriced: events.length - costs.length } };
  }
  const all = new PercentageEvents({
    rate: Decimal.parse(terms.rate!), fixedAmount: decimal(terms.fixedAmount), freeEvents: terms.freeEvents, freeAmount: decimal(terms.freeAmount),
    minAmountPerEvent: decimal(terms.minAmountPerEvent), maxAmountPerEvent: decimal(terms.maxAmountPerEvent),
  });
  for (const { value } of events) all.add(Decimal.parse(value));
  const { amount, paidValue, ...counts } = all.result;
  return { priced: { amount: amount.toString(), paidValue: paidValue.toString(), ...counts, unpriced: 0 } };
};

const priceOfWindow = ({ price, schedule }: ChargeTerms, window: string | undefined): Price =>
  (schedule === undefined ? price : (schedule.windows.find(({ name }) => name === window)?.price ?? schedule.otherwise));

/** Usage of a charge, as this library takes it. */
export const groupsOf = (terms: ChargeTerms, groups: readonly OracleGroup[]): readonly UsageGroup[] => groups.map((group) => ({
  dimensions: group.dimensions, window: group.window, quantity: Decimal.parse(group.quantity), billed: Decimal.parse(group.quantity), ...pricedOf(priceOfWindow(terms, group.window), group),
}));

/** A part of a period, for both sides. */
export interface Part { readonly start: Fraction; readonly end: Fraction }
export const sliceFor = ({ start, end }: Part): Slice => ({ elapsedAtStart: start, elapsedAtEnd: end });
const ratioOf = ({ numerator, denominator }: Fraction) => oracleRatio(numerator, denominator);
export const oracleSliceFor = ({ start, end }: Part): NonNullable<OracleUsageQuestion['slice']> => ({ start: ratioOf(start), end: ratioOf(end) });
