import { Decimal, type Interval, instantFromMicros, microsNumberOfText, Money, periodAt } from '@valueverse/kernel';
import * as fc from 'fast-check';
import { isNightly, oracleElapsed, oracleFee, type OracleGranularity, type OracleGroup, oracleInvoice, type OraclePrice, oracleRatio, oracleUsage, runs } from '@valueverse/testing';
import { type ChargeTerms, readChargeTerms } from './charge/charge-terms';
import { rateFee } from './charge/rate-fee';
import { rateUsage } from './charge/rate-usage';
import type { UsageGroup } from './charge/usage-groups';
import { eventTermsOf } from './event-terms';
import type { InvoiceToTotal } from './invoice/invoice-terms';
import { totalInvoice } from './invoice/total-invoice';
import { currencies, decimals, DIGITS, feePrices, maybe, ratings, roundings, slices } from './oracle.spec-kit';
import { PercentageEvents } from './per-event';
import { parsePrice, type Price } from './price';
import { elapsedAt } from './proration';
import { sumOfSteps } from './step';

/** So many random pairs of a plan and its usage by day, and at night. */
const PAIRS = isNightly() ? 100_000 : 2_000;
const seeded = (seed: number, share = 1) => ({ ...runs(seed, 1), numRuns: PAIRS * share });

const termsOf = (charge: unknown, currency: string): ChargeTerms => {
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

test('the oracle and this library agree on usage: every model, every term, every part of a period', () =>
  fc.assert(fc.property(ratings, ({ currency, charge, groups, rounding, slice, isAmountShared }) => {
    const terms = termsOf(charge, currency);
    // What was read can be read again, as it was stored.
    expect(termsOf(JSON.parse(JSON.stringify(terms)), currency)).toEqual(terms);
    const lines = rateUsage({
      charge: terms, currency, rounding, isAmountShared,
      groups: groups.map((group) => ({ dimensions: group.dimensions, window: group.window, quantity: Decimal.parse(group.quantity), billed: Decimal.parse(group.quantity), ...pricedOf(priceOfWindow(terms, group.window), group) })),
      ...(slice === undefined ? {} : { slice: { elapsedAtStart: slice.start, elapsedAtEnd: slice.end } }),
    });
    const expected = oracleUsage({
      charge, groups, rounding, isAmountShared, digits: DIGITS[currency],
      ...(slice === undefined ? {} : { slice: { start: oracleRatio(slice.start.numerator, slice.start.denominator), end: oracleRatio(slice.end.numerator, slice.end.denominator) } }),
    });
    expect(lines.map(({ type, window, dimensions, billedQuantity, amount }) => ({ type, window, dimensions, billedQuantity: billedQuantity.toString(), amount: amount.toString() }))).toEqual(expected);
    for (const { steps, amount } of lines) {
      expect(sumOfSteps(steps)).toEqual(amount.toDecimal());
      expect(JSON.parse(JSON.stringify(steps))).toEqual(steps);
    }
  }), seeded(101)));

test('the oracle and this library agree on fees and their parts', () =>
  fc.assert(fc.property(
    currencies.chain((currency) => fc.record({ currency: fc.constant(currency), price: feePrices(DIGITS[currency]), quantity: decimals(0, 400, 2), freeUnits: maybe(decimals(0, 50, 1)), slice: slices, rounding: roundings })),
    ({ currency, price, quantity, freeUnits, slice, rounding }) => {
      const parsed = parsePrice(price, '', currency) as { price: Price };
      const { amount, steps } = rateFee({
        charge: { price: parsed.price, freeUnits }, quantity: Decimal.parse(quantity), slice: { elapsedAtStart: slice.start, elapsedAtEnd: slice.end }, currency, rounding,
      });
      const of = ({ numerator, denominator }: { numerator: bigint; denominator: bigint }) => oracleRatio(numerator, denominator);
      expect(amount.toString()).toBe(oracleFee({ price, quantity, freeUnits, slice: { start: of(slice.start), end: of(slice.end) }, digits: DIGITS[currency], rounding }));
      expect(sumOfSteps(steps)).toEqual(amount.toDecimal());
    },
  ), seeded(102, 0.25)));

const INTERVALS: readonly Interval[] = [{ unit: 'month', count: 1 }, { unit: 'month', count: 2 }, { unit: 'quarter', count: 1 }, { unit: 'year', count: 1 }, { unit: 'week', count: 1 }, { unit: 'day', count: 10 }];
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

const RATES = [{ key: 'vat', rate: '19' }, { key: 'city', rate: '2.5' }, { key: 'tiny', rate: '0.125' }, { key: 'wine', rate: '60' }, { key: 'zero', rate: '0' }];
const LINES_MAX = 10;
const invoices = currencies.chain((currency) => fc.record({
  currency: fc.constant(currency), rounding: roundings, taxRounding: fc.constantFrom('invoice' as const, 'line' as const), inclusiveRounding: fc.constantFrom('net' as const, 'tax' as const),
  lines: fc.array(fc.record({ minor: fc.oneof(fc.bigInt({ min: -9_000n, max: 30_000n }), fc.bigInt({ min: -9n, max: 20n })), taxBehavior: fc.constantFrom('exclusive' as const, 'inclusive' as const), taxRates: fc.subarray(RATES) }), { maxLength: LINES_MAX }),
  isCredit: fc.boolean(),
  coupons: fc.array(fc.record({
    discount: fc.oneof(fc.record({ type: fc.constant('percent' as const), value: decimals(0, 100, 2) }), fc.record({ type: fc.constant('amount' as const), value: decimals(0, 200, DIGITS[currency]) })),
    lineIds: maybe(fc.subarray(Array.from({ length: LINES_MAX }, (_, nth) => `line_${nth}`))), stackable: fc.boolean(),
  }), { maxLength: 4 }),
  credits: fc.array(fc.bigInt({ min: 0n, max: 40_000n }), { maxLength: 2 }),
}));

test('the oracle and this library agree on invoices', () =>
  fc.assert(fc.property(invoices, ({ currency, lines, coupons, credits, isCredit, ...rules }) => {
    const money = (minor: bigint): Money => Money.of(minor, currency);
    const given: InvoiceToTotal = {
      ...rules, currency, lines: lines.map(({ minor, ...line }, nth) => ({ lineId: `line_${nth}`, amount: money(isCredit ? -minor : minor), ...line })),
      coupons: coupons.map((coupon, nth) => ({ key: `coupon_${nth}`, ...coupon })), credits: credits.map((minor, nth) => ({ creditId: `cn_${nth}`, amount: money(minor) })),
    };
    const { lines: ours, ...totals } = totalInvoice(given);
    const expected = oracleInvoice({
      ...rules, digits: DIGITS[currency], lines: given.lines.map((line) => ({ ...line, amount: line.amount.toString() })), coupons: given.coupons!, credits: given.credits!.map(({ amount }) => amount.toString()),
    });
    expect({
      lines: ours.map(({ netAmount, discounts, taxes }) => ({ netAmount: netAmount.toString(), discounts: discounts.map(({ amount }) => amount.toString()), taxes: taxes.map(({ amount }) => amount.toString()) })),
      ...Object.fromEntries((['subtotal', 'discountTotal', 'taxTotal', 'total', 'creditApplied'] as const).map((name) => [name, totals[name].toString()])),
    }).toEqual(expected);
  }), seeded(104, 0.5)));

test('usage that is cut up and mixed costs what it costs in one piece', () =>
  fc.assert(fc.property(ratings, fc.array(decimals(-200, 200, 3), { maxLength: 4 }), ({ currency, charge, groups, rounding }, cuts) => {
    const terms = termsOf(charge, currency);
    const whole = groups.map((group): UsageGroup => ({ dimensions: group.dimensions, window: group.window, quantity: Decimal.parse(group.quantity), billed: Decimal.parse(group.quantity), ...pricedOf(priceOfWindow(terms, group.window), group) }));
    const pieces = whole.flatMap((group): readonly UsageGroup[] => {
      const parts = cuts.map((cut) => Decimal.parse(cut));
      const rest = group.quantity.minus(Decimal.sum(parts));
      const { priced, ...own } = group;
      return [...parts.map((quantity) => ({ ...own, events: 0, quantity, billed: quantity })), { ...group, quantity: rest, billed: rest }];
    });
    const shown = (of: readonly UsageGroup[]) => rateUsage({ charge: terms, groups: of, currency, rounding });
    expect(shown(pieces.reverse())).toEqual(shown(whole));
  }), seeded(105, 0.1)));

test('a price that only the oracle could read would be found out', () => {
  const price: OraclePrice = { model: 'per_unit', unitAmount: '0.3333' };
  expect(oracleUsage({ charge: { price }, groups: [{ dimensions: {}, quantity: '10' }], isAmountShared: false, digits: 2, rounding: 'half_up' })).toMatchObject([{ billedQuantity: '10', amount: '3.33' }]);
});
