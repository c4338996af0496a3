import { Decimal, type Rounding } from '@valueverse/kernel';
import * as fc from 'fast-check';
import { runs } from '@valueverse/testing';
import type { Tier } from './models/tiers';
import { parsePrice, type Price } from './price';
import { rateCharge, roundingStep } from './rate';
import { sumOfSteps } from './step';

const seeded = runs(404, 500);
const priceOf = (value: unknown): Price => {
  const parsed = parsePrice(value, '');
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  return parsed.price;
};
const rate = (value: unknown, quantity: string, currency = 'USD', flatAtZero = false, rounding: Rounding = 'half_up') =>
  rateCharge({ price: priceOf(value), quantity: Decimal.of(quantity), currency, rounding, flatAtZero });
const graduated = (...tiers: [upTo: string | null, unitAmount: string, flatAmount?: string][]) => ({
  model: 'graduated',
  tiers: tiers.map(([upTo, unitAmount, flatAmount]) => ({ upTo, unitAmount, ...(flatAmount === undefined ? {} : { flatAmount }) })),
});
const amounts = (value: unknown, quantities: string[], flatAtZero = false) => quantities.map((quantity) => rate(value, quantity, 'USD', flatAtZero).amount.toString());

test('an hour of prompt tokens costs 85.84', () => {
  //  10,000,000 x 0.0000025 = 25.00
  //  30,421,844 x 0.000002  = 60.843688
  //                           85.843688, rounded to 85.84
  const rated = rate(graduated(['10000000', '0.0000025'], [null, '0.000002']), '40421844');
  expect(rated.amount.toString()).toBe('85.84');
  expect(rated.exact.toString()).toBe('85.843688');
  expect(rated.steps).toEqual([
    { kind: 'tier', from: '0', upTo: '10000000', quantity: '10000000', unitAmount: '0.0000025', amount: '25' },
    { kind: 'tier', from: '10000000', upTo: null, quantity: '30421844', unitAmount: '0.000002', amount: '60.843688' },
  ]);
  expect(roundingStep(rated, 'half_up')).toEqual({ kind: 'rounding', rounding: 'half_up', amount: '-0.003688' });
});

test('a bound belongs to the tier below it', () => {
  // Published example (Stripe): 1-5 at 7, 6-10 at 6.50, 11 and more at 6.
  const price = graduated(['5', '7'], ['10', '6.5'], [null, '6']);
  // 5 x 7 = 35; + 1 x 6.50 = 41.50; 35 + 32.50 + 10 x 6 = 127.50; + 5 x 6 = 157.50.
  expect(amounts(price, ['5', '6', '20', '25'])).toEqual(['35.00', '41.50', '127.50', '157.50']);
});

test('the flat amount of a tier is due once it is entered, of the first at zero only where that is wanted', () => {
  // Published example (Lago): 0-10 at 10 + 2, 11-20 at 5 + 3, 21 and more at 5 + 3.
  const price = graduated(['10', '10', '2'], ['20', '5', '3'], [null, '5', '3']);
  // 1 x 10 + 2 = 12; 100 + 2 = 102; + 1 x 5 + 3 = 110; 115; 102 + 53 + 8 = 163.
  expect(amounts(price, ['0', '1', '10', '11', '12', '21'], true)).toEqual(['2.00', '12.00', '102.00', '110.00', '115.00', '163.00']);
  expect(amounts(price, ['0', '0.001'])).toEqual(['0.00', '2.01']);
  expect(rate(price, '0').steps).toEqual([]);
});

test('bounds may be fractions, and tiers free or flat', () => {
  // Published examples: Lago 0-0.1 at 10, to 1 at 5, then 2: 0.1 x 10 + 0.4 x 5 = 3.
  expect(amounts(graduated(['0.1', '10'], ['1', '5'], [null, '2']), ['0.05', '0.5'])).toEqual(['0.50', '3.00']);
  // Zuora: 100 free, then 2 each: 30 x 2 = 60.
  expect(amounts(graduated(['100', '0'], [null, '2']), ['130'])).toEqual(['60.00']);
  // OpenMeter: to 5 for 100, to 10 for 50, to 15 at 5 each, then 1 each: 100 + 50 + 25 + 7 = 182.
  expect(amounts(graduated(['5', '0', '100'], ['10', '0', '50'], ['15', '5'], [null, '1']), ['22'])).toEqual(['182.00']);
  // Autumn: 10 + 72 + 25 = 107.
  expect(amounts(graduated(['1000', '0.01'], ['10000', '0.008'], [null, '0.005']), ['15000'])).toEqual(['107.00']);
});

test('a flat price is due for any quantity above zero', () => {
  const price = { model: 'flat', amount: '49.00' };
  expect(amounts(price, ['1', '0.5', '0', '-1'])).toEqual(['49.00', '49.00', '0.00', '0.00']);
  expect(amounts(price, ['0'], true)).toEqual(['49.00']);
  expect(rate(price, '1').steps).toEqual([{ kind: 'flat', amount: '49' }]);
});

test('a price per unit multiplies', () => {
  const rated = rate({ model: 'per_unit', unitAmount: '0.10' }, '12.5');
  // 12.5 x 0.10 = 1.25
  expect([rated.amount.toString(), rated.steps]).toEqual(['1.25', [{ kind: 'unit', quantity: '12.5', unitAmount: '0.1', amount: '1.25' }]]);
  expect(roundingStep(rated, 'half_up')).toBeUndefined();
});

test('what was taken back is a credit', () => {
  expect(amounts({ model: 'per_unit', unitAmount: '0.10' }, ['-3'])).toEqual(['-0.30']);
  expect(amounts(graduated(['5', '7', '10'], [null, '6']), ['-2'])).toEqual(['-14.00']);
});

test('the line is rounded once, to the digits of its currency', () => {
  const price = { model: 'per_unit', unitAmount: '0.0125' };
  // 3.3 x 0.0125 = 0.04125
  const rounded = ['JPY', 'USD', 'KWD', 'CLF'].map((currency) => rate(price, '3.3', currency).amount.toString());
  expect(rounded).toEqual(['0', '0.04', '0.041', '0.0413']);
  // 10 x 0.0125 = 0.125, a tie; -0.125 is one too.
  expect(['half_up', 'half_even'].map((rounding) => rate(price, '10', 'USD', false, rounding as Rounding).amount.toString())).toEqual(['0.13', '0.12']);
  expect(rate(price, '-10').amount.toString()).toBe('-0.13');
});

const decimals = (max: bigint, scale: number) => fc.bigInt({ min: 0n, max }).map((coefficient) => Decimal.scaled(coefficient, scale).toString());
const tierLists = fc
  .array(fc.record({ width: fc.bigInt({ min: 1n, max: 5000n }), unitAmount: decimals(10n ** 9n, 8), flatAmount: fc.option(decimals(10000n, 2), { nil: undefined }) }), { minLength: 1, maxLength: 6 })
  .map((parts): Tier[] => {
    let bound = 0n;
    return parts.map(({ width, unitAmount, flatAmount }, index) => {
      bound += width;
      const upTo = index === parts.length - 1 ? null : bound.toString();
      return { upTo, unitAmount, ...(flatAmount === undefined ? {} : { flatAmount }) };
    });
  });

test('the steps add up exactly, and their quantities to what was used', () =>
  fc.assert(
    fc.property(tierLists, decimals(10n ** 7n, 3), fc.boolean(), (tiers, quantity, flatAtZero) => {
      const rated = rateCharge({ price: { model: 'graduated', tiers }, quantity: Decimal.of(quantity), currency: 'USD', rounding: 'half_even', flatAtZero });
      expect(sumOfSteps(rated.steps)).toEqual(rated.exact);
      const used = Decimal.sum(rated.steps.map((step) => Decimal.of(step.kind === 'tier' ? step.quantity : '0')));
      expect(used.toString()).toBe(quantity);
      const closing = roundingStep(rated, 'half_even');
      expect(sumOfSteps(closing === undefined ? rated.steps : [...rated.steps, closing])).toEqual(rated.amount.toDecimal());
      expect(rated.amount.toDecimal().minus(rated.exact).abs().lte(Decimal.of('0.005'))).toBe(true);
    }),
    seeded,
  ));

test('tiers cost what their units cost one by one', () =>
  fc.assert(
    fc.property(tierLists, fc.integer({ min: 1, max: 300 }), (tiers, quantity) => {
      const exactOf = (units: number) => rateCharge({ price: { model: 'graduated', tiers }, quantity: Decimal.of(units), currency: 'USD', rounding: 'half_up' }).exact;
      const tierOf = (units: number) => tiers.findIndex(({ upTo }) => upTo === null || Number(upTo) >= units);
      const [tier, before] = [tierOf(quantity), quantity === 1 ? -1 : tierOf(quantity - 1)];
      const { unitAmount = '0', flatAmount = '0' } = tiers[tier]!;
      expect(exactOf(quantity).minus(exactOf(quantity - 1))).toEqual(Decimal.of(unitAmount).plus(Decimal.of(tier === before ? '0' : flatAmount)));
    }),
    seeded,
  ));
