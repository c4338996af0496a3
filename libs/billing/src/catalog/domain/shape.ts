import { assertZone, currency, Decimal, parseInstant, Refused } from '@valueverse/kernel';
import { type Fault, pointerTo } from '@valueverse/rating';

/** What a value of a request has to be, said once: as JSON Schema for documents, and as a reader that names every fault at its place. */
export interface Shape<T = unknown> {
  readonly json: Readonly<Record<string, unknown>>;
  /** The value as it is kept: nulls are absent, instants in UTC. What comes back counts only where no fault was added. */
  readonly read: (value: unknown, pointer: string, faults: Fault[]) => T;
}
export type Field = Shape & { readonly isOptional: boolean };

export const KEY_LENGTH_MAX = 256;
export const NAME_LENGTH_MAX = 256;
const METADATA_ENTRIES_MAX = 50;
const METADATA_VALUE_LENGTH_MAX = 1_024;
/** With any quantity that metering can state, an amount still fits into the facts that carry it. */
export const DECIMAL_LENGTH_MAX = 32;
const KEY = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/;
const DECIMAL = /^-?\d+(\.\d+)?$/;
/** Control characters, zero-width ones, and those that turn the direction of a text: a name is printed on invoices. */
const UNSEEN = /[\u0000-\u001f\u007f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/;

type Problem = readonly [code: string, detail: string];
/** A shape whose values stay as they are. */
const plain = <T>(json: Record<string, unknown>, wrong: (value: unknown) => Problem | undefined, kept: (value: T) => T = (value) => value): Shape<T> => ({
  json,
  read: (value, pointer, faults) => {
    const found = wrong(value);
    if (found === undefined) return kept(value as T);
    faults.push({ pointer, code: found[0], detail: found[1] });
    return value as T;
  },
});

const wrongText = (value: unknown, max: number): Problem | undefined => {
  if (typeof value !== 'string') return ['string_expected', 'a string is expected'];
  if (value.length > max) return ['too_long', `at most ${max} characters`];
  if (value.trim() === '') return ['too_short', 'must not be empty'];
  return UNSEEN.test(value) ? ['invalid_characters', 'holds characters that cannot be seen'] : undefined;
};
export const text = (max = NAME_LENGTH_MAX, pattern?: RegExp): Shape<string> => plain(
  { type: 'string', minLength: 1, maxLength: max, ...(pattern === undefined ? {} : { pattern: pattern.source }) },
  (value) => wrongText(value, max) ?? (pattern === undefined || pattern.test(value as string) ? undefined : ['invalid_value', `must match ${pattern.source}`]), (value) => value.normalize('NFC'));
export const key = (): Shape<string> => plain({ type: 'string', minLength: 1, maxLength: KEY_LENGTH_MAX, pattern: KEY.source },
  (value) => wrongText(value, KEY_LENGTH_MAX) ?? (KEY.test(value as string) ? undefined : ['invalid_key', 'a key begins with a letter or digit and goes on with letters, digits and . _ : -']));
export const whole = (min: number, max: number): Shape<number> => plain({ type: 'integer', minimum: min, maximum: max }, (value) => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) return ['whole_number_expected', 'a whole number is expected'];
  return value < min ? ['below_minimum', `at least ${min}`] : value > max ? ['above_maximum', `at most ${max}`] : undefined;
});
export const flag = (): Shape<boolean> => plain({ type: 'boolean' }, (value) => (typeof value === 'boolean' ? undefined : ['boolean_expected', 'true or false is expected']));
export const oneOf = <const V extends readonly string[]>(...values: V): Shape<V[number]> => plain({ enum: values },
  (value) => (typeof value === 'string' && values.includes(value) ? undefined : ['invalid_value', `one of ${values.join(', ')} is expected`]));
/** An exact decimal in a string, of a length that facts can carry. */
export const decimal = (min?: string, max?: string): Shape<string> => plain({ type: 'string', pattern: DECIMAL.source, maxLength: DECIMAL_LENGTH_MAX }, (value) => {
  if (typeof value !== 'string') return ['decimal_string_expected', 'a decimal in a string is expected, such as "12.34": a JSON number is not exact'];
  if (value.length > DECIMAL_LENGTH_MAX) return ['too_long', `at most ${DECIMAL_LENGTH_MAX} characters`];
  if (!DECIMAL.test(value)) return ['invalid_decimal', 'not a decimal number such as "12.34"'];
  const number = Decimal.parse(value);
  if (min !== undefined && number.lt(Decimal.parse(min))) return ['below_minimum', `at least ${min}`];
  return max !== undefined && number.gt(Decimal.parse(max)) ? ['above_maximum', `at most ${max}`] : undefined;
});

const refusalOf = (read: () => unknown): Refused | undefined => {
  try {
    read();
    return undefined;
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
};
export const currencyCode = (): Shape<string> => plain({ type: 'string', minLength: 3, maxLength: 3 },
  (value) => (typeof value === 'string' && refusalOf(() => currency(value)) === undefined ? undefined : ['unknown_currency', 'a currency of ISO 4217 is expected, such as "USD"']));
export const instant = (): Shape<string> => plain({ type: 'string', format: 'date-time' },
  (value) => (typeof value === 'string' && refusalOf(() => parseInstant(value)) === undefined ? undefined : ['invalid_time', 'an instant of RFC 3339 with its offset is expected, such as "2026-10-01T00:00:00Z"']),
  (value) => parseInstant(value));
/** The name of an IANA zone. */
export const zone = (): Shape<string> => plain({ type: 'string', example: 'Europe/Berlin' },
  (value) => (typeof value === 'string' && refusalOf(() => { assertZone(value); }) === undefined ? undefined : ['unknown_zone', 'the name of an IANA time zone is expected, such as "Europe/Berlin"']));
/** Whatever JSON holds; a rule beside the shape looks at it. */
export const anything = (json: Record<string, unknown> = {}): Shape => plain(json, () => undefined);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isThere = (value: unknown): boolean => value !== null && value !== undefined;

export const list = <T>(item: Shape<T>, max: number, min = 0): Shape<readonly T[]> => ({
  json: { type: 'array', items: item.json, minItems: min, maxItems: max },
  read: (value, pointer, faults) => {
    if (!Array.isArray(value)) { faults.push({ pointer, code: 'list_expected', detail: 'a list is expected' }); return []; }
    if (value.length < min) faults.push({ pointer, code: 'too_few', detail: `at least ${min}` });
    // Told before its items are looked at, so that a list without end costs nothing.
    if (value.length > max) { faults.push({ pointer, code: 'too_many', detail: `at most ${max}` }); return []; }
    return value.map((one, index) => item.read(one, pointerTo(pointer, index), faults));
  },
});
/** Keys that are data, each a text with something to see. */
export const mapOf = <T>(item: Shape<T>, max: number, name: Shape<string> = key()): Shape<Readonly<Record<string, T>>> => ({
  json: { type: 'object', propertyNames: name.json, additionalProperties: item.json, maxProperties: max },
  read: (value, pointer, faults) => {
    if (!isObject(value)) { faults.push({ pointer, code: 'object_expected', detail: 'an object is expected' }); return {}; }
    const entries = Object.entries(value).filter(([, one]) => isThere(one));
    if (entries.length > max) { faults.push({ pointer, code: 'too_many', detail: `at most ${max} entries` }); return {}; }
    return Object.fromEntries(entries.map(([own, one]) => [name.read(own, pointerTo(pointer, own), faults), item.read(one, pointerTo(pointer, own), faults)]));
  },
});
const metadataValue = plain<string>({ type: 'string', maxLength: METADATA_VALUE_LENGTH_MAX }, (value) => (value === '' ? undefined : wrongText(value, METADATA_VALUE_LENGTH_MAX)));
/** Strings that mean something to the tenant alone. */
export const metadata = (): Shape<Readonly<Record<string, string>>> => mapOf(metadataValue, METADATA_ENTRIES_MAX, text(KEY_LENGTH_MAX));

export const required = (shape: Shape): Field => ({ ...shape, isOptional: false });
export const optional = (shape: Shape): Field => ({ ...shape, isOptional: true });

/** An object with these fields and no other. A null is an absent field, under any name. */
export const object = <T>(fields: Readonly<Record<string, Field>>): Shape<T> => ({
  json: {
    type: 'object', properties: Object.fromEntries(Object.entries(fields).map(([name, { json }]) => [name, json])),
    required: Object.entries(fields).filter(([, { isOptional }]) => !isOptional).map(([name]) => name), additionalProperties: false,
  },
  read: (value, pointer, faults) => {
    if (!isObject(value)) { faults.push({ pointer, code: 'object_expected', detail: 'an object is expected' }); return {} as T; }
    const kept: Record<string, unknown> = {};
    for (const [name, field] of Object.entries(fields)) {
      const own = Object.hasOwn(value, name) ? value[name] : undefined;
      if (isThere(own)) kept[name] = field.read(own, pointerTo(pointer, name), faults);
      else if (!field.isOptional) faults.push({ pointer: pointerTo(pointer, name), code: 'missing_field', detail: 'is required' });
    }
    for (const [name, own] of Object.entries(value))
      if (isThere(own) && !Object.hasOwn(fields, name)) faults.push({ pointer: pointerTo(pointer, name), code: 'unknown_field', detail: 'there is no such field' });
    return kept as T;
  },
});

export type Read<T> = { readonly value: T } | { readonly errors: readonly Fault[] };
/** The value of a whole request, or everything that is wrong with it. */
export const readAll = <T>(shape: Shape<T>, value: unknown, pointer = ''): Read<T> => {
  const errors: Fault[] = [];
  const read = shape.read(value, pointer, errors);
  return errors.length > 0 ? { errors } : { value: read };
};
