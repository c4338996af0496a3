import { Decimal } from '@valueverse/kernel';
import { PercentageEvents, type PercentageTerms } from './per-event';
import { EVENT_NUMBER_LENGTH_MAX } from './price-fields';

const d = (text: string): Decimal => Decimal.parse(text);
const priced = (terms: PercentageTerms, values: readonly string[]): Record<string, unknown> => {
  const events = new PercentageEvents(terms);
  for (const value of values) events.add(d(value));
  const { amount, paidValue, ...counts } = events.result;
  return { amount: amount.toString(), paidValue: paidValue.toString(), ...counts };
};

// 2.9 % of 100.00 and 0.30: 2.90 + 0.30; of 0.10: 0.0029 + 0.30.
test('a rate and a fixed amount per event', () => {
  expect(priced({ rate: d('2.9'), fixedAmount: d('0.30') }, ['100', '0.10'])).toEqual({ amount: '3.5029', paidValue: '100.1', freeEvents: 0, paidEvents: 2 });
});
// The first two are free; 1 % of 50.
test('free events come first, in the order of time', () => {
  expect(priced({ rate: d('1'), freeEvents: 2 }, ['1000', '1000', '50'])).toEqual({ amount: '0.5', paidValue: '50', freeEvents: 2, paidEvents: 1 });
});
// 80 are free of 100; the second crosses with 30 above it: 10 % of 30, then 10 % of 10.
test('the event that crosses the free amount pays for the part above it', () => {
  expect(priced({ rate: d('10'), freeAmount: d('100') }, ['80', '50', '10'])).toEqual({ amount: '4', paidValue: '40', freeEvents: 1, paidEvents: 2 });
});
// Whichever ends first: the free amount of 500 is not used up, but one event is.
test('free events and a free amount end with the first of them', () => {
  expect(priced({ rate: d('10'), freeEvents: 1, freeAmount: d('500') }, ['100', '100'])).toEqual({ amount: '10', paidValue: '100', freeEvents: 1, paidEvents: 1 });
});
// 1 % of 10 is 0.10, raised to 1.00; 1 % of 100,000 is 1,000, cut to 20.00; the fixed amount is inside the bounds.
test('bounds are of each event, its fixed amount included', () => {
  expect(priced({ rate: d('1'), fixedAmount: d('0.5'), minAmountPerEvent: d('1'), maxAmountPerEvent: d('20') }, ['10', '100000', '100'])).toMatchObject({ amount: '22.5' });
});

// The longest value that metering takes has 32 digits before the point and 24 after it; a statement holds numbers of 80 characters.
test('a million events of the longest value by the longest numbers still fit into a statement', () => {
  for (const rate of [`0.${'9'.repeat(EVENT_NUMBER_LENGTH_MAX - 2)}`, '9'.repeat(EVENT_NUMBER_LENGTH_MAX), `99.${'9'.repeat(EVENT_NUMBER_LENGTH_MAX - 3)}`]) {
    const events = new PercentageEvents({ rate: d(rate), fixedAmount: d(rate) });
    events.add(d(`${'9'.repeat(32)}.${'9'.repeat(24)}`));
    expect(events.result.amount.times(d('1000000')).toString().length).toBeLessThanOrEqual(80);
  }
});
