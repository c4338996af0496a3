import { Refused } from '@valueverse/kernel';

/** Where a value of an event comes from: a column of the file (of JSON lines a field), or always the same. */
export type Field = { readonly column: string } | { readonly const: string | number | boolean };
export const TIME_FORMATS = ['rfc3339', 'epoch_seconds', 'epoch_millis'] as const;
export type TimeFormat = (typeof TIME_FORMATS)[number];
export type TimeField = Field & { readonly format: TimeFormat };
export const NAMES = ['id', 'source', 'type', 'subject'] as const;
export type Name = (typeof NAMES)[number];

/** Which columns of a file are what of an event. */
export interface Mapping extends Readonly<Partial<Record<Name, Field>>> {
  readonly time?: TimeField;
  /** By property; absent: of CSV all columns that are nothing else, of JSON lines nothing. */
  readonly data?: Readonly<Record<string, Field>>;
}

const COLUMN_LENGTH_MAX = 256;
const PROPERTIES_MAX = 100;

const refuse = (pointer: string, detail: string): never => { throw new Refused('invalid_mapping', detail, pointer); };
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);
const onlyKeys = (value: Readonly<Record<string, unknown>>, keys: readonly string[], pointer: string): void => {
  const unknown = Object.keys(value).find((key) => !keys.includes(key));
  if (unknown !== undefined) refuse(`${pointer}/${unknown}`, `only ${keys.join(', ')} are known here`);
};

const columnOf = (value: unknown, pointer: string): string =>
  (typeof value === 'string' && value !== '' && value.length <= COLUMN_LENGTH_MAX ? value : refuse(pointer, `the name of a column, of ${COLUMN_LENGTH_MAX} characters at most`));

const fieldOf = (value: unknown, pointer: string, more: readonly string[] = []): Field => {
  if (typeof value === 'string') return { column: columnOf(value, pointer) };
  if (!isObject(value)) return refuse(pointer, 'the name of a column, { "column": ... } or { "const": ... }');
  onlyKeys(value, ['column', 'const', ...more], pointer);
  if (('column' in value) === ('const' in value)) return refuse(pointer, 'either "column" or "const"');
  if ('column' in value) return { column: columnOf(value['column'], `${pointer}/column`) };
  const constant = value['const'];
  if (typeof constant === 'string' || typeof constant === 'boolean' || (typeof constant === 'number' && Number.isFinite(constant))) return { const: constant };
  return refuse(`${pointer}/const`, 'a text, a number, true or false');
};

const timeOf = (value: unknown, pointer: string): TimeField => {
  const format = isObject(value) ? value['format'] ?? 'rfc3339' : 'rfc3339';
  if (!TIME_FORMATS.includes(format as TimeFormat)) refuse(`${pointer}/format`, `one of ${TIME_FORMATS.join(', ')}`);
  return { ...fieldOf(value, pointer, ['format']), format: format as TimeFormat };
};

/** Reads a mapping as a client gives it: a column as its name or `{ column }`, a constant as `{ const }`, a time with its `format`. Refuses with `invalid_mapping` and a pointer. */
export const readMapping = (value: unknown, pointer = '/mapping'): Mapping => {
  if (!isObject(value)) return refuse(pointer, 'an object: which columns are what of an event');
  onlyKeys(value, [...NAMES, 'time', 'data'], pointer);
  const { time, data } = value;
  if (data !== undefined && !isObject(data)) refuse(`${pointer}/data`, 'an object: property -> column');
  const properties = Object.entries((data ?? {}) as Record<string, unknown>);
  if (properties.length > PROPERTIES_MAX) refuse(`${pointer}/data`, `at most ${PROPERTIES_MAX} properties`);
  return {
    ...Object.fromEntries(NAMES.filter((name) => value[name] !== undefined).map((name) => [name, fieldOf(value[name], `${pointer}/${name}`)])),
    ...(time === undefined ? {} : { time: timeOf(time, `${pointer}/time`) }),
    ...(data === undefined ? {} : { data: Object.fromEntries(properties.map(([property, field]) => [property, fieldOf(field, `${pointer}/data/${property}`)])) }),
  };
};

/** The columns that a mapping speaks of. */
export const columnsIn = ({ data, time, ...names }: Mapping): string[] =>
  [...Object.values(names), ...(time === undefined ? [] : [time]), ...Object.values(data ?? {})].flatMap((field) => (field !== undefined && 'column' in field ? [field.column] : []));
