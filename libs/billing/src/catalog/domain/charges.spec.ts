import { charges as chargesShape } from './charges';
import { CHARGES_MAX } from './prices';
import { readAll } from './shape';

const FEE = { key: 'platform', name: 'Platform', type: 'recurring', price: { model: 'flat', amount: '49.00' } };
const USAGE = { key: 'prompt', name: 'Prompt', type: 'usage', meterKey: 'prompt', price: { model: 'per_unit', unitAmount: '0.0000025' } };
const tiers = (...bounds: (string | number | null)[]) => ({ ...USAGE, price: { model: 'graduated', tiers: bounds.map((upTo) => ({ upTo, unitAmount: '1' })) } });
const readCharges = (charges: readonly unknown[], currency = 'USD') => readAll(chargesShape(['recurring', 'usage'], currency), charges, '/charges');
const faultsOf = (charges: readonly unknown[], currency = 'USD'): string[] => {
  const read = readCharges(charges, currency);
  return 'errors' in read ? read.errors.map(({ pointer, code }) => `${pointer} ${code}`) : [];
};

test('what is well formed is kept as it was sent, with the timing that a fee has by default', () => {
  expect(readCharges([FEE, { ...USAGE, chargeFlatAtZero: true, timing: null }])).toEqual({ value: [{ ...FEE, timing: 'in_advance' }, { ...USAGE, chargeFlatAtZero: true }] });
  expect(faultsOf([{ ...FEE, timing: 'in_arrears' }, { ...USAGE, timing: 'in_arrears' }, tiers('10', '20.5', null)].map((charge, index) => ({ ...charge, key: `c${index}` })))).toEqual([]);
});

test.each<[string, unknown, string]>([
  ['a text', 'fee', '/charges/0 object_expected'], ['nothing', null, '/charges/0 object_expected'], ['a list', [], '/charges/0 object_expected'],
  ['a field that is none', { ...FEE, amount: '1' }, '/charges/0/amount unknown_field'], ['a field with a name to escape', { ...FEE, 'a/b~c': '1' }, '/charges/0/a~1b~0c unknown_field'],
  ['no key', { ...FEE, key: undefined }, '/charges/0/key missing_field'], ['a key that is none', { ...FEE, key: 'a b' }, '/charges/0/key invalid_key'], ['a key that is a number', { ...FEE, key: 1 }, '/charges/0/key string_expected'],
  ['a key too long', { ...FEE, key: 'k'.repeat(257) }, '/charges/0/key too_long'],
  ['no name', { ...FEE, name: null }, '/charges/0/name missing_field'], ['a blank name', { ...FEE, name: '  ' }, '/charges/0/name too_short'], ['a name with a zero byte', { ...FEE, name: 'a\u0000b' }, '/charges/0/name invalid_characters'],
  ['a name that turns round', { ...FEE, name: '\u202e00.94' }, '/charges/0/name invalid_characters'],
  ['no type', { ...FEE, type: undefined }, '/charges/0/type missing_field'], ['another type', { ...FEE, type: 'one_off' }, '/charges/0/type invalid_value'],
  ['another timing', { ...FEE, timing: 'later' }, '/charges/0/timing invalid_value'], ['usage in advance', { ...USAGE, timing: 'in_advance' }, '/charges/0/timing invalid_value'],
  ['usage without a meter', { ...USAGE, meterKey: undefined }, '/charges/0/meterKey missing_field'], ['a fee with a meter', { ...FEE, meterKey: 'prompt' }, '/charges/0/meterKey unknown_field'],
  ['a meter that is none', { ...USAGE, meterKey: { key: 'prompt' } }, '/charges/0/meterKey string_expected'],
  ['a flag that is none', { ...USAGE, chargeFlatAtZero: 'yes' }, '/charges/0/chargeFlatAtZero flag_expected'],
  ['no price', { ...FEE, price: undefined }, '/charges/0/price missing_field'], ['a price that is a number', { ...FEE, price: 49 }, '/charges/0/price object_expected'],
  ['no model', { ...FEE, price: { amount: '1' } }, '/charges/0/price/model missing_field'], ['another model', { ...FEE, price: { model: 'toString' } }, '/charges/0/price/model unknown_pricing_model'],
  ['a field of another model', { ...FEE, price: { model: 'flat', amount: '1', unitAmount: '1' } }, '/charges/0/price/unitAmount unknown_field'],
  ['an amount as a JSON number', { ...FEE, price: { model: 'flat', amount: 49 } }, '/charges/0/price/amount decimal_string_expected'],
  ['no amount', { ...FEE, price: { model: 'flat' } }, '/charges/0/price/amount missing_field'],
  ['an amount with an exponent', { ...FEE, price: { model: 'flat', amount: '1e3' } }, '/charges/0/price/amount invalid_decimal'], ['an amount with blanks', { ...FEE, price: { model: 'flat', amount: ' 1' } }, '/charges/0/price/amount invalid_decimal'],
  ['an amount below zero', { ...FEE, price: { model: 'flat', amount: '-1' } }, '/charges/0/price/amount negative_amount'],
  ['an amount with more digits than the currency', { ...FEE, price: { model: 'flat', amount: '49.001' } }, '/charges/0/price/amount money_precision'],
  ['an amount longer than facts can carry', { ...FEE, price: { model: 'flat', amount: '9'.repeat(33) } }, '/charges/0/price/amount too_long'],
  ['a unit amount longer than that', { ...USAGE, price: { model: 'per_unit', unitAmount: `0.${'1'.repeat(40)}` } }, '/charges/0/price/unitAmount too_long'],
  ['a fee that is a part of what was paid', { ...FEE, price: { model: 'percentage', rate: '1' } }, '/charges/0/price/model unsupported_price'],
  ['a window of usage in a fee', { ...FEE, schedule: { windows: [{ name: 'night', from: '00:00', to: '06:00', price: FEE.price }], otherwise: FEE.price } }, '/charges/0/schedule usage_only'],
  ['a window that is no time', { ...USAGE, schedule: { windows: [{ name: 'night', from: '24:00', to: '06:00', price: FEE.price }], otherwise: FEE.price } }, '/charges/0/schedule/windows/0/from time_of_day_expected'],
  ['seats of usage', { ...USAGE, quantity: '3' }, '/charges/0/quantity recurring_only'], ['fewer seats than none', { ...FEE, quantity: '-1' }, '/charges/0/quantity negative_amount'],
  ['a minimum in half cents', { ...USAGE, minimumAmount: '0.005' }, '/charges/0/minimumAmount money_precision'], ['a commitment as a number', { ...USAGE, commitment: { amount: 5 } }, '/charges/0/commitment/amount decimal_string_expected'],
  ['free units below zero', { ...USAGE, freeUnits: '-1' }, '/charges/0/freeUnits negative_amount'], ['a commitment of a fee', { ...FEE, commitment: { amount: '1' } }, '/charges/0/commitment usage_only'],
  ['a price in no currency', { ...FEE, currencyPrices: { usd: FEE.price } }, '/charges/0/currencyPrices/usd unknown_currency'], ['a price in the currency of the plan', { ...FEE, currencyPrices: { USD: FEE.price } }, '/charges/0/currencyPrices/USD plan_currency'],
  ['more digits than the other currency has', { ...FEE, currencyPrices: { JPY: FEE.price } }, '/charges/0/currencyPrices/JPY/amount money_precision'],
  ['a tax that is both', { ...FEE, taxBehavior: 'both' }, '/charges/0/taxBehavior invalid_value'], ['another granularity', { ...FEE, proration: { granularity: 'hour' } }, '/charges/0/proration/granularity unknown_granularity'],
  ['no tiers', { ...USAGE, price: { model: 'graduated', tiers: [] } }, '/charges/0/price/tiers tiers_empty'], ['tiers that are no list', { ...USAGE, price: { model: 'graduated', tiers: {} } }, '/charges/0/price/tiers list_expected'],
  ['a bound that repeats', tiers('10', '10', null), '/charges/0/price/tiers/1/upTo tier_bounds_not_ascending'], ['a bound that repeats in other digits', tiers('10', '10.0', null), '/charges/0/price/tiers/1/upTo tier_bounds_not_ascending'],
  ['a bound that goes down', tiers('10', '9', null), '/charges/0/price/tiers/1/upTo tier_bounds_not_ascending'], ['a bound of zero', tiers('0', null), '/charges/0/price/tiers/0/upTo tier_bounds_not_ascending'],
  ['no open tier', tiers('10', '20'), '/charges/0/price/tiers/1/upTo tier_open_end_missing'], ['an open tier before the last', tiers('10', null, null), '/charges/0/price/tiers/1/upTo tier_open_not_last'],
  ['a bound as a JSON number', tiers(10, null), '/charges/0/price/tiers/0/upTo decimal_string_expected'],
  ['a tier without an amount', { ...USAGE, price: { model: 'graduated', tiers: [{ upTo: null }] } }, '/charges/0/price/tiers/0/unitAmount missing_field'],
  ['a flat amount of a tier with too many digits', { ...USAGE, price: { model: 'graduated', tiers: [{ flatAmount: '0.005' }] } }, '/charges/0/price/tiers/0/flatAmount money_precision'],
  ['a bound of a tier too long', tiers('1'.repeat(40), null), '/charges/0/price/tiers/0/upTo too_long'],
])('%s', (_, charge, fault) => expect(faultsOf([charge])).toEqual([fault]));

test('the digits are those of the currency', () => {
  const fee = (amount: string) => [{ ...FEE, price: { model: 'flat', amount } }];
  expect(faultsOf(fee('100.5'), 'JPY')).toEqual(['/charges/0/price/amount money_precision']);
  expect(faultsOf(fee('100'), 'JPY')).toEqual([]);
  expect(faultsOf(fee('1.005'), 'KWD')).toEqual([]);
});
test('all faults are named at once, each at its place', () =>
  expect(faultsOf([{ ...FEE, name: '' }, USAGE, { ...tiers('5', '5', null), key: 'tiers' }])).toEqual(['/charges/0/name too_short', '/charges/2/price/tiers/1/upTo tier_bounds_not_ascending']));
test('two charges with one key', () => expect(faultsOf([FEE, USAGE, { ...FEE }])).toEqual(['/charges/2/key duplicate_key']));
test('no charge, and too many', () => {
  expect(faultsOf([])).toEqual(['/charges too_few']);
  expect(faultsOf(Array.from({ length: CHARGES_MAX + 1 }, (_, index) => ({ ...FEE, key: `c${index}` })))).toEqual(['/charges too_many']);
});
