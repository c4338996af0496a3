import { readPrice, type Price } from '../price';
import type { PriceFields } from '../price-fields';
import type { Commitment } from './charge-terms';

export type WeekDay = (typeof WEEK_DAYS)[number];

/** A price that may have a commitment of its own: what is used in its window fills it. */
export type WindowPrice = Price & { readonly commitment?: Commitment | undefined };

/** A stretch of each local day, or of some: from `from` up to, but not with, `to`. Where `to` is not after `from` it ends on the next day. */
export interface ScheduleWindow {
  readonly name: string;
  /** Local time of day, `00:00` to `23:59`. */
  readonly from: string;
  /** Up to `24:00`. */
  readonly to: string;
  /** The days on which it begins; all where not given. */
  readonly days?: readonly WeekDay[] | undefined;
  readonly price: WindowPrice;
}

/** Time-of-day windows in the subscription's zone. Usage in none of them has the price `otherwise`. */
export interface Schedule {
  readonly windows: readonly ScheduleWindow[];
  readonly otherwise: WindowPrice;
}

/** A schedule whose `otherwise` may be the price of its charge. */
export type ReadSchedule = Omit<Schedule, 'otherwise'> & { readonly otherwise?: WindowPrice };

export const WINDOWS_MAX = 24;
export const WEEK_DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

const MINUTES_PER_DAY = 1_440;
const MINUTES_PER_WEEK = MINUTES_PER_DAY * WEEK_DAYS.length;
const TIME_OF_DAY = /^(?:([01]\d|2[0-3]):([0-5]\d)|24:00)$/;
const WINDOW_NAME_LENGTH_MAX = 64;

/** Minutes since local midnight; `undefined` where it is no time of day. */
const minutesOf = (text: unknown): number | undefined => {
  if (typeof text !== 'string' || !TIME_OF_DAY.test(text)) return undefined;
  return Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
};

const readTime = (fields: PriceFields, name: string): string => {
  const value = fields.required(name);
  const minutes = minutesOf(value);
  if (value !== undefined && (minutes === undefined || (name === 'from' && minutes === MINUTES_PER_DAY)))
    fields.note(name, 'time_of_day_expected', 'a time such as "06:00" belongs here');
  return typeof value === 'string' ? value : '';
};

const readDays = (fields: PriceFields): readonly WeekDay[] | undefined => {
  const value = fields.optional('days');
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.length > 0 && new Set(value).size === value.length && value.every((day) => WEEK_DAYS.includes(day as WeekDay))) return value as WeekDay[];
  fields.note('days', 'days_expected', `some of ${WEEK_DAYS.join(', ')}, each once`);
  return undefined;
};

const readWindowPrice = (holder: PriceFields, name: string, commitmentOf: (price: PriceFields) => Commitment | undefined): WindowPrice | undefined => {
  const fields = holder.object(name);
  if (fields === undefined) return undefined;
  const commitment = commitmentOf(fields);
  const price = readPrice(fields);
  return price === undefined || commitment === undefined ? price : { ...price, commitment };
};

/** The minutes of the week in which a window is open, as half-open stretches. */
const stretchesOf = ({ from, to, days = WEEK_DAYS }: Pick<ScheduleWindow, 'from' | 'to' | 'days'>): readonly (readonly [number, number])[] => {
  const [start, end] = [minutesOf(from), minutesOf(to)];
  if (start === undefined || end === undefined) return [];
  const length = end > start ? end - start : end + MINUTES_PER_DAY - start;
  return days.flatMap((day) => {
    const opens = WEEK_DAYS.indexOf(day) * MINUTES_PER_DAY + start;
    const closes = opens + length;
    // What goes beyond Sunday is in the Monday with which the week began.
    return closes <= MINUTES_PER_WEEK ? [[opens, closes] as const] : [[opens, MINUTES_PER_WEEK] as const, [0, closes - MINUTES_PER_WEEK] as const];
  });
};

const overlap = (left: ScheduleWindow, right: ScheduleWindow): boolean => {
  const others = stretchesOf(right);
  return stretchesOf(left).some(([opens, closes]) => others.some(([from, to]) => opens < to && from < closes));
};

const noteWindows = (windows: readonly (readonly [PriceFields, ScheduleWindow])[]): void => {
  for (const [index, [fields, window]] of windows.entries()) {
    const before = windows.slice(0, index).map(([, other]) => other);
    if (before.some(({ name }) => name === window.name)) fields.note('name', 'window_name_repeats', 'another window has this name');
    if (minutesOf(window.from) !== undefined && window.from === window.to) fields.note('to', 'window_empty', 'a window has a length; a whole day is "00:00" to "24:00"');
    else if (before.some((other) => other.from !== other.to && overlap(window, other))) fields.note('from', 'windows_overlap', 'another window is open at the same time');
  }
};

const readWindow = (fields: PriceFields, commitmentOf: (price: PriceFields) => Commitment | undefined): ScheduleWindow => {
  const [name, from, to, days] = [fields.text('name'), readTime(fields, 'from'), readTime(fields, 'to'), readDays(fields)];
  if (name.length > WINDOW_NAME_LENGTH_MAX) fields.note('name', 'too_long', `at most ${WINDOW_NAME_LENGTH_MAX} characters`);
  const price = readWindowPrice(fields, 'price', commitmentOf);
  fields.finish();
  return { name, from, to, ...(days === undefined ? {} : { days }), price: price! };
};

/**
 * Reads the field `schedule` of a charge. Beside the faults of prices it notes `list_expected`, `windows_empty`, `too_many_windows` (more than `WINDOWS_MAX`),
 * `time_of_day_expected`, `days_expected`, `window_empty`, `window_name_repeats` and `windows_overlap`.
 */
export const readSchedule = (holder: PriceFields, commitmentOf: (price: PriceFields) => Commitment | undefined): ReadSchedule | undefined => {
  const fields = holder.optionalObject('schedule');
  if (fields === undefined) return undefined;
  const written = fields.optional('windows');
  const isTooLong = Array.isArray(written) && written.length > WINDOWS_MAX;
  if (isTooLong) fields.note('windows', 'too_many_windows', `a schedule has ${WINDOWS_MAX} windows at most`);
  if (Array.isArray(written) && written.length === 0) fields.note('windows', 'windows_empty', 'a schedule has one window at least');
  const read = isTooLong ? [] : (fields.objects('windows') ?? []).filter((window) => window !== undefined).map((window) => [window, readWindow(window, commitmentOf)] as const);
  noteWindows(read);
  const otherwise = fields.optional('otherwise') === undefined ? undefined : readWindowPrice(fields, 'otherwise', commitmentOf);
  fields.finish();
  return { windows: read.map(([, window]) => window), ...(otherwise === undefined ? {} : { otherwise }) };
};
