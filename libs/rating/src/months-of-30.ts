import { daysBetween, elapsedByDay, type Fraction, type Instant, isBefore, type LocalDate, localDateOf, type Period } from '@valueverse/kernel';

const DAYS_PER_MONTH = 30;
const MONTHS_PER_YEAR = 12;

const yearOf = (date: LocalDate): number => Number(date.slice(0, 4));
const monthOf = (date: LocalDate): number => Number(date.slice(5, 7));
const dayOf = (date: LocalDate): number => Number(date.slice(8, 10));

/** The first day of a month that is counted from the year 0. */
const firstOf = (months: number): LocalDate =>
  `${String(Math.floor(months / MONTHS_PER_YEAR)).padStart(4, '0')}-${String((months % MONTHS_PER_YEAR) + 1).padStart(2, '0')}-01`;

const monthsOf = (date: LocalDate): number => yearOf(date) * MONTHS_PER_YEAR + monthOf(date) - 1;
const daysInMonth = (months: number): number => daysBetween(firstOf(months), firstOf(months + 1));
const isLastOfMonth = (date: LocalDate): boolean => dayOf(date) === daysInMonth(monthsOf(date));

/** The number of a date in a calendar of months of 30 days, in which the last day of a month is its 30th. */
const dayOf30 = (date: LocalDate): number => {
  const day = isLastOfMonth(date) ? DAYS_PER_MONTH : dayOf(date);
  return (yearOf(date) * MONTHS_PER_YEAR + monthOf(date)) * DAYS_PER_MONTH + day;
};

/** How much of a period is over, by local dates of months that all have 30 days. A period of less than a day of such months goes by its days. */
export const elapsedByStrict30 = (period: Period, instant: Instant, zone: string): Fraction => {
  const dayAt = (at: Instant): number => dayOf30(localDateOf(at, zone));
  const start = dayAt(period.from);
  const days = dayAt(period.to) - start;
  if (days <= 0 || isBefore(period.to, instant)) return elapsedByDay(period, instant, zone);
  return { numerator: BigInt(Math.max(0, dayAt(instant) - start)), denominator: BigInt(days) };
};

/** So many months after a date: the same day, or the last one of a month that has no such day. */
const addMonths = (date: LocalDate, count: number): LocalDate => {
  const months = monthsOf(date) + count;
  return `${firstOf(months).slice(0, 8)}${String(Math.min(dayOf(date), daysInMonth(months))).padStart(2, '0')}`;
};

/** How many whole months a period has; 0 where it is none of months. One that starts on a last day may end on a later day of the month: its anchor is there. */
const wholeMonths = (start: LocalDate, end: LocalDate): number => {
  const months = monthsOf(end) - monthsOf(start);
  const isWhole = addMonths(start, months) === end || (isLastOfMonth(start) && dayOf(end) >= dayOf(start));
  return months > 0 && isWhole ? months : 0;
};

/**
 * How much of a period is over: the months that are, and the days of the one that was begun over 30, of which there are 30 at most. So the end of a period of 31 days
 * costs nothing more, and that of a short one what is left. A period that is not of whole months goes by its days.
 */
export const elapsedByActual30 = (period: Period, instant: Instant, zone: string): Fraction => {
  const [start, end, date] = [localDateOf(period.from, zone), localDateOf(period.to, zone), localDateOf(instant, zone)];
  const months = wholeMonths(start, end);
  if (months === 0) return elapsedByDay(period, instant, zone);
  const denominator = BigInt(months * DAYS_PER_MONTH);
  if (daysBetween(date, end) <= 0) return { numerator: denominator, denominator };
  if (daysBetween(start, date) <= 0) return { numerator: 0n, denominator };
  // The day of the month may be before that of the start: then one month less is over.
  const begun = monthsOf(date) - monthsOf(start);
  const over = daysBetween(addMonths(start, begun), date) >= 0 ? begun : begun - 1;
  const days = over * DAYS_PER_MONTH + daysBetween(addMonths(start, over), date);
  return { numerator: BigInt(Math.min(days, months * DAYS_PER_MONTH)), denominator };
};
