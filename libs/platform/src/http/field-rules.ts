import { type Currency, currency, Decimal, parseInstant, assertZone, Refused } from '@valueverse/kernel';

/** What is wrong with a value: a code, a sentence, and where inside the value when it is not the whole. */
export interface RuleFault {
  readonly code: string;
  readonly detail: string;
  readonly within?: string;
}
/** Says what is wrong with a value that is there, undefined when nothing is. */
export type Rule = (value: unknown) => RuleFault | undefined;

/** Keys, ids and subjects. */
export const KEY_LENGTH_MAX = 256;
export const TEXT_LENGTH_MAX = 256;
export const METADATA_ENTRIES_MAX = 50;
export const METADATA_VALUE_LENGTH_MAX = 1024;
export const LIST_LENGTH_MAX = 1000;
/** A decimal of a request: far beyond any price, far below what would be work to compute with. */
export const DECIMAL_LENGTH_MAX = 48;

const KEY = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/;
const DECIMAL = /^-?\d+(\.\d+)?$/;
/** Control characters but for tab and line ends, zero-width characters, and those that turn the direction of a text. */
const UNSEEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/;

const fault = (code: string, detail: string, within?: string): RuleFault => ({ code, detail, ...(within === undefined ? {} : { within }) });

export const textRule = (max: number, min: number, pattern?: RegExp): Rule => (value) => {
  if (typeof value !== 'string') return fault('string_expected', 'a string is expected');
  if (value.length > max) return fault('too_long', `at most ${max} characters`);
  if (value.trim().length < min) return fault('too_short', min === 1 ? 'must not be empty' : `at least ${min} characters`);
  if (UNSEEN.test(value)) return fault('invalid_characters', 'holds characters that cannot be seen');
  if (pattern && !pattern.test(value)) return fault('invalid_value', `must match ${pattern.source}`);
  return undefined;
};

export const keyRule: Rule = (value) => textRule(KEY_LENGTH_MAX, 1)(value)
  ?? (KEY.test(value as string) ? undefined : fault('invalid_key', 'a key begins with a letter or digit and goes on with letters, digits and . _ : -'));

export const decimalRule = (min?: string, max?: string): Rule => (value) => {
  if (typeof value !== 'string' || value.length > DECIMAL_LENGTH_MAX || !DECIMAL.test(value)) {
    return fault('decimal_string_expected', 'a decimal in a string is expected, such as "12.34"');
  }
  const decimal = Decimal.parse(value);
  if (min !== undefined && decimal.compare(Decimal.parse(min)) < 0) return fault('below_minimum', `at least ${min}`);
  if (max !== undefined && decimal.compare(Decimal.parse(max)) > 0) return fault('above_maximum', `at most ${max}`);
  return undefined;
};

/** A rule that asks the kernel, whose refusals already have stable codes. */
const kernelRule = (read: (text: string) => unknown, code: string, detail: string): Rule => (value) => {
  if (typeof value !== 'string') return fault(code, detail);
  try {
    read(value);
    return undefined;
  } catch (error) {
    if (error instanceof Refused) return fault(code, detail);
    throw error;
  }
};

export const instantRule = kernelRule(parseInstant, 'invalid_time', 'an instant of RFC 3339 with its offset is expected, such as "2026-10-01T00:00:00Z"');
export const zoneRule = kernelRule(assertZone, 'unknown_zone', 'the name of an IANA time zone is expected, such as "Europe/Berlin"');
export const currencyRule = kernelRule((text): Currency => currency(text), 'unknown_currency', 'a currency of ISO 4217 is expected, such as "USD"');

export const oneOfRule = (values: readonly string[]): Rule => (value) =>
  (typeof value === 'string' && values.includes(value) ? undefined : fault('invalid_value', `one of ${values.join(', ')} is expected`));

export const flagRule: Rule = (value) => (typeof value === 'boolean' ? undefined : fault('boolean_expected', 'true or false is expected'));

export const wholeRule = (min: number, max: number): Rule => (value) => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) return fault('whole_number_expected', 'a whole number is expected');
  if (value < min) return fault('below_minimum', `at least ${min}`);
  if (value > max) return fault('above_maximum', `at most ${max}`);
  return undefined;
};

export const objectRule: Rule = (value) =>
  (typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : fault('object_expected', 'an object is expected'));

export const listRule = (min: number, max: number, each?: Rule): Rule => (value) => {
  if (!Array.isArray(value)) return fault('list_expected', 'a list is expected');
  if (value.length < min) return fault('too_few', `at least ${min}`);
  if (value.length > max) return fault('too_many', `at most ${max}`);
  for (const [index, item] of value.entries()) {
    const found = each?.(item);
    if (found) return { ...found, within: `/${index}${found.within ?? ''}` };
  }
  return undefined;
};

export const metadataRule: Rule = (value) => {
  const wrong = objectRule(value);
  if (wrong) return wrong;
  const entries = Object.entries(value as object);
  if (entries.length > METADATA_ENTRIES_MAX) return fault('too_many', `at most ${METADATA_ENTRIES_MAX} entries`);
  for (const [name, text] of entries) {
    const found = textRule(KEY_LENGTH_MAX, 1)(name) ?? textRule(METADATA_VALUE_LENGTH_MAX, 0)(text);
    if (found) return { ...found, within: `/${pointerPart(name)}` };
  }
  return undefined;
};

/** One part of a pointer as RFC 6901 writes it. */
export const pointerPart = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');
