import { type BillingAnchor, Decimal, type Fraction, instantFromMicros, type Interval, microsNumberOfText, Money, periodAt, type Period, ROUNDINGS } from '@valueverse/kernel';
import * as fc from 'fast-check';
import { runs } from '@valueverse/testing';
import { type Granularity, prorateFee, sliceAmount, sliceFee } from './proration';
import { sumOfSteps } from './step';
import { addLines } from './totals';

const seeded = runs(3, 300);
const MONTHLY: Interval = { unit: 'month', count: 1 };
const monthOf = (local: string, zone = 'UTC'): Period => periodAt({ local, zone } satisfies BillingAnchor, MONTHLY, 0);
const fee = (full: string, aligned: Period, from: string, to: string, granularity: Granularity = 'day', zone = 'UTC', currency = 'USD') =>
  prorateFee({ full: Decimal.of(full), aligned, served: { from, to }, granularity, zone, currency, rounding: 'half_up' });
const amountOf = (...details: Parameters<typeof fee>): string => fee(...details).amount.toString();

test('a short first period is charged by its days', () => {
  const january = monthOf('2023-01-01T00:00:00');
  // From 8 January: 24 of 31 days. 50.00 - round(50 x 7/31 = 11.2903) = 50.00 - 11.29 = 38.71.
  const first = fee('50.00', january, '2023-01-08T15:30:00Z', january.to);
  expect(first.amount.toString()).toBe('38.71');
  expect(first.steps).toEqual([
    { kind: 'proration', full: '50', numerator: '31', denominator: '31', amount: '50' },
    { kind: 'proration', full: '50', numerator: '7', denominator: '31', amount: '-11.29' },
  ]);
});

test('the day of a change belongs to the new state', () => {
  // 35.00 until 16 January 2024, 16 days of 31 remain: 35 x 15/31 = 16.935 -> 16.94 used, 18.06 not.
  const january = monthOf('2024-01-01T00:00:00');
  const change = '2024-01-16T18:00:00Z';
  expect([amountOf('35.00', january, january.from, change), amountOf('35.00', january, change, january.to)]).toEqual(['16.94', '18.06']);
  // The new fee of 29.00 for the rest: 29.00 - round(29 x 15/31 = 14.032) = 14.97.
  expect(amountOf('29.00', january, change, january.to)).toBe('14.97');
});

test('days are those of the zone of the subscription', () => {
  const march = monthOf('2024-03-01T00:00:00', 'Europe/Berlin');
  // 23:30Z on the 30th is the 31st in Berlin: 1 of 31 days is left. 31.00 x 30/31 = 30.00.
  expect(amountOf('31.00', march, '2024-03-30T23:30:00Z', march.to, 'day', 'Europe/Berlin')).toBe('1.00');
  // By second: 22.5 of 743 hours, because the 31st has 23. 31.00 - round(31 x 720.5/743 = 30.0612) = 0.94.
  expect(amountOf('31.00', march, '2024-03-30T23:30:00Z', march.to, 'second', 'Europe/Berlin')).toBe('0.94');
});

test('without proration every slice is charged whole', () => {
  const january = monthOf('2024-01-01T00:00:00');
  expect(amountOf('9.99', january, '2024-01-30T00:00:00Z', january.to, 'none')).toBe('9.99');
});

test('months of 30 days count the last day of each as its 30th', () => {
  // Published example (Kill Bill): 19.95 a month. Bill day 23, start on the 15th: 8 of 30 days, 5.32; start 23 May, bill day 15: 22 of 30, 14.63.
  expect(amountOf('19.95', monthOf('2023-04-23T00:00:00'), '2023-05-15T00:00:00Z', '2023-05-23T00:00:00Z', '30_360_strict')).toBe('5.32');
  expect(amountOf('19.95', monthOf('2023-05-23T00:00:00'), '2023-06-15T00:00:00Z', '2023-06-23T00:00:00Z', '30_360_strict')).toBe('5.32');
  expect(amountOf('19.95', monthOf('2023-05-15T00:00:00'), '2023-05-23T00:00:00Z', '2023-06-15T00:00:00Z', '30_360_strict')).toBe('14.63');
  // The 31st is worth nothing more than the 30th, 29 February as much as two days.
  expect(amountOf('30.00', monthOf('2024-01-01T00:00:00'), '2024-01-30T00:00:00Z', '2024-01-31T00:00:00Z', '30_360_strict')).toBe('0.00');
  expect(amountOf('30.00', monthOf('2024-02-01T00:00:00'), '2024-02-28T00:00:00Z', '2024-02-29T00:00:00Z', '30_360_strict')).toBe('2.00');
  expect(amountOf('30.00', monthOf('2024-02-01T00:00:00'), '2024-01-01T00:00:00Z', '2024-05-01T00:00:00Z', '30_360_strict')).toBe('30.00');
});

test('the slices of a third of ten add up to ten, in every currency', () => {
  const thirds: Fraction[] = [0n, 1n, 2n, 3n].map((numerator) => ({ numerator, denominator: 3n }));
  const slices = (currency: string) => [0, 1, 2].map((n) => sliceAmount(Decimal.of(10), thirds[n]!, thirds[n + 1]!, currency, 'half_up').toString());
  // Running totals 3.33, 6.67, 10.00.
  expect([slices('USD'), slices('JPY'), slices('KWD')]).toEqual([['3.33', '3.34', '3.33'], ['3', '4', '3'], ['3.333', '3.334', '3.333']]);
});

test('the slices of any cut add up to the whole, and one cut more changes nothing', () =>
  fc.assert(
    fc.property(
      fc.tuple(fc.bigInt({ min: -(10n ** 9n), max: 10n ** 9n }), fc.integer({ min: 0, max: 6 })).map(([coefficient, scale]) => Decimal.scaled(coefficient, scale)),
      fc.bigInt({ min: 1n, max: 10n ** 13n }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
      fc.constantFrom('USD', 'JPY', 'KWD', 'CLF'),
      fc.constantFrom(...ROUNDINGS),
      (full, denominator, points, currency, rounding) => {
        const cuts = [0, ...points.sort((left, right) => left - right), 1].map((point): Fraction => ({
          numerator: point === 1 ? denominator : (denominator * BigInt(Math.floor(point * 2 ** 40))) / 2n ** 40n,
          denominator,
        }));
        const slices = cuts.slice(1).map((elapsedAtEnd, index) => sliceFee(full, { elapsedAtStart: cuts[index]!, elapsedAtEnd }, currency, rounding));
        expect(addLines(slices, currency)).toEqual(Money.fromDecimal(full, currency, rounding));
        for (const { amount, steps } of slices) expect(sumOfSteps(steps)).toEqual(amount.toDecimal());
      },
    ),
    seeded,
  ));

test('a period that changes plan at any instants is charged once, by every granularity and in every zone', () =>
  fc.assert(
    fc.property(
      fc.constantFrom('Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Pacific/Apia', 'America/Juneau'),
      fc.constantFrom<Granularity>('day', 'second', '30_360_strict', '30_360_actual'),
      fc.integer({ min: 0, max: 200 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 }),
      (zone, granularity, month, points) => {
        const aligned = periodAt({ local: '2005-01-31T10:07:33', zone }, MONTHLY, month);
        const [start, end] = [microsNumberOfText(aligned.from), microsNumberOfText(aligned.to)];
        const cuts = [aligned.from, ...points.sort((left, right) => left - right).map((point) => instantFromMicros(start + Math.floor((end - start) * point))), aligned.to];
        const slices = cuts.slice(1).map((to, index) => fee('49.99', aligned, cuts[index]!, to, granularity, zone));
        expect(addLines(slices, 'USD').toString()).toBe('49.99');
        for (const { amount } of slices) expect(amount.isNegative()).toBe(false);
      },
    ),
    seeded,
  ));

test('lines in two currencies are not added', () => {
  expect(() => addLines([{ amount: Money.of(1n, 'USD') }, { amount: Money.of(1n, 'EUR') }], 'USD')).toThrow(TypeError);
  expect(addLines([], 'JPY').toString()).toBe('0');
});
