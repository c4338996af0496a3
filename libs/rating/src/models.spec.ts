import { Decimal } from '@valueverse/kernel';
import { eventTermsOf } from './event-terms';
import { MATRIX_CELLS_MAX } from './models/matrix';
import type { EventsPriced } from './models/pricing-model';
import { isFeePrice, parsePrice, type Price, pricingModels } from './price';
import { rateCharge } from './rate';
import { sumOfSteps } from './step';

const priceOf = (value: unknown): Price => {
  const parsed = parsePrice(value, '');
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  return parsed.price;
};
const faultsOf = (value: unknown, currency?: string): string[] => {
  const parsed = parsePrice(value, '', currency);
  return 'errors' in parsed ? parsed.errors.map(({ pointer, code }) => `${pointer} ${code}`) : [];
};
interface Given { readonly flatAtZero?: boolean; readonly dimensions?: Record<string, string>; readonly priced?: EventsPriced; readonly part?: [bigint, bigint] }
const rate = (value: unknown, quantity: string, { part, ...given }: Given = {}) => {
  const rated = rateCharge({
    price: priceOf(value), quantity: Decimal.parse(quantity), currency: 'USD', rounding: 'half_up', ...given, ...(part === undefined ? {} : { boundsShare: { numerator: part[0], denominator: part[1] } }),
  });
  expect(sumOfSteps(rated.steps)).toEqual(rated.exact);
  return rated;
};
const amounts = (value: unknown, quantities: string[], given: Given = {}) => quantities.map((quantity) => rate(value, quantity, given).amount.toString());
const tiers = (model: string, ...rows: [upTo: string | null, terms: Record<string, string>][]) => ({ model, tiers: rows.map(([upTo, terms]) => ({ upTo, ...terms })) });

test('volume: everything at the price of the tier that the whole falls in', () => {
  const price = tiers('volume', ['10', { unitAmount: '2', flatAmount: '5' }], [null, { unitAmount: '1' }]);
  // 10 x 2 + 5 = 25; one more is cheaper: 11 x 1.
  expect(amounts(price, ['10', '10.5', '11', '0', '-3'])).toEqual(['25.00', '10.50', '11.00', '0.00', '-6.00']);
  expect(amounts(price, ['0'], { flatAtZero: true })).toEqual(['5.00']);
  expect(rate(price, '10').steps).toEqual([{ kind: 'volume', from: '0', upTo: '10', quantity: '10', unitAmount: '2', flatAmount: '5', amount: '25' }]);
});

test('stairstep: one amount for the step that the quantity stands on', () => {
  const price = tiers('stairstep', ['100', { flatAmount: '10' }], ['200', { flatAmount: '18' }], [null, { flatAmount: '30' }]);
  expect(amounts(price, ['1', '100', '100.5', '200', '9999', '0', '-1'])).toEqual(['10.00', '10.00', '18.00', '18.00', '30.00', '0.00', '0.00']);
  expect(amounts(price, ['0'], { flatAtZero: true })).toEqual(['10.00']);
  expect(rate(price, '150').steps).toEqual([{ kind: 'stair', from: '100', upTo: '200', quantity: '150', amount: '18' }]);
});

test('packages: one that was begun is paid, one that was given back whole is returned', () => {
  const price = { model: 'package', packageSize: '100', packageAmount: '1.25' };
  expect(amounts(price, ['0', '0.01', '100', '100.01', '250', '-99', '-100'])).toEqual(['0.00', '1.25', '1.25', '2.50', '3.75', '0.00', '-1.25']);
  expect(rate(price, '250').steps).toEqual([{ kind: 'package', quantity: '250', packageSize: '100', packages: '3', packageAmount: '1.25', amount: '3.75' }]);
});

test('a percentage of a value', () => {
  // 2.9 % of 1234.56 = 35.80224
  expect(rate({ model: 'percentage', rate: '2.9' }, '1234.56')).toMatchObject({ steps: [{ kind: 'percent', value: '1234.56', rate: '2.9', amount: '35.80224' }] });
  expect(amounts({ model: 'percentage', rate: '2.9' }, ['0', '-100'])).toEqual(['0.00', '-2.90']);
});

test('a percentage with more to it is what metering found that its events cost', () => {
  const price = { model: 'percentage', rate: '1', fixedAmount: '0.10', freeEvents: 2, maxAmountPerEvent: '5' };
  const terms = { kind: 'percentage', rate: '1', fixedAmount: '0.10', freeEvents: 2, maxAmountPerEvent: '5' };
  expect(eventTermsOf(priceOf(price))).toEqual(terms);
  const rated = rate(price, '700', { priced: { amount: '4.20', paidValue: '400.0', freeEvents: 2, paidEvents: 2, unpriced: 0 } });
  expect(rated.steps).toEqual([{ kind: 'events', terms, freeEvents: 2, paidEvents: 2, paidValue: '400', amount: '4.2' }]);
  expect(eventTermsOf(priceOf({ model: 'percentage', rate: '1', freeEvents: '2' }))).toEqual({ kind: 'percentage', rate: '1', freeEvents: 2 });
  expect(eventTermsOf(priceOf({ model: 'percentage', rate: '1' }))).toBeUndefined();
  expect(rate(price, '0').steps).toEqual([]);
});

test('tiers of a value, each with its rate', () => {
  const price = tiers('graduated_percentage', ['1000', { rate: '1', flatAmount: '2' }], [null, { rate: '0.5' }]);
  // 10 + 2; 10 + 2 + 0.5 % of 500 = 2.50.
  expect(amounts(price, ['1000', '1500', '0', '-100'])).toEqual(['12.00', '14.50', '0.00', '-1.00']);
  expect(amounts(price, ['0'], { flatAtZero: true })).toEqual(['2.00']);
  expect(rate(price, '1500').steps[1]).toEqual({ kind: 'percent_tier', from: '1000', upTo: null, value: '500', rate: '0.5', amount: '2.5' });
});

test('dynamic: what the events say, and how many of them say nothing', () => {
  const price = { model: 'dynamic', amountProperty: '$.cost', multiplier: '1.2' };
  expect(eventTermsOf(priceOf(price))).toEqual({ kind: 'dynamic', amountProperty: '$.cost', multiplier: '1.2' });
  const rated = rate(price, '30', { priced: { amount: '12.000', paidValue: '29', freeEvents: 0, paidEvents: 3, unpriced: 1 } });
  expect([rated.amount.toString(), rated.steps[0]]).toEqual(['12.00', expect.objectContaining({ kind: 'events', paidEvents: 3, unpriced: 1, paidValue: '29', amount: '12' })]);
});

const MATRIX = {
  model: 'matrix', dimensions: ['region', 'size'],
  cells: [
    { match: { region: 'eu', size: 'small' }, price: { model: 'per_unit', unitAmount: '2' } },
    { match: { region: 'eu', size: '' }, price: { model: 'flat', amount: '7' } },
  ],
  default: { model: 'package', packageSize: '10', packageAmount: '3' },
};

test('a matrix has a price for each combination, one for all others, or none', () => {
  const of = (region: string, size?: string) => rate(MATRIX, '11', { dimensions: { region, ...(size === undefined ? {} : { size }) } }).amount.toString();
  expect([of('eu', 'small'), of('eu'), of('eu', ''), of('us', 'small')]).toEqual(['22.00', '7.00', '7.00', '6.00']);
  const { default: _, ...without } = MATRIX;
  expect(rate(without, '11', { dimensions: { region: 'us' } }).steps).toEqual([{ kind: 'unpriced', quantity: '11', amount: '0' }]);
});

test('what is wrong with a matrix is told all at once', () => {
  const cell = (match: unknown, price: unknown = { model: 'flat', amount: '1' }) => ({ match, price });
  expect(faultsOf({
    model: 'matrix', dimensions: ['region'], default: { model: 'matrix' },
    cells: [
      cell({ region: 'eu' }), cell({ region: 'eu' }), cell({ zone: 'x', region: 'a' }), cell({}), cell({ region: 5 }),
      cell({ region: 'b' }, { model: 'percentage', rate: '1', freeEvents: 1 }), cell({ region: 'c' }, { model: 'dynamic', amountProperty: '$.a' }), { match: { region: 'd' } },
    ],
  })).toEqual([
    '/cells/1/match cell_repeats', '/cells/2/match/zone unknown_dimension', '/cells/3/match/region missing_field', '/cells/4/match/region text_expected',
    '/cells/5/price/model event_price_in_cell', '/cells/6/price/model event_price_in_cell', '/cells/7/price missing_field', '/default/model nested_matrix',
  ]);
  for (const dimensions of [undefined, [], 'region', ['a', 'a'], ['a', 'b', 'c', 'd', 'e', 'f'], [5]])
    expect(faultsOf({ model: 'matrix', dimensions, cells: [] })).toEqual([expect.stringMatching(/^\/dimensions /), '/cells cells_empty']);
  expect(faultsOf({ model: 'matrix', dimensions: ['region'], cells: new Array(MATRIX_CELLS_MAX + 1).fill(cell({ region: 'x' })) })).toEqual(['/cells too_many_cells']);
  expect(faultsOf({ model: 'matrix', dimensions: ['region'] })).toEqual(['/cells missing_field']);
});

test('what is wrong with the other models is told with its place', () => {
  expect(faultsOf({ model: 'package', packageSize: '0', packageAmount: '-1' })).toEqual(['/packageSize not_positive', '/packageAmount negative_amount']);
  expect(faultsOf({ model: 'package', packageSize: '-1' })).toEqual(['/packageSize negative_amount', '/packageAmount missing_field']);
  expect(faultsOf({ model: 'percentage', rate: 5, minAmountPerEvent: '2', maxAmountPerEvent: '1', freeEvents: 1.5 })).toEqual([
    '/rate decimal_string_expected', '/freeEvents whole_number_expected', '/maxAmountPerEvent maximum_below_minimum',
  ]);
  expect(faultsOf({ model: 'dynamic', amountProperty: 'cost', multiplier: 'x' })).toEqual(['/amountProperty invalid_json_path', '/multiplier invalid_decimal']);
  expect(faultsOf({ model: 'dynamic' })).toEqual(['/amountProperty missing_field']);
  expect(faultsOf({ model: 'stairstep', tiers: [{ upTo: '5' }, { unitAmount: '1', flatAmount: '1' }] })).toEqual(['/tiers/0/flatAmount missing_field', '/tiers/1/unitAmount unknown_field']);
  expect(faultsOf({ model: 'volume', tiers: [{ upTo: '5', unitAmount: '1' }, { upTo: '5', unitAmount: '1' }] })).toEqual(['/tiers/1/upTo tier_open_end_missing', '/tiers/1/upTo tier_bounds_not_ascending']);
  expect(faultsOf({ model: 'graduated_percentage', tiers: [{ flatAmount: '1' }] })).toEqual(['/tiers/0/rate missing_field']);
  expect(faultsOf({ model: 'per_unit', unitAmount: `0.${'1'.repeat(40)}` })).toEqual(['/unitAmount too_long']);
});

test('single events are priced by numbers that a statement can bear the result of', () => {
  const long = '0.0000000000000000001';
  expect(faultsOf({ model: 'percentage', rate: long, freeEvents: 1 })).toEqual(['/rate too_long']);
  expect(faultsOf({ model: 'percentage', rate: long })).toEqual([]);
  expect(faultsOf({ model: 'dynamic', amountProperty: '$.cost', multiplier: long })).toEqual(['/multiplier too_long']);
  expect(faultsOf({ model: 'dynamic', amountProperty: '$.cost', multiplier: '1'.repeat(40) })).toEqual(['/multiplier too_long']);
});

test('an amount that is due as it is has no more digits than its currency, a price of one unit may', () => {
  expect(faultsOf({ model: 'flat', amount: '1.005' }, 'USD')).toEqual(['/amount money_precision']);
  expect(faultsOf({ model: 'flat', amount: '1.005' }, 'KWD')).toEqual([]);
  expect(faultsOf(tiers('stairstep', [null, { flatAmount: '0.5' }]), 'JPY')).toEqual(['/tiers/0/flatAmount money_precision']);
  expect(faultsOf({ model: 'matrix', dimensions: ['a'], cells: [{ match: { a: 'x' }, price: { model: 'flat', amount: '0.001' } }] }, 'USD')).toEqual(['/cells/0/price/amount money_precision']);
  expect(faultsOf({ model: 'package', packageSize: '3', packageAmount: '0.005' }, 'USD')).toEqual([]);
});

test('bounds of tiers are for a part of a period where that is wanted', () => {
  const price = tiers('graduated', ['31', { unitAmount: '1' }], [null, { unitAmount: '2' }]);
  // 10 of 31 days: the bound is 10. 10 x 1 + 5 x 2 = 20.
  expect(amounts(price, ['15'], { part: [10n, 31n] })).toEqual(['20.00']);
  // A third of 100 is 33.333333333333, to twelve digits.
  expect(rate(tiers('graduated', ['100', { unitAmount: '1' }], [null, { unitAmount: '0' }]), '50', { part: [1n, 3n] }).exact.toString()).toBe('33.333333333333');
  expect(amounts(tiers('volume', ['31', { unitAmount: '1' }], [null, { unitAmount: '2' }]), ['10', '11'], { part: [10n, 31n] })).toEqual(['10.00', '22.00']);
});

test('fees have models that need a number of things and nothing else', () => {
  const fees = Object.keys(pricingModels).filter((model) => isFeePrice({ model } as Price));
  expect(fees).toEqual(['flat', 'per_unit', 'graduated', 'volume', 'stairstep', 'package']);
});
