// Periods from every day of a year, in zones that move their clocks by an hour, by half an hour, or have skipped a day, with every kind of interval.
import { isNightly } from '@valueverse/testing';
import { compareInstants, type Instant } from './instant';
import { calendarAnchor, type BillingAnchor, type Interval, type IntervalUnit, periodAt, periodContaining } from './period';
import { instantOfLocal, localDateOf } from './zone';

const ZONES = ['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Pacific/Apia', 'America/Juneau'];
const MORE_ZONES = [
  'UTC', 'Europe/London', 'Europe/Lisbon', 'Europe/Istanbul', 'Africa/Casablanca', 'Africa/Cairo', 'Africa/Lagos', 'America/Sao_Paulo', 'America/Havana', 'America/St_Johns', 'America/Santiago', 'America/Chicago', 'America/Phoenix', 'America/Bogota', 'Asia/Tehran',
  'Asia/Kathmandu', 'Asia/Gaza', 'Asia/Tokyo', 'Asia/Pyongyang', 'Australia/Sydney', 'Australia/Eucla', 'Pacific/Auckland', 'Pacific/Chatham', 'Pacific/Kiritimati',
];
const UNITS: readonly IntervalUnit[] = ['day', 'week', 'month', 'quarter', 'year'];
const DAY_MS = 86_400_000;
const two = (value: number): string => String(value).padStart(2, '0');
/** The 366 days of 2024. */
const DAYS = Array.from({ length: 366 }, (_, nth) => new Date(Date.UTC(2024, 0, 1) + nth * DAY_MS).toISOString().slice(0, 10));

/** The local date of an occurrence, by counting on a calendar of paper. */
const dateOf = (anchor: string, { unit, count }: Interval, n: number): string => {
  const [year, month, day] = anchor.split('-').map(Number) as [number, number, number];
  const days = { day: 1, week: 7 }[unit as 'day'] as number | undefined;
  if (days !== undefined) return new Date(Date.UTC(year, month - 1, day) + days * count * n * DAY_MS).toISOString().slice(0, 10);
  const months = year * 12 + month - 1 + { month: 1, quarter: 3, year: 12 }[unit as 'month'] * count * n;
  const last = new Date(Date.UTC(Math.floor(months / 12), (months % 12) + 1, 0)).getUTCDate();
  return `${Math.floor(months / 12)}-${two((months % 12) + 1)}-${two(Math.min(day, last))}`;
};

/** What is wrong with the periods around a start, in words; nothing where they follow each other and begin on the days of the calendar. */
const faultOf = (anchor: BillingAnchor, interval: Interval, start: Instant): string | undefined => {
  const { index, period } = periodContaining(anchor, interval, start);
  const [before, after] = [periodAt(anchor, interval, index - 1), periodAt(anchor, interval, index + 1)];
  if (compareInstants(period.from, start) > 0 || compareInstants(start, period.to) >= 0) return `${start} is not in ${JSON.stringify(period)}`;
  if (before.to !== period.from || period.to !== after.from) return `a gap around ${JSON.stringify(period)}`;
  const [date, wanted] = [localDateOf(period.from, anchor.zone), dateOf(anchor.local.slice(0, 10), interval, index)];
  return date === wanted ? undefined : `the period ${index} begins on ${date}, the calendar says ${wanted}`;
};

test.each(ZONES)('%s: from each day of a year, for each interval, by anniversary and by calendar', (zone) => {
  const faults: string[] = [];
  for (const [nth, day] of DAYS.entries()) {
    const time = nth % 3 === 0 ? '00:00:00' : `${two(nth % 24)}:${two(nth % 60)}:07`;
    const start = instantOfLocal(`${day}T${time}`, zone);
    // Of the multiples another one each day, from 2 to 14.
    const intervals = UNITS.flatMap((unit): Interval[] => [{ unit, count: 1 }, { unit, count: 2 + (nth % 13) }]);
    // By day each alignment with every other interval, and the next day the other way round.
    for (const [which, interval] of intervals.entries()) {
      for (const isCalendar of isNightly() ? [true, false] : [(nth + which) % 2 === 0]) {
        const fault = faultOf(isCalendar ? calendarAnchor(interval.unit, start, zone) : { local: `${day}T${time}`, zone }, interval, start);
        if (fault !== undefined) faults.push(`${day} ${JSON.stringify(interval)} ${isCalendar ? 'calendar' : 'anniversary'}: ${fault}`);
      }
    }
  }
  expect(faults).toEqual([]);
});

test('ten years follow each other without a gap from each day of a year, in thirty zones', () => {
  const faults: string[] = [];
  for (const [which, zone] of [...ZONES, ...MORE_ZONES].entries()) {
    for (const [nth, day] of DAYS.entries()) {
      // By day each zone has every fourth day, another four of them the next one; by night each has all.
      if (!isNightly() && (nth + which) % 4 !== 0) continue;
      const anchor = { local: `${day}T${two((nth + which) % 24)}:30:00`, zone };
      // Month by month for some of them by day, year by year for all.
      const unit = isNightly() || (nth + which) % 24 === 0 ? 'month' : 'year';
      const interval: Interval = { unit, count: 1 };
      const count = unit === 'month' ? 120 : 10;
      let last = periodAt(anchor, interval, 0);
      for (let n = 1; n < count; n++) {
        const next = periodAt(anchor, interval, n);
        if (next.from !== last.to || compareInstants(next.from, next.to) >= 0) faults.push(`${zone} ${day} ${unit} ${n}`);
        last = next;
      }
      const end = localDateOf(last.to, zone);
      if (end !== dateOf(day, interval, count)) faults.push(`${zone} ${day}: ten years end on ${end}`);
    }
  }
  expect(faults).toEqual([]);
});
