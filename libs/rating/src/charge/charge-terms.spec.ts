import { readChargeTerms, readPlanTerms } from './charge-terms';
import { WINDOWS_MAX } from './schedule';

const PRICE = { model: 'per_unit', unitAmount: '1' };
const faultsOf = (value: unknown, currency = 'USD'): string[] => {
  const parsed = readChargeTerms(value, '', currency);
  return 'errors' in parsed ? parsed.errors.map(({ pointer, code }) => `${pointer} ${code}`) : [];
};
const scheduled = (windows: unknown, otherwise: unknown = PRICE) => faultsOf({ schedule: { windows, otherwise } });
const open = (name: string, from: string, to: string, more: object = {}) => ({ name, from, to, price: PRICE, ...more });

test('terms are kept as they were written, fields of the charge itself are left alone', () => {
  const terms = {
    price: PRICE, chargeFlatAtZero: true, freeUnits: '10', minimumAmount: '5.00', maximumAmount: '50.00', commitment: { amount: '20.00', overageFactor: '1.5', trueUp: false },
    proration: { granularity: 'second', prorateBounds: true, prorateAmounts: false },
  };
  expect(readChargeTerms({ key: 'k', name: 'n', type: 'usage', meterKey: 'm', taxCode: 't', ...terms }, '/charges/0', 'USD')).toEqual({ terms });
  expect(readChargeTerms({ type: 'recurring', price: PRICE, quantity: '5', freeUnits: '1' }, '', 'USD')).toEqual({ terms: { price: PRICE, quantity: '5', freeUnits: '1' } });
});

test('a schedule has a price for each window, and its otherwise is the price of the charge if nothing is said', () => {
  const night = open('night', '22:00', '06:00', { days: ['mon', 'sun'], price: { ...PRICE, commitment: { amount: '4' } } });
  const schedule = { windows: [night], otherwise: { model: 'per_unit', unitAmount: '3' } };
  expect(readChargeTerms({ schedule }, '', 'USD')).toEqual({ terms: { price: schedule.otherwise, schedule } });
  expect(readChargeTerms({ price: PRICE, schedule: { windows: [night] } }, '', 'USD')).toEqual({ terms: { price: PRICE, schedule: { windows: [night], otherwise: PRICE } } });
});

test('all faults are told at once, with pointers', () => {
  expect(faultsOf(null)).toEqual([' object_expected']);
  expect(faultsOf({})).toEqual(['/price missing_field']);
  expect(faultsOf({
    price: { model: 'flat' }, chargeFlatAtZero: 1, freeUnits: 5, minimumAmount: '1.005', maximumAmount: '-1', commitment: { amount: 'x', overageFactor: '-2', trueUp: 'no', more: 1 },
    proration: { granularity: 'hour', prorateBounds: 'yes' }, quantity: 'five',
  })).toEqual([
    '/price/amount missing_field', '/chargeFlatAtZero flag_expected', '/freeUnits decimal_string_expected', '/minimumAmount money_precision', '/maximumAmount negative_amount',
    '/commitment/amount invalid_decimal', '/commitment/overageFactor negative_amount', '/commitment/trueUp flag_expected', '/commitment/more unknown_field',
    '/proration/granularity unknown_granularity', '/proration/prorateBounds flag_expected', '/quantity invalid_decimal',
  ]);
});

test('terms that contradict each other are told', () => {
  expect(faultsOf({ price: PRICE, minimumAmount: '5', maximumAmount: '4.99' })).toEqual(['/maximumAmount maximum_below_minimum']);
  expect(faultsOf({ price: PRICE, commitment: { amount: '5' }, maximumAmount: '4.99' })).toEqual(['/maximumAmount maximum_below_commitment']);
  expect(faultsOf({ price: PRICE, commitment: { amount: '5', trueUp: false }, maximumAmount: '4.99' })).toEqual([]);
  expect(faultsOf({ price: { model: 'percentage', rate: '1', freeEvents: 2 }, freeUnits: '3' })).toEqual(['/freeUnits free_units_of_events']);
  expect(faultsOf({ price: PRICE, minimumAmount: '3', currencyPrices: { EUR: PRICE } })).toEqual(['/minimumAmount amounts_in_one_currency']);
});

test('a factor that no amount could bear is told', () => {
  const of = (overageFactor: string) => faultsOf({ price: PRICE, commitment: { amount: '5', overageFactor } });
  expect([of('100'), of('100.1'), of('1.0000000000001')]).toEqual([[], ['/commitment/overageFactor out_of_range'], ['/commitment/overageFactor out_of_range']]);
  expect(faultsOf({ price: PRICE, freeUnits: '+5' })).toEqual(['/freeUnits invalid_decimal']);
});

test('fees and usage have different terms', () => {
  expect(faultsOf({ type: 'recurring', price: { model: 'percentage', rate: '1' }, minimumAmount: '1', commitment: { amount: '1' } })).toEqual([
    '/minimumAmount usage_only', '/commitment usage_only', '/price/model unsupported_price',
  ]);
  expect(faultsOf({ type: 'usage', price: PRICE, quantity: '3' })).toEqual(['/quantity recurring_only']);
});

test('windows that are none, repeat or overlap are told', () => {
  expect(scheduled(undefined)).toEqual(['/schedule/windows missing_field']);
  expect(scheduled([])).toEqual(['/schedule/windows windows_empty']);
  expect(scheduled(new Array(WINDOWS_MAX + 1).fill(open('a', '00:00', '01:00')))).toEqual(['/schedule/windows too_many_windows']);
  expect(scheduled([open('a', '24:00', '6:00'), open('b', '05:00', '05:00', { days: ['mo'] })])).toEqual([
    '/schedule/windows/0/from time_of_day_expected', '/schedule/windows/0/to time_of_day_expected', '/schedule/windows/1/days days_expected', '/schedule/windows/1/to window_empty',
  ]);
  expect(scheduled([open('a', '00:00', '06:00'), open('a', '06:00', '24:00'), open('b', '23:00', '02:00')])).toEqual(['/schedule/windows/1/name window_name_repeats', '/schedule/windows/2/from windows_overlap']);
  // The night of Sunday goes into Monday, with which the week begins; other days do not meet.
  expect(scheduled([open('a', '22:00', '06:00', { days: ['sun'] }), open('b', '05:00', '07:00', { days: ['mon'] })])).toEqual(['/schedule/windows/1/from windows_overlap']);
  expect(scheduled([open('a', '22:00', '06:00', { days: ['sun'] }), open('b', '05:00', '07:00', { days: ['tue'] })])).toEqual([]);
  expect(scheduled([open('a', '00:00', '06:00', { price: { model: 'flat' } })], { model: 'x' })).toEqual(['/schedule/windows/0/price/amount missing_field', '/schedule/otherwise/model unknown_pricing_model']);
});

test('a plan has a commitment and a proration of its own', () => {
  expect(readPlanTerms({ name: 'n', commitment: { amount: '100' }, proration: { granularity: 'none' } }, '', 'USD')).toEqual({ terms: { commitment: { amount: '100' }, proration: { granularity: 'none' } } });
  expect(readPlanTerms({ commitment: {} }, '', 'USD')).toMatchObject({ errors: [{ pointer: '/commitment/amount', code: 'missing_field' }] });
});
