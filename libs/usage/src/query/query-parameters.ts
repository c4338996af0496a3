import { parseInstant } from '@valueverse/kernel';
import { type FieldFault, instantRule, invalidRequest, oneOfRule, type Rule, textRule, zoneRule } from '@valueverse/platform';
import { WINDOW_SIZES, type WindowSize } from './domain/windows';
import type { MeterQuery } from './meter-query';

const LIST_LENGTH_MAX = 100;
const FILTER_PREFIX = 'filter.';
const DIMENSION_LENGTH_MAX = 64;
const VALUE_LENGTH_MAX = 256;

type Parameters = Readonly<Record<string, unknown>>;
const SINGLE: Readonly<Record<string, Rule>> = { from: instantRule, to: instantRule, windowSize: oneOfRule(WINDOW_SIZES), timezone: zoneRule, fill: oneOfRule(['zero']) };
const LISTS = new Set(['subject', 'groupBy']);
const REQUIRED = ['from', 'to'];

/** A comma-separated list; a parameter that is there more than once is one list. */
const listOf = (value: unknown): string[] => [value].flat().flatMap((text) => String(text).split(',')).filter((text) => text !== '');

/** The values of a dimension that count; nothing at all is the empty text, which events have that say nothing of it. */
const valuesOf = (value: unknown): string[] => (value === '' ? [''] : listOf(value));

const listFault = (pointer: string, values: readonly string[]): FieldFault | undefined => {
  if (values.length > LIST_LENGTH_MAX) return { pointer, code: 'too_many', detail: `at most ${LIST_LENGTH_MAX}` };
  const fault = values.map(textRule(VALUE_LENGTH_MAX, 1)).find((found) => found !== undefined);
  return fault === undefined ? undefined : { pointer, code: fault.code, detail: fault.detail };
};

const faultOf = ([name, value]: readonly [string, unknown]): FieldFault | undefined => {
  const pointer = `/${name}`;
  if (value === '' && name.startsWith(FILTER_PREFIX)) return undefined;
  if (LISTS.has(name) || (name.startsWith(FILTER_PREFIX) && name.length <= FILTER_PREFIX.length + DIMENSION_LENGTH_MAX)) return listFault(pointer, listOf(value));
  const rule = Object.hasOwn(SINGLE, name) ? SINGLE[name]! : undefined;
  if (rule === undefined) return { pointer, code: 'unknown_field', detail: 'there is no such field' };
  const fault = rule(value);
  return fault === undefined ? undefined : { pointer, code: fault.code, detail: fault.detail };
};

/**
 * Reads the query of a meter. Its filters are named by dimensions, so no class can declare them; it is held to the same rules: 400 `invalid_request` with
 * every fault at once.
 */
export const readMeterQuery = (parameters: Parameters): MeterQuery => {
  const faults = Object.entries(parameters).map(faultOf).filter((fault): fault is FieldFault => fault !== undefined);
  for (const name of REQUIRED) if (parameters[name] === undefined) faults.push({ pointer: `/${name}`, code: 'missing_field', detail: 'is required' });
  if (faults.length > 0) throw invalidRequest(faults);
  const given = parameters as Record<string, string | undefined>;
  const filters = Object.entries(parameters).filter(([name]) => name.startsWith(FILTER_PREFIX)).map(([name, value]) => [name.slice(FILTER_PREFIX.length), valuesOf(value)] as const);
  return {
    from: parseInstant(given['from']!), to: parseInstant(given['to']!), windowSize: given['windowSize'] as WindowSize | undefined, timezone: given['timezone'] ?? 'UTC',
    groupBy: [...new Set(given['groupBy'] === undefined ? [] : listOf(given['groupBy']))], filters: Object.fromEntries(filters),
    subjects: given['subject'] === undefined ? undefined : [...new Set(listOf(given['subject']).map((subject) => subject.normalize('NFC')))], fillZero: given['fill'] === 'zero',
  };
};
