import { Decimal } from '@valueverse/kernel';
import { rateFee } from '../charge/rate-fee';
import { costOf, costOfMore, costs, group, linesOf, tiered } from './examples.spec-kit';

// Published examples of other systems, each with the engine set to the rule of its source. docs/rating.md has the settings as a table.
const LAGO = { chargeFlatAtZero: true };
const packageOf = (packageSize: string, packageAmount: string) => ({ price: { model: 'package', packageSize, packageAmount } });
const THREE_TIERS = [['10', '10', '2'], ['20', '5', '3'], [null, '5', '3']] as const;

test('C1: graduated with flat amounts, the first one due at zero', () => {
  expect(costs({ price: tiered('graduated', ...THREE_TIERS), ...LAGO }, '0', '1', '10', '11', '12', '21')).toEqual(['2.00', '12.00', '102.00', '110.00', '115.00', '163.00']);
});

test('C2: graduated with fractions as bounds', () => {
  expect(costs({ price: tiered('graduated', ['0.1', '10'], ['1', '5'], [null, '2']) }, '0.05', '0.5')).toEqual(['0.50', '3.00']);
});

test('C3: volume, the total may fall where a bound is crossed', () => {
  const price = tiered('volume', ['100', '2', '10'], ['200', '1', '0'], [null, '0.5', '50']);
  expect(costs({ price, ...LAGO }, '0', '1', '100', '100.5', '101', '200', '300')).toEqual(['10.00', '12.00', '210.00', '100.50', '101.00', '200.00', '200.00']);
});

const VOLUME_65K = [['10000', '0.0010'], ['50000', '0.0008'], ['100000', '0.0006'], [null, '0.0004']] as const;

test('C5, C29: volume of 65,000 with and without a flat amount', () => {
  expect(costs({ price: tiered('volume', ...VOLUME_65K.map(([upTo, unit]) => [upTo, unit, '10'] as const)) }, '65000')).toEqual(['49.00']);
  expect(costs({ price: tiered('volume', ...VOLUME_65K) }, '65000')).toEqual(['39.00']);
});

test('C6: packages after free units', () => {
  const of = (free?: string) => costs({ ...packageOf('10', '100'), ...(free === undefined ? {} : { freeUnits: free }) }, '121')[0];
  expect([of(), of('10'), of('200')]).toEqual(['1300.00', '1200.00', '0.00']);
});

test('C9: graduated percentage with flat amounts', () => {
  const price = tiered('graduated_percentage', ['10', '1', '200'], ['20', '2', '300'], [null, '3', '400']);
  expect(costs({ price, ...LAGO }, '0', '1', '10', '11', '12', '21')).toEqual(['200.00', '200.01', '200.10', '500.12', '500.14', '900.33']);
});

test('C10: transactions one after the other, each the price after less the price before', () => {
  const charge = { price: tiered('graduated_percentage', ['1000', '1', '200'], ['10000', '2', '300'], [null, '3', '400']) };
  expect([costOfMore(charge, '0', '500'), costOfMore(charge, '500', '550'), costOfMore(charge, '1050', '4000')]).toEqual(['205.00', '306.00', '80.00']);
});

test('C12, C20: dynamic amounts, as the events carry them', () => {
  const dynamic = (amount: string, quantity: string) => linesOf({ price: { model: 'dynamic', amountProperty: '$.cost' } }, [group(quantity, { priced: { amount, paidValue: quantity, freeEvents: 0, paidEvents: 1, unpriced: 0 } })])[0]!;
  expect(dynamic('0.402', '20').exact.toString()).toBe('0.402');
  expect(dynamic('0.402', '20').exact.dividedBy(Decimal.of(20), 4, 'half_up').toString()).toBe('0.0201');
  expect(dynamic(Decimal.parse('10').times(Decimal.parse('1.33333')).toString(), '1').amount.toString()).toBe('13.33');
});

const STRIPE = [['5', '7'], ['10', '6.5'], [null, '6']] as const;

test('C13: volume', () => expect(costs({ price: tiered('volume', ...STRIPE) }, '1', '5', '6', '20', '25')).toEqual(['7.00', '35.00', '39.00', '120.00', '150.00']));
test('C14: the same tiers graduated', () => expect(costs({ price: tiered('graduated', ...STRIPE) }, '5', '6', '20', '25')).toEqual(['35.00', '41.50', '127.50', '157.50']));

const OPEN_METER = { price: tiered('graduated', ['5', '0', '100'], ['10', '0', '50'], ['15', '5'], [null, '1']) };

test('C15: graduated with flat tiers, and what is billed in two parts', () => {
  expect(costs(OPEN_METER, '22')).toEqual(['182.00']);
  expect(costOfMore(OPEN_METER, '12', '10')).toBe('22.00');
});

test('C17: a minimum over the flat amount that is due at zero', () => {
  expect(linesOf({ ...OPEN_METER, minimumAmount: '1000', chargeFlatAtZero: true }, [group('0')]).map(({ type, amount }) => `${type} ${amount}`)).toEqual(['usage 100.00', 'true_up 900.00']);
});

test('C18: packages, and a minimum over nothing', () => {
  const charge = packageOf('10', '15');
  expect(costs(charge, '0', '5', '10')).toEqual(['0.00', '15.00', '15.00']);
  expect(costOfMore(charge, '17', '5')).toBe('15.00');
  expect(costs({ ...charge, minimumAmount: '100' }, '0')).toEqual(['100.00']);
});

test('C21: free units are used up by what came first', () => {
  const billed = (quantity: string): string => linesOf({ price: { model: 'per_unit', unitAmount: '1' }, freeUnits: '10' }, [group(quantity)])[0]!.billedQuantity.toString();
  expect([billed('5'), billed('20')]).toEqual(['0', '10']);
});

test('C23: a fee in advance and usage in tiers', () => {
  const fee = rateFee({ charge: { price: { model: 'flat', amount: '30' } }, quantity: Decimal.one, currency: 'USD', rounding: 'half_up' });
  expect([fee.amount.toString(), ...costs({ price: tiered('graduated', ['5', '2'], [null, '1']) }, '13')]).toEqual(['30.00', '18.00']);
});

test('C24: blocks in all tiers or in the top one, a block being one unit', () => {
  const of = (model: string) => costOf({ price: tiered(model, ['20', '2'], [null, '20']) }, '120').plus(costOf({ price: { model: 'per_unit', unitAmount: '10' } }, '10')).toFixed(2);
  expect([of('graduated'), of('volume')]).toEqual(['2140.00', '2500.00']);
});

test('C25: blocks of a hundred over the sum of what came', () => {
  const of = (...quantities: string[]) => linesOf(packageOf('100', '2.95'), quantities.map((quantity) => group(quantity)))[0]!.amount.toString();
  expect([of('99', '100'), of('50', '300')]).toEqual(['5.90', '11.80']);
});

test('C27: packages', () => {
  expect(costs(packageOf('10', '50'), '25')).toEqual(['150.00']);
  expect(costs(packageOf('100', '1'), '0', '2', '99', '100', '101', '300')).toEqual(['0.00', '1.00', '1.00', '1.00', '2.00', '3.00']);
});

test('C28: the same tiers graduated and by volume', () => {
  const rows = [['10', '50'], ['20', '40'], [null, '30']] as const;
  expect(costs({ price: tiered('graduated', ...rows) }, '5', '15', '25')).toEqual(['250.00', '700.00', '1050.00']);
  expect(costs({ price: tiered('volume', ...rows) }, '5', '15', '25')).toEqual(['250.00', '600.00', '750.00']);
});

test('C30: a window with a commitment of its own, above which usage costs double', () => {
  const schedule = {
    windows: [{ name: 'night', from: '00:00', to: '06:00', price: { model: 'per_unit', unitAmount: '1', commitment: { amount: '4', overageFactor: '2' } } }],
    otherwise: { model: 'per_unit', unitAmount: '3' },
  };
  expect(linesOf({ schedule }, [group('10', { window: 'night' }), group('5')]).map(({ amount }) => amount.toString())).toEqual(['16.00', '15.00']);
});

test('C31: tiers, volume and blocks', () => {
  expect(costs({ price: tiered('graduated', ['10', '300'], ['15', '200'], [null, '100']) }, '18')).toEqual(['4300.00']);
  expect(costs({ price: tiered('volume', [null, '100']) }, '18')).toEqual(['1800.00']);
  expect(costs(packageOf('25', '5'), '40')).toEqual(['10.00']);
});

test('C32: units that are included for an amount', () => {
  expect(costs({ price: tiered('graduated', ['100', '0', '10'], [null, '0.10']) }, '150')).toEqual(['15.00']);
  expect(costs({ price: tiered('graduated', ['200', '0', '18'], [null, '0.05']) }, '150')).toEqual(['18.00']);
});

test('C33: a tier that is free', () => expect(costs({ price: tiered('graduated', ['100', '0'], [null, '2']) }, '130')).toEqual(['60.00']));
test('C34: a package of a million', () => expect(costs(packageOf('1000000', '1.25'), '10', '1000000', '1500000')).toEqual(['1.25', '1.25', '2.50']));
test('C35: graduated', () => expect(costs({ price: tiered('graduated', ['1000', '0.01'], ['10000', '0.008'], [null, '0.005']) }, '15000')).toEqual(['107.00']));

test('C36: graduated and volume', () => {
  const rows = [['1000', '0.10'], ['10000', '0.05'], [null, '0.01']] as const;
  expect([...costs({ price: tiered('graduated', ...rows) }, '15000'), ...costs({ price: tiered('volume', ...rows) }, '15000')]).toEqual(['600.00', '150.00']);
});
