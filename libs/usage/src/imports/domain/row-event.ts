import { instantFromMicros, Refused } from '@valueverse/kernel';
import { ItemFault } from '../../ingest/domain/usage-event';
import { NAMES, type Field, type Mapping, type Name, type TimeFormat } from './mapping';

/** The source of events whose file names none. */
export const IMPORT_SOURCE = 'import';
/** Of a file with rejected rows: why each was rejected. It is no part of an event. */
export const REJECTION_COLUMN = 'rejection';

/** Makes an event of a row, to be read like any that was sent. `derivedId` is the id of a row of a file without ids. */
export type RowReader<Row> = (row: Row, derivedId: () => string) => Readonly<Record<string, unknown>> | ItemFault;
type Get<Row> = (row: Row) => unknown;

const MICROS_PER_SECOND = 1_000_000n;
const EPOCH = /^(\d{1,15})(?:\.(\d{1,9}))?$/;
const FRACTION_DIGITS = { epoch_seconds: 6, epoch_millis: 3 } as const;

/** An instant of a text in a format; a text that is none is left to be refused as what it is. */
const timeText = (value: unknown, format: TimeFormat): unknown => {
  if (format === 'rfc3339') return value;
  const [, whole, fraction = ''] = EPOCH.exec(typeof value === 'number' ? String(value) : typeof value === 'string' ? value : '') ?? [];
  if (whole === undefined) return new ItemFault('invalid_time', `"time" is a number: ${format}`);
  const digits = FRACTION_DIGITS[format];
  const micros = BigInt(whole) * (MICROS_PER_SECOND / 10n ** BigInt(6 - digits)) + BigInt(fraction.slice(0, digits).padEnd(digits, '0'));
  try {
    return instantFromMicros(micros);
  } catch (error) {
    if (error instanceof Refused) return new ItemFault('invalid_time', error.message);
    throw error;
  }
};

/** What a mapping does, once it is known how a row is asked for a column. */
const mappedReader = <Row>(mapping: Mapping, get: (column: string) => Get<Row>, textOf: (value: unknown) => unknown, rest: Get<Row>): RowReader<Row> => {
  const getOf = (field: Field): Get<Row> => { if ('const' in field) { const { const: constant } = field; return () => constant; } return get(field.column); };
  const names = NAMES.map((name): readonly [Name, Get<Row> | undefined] => [name, mapping[name] === undefined ? undefined : getOf(mapping[name])]);
  const time = mapping.time === undefined ? undefined : getOf(mapping.time);
  const data = mapping.data === undefined ? undefined : Object.entries(mapping.data).map(([property, field]) => [property, getOf(field)] as const);
  return (row, derivedId) => {
    const event: Record<string, unknown> = { specversion: '1.0' };
    for (const [name, value] of names) event[name] = value === undefined ? (name === 'id' ? derivedId() : name === 'source' ? IMPORT_SOURCE : undefined) : textOf(value(row));
    const claimed = time?.(row);
    const at = claimed === undefined ? undefined : timeText(claimed, mapping.time!.format);
    if (at instanceof ItemFault) return at;
    if (at !== undefined) event['time'] = at;
    event['data'] = data === undefined ? rest(row) : Object.fromEntries(data.flatMap(([property, value]) => { const found = value(row); return found === undefined ? [] : [[property, found]]; }));
    return event;
  };
};

/** A cell that is empty is no value. */
const filled = (cell: string | undefined): string | undefined => (cell === '' ? undefined : cell);

/** How the cells of a row are read. Without a mapping columns are what they are called, and all that is no attribute is data. */
export const csvReader = (given: Mapping | undefined, columns: readonly string[]): RowReader<readonly string[]> => {
  const own = Object.fromEntries([...NAMES, 'time' as const].filter((name) => columns.includes(name)).map((name) => [name, { column: name, ...(name === 'time' ? { format: 'rfc3339' } : {}) }]));
  const mapping: Mapping = given ?? own;
  const taken = new Set([REJECTION_COLUMN, ...[...NAMES, 'time' as const].flatMap((name) => { const field = mapping[name]; return field !== undefined && 'column' in field ? [field.column] : []; })]);
  const others = columns.flatMap((column, index) => (taken.has(column) ? [] : [[column, index] as const]));
  return mappedReader<readonly string[]>(mapping, (column) => { const index = columns.indexOf(column); return (row) => filled(row[index]); }, (value) => value,
    (row) => Object.fromEntries(others.flatMap(([column, index]) => (row[index] === '' || row[index] === undefined ? [] : [[column, row[index]]]))));
};

type Line = Readonly<Record<string, unknown>>;
/** Ids and names that are whole numbers in JSON are meant as what they look like. */
const nameText = (value: unknown): unknown => (typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value);

/** How a line is read: without a mapping it is an event as it would be sent, in which only subject and type have to be there. */
export const lineReader = (mapping: Mapping | undefined): RowReader<Line> => {
  if (mapping !== undefined) return mappedReader<Line>(mapping, (column) => (row) => (Object.hasOwn(row, column) ? row[column] ?? undefined : undefined), nameText, () => undefined);
  return ({ [REJECTION_COLUMN]: _, ...row }, derivedId) => ({ specversion: '1.0', source: IMPORT_SOURCE, ...(Object.hasOwn(row, 'id') ? {} : { id: derivedId() }), ...row });
};
