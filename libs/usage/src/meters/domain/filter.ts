import { Decimal, Refused } from '@valueverse/kernel';
import type { MeterFilter } from '@valueverse/contracts';
import { type JsonPath, parseJsonPath, valueAt } from './json-path';

export const FILTERS_MAX = 20;
export const FILTER_VALUES_MAX = 100;
export const FILTER_TEXT_LENGTH_MAX = 256;

/** A filter made ready to be applied to many events. */
export type Condition = (data: unknown) => boolean;

type Scalar = string | number | boolean;
const isScalar = (value: unknown): value is Scalar =>
  (typeof value === 'string' && value.length <= FILTER_TEXT_LENGTH_MAX) || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value));

const numberOf = (value: unknown): Decimal | undefined => {
  if (typeof value === 'string') return Decimal.tryParse(value);
  if (typeof value !== 'number') return undefined;
  try {
    return Decimal.fromNumberShortest(value);
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
};

/** The same text, the same truth value, or the same number however it is written: 1, "1" and "1.0" are one. */
const isSame = (left: unknown, right: unknown): boolean => {
  if (left === right) return true;
  if (typeof left === 'boolean' || typeof right === 'boolean') return false;
  const [one, other] = [numberOf(left), numberOf(right)];
  return one !== undefined && other !== undefined && one.equals(other);
};

const refuse = (detail: string, pointer: string): never => { throw new Refused('invalid_filter', detail, pointer); };

const ORDERS: Readonly<Record<string, (order: -1 | 0 | 1) => boolean>> = { gt: (order) => order > 0, gte: (order) => order >= 0, lt: (order) => order < 0, lte: (order) => order <= 0 };

const among = (value: unknown, path: JsonPath, pointer: string): ((data: unknown) => boolean) => {
  if (!Array.isArray(value) || value.length === 0 || value.length > FILTER_VALUES_MAX || !value.every(isScalar)) return refuse(`a list of 1 to ${FILTER_VALUES_MAX} texts, numbers or truth values is expected`, `${pointer}/value`);
  return (data) => { const found = valueAt(data, path); return value.some((wanted) => isSame(found, wanted)); };
};

/**
 * Reads one filter of a meter. What is absent, null, a list or an object equals nothing: `neq` and `nin` hold for it, `gt` to `lte` do not. Numbers are compared as
 * exact decimals. Refuses with `invalid_filter` and what `parseJsonPath` refuses with.
 */
export const conditionOf = ({ property, operator, value }: MeterFilter, pointer: string): Condition => {
  const path = parseJsonPath(property, `${pointer}/property`);
  if (operator === 'exists') {
    if (value !== undefined && typeof value !== 'boolean') refuse('true or false is expected', `${pointer}/value`);
    return (data) => { const found = valueAt(data, path); return (found !== undefined && found !== null) === (value !== false); };
  }
  if (operator === 'in') return among(value, path, pointer);
  if (operator === 'nin') { const isAmong = among(value, path, pointer); return (data) => !isAmong(data); }
  if (!isScalar(value)) return refuse('a text, a number or a truth value is expected', `${pointer}/value`);
  if (operator === 'eq') return (data) => isSame(valueAt(data, path), value);
  if (operator === 'neq') return (data) => !isSame(valueAt(data, path), value);
  const bound = numberOf(value) ?? refuse('a number is expected', `${pointer}/value`);
  const holds = ORDERS[operator]!;
  return (data) => { const found = numberOf(valueAt(data, path)); return found !== undefined && holds(found.compare(bound)); };
};
