import { type OraclePrice, oraclePrice } from './oracle-prices';
import { minus, type OracleRounding, type Ratio, ratio, read, rounded, times, writeAmount } from './ratio';

export type OracleGranularity = 'day' | 'second' | '30_360_actual' | '30_360_strict';

export interface OraclePeriod {
  readonly from: string;
  readonly to: string;
  /** How many months it has by its interval; 0 where that is of days or weeks. */
  readonly months: number;
}

interface WallDate { readonly year: number; readonly month: number; readonly day: number }

/** What a calendar on the wall shows. */
const wallDate = (instant: string, zone: string): WallDate => {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone: zone, year: 'numeric', month: 'numeric', day: 'numeric' }).formatToParts(Date.parse(instant));
  const of = (type: string): number => Number(parts.find((part) => part.type === type)!.value);
  return { year: of('year'), month: of('month'), day: of('day') };
};

const DAY_MS = 86_400_000;
const dayNumber = ({ year, month, day }: WallDate): number => Date.UTC(year, month - 1, day) / DAY_MS;
const lastDay = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate();
const monthsAfter = ({ year, month, day }: WallDate, count: number): WallDate => {
  const [inYear, inMonth] = [year + Math.floor((month - 1 + count) / 12), ((month - 1 + count) % 12) + 1];
  return { year: inYear, month: inMonth, day: Math.min(day, lastDay(inYear, inMonth)) };
};
const micros = (instant: string): bigint => {
  const [seconds = '', fraction = ''] = instant.replace('Z', '').split('.');
  return BigInt(Date.parse(`${seconds}Z`)) * 1000n + BigInt(fraction.padEnd(6, '0').slice(0, 6));
};

/** A part of a whole, never below nothing nor above all. */
const within = (part: bigint, whole: bigint): Ratio => (whole <= 0n ? ratio(part > 0n ? 1n : 0n) : ratio(part < 0n ? 0n : part > whole ? whole : part, whole));

const byDays = (start: WallDate, end: WallDate, at: WallDate): Ratio => within(BigInt(dayNumber(at) - dayNumber(start)), BigInt(dayNumber(end) - dayNumber(start)));

/** Day by day through a calendar in which every month has 30 days, the last one of a month being its 30th. */
const in30 = ({ year, month, day }: WallDate): number => (year * 12 + month) * 30 + (day === lastDay(year, month) ? 30 : day);

/** Month by month: those that are over, then the days of the one that was begun, 30 at most. */
const byActual = (start: WallDate, end: WallDate, at: WallDate, months: number): Ratio => {
  if (dayNumber(at) >= dayNumber(end)) return ratio(1n);
  let over = 0;
  while (dayNumber(monthsAfter(start, over + 1)) <= dayNumber(at)) over += 1;
  const days = Math.min(30, dayNumber(at) - dayNumber(monthsAfter(start, over)));
  return within(BigInt(over * 30 + days), BigInt(months * 30));
};

/** How much of a period is over at an instant that is in it. A period within one date is over as soon as it has begun. */
export const oracleElapsed = (granularity: OracleGranularity, period: OraclePeriod, instant: string, zone: string): Ratio => {
  if (granularity === 'second') return within(micros(instant) - micros(period.from), micros(period.to) - micros(period.from));
  const [start, end, at] = [wallDate(period.from, zone), wallDate(period.to, zone), wallDate(instant, zone)];
  if (dayNumber(start) === dayNumber(end)) return ratio(micros(instant) > micros(period.from) ? 1n : 0n);
  if (granularity === '30_360_strict' && in30(end) > in30(start)) return within(BigInt(in30(at) - in30(start)), BigInt(in30(end) - in30(start)));
  if (granularity === '30_360_actual' && period.months > 0) return byActual(start, end, at, period.months);
  return byDays(start, end, at);
};

export interface OracleFee {
  readonly price: OraclePrice;
  readonly quantity: string;
  readonly freeUnits?: string | undefined;
  readonly chargeFlatAtZero?: boolean | undefined;
  readonly slice: { readonly start: Ratio; readonly end: Ratio };
  readonly digits: number;
  readonly rounding: OracleRounding;
}

/** A fee of a part of a period: what is due up to its end, less what was due up to its start. */
export const oracleFee = ({ price, quantity, freeUnits = '0', chargeFlatAtZero = false, slice, digits, rounding }: OracleFee): string => {
  const wanted = minus(read(quantity), read(freeUnits));
  const billed = price.model === 'flat' ? ratio(1n) : wanted.over < 0n ? ratio(0n) : wanted;
  const full = oraclePrice(price, { quantity: billed, dimensions: {}, flatAtZero: chargeFlatAtZero });
  return writeAmount(minus(rounded(times(full, slice.end), digits, rounding), rounded(times(full, slice.start), digits, rounding)), digits);
};
