import { TIERS_MAX } from './models/tiers';
import { parsePrice } from './price';

const faultsOf = (value: unknown): string[] => {
  const parsed = parsePrice(value, '/charges/1/price');
  return 'errors' in parsed ? parsed.errors.map(({ pointer, code }) => `${pointer.replace('/charges/1/price', '')} ${code}`) : [];
};
const graduated = (...tiers: unknown[]) => ({ model: 'graduated', tiers });

test('a price is kept as it was written', () => {
  for (const price of [
    { model: 'flat', amount: '49.00' },
    { model: 'per_unit', unitAmount: '0.0000025' },
    graduated({ upTo: '10000000', unitAmount: '0.0000025' }, { upTo: null, unitAmount: '0.000002', flatAmount: '0' }),
  ])
    expect(parsePrice(price, '')).toEqual({ price });
});

test('an open end may be left out, and null is the same as absent', () => {
  expect(parsePrice(graduated({ upTo: '5', flatAmount: '1', unitAmount: null }, { unitAmount: '1' }), '')).toEqual({
    price: graduated({ upTo: '5', flatAmount: '1' }, { upTo: null, unitAmount: '1' }),
  });
  expect(faultsOf({ model: 'flat', amount: '1', unitAmount: null })).toEqual([]);
});

test('what is no price at all is told', () => {
  for (const value of [undefined, null, 'flat', 5, []]) expect(faultsOf(value)).toEqual([' object_expected']);
  expect(faultsOf({})).toEqual(['/model missing_field']);
  for (const model of ['free', 'constructor', 7, {}]) expect(faultsOf({ model, amount: 1 })).toEqual(['/model unknown_pricing_model']);
});

test('all faults of a price are told at once, with pointers to them', () => {
  expect(faultsOf({ model: 'flat', amont: '1', 'a/b~c': 1 })).toEqual(['/amount missing_field', '/amont unknown_field', '/a~1b~0c unknown_field']);
  expect(faultsOf({ model: 'per_unit', unitAmount: 0.5, tiers: [] })).toEqual(['/unitAmount decimal_string_expected', '/tiers unknown_field']);
  expect(faultsOf({ model: 'per_unit', unitAmount: '1e3' })).toEqual(['/unitAmount invalid_decimal']);
  expect(faultsOf({ model: 'flat', amount: '-0.01' })).toEqual(['/amount negative_amount']);
});

test('tiers that leave a hole or have no end are told', () => {
  expect(faultsOf({ model: 'graduated' })).toEqual(['/tiers missing_field']);
  expect(faultsOf({ model: 'graduated', tiers: {} })).toEqual(['/tiers list_expected']);
  expect(faultsOf(graduated())).toEqual(['/tiers tiers_empty']);
  expect(faultsOf(graduated(...new Array(TIERS_MAX + 1).fill({ unitAmount: '1' })))).toEqual(['/tiers too_many_tiers']);
  expect(faultsOf(graduated({ upTo: '5', unitAmount: '1' }))).toEqual(['/tiers/0/upTo tier_open_end_missing']);
  expect(faultsOf(graduated({ unitAmount: '1' }, { unitAmount: '1' }))).toEqual(['/tiers/0/upTo tier_open_not_last']);
  expect(faultsOf(graduated({ upTo: '0', unitAmount: '1' }, { unitAmount: '1' }))).toEqual(['/tiers/0/upTo tier_bounds_not_ascending']);
  expect(faultsOf(graduated({ upTo: '5', unitAmount: '1' }, { upTo: '5.0', unitAmount: '1' }, { upTo: '4', unitAmount: '1' }, { unitAmount: '1' }))).toEqual([
    '/tiers/1/upTo tier_bounds_not_ascending', '/tiers/2/upTo tier_bounds_not_ascending',
  ]);
});

test('each tier tells its own faults beside those of the bounds', () => {
  expect(faultsOf(graduated({ upTo: 5, unitAmount: '-1' }, 'x', { upTo: '7', flatAmount: true, note: '' }, {}))).toEqual([
    '/tiers/1 object_expected', '/tiers/0/upTo decimal_string_expected', '/tiers/0/unitAmount negative_amount',
    '/tiers/2/flatAmount decimal_string_expected', '/tiers/2/note unknown_field', '/tiers/3/unitAmount missing_field',
  ]);
});

test('a fault says what would be right', () => {
  expect(parsePrice({ model: 'flat', amount: 49 }, '/price')).toEqual({
    errors: [{ pointer: '/price/amount', code: 'decimal_string_expected', detail: expect.stringContaining('string') }],
  });
});
