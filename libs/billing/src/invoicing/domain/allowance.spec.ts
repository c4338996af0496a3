import { Decimal } from '@valueverse/kernel';
import { rateCharge, type Price } from '@valueverse/rating';
import { allowanceOf, tierReached } from './allowance';

const graduated = (...tiers: readonly { upTo: string | null; unitAmount?: string; flatAmount?: string }[]): Price => ({ model: 'graduated', tiers });
const included = (price: Price, quantity: string): unknown => allowanceOf(price, Decimal.parse(quantity));
const reached = (price: Price, text: string): unknown => {
  const quantity = Decimal.parse(text);
  return tierReached(price, rateCharge({ price, quantity, currency: 'USD', rounding: 'half_up' }).steps, quantity);
};
const price = graduated({ upTo: '10', unitAmount: '0' }, { upTo: '100.5', unitAmount: '0.50' }, { upTo: null, unitAmount: '0.25' });

test.each([
  ['nothing used', price, '0', { units: '10', used: '0', remaining: '10' }],
  ['a part used', price, '3.25', { units: '10', used: '3.25', remaining: '6.75' }],
  ['all used', price, '10', { units: '10', used: '10', remaining: '0' }],
  ['more used', price, '10.1', { units: '10', used: '10', remaining: '0' }],
  ['taken back', price, '-2', { units: '10', used: '0', remaining: '10' }],
  ['for a flat amount, in two tiers', graduated({ upTo: '5', flatAmount: '9' }, { upTo: '8', unitAmount: '0.00' }, { upTo: null, unitAmount: '1' }), '7', { units: '8', used: '7', remaining: '1' }],
  ['the next tier costs once', graduated({ upTo: '5', unitAmount: '0' }, { upTo: null, flatAmount: '1' }), '7', { units: '5', used: '5', remaining: '0' }],
  ['without end', graduated({ upTo: null, flatAmount: '9' }), '7', { units: null, used: '7', remaining: null }],
  ['none', graduated({ upTo: null, unitAmount: '1' }), '7', undefined],
  ['of no tiers', { model: 'per_unit', unitAmount: '0' } as Price, '7', undefined],
])('what is included: %s', (_, given, quantity, wanted) => expect(included(given, quantity)).toEqual(wanted));

test.each([
  ['0', { number: 1, from: '0', upTo: '10', unitAmount: '0', remaining: '10' }],
  ['10', { number: 1, from: '0', upTo: '10', unitAmount: '0', remaining: '0' }],
  ['10.000001', { number: 2, from: '10', upTo: '100.5', unitAmount: '0.5', remaining: '90.499999' }],
  ['100.5', { number: 2, from: '10', upTo: '100.5', unitAmount: '0.5', remaining: '0' }],
  ['1000', { number: 3, from: '100.5', upTo: null, unitAmount: '0.25', remaining: null }],
])('the tier of %s', (quantity, wanted) => expect(reached(price, quantity)).toEqual(wanted));
test('a price without tiers has none', () => expect(reached({ model: 'per_unit', unitAmount: '1' }, '5')).toBeUndefined());
