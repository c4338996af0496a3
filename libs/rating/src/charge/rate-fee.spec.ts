import { Decimal, type Fraction } from '@valueverse/kernel';
import type { Price } from '../price';
import { sumOfSteps } from '../step';
import { rateFee } from './rate-fee';

const part = (numerator: number, denominator: number): Fraction => ({ numerator: BigInt(numerator), denominator: BigInt(denominator) });
const SEATS: Price = { model: 'graduated', tiers: [{ upTo: '5', unitAmount: '10' }, { upTo: null, unitAmount: '8.005' }] };
const rate = (price: Price, quantity: string, more: Partial<Parameters<typeof rateFee>[0]> = {}) => {
  const rated = rateFee({ charge: { price }, quantity: Decimal.parse(quantity), currency: 'USD', rounding: 'half_up', ...more });
  expect(sumOfSteps(rated.steps)).toEqual(rated.amount.toDecimal());
  return rated;
};

test('a fee for a number of seats', () => {
  // 5 x 10 + 2 x 8.005 = 66.01
  expect(rate(SEATS, '7').amount.toString()).toBe('66.01');
  // 58.005
  expect(rate(SEATS, '6').steps.at(-1)).toEqual({ kind: 'rounding', rounding: 'half_up', amount: '0.005' });
  expect(rate({ model: 'flat', amount: '49.00' }, '7').amount.toString()).toBe('49.00');
  expect(rate({ model: 'flat', amount: '49.00' }, '0').amount.toString()).toBe('49.00');
});

test('a number of seats that changes is sliced, and its steps tell the whole fee first', () => {
  // 7 seats for 15 of 31 days, 9 from then on: 66.01 x 15/31 = 31.94; 82.02 - 82.02 x 15/31 = 42.33.
  const [before, after] = [{ elapsedAtStart: part(0, 31), elapsedAtEnd: part(15, 31) }, { elapsedAtStart: part(15, 31), elapsedAtEnd: part(31, 31) }];
  expect(rate(SEATS, '7', { slice: before }).amount.toString()).toBe('31.94');
  const { amount, steps } = rate(SEATS, '9', { slice: after });
  expect(amount.toString()).toBe('42.33');
  expect(steps.map(({ kind }) => kind)).toEqual(['tier', 'tier', 'whole_fee', 'proration', 'proration']);
  expect(rate({ model: 'flat', amount: '49.00' }, '1', { slice: after }).steps.map(({ kind }) => kind)).toEqual(['proration', 'proration']);
  expect(rate({ model: 'flat', amount: '49.00' }, '1', { slice: { elapsedAtStart: part(0, 31), elapsedAtEnd: part(31, 31) } }).steps).toEqual([{ kind: 'flat', amount: '49' }]);
});

test('some seats may be free', () => {
  const rated = rate({ model: 'per_unit', unitAmount: '10' }, '7', { charge: { price: { model: 'per_unit', unitAmount: '10' }, freeUnits: '3' } });
  expect([rated.amount.toString(), rated.billedQuantity.toString()]).toEqual(['40.00', '4']);
});
