import { Refused } from './decider';

/**
 * A point in time: RFC 3339 in UTC, in the one form that we write. No fraction where it would be zero, three digits
 * where they are whole milliseconds, else six: `2024-01-31T00:00:00Z`, `...:00.250Z`, `...:00.000001Z`. The form does
 * not sort as text; `compareInstants` does.
 */
export type Instant = string;

/** The first year of an instant: microseconds since 1970 are never negative. */
export const INSTANT_YEAR_MIN = 1970;

/** The last year of an instant. Until 2255 microseconds since 1970 are safe integers of a double, which is what makes parsing fast. */
export const INSTANT_YEAR_MAX = 2200;

/** The most characters that are looked at; digits finer than microseconds are floored. */
export const INSTANT_TEXT_LENGTH_MAX = 64;

export const MICROS_PER_SECOND = 1_000_000;
const MICROS_PER_DAY = 86_400 * MICROS_PER_SECOND;
const DAYS_PER_ERA = 146_097;
const DAYS_TO_1970 = 719_468;
const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Days since 1970-01-01 in the Gregorian calendar (Howard Hinnant, chrono-compatible low-level date algorithms). */
const daysFromCivil = (year: number, month: number, day: number): number => {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * DAYS_PER_ERA + dayOfEra - DAYS_TO_1970;
};

/** The same, back. */
const civilFromDays = (days: number): { year: number; month: number; day: number } => {
  const shifted = days + DAYS_TO_1970;
  const era = Math.floor(shifted / DAYS_PER_ERA);
  const dayOfEra = shifted - era * DAYS_PER_ERA;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
};

const MICROS_LIMIT_LOW = daysFromCivil(INSTANT_YEAR_MIN, 1, 1) * MICROS_PER_DAY;
const MICROS_LIMIT_HIGH = daysFromCivil(INSTANT_YEAR_MAX + 1, 1, 1) * MICROS_PER_DAY;
if (!Number.isSafeInteger(MICROS_LIMIT_HIGH)) throw new Error('microseconds have outgrown a double');

const refuse = (): never => {
  throw new Refused('invalid_time', `not an RFC 3339 time of the years ${INSTANT_YEAR_MIN} to ${INSTANT_YEAR_MAX}`);
};

/** The number of two digits, or NaN, which no comparison below lets pass. */
const twoDigits = (text: string, at: number): number => {
  const tens = text.charCodeAt(at) - 48;
  const ones = text.charCodeAt(at + 1) - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NaN;
};

const isDayOfMonth = (year: number, month: number, day: number): boolean => {
  if (!(month >= 1 && month <= 12 && day >= 1)) return false;
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return day <= DAYS_IN_MONTH[month - 1]! + (leap ? 1 : 0);
};

/** Seconds that a local time with this offset is ahead of UTC; NaN where the text from `at` to its end is no offset. */
const offsetSeconds = (text: string, at: number): number => {
  const sign = text[at];
  if ((sign === 'Z' || sign === 'z') && text.length === at + 1) return 0;
  if ((sign !== '+' && sign !== '-') || text.length !== at + 6 || text[at + 3] !== ':') return NaN;
  const hours = twoDigits(text, at + 1);
  const minutes = twoDigits(text, at + 4);
  if (!(hours <= 23 && minutes <= 59)) return NaN;
  return (sign === '-' ? -60 : 60) * (hours * 60 + minutes);
};

/** Where the digits of a fraction that starts with the point at `at` end; `at` where there is none. */
const endOfFraction = (text: string, at: number): number => {
  if (text[at] !== '.') return at;
  let end = at + 1;
  while (text.charCodeAt(end) >= 48 && text.charCodeAt(end) <= 57) end++;
  return end === at + 1 ? NaN : end;
};

const fractionMicros = (text: string, at: number, end: number): number => {
  let micros = 0;
  for (let index = at + 1, unit = MICROS_PER_SECOND / 10; index < end && unit >= 1; index++, unit /= 10)
    micros += (text.charCodeAt(index) - 48) * unit;
  return micros;
};

/**
 * Microseconds since 1970-01-01T00:00:00Z of an RFC 3339 text with any offset, as a safe integer. Written by hand
 * because every usage event passes here. Finer input is floored; a leap second counts as the second before it.
 * Refuses what is not RFC 3339, and what is outside `INSTANT_YEAR_MIN` to `INSTANT_YEAR_MAX`, with `invalid_time`.
 */
export const microsNumberOfText = (text: string): number => {
  if (typeof text !== 'string' || text.length < 20 || text.length > INSTANT_TEXT_LENGTH_MAX) return refuse();
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  const month = twoDigits(text, 5);
  const day = twoDigits(text, 8);
  const hour = twoDigits(text, 11);
  const minute = twoDigits(text, 14);
  const second = twoDigits(text, 17);
  if (text[4] !== '-' || text[7] !== '-' || (text[10] !== 'T' && text[10] !== 't') || text[13] !== ':' || text[16] !== ':')
    return refuse();
  if (!(year >= 0) || !isDayOfMonth(year, month, day) || !(hour <= 23 && minute <= 59 && second <= 60)) return refuse();
  const end = endOfFraction(text, 19);
  const seconds =
    daysFromCivil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + Math.min(second, 59) - offsetSeconds(text, end);
  // A leap second can only follow the last second of a UTC day.
  if (second === 60 && (seconds + 1) % 86_400 !== 0) return refuse();
  const micros = seconds * MICROS_PER_SECOND + fractionMicros(text, 19, end);
  return micros >= MICROS_LIMIT_LOW && micros < MICROS_LIMIT_HIGH ? micros : refuse();
};

/** As `microsNumberOfText`, as a bigint. */
export const microsOfText = (text: string): bigint => BigInt(microsNumberOfText(text));

/** Microseconds since 1970 of an instant. */
export const microsOf = (instant: Instant): bigint => BigInt(microsNumberOfText(instant));

const padded = (value: number, digits: number): string => value.toString().padStart(digits, '0');

const fractionText = (micros: number): string => {
  if (micros === 0) return '';
  return micros % 1000 === 0 ? `.${padded(micros / 1000, 3)}` : `.${padded(micros, 6)}`;
};

/** The instant of a number of microseconds since 1970. Refuses what is outside the years of an instant with `invalid_time`. */
export const instantFromMicros = (micros: bigint | number): Instant => {
  const value = Number(micros);
  if (!Number.isInteger(value) || value < MICROS_LIMIT_LOW || value >= MICROS_LIMIT_HIGH) return refuse();
  const days = Math.floor(value / MICROS_PER_DAY);
  const microsOfDay = value - days * MICROS_PER_DAY;
  const seconds = Math.floor(microsOfDay / MICROS_PER_SECOND);
  const { year, month, day } = civilFromDays(days);
  const time = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map((part) => padded(part, 2)).join(':');
  return `${padded(year, 4)}-${padded(month, 2)}-${padded(day, 2)}T${time}${fractionText(microsOfDay % MICROS_PER_SECOND)}Z`;
};

/** The instant of an RFC 3339 text with any offset, finer than microseconds floored. Refuses others with `invalid_time`. */
export const parseInstant = (text: string): Instant => instantFromMicros(microsNumberOfText(text));

/** -1, 0 or 1: the order in time. */
export const compareInstants = (left: Instant, right: Instant): -1 | 0 | 1 => {
  if (left === right) return 0;
  const difference = microsNumberOfText(left) - microsNumberOfText(right);
  return difference < 0 ? -1 : difference > 0 ? 1 : 0;
};

export const isBefore = (left: Instant, right: Instant): boolean => compareInstants(left, right) < 0;

/** The earlier of the two. */
export const earlierOf = (left: Instant, right: Instant): Instant => (isBefore(right, left) ? right : left);

/** The later of the two. */
export const laterOf = (left: Instant, right: Instant): Instant => (isBefore(left, right) ? right : left);

/** Microseconds from one instant to another, negative where the second is the earlier. */
export const microsBetween = (from: Instant, to: Instant): bigint => microsOf(to) - microsOf(from);

/** Refuses a result outside the years of an instant with `invalid_time`. */
export const addMicros = (instant: Instant, micros: bigint): Instant => instantFromMicros(microsOf(instant) + micros);

/** The longest duration that is read, in hours: more than the years of an instant. */
export const DURATION_HOURS_MAX = 2_500_000;

const DURATION = /^(-?)PT(?:(\d{1,12})H)?(?:(\d{1,12})M)?(?:(\d{1,12})(?:\.(\d{1,6}))?S)?$/;

/**
 * Microseconds of an ISO 8601 duration of hours, minutes and seconds: `PT1H`, `PT5M`, `PT1H30M`, `-PT0.5S`. Days and
 * months are refused, because how long they last depends on a zone. Refuses with `invalid_duration`.
 */
export const durationMicros = (duration: string): bigint => {
  const [, sign, hours, minutes, seconds, fraction] = DURATION.exec(duration) ?? [];
  if (hours === undefined && minutes === undefined && seconds === undefined)
    throw new Refused('invalid_duration', 'not a duration of hours, minutes and seconds such as "PT1H"');
  const whole = BigInt(hours ?? 0) * 3600n + BigInt(minutes ?? 0) * 60n + BigInt(seconds ?? 0);
  if (whole > BigInt(DURATION_HOURS_MAX) * 3600n) throw new Refused('invalid_duration', `longer than ${DURATION_HOURS_MAX} hours`);
  const micros = whole * BigInt(MICROS_PER_SECOND) + BigInt((fraction ?? '').padEnd(6, '0'));
  return sign === '-' ? -micros : micros;
};

/** The instant so much later. Refuses with `invalid_duration`, and with `invalid_time` outside the years of an instant. */
export const addDuration = (instant: Instant, duration: string): Instant => addMicros(instant, durationMicros(duration));
