import { type Interval, periodAt, type Period } from '@valueverse/kernel';
import { elapsedAt } from './proration';

const periodOf = (local: string, unit: Interval['unit'] = 'month', count = 1, n = 0): Period => periodAt({ local: `${local}T00:00:00`, zone: 'UTC' }, { unit, count }, n);
const over = (period: Period, day: string): string => {
  const { numerator, denominator } = elapsedAt('30_360_actual', period, `${day}T12:00:00Z`, 'UTC');
  return `${numerator}/${denominator}`;
};

test('the actual days of a month that was begun are over 30, and the last of a month takes what is left', () => {
  const january = periodOf('2024-01-01');
  expect(['2024-01-01', '2024-01-16', '2024-01-30', '2024-01-31', '2024-02-01'].map((day) => over(january, day))).toEqual(['0/30', '15/30', '29/30', '30/30', '30/30']);
  expect(['2024-02-29', '2024-03-01'].map((day) => over(periodOf('2024-02-01'), day))).toEqual(['28/30', '30/30']);
});

test('months that are over count as 30 days each', () => {
  const quarter = periodOf('2024-01-15', 'quarter');
  // One month and 16 days of the second, which has 31.
  expect(['2024-02-15', '2024-03-02', '2024-03-14', '2024-04-14'].map((day) => over(quarter, day))).toEqual(['30/90', '46/90', '58/90', '90/90']);
});

test('an anchor on the 31st has months too, and weeks have days', () => {
  const march = periodOf('2024-01-31', 'month', 1, 1);
  expect(march).toEqual({ from: '2024-02-29T00:00:00Z', to: '2024-03-31T00:00:00Z' });
  expect(['2024-03-10', '2024-03-31'].map((day) => over(march, day))).toEqual(['10/30', '30/30']);
  expect(over(periodOf('2024-01-29', 'week'), '2024-01-31')).toBe('2/7');
});
