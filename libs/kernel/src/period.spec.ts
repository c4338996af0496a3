import * as fc from 'fast-check';
import { runs } from '@valueverse/testing';
import { addMicros, compareInstants, instantFromMicros, microsBetween, microsNumberOfText } from './instant';
import {
  anchorAt, type BillingAnchor, calendarAnchor, elapsedByDay, elapsedBySecond, intersection, type Interval, type IntervalUnit, periodAt, periodContaining,
  periodContains,
} from './period';
import { localOf } from './zone';

const ZONES = ['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Pacific/Apia', 'America/Juneau'];
const MONTHLY: Interval = { unit: 'month', count: 1 };
const refused = (code: string) => expect.objectContaining({ code, name: 'Refused' });
const monthlyFrom = (local: string, zone: string): BillingAnchor => ({ local, zone });

const anchors = fc.record({
  zone: fc.constantFrom(...ZONES),
  local: fc
    .tuple(fc.integer({ min: 2005, max: 2012 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }), fc.integer({ min: 0, max: 47 }), fc.constantFrom(0, 0, 3))
    .map(([year, month, day, halfHour, more]) => {
      const two = (value: number) => String(value).padStart(2, '0');
      return `${year}-${two(month)}-${two(day + (month === 2 ? 0 : Math.min(more, 2)))}T${two(Math.floor(halfHour / 2))}:${halfHour % 2 === 0 ? '00' : '30'}:00`;
    }),
});

test.each<[IntervalUnit, number]>([['month', 120], ['quarter', 40], ['year', 10], ['week', 520]])(
  'ten years of %ss follow each other without a gap, from every start and in every zone',
  (unit, periods) =>
    fc.assert(
      fc.property(anchors, (anchor) => {
        const interval = { unit, count: 1 };
        for (let n = 0; n < periods; n++) {
          const { from, to } = periodAt(anchor, interval, n);
          expect(compareInstants(from, to)).toBe(-1);
          expect(periodAt(anchor, interval, n + 1).from).toBe(to);
        }
      }),
      runs(31, unit === 'week' ? 6 : 20),
    ),
);

test('every instant is in exactly the period that is said to contain it, before the anchor too', () =>
  fc.assert(
    fc.property(
      anchors,
      fc.constantFrom<IntervalUnit>('day', 'week', 'month', 'quarter', 'year'),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: microsNumberOfText('1999-01-01T00:00:00Z'), max: microsNumberOfText('2020-01-01T00:00:00Z') }),
      (anchor, unit, count, micros) => {
        const instant = instantFromMicros(micros);
        const { index, period } = periodContaining(anchor, { unit, count }, instant);
        expect(periodContains(period, instant)).toBe(true);
        expect(period).toEqual(periodAt(anchor, { unit, count }, index));
        expect(periodContaining(anchor, { unit, count }, period.from).period).toEqual(period);
        expect(periodContaining(anchor, { unit, count }, addMicros(period.to, -1n)).period).toEqual(period);
      },
    ),
    runs(31, 400),
  ));

test('an anchor on the 31st is clamped in short months and comes back', () => {
  const anchor = monthlyFrom('2024-01-31T00:00:00', 'Europe/Berlin');
  const starts = [0, 1, 2, 3, 12, 13, -1, -2].map((n) => localOf(periodAt(anchor, MONTHLY, n).from, anchor.zone).slice(0, 10));
  expect(starts).toEqual(['2024-01-31', '2024-02-29', '2024-03-31', '2024-04-30', '2025-01-31', '2025-02-28', '2023-12-31', '2023-11-30']);
});

test('a yearly anchor on 29 February is clamped in common years', () => {
  const anchor = monthlyFrom('2024-02-29T00:00:00', 'UTC');
  expect([1, 4].map((n) => periodAt(anchor, { unit: 'year', count: 1 }, n).from)).toEqual(['2025-02-28T00:00:00Z', '2028-02-29T00:00:00Z']);
});

test('local midnight moves in UTC with summer time', () => {
  const { from, to } = periodAt(monthlyFrom('2024-03-01T00:00:00', 'Europe/Berlin'), MONTHLY, 0);
  expect([from, to]).toEqual(['2024-02-29T23:00:00Z', '2024-03-31T22:00:00Z']);
  // March has 31 days and lost an hour: 31 x 24 - 1 = 743 hours.
  expect(microsBetween(from, to)).toBe(743n * 3_600_000_000n);
});

test('an anchor in the gap waits for its end, one in the overlap takes the first', () => {
  // On 31 March 2024 Berlin has no 02:30; on 27 October it has two, 00:30Z and 01:30Z.
  expect(periodAt(monthlyFrom('2024-02-29T02:30:00', 'Europe/Berlin'), { unit: 'day', count: 31 }, 1).from).toBe('2024-03-31T01:30:00Z');
  expect(periodAt(monthlyFrom('2024-09-27T02:30:00', 'Europe/Berlin'), MONTHLY, 1).from).toBe('2024-10-27T00:30:00Z');
  // Lord Howe moves by half an hour: 02:15 on 6 October 2024 becomes 02:45 at +11:00.
  expect(periodAt(monthlyFrom('2024-09-06T02:15:00', 'Australia/Lord_Howe'), MONTHLY, 1).from).toBe('2024-10-05T15:45:00Z');
});

test('the day that Apia skipped is an empty period and no gap', () => {
  const anchor = monthlyFrom('2011-12-29T00:00:00', 'Pacific/Apia');
  const days = [0, 1, 2].map((n) => periodAt(anchor, { unit: 'day', count: 1 }, n));
  expect(days).toEqual([
    { from: '2011-12-29T10:00:00Z', to: '2011-12-30T10:00:00Z' },
    { from: '2011-12-30T10:00:00Z', to: '2011-12-30T10:00:00Z' },
    { from: '2011-12-30T10:00:00Z', to: '2011-12-31T10:00:00Z' },
  ]);
  expect(periodContaining(anchor, { unit: 'day', count: 1 }, '2011-12-30T10:00:00Z').index).toBe(2);
});

test('a calendar anchor is the local start of day, week, month, quarter and year', () => {
  // 18:30Z on Sunday 12 February 2023 is already Monday in Kolkata.
  const instant = '2023-02-12T18:30:00Z';
  const starts = (['day', 'week', 'month', 'quarter', 'year'] as const).map((unit) => calendarAnchor(unit, instant, 'Asia/Kolkata').local);
  expect(starts).toEqual(['2023-02-13T00:00:00', '2023-02-13T00:00:00', '2023-02-01T00:00:00', '2023-01-01T00:00:00', '2023-01-01T00:00:00']);
  expect(periodContaining(calendarAnchor('month', '2023-02-02T19:00:00Z', 'America/Bogota'), MONTHLY, '2023-03-01T05:00:00Z').index).toBe(1);
});

test('an anchor at a start is the exact start of period 0', () => {
  const start = '2024-01-31T10:07:33.250Z';
  expect(periodAt(anchorAt(start, 'America/Juneau'), MONTHLY, 0).from).toBe(start);
});

test('elapsed days count local dates, whatever their length', () => {
  const zone = 'Europe/Berlin';
  const march = periodAt(monthlyFrom('2024-03-01T00:00:00', zone), MONTHLY, 0);
  // 23:30Z on the 30th is half past midnight on the 31st in Berlin: thirty days are over.
  expect(elapsedByDay(march, '2024-03-30T23:30:00Z', zone)).toEqual({ numerator: 30n, denominator: 31n });
  expect(elapsedByDay(march, march.from, zone)).toEqual({ numerator: 0n, denominator: 31n });
  expect(elapsedByDay(march, march.to, zone)).toEqual({ numerator: 31n, denominator: 31n });
  expect(elapsedByDay(march, '2025-01-01T00:00:00Z', zone)).toEqual({ numerator: 31n, denominator: 31n });
  expect(elapsedByDay(march, '2023-01-01T00:00:00Z', zone)).toEqual({ numerator: 0n, denominator: 31n });
});

test('elapsed time is exact to the microsecond', () => {
  const period = { from: '2024-01-01T00:00:00Z', to: '2024-01-01T00:00:02Z' };
  expect(elapsedBySecond(period, '2024-01-01T00:00:00.500Z')).toEqual({ numerator: 500_000n, denominator: 2_000_000n });
  expect(elapsedBySecond({ from: period.from, to: period.from }, period.to)).toEqual({ numerator: 1n, denominator: 1n });
});

test('two periods have in common what is in both', () => {
  const [january, february] = [{ from: '2024-01-01T00:00:00Z', to: '2024-02-01T00:00:00Z' }, { from: '2024-02-01T00:00:00Z', to: '2024-03-01T00:00:00Z' }];
  expect(intersection(january, february)).toBeUndefined();
  expect(intersection(january, { from: '2024-01-15T00:00:00Z', to: '2024-02-15T00:00:00Z' })).toEqual({ from: '2024-01-15T00:00:00Z', to: january.to });
});

test('what is no interval, zone or local time is refused', () => {
  const anchor = monthlyFrom('2024-01-31T00:00:00', 'UTC');
  for (const interval of [{ unit: 'month', count: 0 }, { unit: 'month', count: 1.5 }, { unit: 'month', count: 1001 }, { unit: 'fortnight', count: 1 }, { unit: 'toString', count: 1 }])
    expect(() => periodAt(anchor, interval as Interval, 0)).toThrow(refused('invalid_interval'));
  for (const zone of ['Europe/Bielefeld', '+02:00', '', 'UTC+1', 'Europe/Berlin '])
    expect(() => periodAt({ ...anchor, zone }, MONTHLY, 0)).toThrow(refused('unknown_zone'));
  for (const local of ['2024-02-30T00:00:00', '2024-01-31', '2024-01-31T00:00:00Z', '2024-01-31T24:00:00'])
    expect(() => periodAt({ ...anchor, local }, MONTHLY, 0)).toThrow(refused('invalid_local_time'));
});
