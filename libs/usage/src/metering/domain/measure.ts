import { Decimal, Refused } from '@valueverse/kernel';
import type { MeterCreated } from '@valueverse/contracts';
import { type JsonPath, parseJsonPath, valueAt } from '../../meters/domain/json-path';
import { type Aggregation, aggregationNamed } from './aggregations';

export type MeterDefinition = Omit<MeterCreated, 'type'>;

/** A meter's definition made ready to be applied to many events. */
export interface MeterRule {
  readonly key: string;
  readonly version: number;
  readonly eventType: string;
  readonly aggregation: Aggregation;
  readonly value: JsonPath | undefined;
  /** In the order of canonical JSON. */
  readonly dimensions: readonly { readonly name: string; readonly label: string; readonly path: JsonPath }[];
}

/** A value has at most so many digits before and after the point; a sum of 10^18 of them still fits a fact. */
export const VALUE_WHOLE_DIGITS_MAX = 32;
export const VALUE_FRACTION_DIGITS_MAX = 24;
/** A longer text is no value of a dimension. */
export const DIMENSION_VALUE_LENGTH_MAX = 256;
const PLAIN_WHOLE_LIMIT = 1e15;

export const ruleOf = (meter: MeterDefinition): MeterRule => ({
  key: meter.meterKey,
  version: meter.version,
  eventType: meter.eventType,
  aggregation: aggregationNamed(meter.aggregation),
  value: meter.valueProperty === undefined ? undefined : parseJsonPath(meter.valueProperty, '/valueProperty'),
  dimensions: Object.entries(meter.groupBy).sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, path]) => ({ name, label: JSON.stringify(name), path: parseJsonPath(path, `/groupBy/${name}`) })),
});

const WHOLE_LIMIT = Decimal.of(10n ** BigInt(VALUE_WHOLE_DIGITS_MAX));
const fits = (value: Decimal): boolean => value.scale <= VALUE_FRACTION_DIGITS_MAX && value.abs().lt(WHOLE_LIMIT);

const numberOf = (value: number): Decimal | undefined => {
  try {
    return Decimal.fromNumberShortest(value);
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
};

/** The value that an event has for a meter, 0 where the meter looks at none; undefined where it is missing or not a number: `invalid_value`. */
export const measure = (rule: MeterRule, data: unknown): number | Decimal | undefined => {
  if (rule.value === undefined) return 0;
  const found = valueAt(data, rule.value);
  if (typeof found === 'number' && Number.isInteger(found) && Math.abs(found) < PLAIN_WHOLE_LIMIT) return found;
  const value = typeof found === 'number' ? numberOf(found) : typeof found === 'string' ? Decimal.tryParse(found) : undefined;
  return value !== undefined && fits(value) ? value : undefined;
};

const dimensionText = (value: unknown): string => {
  if (typeof value === 'string') return value.length <= DIMENSION_VALUE_LENGTH_MAX ? value : '';
  if (typeof value === 'boolean') return String(value);
  return typeof value === 'number' ? numberOf(value)?.toString() ?? '' : '';
};

/**
 * The values of a meter's dimensions as canonical JSON of texts: `{"model":"code"}`. Numbers are in their shortest decimal form. What is absent, null,
 * a list, an object or longer than `DIMENSION_VALUE_LENGTH_MAX` is the empty text.
 */
export const groupsOf = (rule: MeterRule, data: unknown): string => {
  if (rule.dimensions.length === 0) return '{}';
  return `{${rule.dimensions.map(({ label, path }) => `${label}:${JSON.stringify(dimensionText(valueAt(data, path)))}`).join(',')}}`;
};

/** The wanted ones of a group's dimensions, as an object in the order of canonical JSON. An unknown one is the empty text. */
export const narrowed = (groups: Readonly<Record<string, string>>, wanted: readonly string[]): Record<string, string> =>
  Object.fromEntries([...wanted].sort().map((name) => [name, Object.hasOwn(groups, name) ? groups[name]! : '']));
