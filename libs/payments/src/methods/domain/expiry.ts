import { addLocalDays, type Instant, startOfLocalDate } from '@valueverse/kernel';

/** So long before a card expires its owner is told. */
const TOLD_BEFORE_DAYS = 30;
const MONTH = /^(\d{4})-(0[1-9]|1[0-2])$/;
const MONTHS = 12;

/** When a card whose last month is this one works no more: the first midnight of the next month in the customer's zone. `undefined` for what is no month. */
export const expiresAt = (expires: string, zone: string): Instant | undefined => {
  const [, year, month] = MONTH.exec(expires) ?? [];
  if (year === undefined || month === undefined) return undefined;
  const next = Number(month) % MONTHS;
  return startOfLocalDate(`${String(Number(year) + (next === 0 ? 1 : 0)).padStart(4, '0')}-${String(next + 1).padStart(2, '0')}-01`, zone);
};
/** When the customer is told: 30 days before, at midnight on the customer's wall. */
export const toldAt = (expires: string, zone: string): Instant | undefined => {
  const end = expiresAt(expires, zone);
  return end === undefined ? undefined : addLocalDays(end, -TOLD_BEFORE_DAYS, zone);
};
