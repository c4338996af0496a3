import { Decimal, durationMicros, microsNumberOfText, Refused, sha256Hex, textJson } from '@valueverse/kernel';
import type { MeterConversion, MeterCreated } from '@valueverse/contracts';
import { type Condition, conditionOf } from '../../meters/domain/filter';
import { type JsonPath, parseJsonPath, valueAt } from '../../meters/domain/json-path';
import { type Aggregation, aggregationNamed, type AggregationSettings, QUOTIENT_DIGITS } from './aggregations';
import { BUCKET_MICROS } from './bucket';

/** One version of a meter's rule; `from` is absent in the first one. */
export type MeterVersion = Omit<MeterCreated, 'type'> & { readonly from?: string | undefined };
/** A meter: its versions in order, the last one in force. */
export interface Meter {
  readonly meterKey: string;
  readonly versions: readonly MeterVersion[];
  readonly archivedAt: string | null;
}
export const currentVersion = ({ versions }: Meter): MeterVersion => versions.at(-1)!;

/** A version of a meter made ready to be applied to many events. */
export interface MeterRule {
  readonly key: string;
  readonly version: number;
  /** Which events it counts: those that occur in `[from, until)`, microseconds. */
  readonly from: number;
  readonly until: number;
  readonly eventType: string;
  readonly aggregation: Aggregation;
  readonly settings: AggregationSettings;
  readonly value: JsonPath | undefined;
  readonly conditions: readonly Condition[];
  /** What a value is turned into before it counts, where the meter converts each event by itself. */
  readonly convert: ((value: Decimal) => Decimal) | undefined;
  /** What a quantity is turned into before it is billed, where the meter converts the total of a period. */
  readonly convertTotal: ((value: Decimal) => Decimal) | undefined;
  /** In the order of canonical JSON. */
  readonly dimensions: readonly { readonly name: string; readonly label: string; readonly path: JsonPath }[];
  readonly carryOver: boolean;
}

/** A value has at most so many digits before and after the point; a sum of 10^18 of them still fits a fact. */
export const VALUE_WHOLE_DIGITS_MAX = 32;
export const VALUE_FRACTION_DIGITS_MAX = 24;
/** A longer text is no value of a dimension. */
export const DIMENSION_VALUE_LENGTH_MAX = 256;
const PLAIN_WHOLE_LIMIT = 1e15;
const ONE = Decimal.of(1);

/** What a conversion makes of a quantity: divided exactly to 12 digits where it is not rounded, otherwise to `scale` digits by its rule. */
export const converted = ({ divideBy, round, scale = 0 }: MeterConversion): ((value: Decimal) => Decimal) => {
  const divisor = divideBy === undefined ? ONE : Decimal.parse(divideBy);
  return (value) => value.dividedBy(divisor, round === undefined ? QUOTIENT_DIGITS : scale, round ?? 'half_up');
};

/** Makes a version ready. `until` is the instant from which the next one counts. */
export const ruleOf = (meter: MeterVersion, until = Number.POSITIVE_INFINITY): MeterRule => ({
  key: meter.meterKey,
  version: meter.version,
  from: meter.from === undefined ? Number.NEGATIVE_INFINITY : microsNumberOfText(meter.from),
  until,
  eventType: meter.eventType,
  aggregation: aggregationNamed(meter.aggregation),
  settings: {
    percentile: meter.percentile === undefined ? undefined : Decimal.parse(meter.percentile),
    bucketMicros: meter.sampleWindow === undefined ? BUCKET_MICROS : Number(durationMicros(meter.sampleWindow)), perSecond: meter.rate === 'per_second',
  },
  value: meter.valueProperty === undefined ? undefined : parseJsonPath(meter.valueProperty, '/valueProperty'),
  conditions: meter.filter.map((filter, index) => conditionOf(filter, `/filter/${index}`)),
  convert: meter.conversion?.per === 'event' ? converted(meter.conversion) : undefined,
  convertTotal: meter.conversion !== undefined && meter.conversion.per !== 'event' ? converted(meter.conversion) : undefined,
  dimensions: Object.entries(meter.groupBy).sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, path]) => ({ name, label: JSON.stringify(name), path: parseJsonPath(path, `/groupBy/${name}`) })),
  carryOver: meter.carryOver,
});

/** The rules of a meter's versions in order: each counts up to where the next one begins. */
export const rulesOf = ({ versions }: Pick<Meter, 'versions'>): MeterRule[] => versions.map((version, nth) => {
  const next = versions[nth + 1]?.from;
  return ruleOf(version, next === undefined ? undefined : microsNumberOfText(next));
});

/** The rules as they were when the meter had so many versions: what is said of them later does not change. */
export const rulesAsOf = (meter: Pick<Meter, 'versions'>, version: number): MeterRule[] => rulesOf({ versions: meter.versions.filter((one) => one.version <= version) });

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

/** Whether a rule looks at an event at all: its type, its instant, and its data. */
export const looksAt = (rule: MeterRule, type: string, micros: number, data: unknown): boolean =>
  rule.eventType === type && micros >= rule.from && micros < rule.until && (rule.conditions.length === 0 || rule.conditions.every((holds) => holds(data)));

/** What an event gives to a meter: a number, or a value that is only told apart from others. */
export interface Measured {
  readonly value: number | Decimal;
  readonly different: string;
}
const NOTHING: Measured = { value: 0, different: '' };
/** Half of a SHA-256: two values that differ are not taken for one. */
const DIFFERENT_DIGITS = 32;

/** The value that an event has for a meter, nothing where the meter looks at none; undefined where it is missing or not what the meter needs: `invalid_value`. */
export const measure = (rule: MeterRule, data: unknown): Measured | undefined => {
  if (rule.value === undefined) return NOTHING;
  const found = valueAt(data, rule.value);
  if (rule.aggregation.value === 'scalar') {
    const text = scalarText(found);
    return text === undefined ? undefined : { value: 0, different: sha256Hex(text).slice(0, DIFFERENT_DIGITS) };
  }
  if (rule.convert === undefined && typeof found === 'number' && Number.isInteger(found) && Math.abs(found) < PLAIN_WHOLE_LIMIT) return { value: found, different: '' };
  const value = decimalOf(found);
  if (value === undefined) return undefined;
  return { value: rule.convert === undefined ? value : rule.convert(value), different: '' };
};

/** A number or decimal text of data as an exact decimal; undefined where it is none, or has more digits than a value may. */
export const decimalOf = (found: unknown): Decimal | undefined => {
  const value = typeof found === 'number' ? numberOf(found) : typeof found === 'string' ? Decimal.tryParse(found) : undefined;
  return value !== undefined && fits(value) ? value : undefined;
};

/** A text, number or truth value as text, numbers in their shortest decimal form; undefined for everything else. Any length: it is hashed. */
const scalarText = (value: unknown): string | undefined => {
  if (typeof value === 'string') return value === '' ? undefined : value;
  if (typeof value === 'boolean') return String(value);
  return typeof value === 'number' ? numberOf(value)?.toString() : undefined;
};

const dimensionText = (value: unknown): string => {
  const text = scalarText(value);
  return text === undefined || text.length > DIMENSION_VALUE_LENGTH_MAX ? '' : text;
};

/**
 * The values of a meter's dimensions as canonical JSON of texts: `{"model":"code"}`. Numbers are in their shortest decimal form. What is absent, null,
 * a list, an object or longer than `DIMENSION_VALUE_LENGTH_MAX` is the empty text.
 */
export const groupsOf = (rule: MeterRule, data: unknown): string => {
  if (rule.dimensions.length === 0) return '{}';
  return `{${rule.dimensions.map(({ label, path }) => `${label}:${textJson(dimensionText(valueAt(data, path)))}`).join(',')}}`;
};

/** The wanted ones of a group's dimensions, as an object in the order of canonical JSON. An unknown one is the empty text. */
export const narrowed = (groups: Readonly<Record<string, string>>, wanted: readonly string[]): Record<string, string> =>
  Object.fromEntries([...wanted].sort().map((name) => [name, Object.hasOwn(groups, name) ? groups[name]! : '']));
