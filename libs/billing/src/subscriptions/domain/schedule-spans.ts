import { addLocalDays, instantOfLocal, intersection, isBefore, localDateOf, microsOf, startOfLocalDate, type Period } from '@valueverse/kernel';
import type { Schedule } from '@valueverse/contracts';
import { merged, without } from './intervals';

const WEEK_DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
const END_OF_DAY = '24:00';
/** 1 January 1970 was a Thursday. */
const FIRST_WEEK_DAY = 4n;
const MICROS_PER_DAY = 86_400_000_000n;

const weekDayOf = (date: string): (typeof WEEK_DAYS)[number] => WEEK_DAYS[Number((daysSince1970(date) + FIRST_WEEK_DAY) % 7n)]!;
const daysSince1970 = (date: string): bigint => microsOf(startOfLocalDate(date, 'UTC')) / MICROS_PER_DAY;

/**
 * A stretch of time by the windows of a schedule: for each window the periods in which it is open on the wall of the zone, and under `undefined` all others. A window that ends at or before it
 * begins ends on the next day. Where the clock is moved, the wall decides, as for billing periods.
 */
export const scheduleSpans = ({ windows }: Schedule, zone: string, within: Period): Map<string | undefined, Period[]> => {
  const spans = new Map<string | undefined, Period[]>();
  for (const { name, from, to, days } of windows) {
    const open: Period[] = [];
    // A window that began on the day before may reach into the first day.
    for (let day = addLocalDays(startOfLocalDate(localDateOf(within.from, zone), zone), -1, zone); isBefore(day, within.to); day = nextDay(day, zone)) {
      const date = localDateOf(day, zone);
      if (days !== undefined && !days.includes(weekDayOf(date))) continue;
      const end = to === END_OF_DAY ? nextDay(day, zone) : instantOfLocal(`${to > from ? date : localDateOf(nextDay(day, zone), zone)}T${to}:00`, zone);
      const found = intersection({ from: instantOfLocal(`${date}T${from}:00`, zone), to: end }, within);
      if (found !== undefined) open.push(found);
    }
    spans.set(name, merged(open));
  }
  spans.set(undefined, without([within], [...spans.values()].flat()));
  return spans;
};

const nextDay = (day: string, zone: string): string => startOfLocalDate(localDateOf(addLocalDays(day, 1, zone), zone), zone);
