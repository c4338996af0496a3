import { Decimal, type Interval, type Money, periodAt, type Period } from '@valueverse/kernel';
import { rateFee } from '../charge/rate-fee';
import { totalInvoice } from '../invoice/total-invoice';
import type { Price } from '../price';
import { elapsedAt, type Granularity, shareOf, sliceOf } from '../proration';
import { costOf, tiered } from './examples.spec-kit';

// Published examples of other systems, each with the engine set to the rule of its source. An instant is the local midnight with which the new state begins.
const MONTH: Interval = { unit: 'month', count: 1 };
const midnight = (date: string): string => `${date}T00:00:00Z`;
const periodOf = (date: string, interval: Interval = MONTH): Period => periodAt({ local: `${date}T00:00:00`, zone: 'UTC' }, interval, 0);
const feeOf = (price: Price, aligned: Period, served: Partial<Period>, { granularity = 'day', quantity = '1' }: { granularity?: Granularity; quantity?: string } = {}): Money =>
  rateFee({ charge: { price }, quantity: Decimal.parse(quantity), slice: sliceOf(granularity, aligned, { ...aligned, ...served }, 'UTC'), currency: 'USD', rounding: 'half_up' }).amount;
const flat = (amount: string): Price => ({ model: 'flat', amount });
const seats = (unitAmount: string): Price => ({ model: 'per_unit', unitAmount });
const from = (amount: string, aligned: Period, date: string, granularity: Granularity = 'day'): string => feeOf(flat(amount), aligned, { from: midnight(date) }, { granularity }).toString();
const until = (amount: string, aligned: Period, date: string, granularity: Granularity = 'day'): string => feeOf(flat(amount), aligned, { to: midnight(date) }, { granularity }).toString();
const taxed = (amount: Money, rate: string): string[] => {
  const { taxTotal, total } = totalInvoice({ lines: [{ lineId: 'line', amount, taxBehavior: 'exclusive', taxRates: [{ key: 'tax', rate }] }], currency: 'USD', rounding: 'half_up', taxRounding: 'invoice', inclusiveRounding: 'net' });
  return [amount.toString(), taxTotal.toString(), total.toString()];
};

test('P1: from 10 to 20 exactly half way, by second', () => {
  const april = periodOf('2024-04-01');
  expect([from('10', april, '2024-04-16', 'second'), from('20', april, '2024-04-16', 'second')]).toEqual(['5.00', '10.00']);
});

test('P4: a year that begins with its 124th day, 243 of 366', () => expect(from('1188.00', periodOf('2023-07-19', { unit: 'year', count: 1 }), '2023-11-19')).toBe('788.75'));

test('P6: a first month of 24 of 31 days, with tax', () => {
  expect(taxed(feeOf(flat('50.00'), periodOf('2023-01-01'), { from: midnight('2023-01-08') }), '20')).toEqual(['38.71', '7.74', '46.45']);
});

test('P9: what is left of a prepaid month whose first day was used, with its tax', () => {
  const rest = (amount: string): string[] => taxed(feeOf(flat(amount), periodOf('2023-04-01'), { from: midnight('2023-04-02') }), '25');
  expect([rest('200.00'), rest('160.00')]).toEqual([['193.33', '48.33', '241.66'], ['154.67', '38.67', '193.34']]);
});

test('P10: six of seven days of a week', () => {
  expect(taxed(feeOf(flat('29.99'), periodOf('2023-04-03', { unit: 'week', count: 1 }), { from: midnight('2023-04-04') }), '23.33')).toEqual(['25.71', '6.00', '31.71']);
});

test('P11: what is left of a month after a trial', () => {
  const march = periodOf('2024-03-01');
  expect([from('50000.00', march, '2024-03-15'), from('100000.00', march, '2024-03-18')]).toEqual(['27419.35', '45161.29']);
});

test('P14: in arrears until the day of termination, which is billed; an upgrade on it takes it', () => {
  const december = periodOf('2022-12-01');
  expect([until('31.00', december, '2022-12-19'), until('31.00', december, '2022-12-18')]).toEqual(['18.00', '17.00']);
});

test('P15: months of 30 days', () => {
  expect(from('19.95', periodOf('2023-04-23'), '2023-05-15', '30_360_strict')).toBe('5.32');
  expect(from('19.95', periodOf('2023-05-23'), '2023-06-15', '30_360_strict')).toBe('5.32');
  expect(from('19.95', periodOf('2023-05-15'), '2023-05-23', '30_360_strict')).toBe('14.63');
});

test('P17: months as fractions', () => {
  const part = (aligned: Period, to: string): string => { const { numerator, denominator } = elapsedAt('day', aligned, midnight(to), 'UTC'); return `${numerator}/${denominator}`; };
  expect([part(periodOf('2011-02-01'), '2011-02-14'), part(periodOf('2012-02-01'), '2012-02-15')]).toEqual(['13/28', '14/29']);
  expect(periodAt({ local: '2010-12-15T00:00:00', zone: 'UTC' }, MONTH, 3).from).toBe('2011-03-15T00:00:00Z');
  expect(part(periodOf('2011-03-15'), '2011-03-17')).toBe('2/31');
});

test('P19: a phase of 14 days in January', () => expect(until('5', periodOf('2024-01-01'), '2024-01-15', 'second')).toBe('2.26'));

test('P21: a flat fee goes, another and seats come, for 16 of 31 days', () => {
  const january = periodOf('2024-01-01');
  const rest = { from: midnight('2024-01-16') };
  const [gone, flatFee, five] = [feeOf(flat('35'), january, rest).negate(), feeOf(flat('29'), january, rest), feeOf(seats('10'), january, rest, { quantity: '5' })];
  expect([gone, flatFee, five, gone.add(flatFee).add(five)].map(String)).toEqual(['-18.06', '14.97', '25.81', '22.72']);
});

test('P24: 17 of 31 days, which an end that counts and an end that does not both give', () => {
  const march = periodOf('2024-03-01');
  const rest = (amount: string): string => from(amount, march, '2024-03-15');
  expect([rest('10'), rest('20'), rest('25'), rest('40')]).toEqual(['5.48', '10.97', '13.71', '21.94']);
  expect(feeOf(seats('10'), march, { from: midnight('2024-03-15') }, { quantity: '5' }).toString()).toBe('27.42');
});

test('P26: one more unit that crosses the bound of a volume', () => {
  const charge = { price: tiered('volume', ['15', '10'], [null, '5']) };
  expect(costOf(charge, '16').minus(costOf(charge, '15')).toString()).toBe('-70');
});

test('P27: short first periods of a quarter and of a year', () => {
  const share = (aligned: Period, start: string): string => { const { numerator, denominator } = shareOf(sliceOf('day', aligned, { from: midnight(start), to: aligned.to }, 'UTC')); return `${numerator}/${denominator}`; };
  expect(share(periodOf('2025-10-01', { unit: 'quarter', count: 1 }), '2025-10-08')).toBe('85/92');
  expect(share(periodOf('2025-04-01', { unit: 'year', count: 1 }), '2025-04-15')).toBe('351/365');
});
