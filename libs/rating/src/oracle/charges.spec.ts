import { Decimal, type Interval, instantFromMicros, microsNumberOfText, periodAt } from '@valueverse/kernel';
import * as fc from 'fast-check';
import { oracleElapsed, oracleFee, type OracleGranularity, type OraclePrice, oracleUsage } from '@valueverse/testing';
import { rateFee } from '../charge/rate-fee';
import { rateUsage } from '../charge/rate-usage';
import type { UsageGroup } from '../charge/usage-groups';
import { parsePrice, type Price } from '../price';
import { elapsedAt } from '../proration';
import { sumOfSteps } from '../step';
import { currencies, decimals, DIGITS, feePrices, maybe, ratings, roundings, slices } from './plans-and-usage.spec-kit';
import { groupsOf, oracleSliceFor, seeded, sliceFor, termsOf } from './rated-by-us.spec-kit';

test('the oracle and this library agree on usage: every model, every term, every part of a period', () =>
  fc.assert(fc.property(ratings, ({ currency, charge, groups, rounding, slice, isAmountShared }) => {
    const terms = termsOf(charge, currency);
    // What was read can be read again, as it was stored.
    expect(termsOf(JSON.parse(JSON.stringify(terms)), currency)).toEqual(terms);
    const lines = rateUsage({ charge: terms, currency, rounding, isAmountShared, groups: groupsOf(terms, groups), ...(slice === undefined ? {} : { slice: sliceFor(slice) }) });
    const expected = oracleUsage({ charge, groups, rounding, isAmountShared, digits: DIGITS[currency], ...(slice === undefined ? {} : { slice: oracleSliceFor(slice) }) });
    expect(lines.map(({ type, window, dimensions, billedQuantity, amount }) => ({ type, window, dimensions, billedQuantity: billedQuantity.toString(), amount: amount.toString() }))).toEqual(expected);
    for (const { steps, amount } of lines) {
      expect(sumOfSteps(steps)).toEqual(amount.toDecimal());
      expect(JSON.parse(JSON.stringify(steps))).toEqual(steps);
    }
  }), seeded(101, 0.5)));

test('the oracle and this library agree on fees and their parts', () =>
  fc.assert(fc.property(
    currencies.chain((currency) => fc.record({ currency: fc.constant(currency), price: feePrices(DIGITS[currency]), quantity: fc.oneof(decimals(0, 400, 2), fc.constant('0')), chargeFlatAtZero: fc.boolean(), freeUnits: maybe(decimals(0, 50, 1)), slice: slices, rounding: roundings })),
    ({ currency, price, quantity, freeUnits, chargeFlatAtZero, slice, rounding }) => {
      const parsed = parsePrice(price, '', currency) as { price: Price };
      const { amount, steps } = rateFee({ charge: { price: parsed.price, freeUnits, chargeFlatAtZero }, quantity: Decimal.parse(quantity), slice: sliceFor(slice), currency, rounding });
      expect(amount.toString()).toBe(oracleFee({ price, quantity, freeUnits, chargeFlatAtZero, slice: oracleSliceFor(slice), digits: DIGITS[currency], rounding }));
      expect(sumOfSteps(steps)).toEqual(amount.toDecimal());
    },
  ), seeded(102, 0.25)));

const INTERVALS: readonly Interval[] = [{ unit: 'month', count: 1 }, { unit: 'month', count: 2 }, { unit: 'quarter', count: 1 }, { unit: 'year', count: 1 }, { unit: 'week', count: 1 }, { unit: 'day', count: 10 }, { unit: 'day', count: 1 }];
/** A period is looked at from its start, 0, to its end. */
const POINTS = 997;
const MONTHS = { day: 0, week: 0, month: 1, quarter: 3, year: 12 } as const;

test('the oracle and this library agree on how much of a period is over', () =>
  fc.assert(fc.property(
    fc.constantFrom('Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Pacific/Apia', 'America/Juneau'),
    fc.constantFrom<OracleGranularity>('day', 'second', '30_360_strict', '30_360_actual'),
    fc.constantFrom(...INTERVALS), fc.oneof(fc.integer({ min: 1, max: 31 }), fc.constantFrom(29, 30, 31)), fc.nat(60), fc.nat(POINTS),
    (zone, granularity, interval, day, nth, point) => {
      const period = periodAt({ local: `2008-01-${String(day).padStart(2, '0')}T07:45:01`, zone }, interval, nth);
      const [from, to] = [microsNumberOfText(period.from), microsNumberOfText(period.to)];
      const instant = instantFromMicros(from + Math.floor(((to - from) * point) / POINTS));
      const { numerator, denominator } = elapsedAt(granularity, period, instant, zone);
      const expected = oracleElapsed(granularity, { ...period, months: MONTHS[interval.unit] * interval.count }, instant, zone);
      expect(numerator * expected.under).toBe(expected.over * denominator);
    },
  ), seeded(103, 0.5)));

test('usage that is cut up and mixed costs what it costs in one piece', () =>
  fc.assert(fc.property(ratings, fc.array(decimals(-200, 200, 3), { maxLength: 4 }), ({ currency, charge, groups, rounding }, cuts) => {
    const terms = termsOf(charge, currency);
    const whole = groupsOf(terms, groups);
    const pieces = whole.flatMap((group): readonly UsageGroup[] => {
      const parts = cuts.map((cut) => Decimal.parse(cut));
      const rest = group.quantity.minus(Decimal.sum(parts));
      const { priced, ...own } = group;
      return [...parts.map((quantity) => ({ ...own, events: 0, quantity, billed: quantity })), { ...group, quantity: rest, billed: rest }];
    });
    const shown = (of: readonly UsageGroup[]) => rateUsage({ charge: terms, groups: of, currency, rounding });
    expect(shown(pieces.reverse())).toEqual(shown(whole));
  }), seeded(105, 0.1)));

test('the oracle rates by itself', () => {
  const price: OraclePrice = { model: 'per_unit', unitAmount: '0.3333' };
  expect(oracleUsage({ charge: { price }, groups: [{ dimensions: {}, quantity: '10' }], isAmountShared: false, digits: 2, rounding: 'half_up' })).toMatchObject([{ billedQuantity: '10', amount: '3.33' }]);
});
