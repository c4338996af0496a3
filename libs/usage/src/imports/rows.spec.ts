import fc from 'fast-check';
import { parse } from 'csv-parse/sync';
import { runs } from '@valueverse/testing';
import { Refused } from '@valueverse/kernel';
import { ItemFault } from '../ingest/domain/usage-event';
import { readEvent } from '../ingest/domain/read-event';
import { DELIMITERS, type Delimiter } from './domain/csv-cells';
import { ROW_BYTES_MAX } from './domain/framing';
import { readMapping } from './domain/mapping';
import { rejectedHeader, rejectedLine, rejectedRow } from './domain/rejected-text';
import { csvRows, lineRows, readHeader, type Row } from './rows';

const RECEIPT = { receivedAt: '2026-03-01T12:00:00Z', latestMicros: Infinity };
const MAPPING = { subject: 'customer', time: 'ts', id: 'row', type: { const: 'call' }, data: { tokens: 'tokens', region: { const: 'eu' } } };

/** Reads a whole file, as the job does: in stretches of some bytes and rows. */
const read = (text: string | Buffer, { mapping = undefined as unknown, format = 'csv' as 'csv' | 'ndjson', delimiter = 'comma' as Delimiter, stretch = 4 * ROW_BYTES_MAX, most = 1_000 } = {}): { rows: Row[]; columns: readonly string[] } => {
  const file = Buffer.from(text as string);
  const how = { format, delimiter, mapping: mapping === undefined ? undefined : readMapping(mapping) };
  const header = format === 'csv' ? readHeader(file, true, delimiter) : { columns: [], next: 0 };
  if (header === undefined || header instanceof ItemFault) throw new Error(header?.code);
  const reader = format === 'csv' ? csvRows(how, header.columns) : lineRows(how);
  const rows: Row[] = [];
  for (let at = header.next; at < file.length;) {
    const bytes = file.subarray(at, at + stretch);
    const found = reader({ bytes, isEnd: at + bytes.length === file.length, most, derivedId: (nth) => `row ${rows.length + nth + 1}` });
    rows.push(...found.rows);
    at += found.next;
    if (found.isPassing) { const feed = file.indexOf('\n', at); at = feed === -1 ? file.length : feed + 1; }
  }
  return { rows, columns: header.columns };
};
const told = ({ value, fault }: Row): unknown => {
  const event = fault ?? readEvent(value, RECEIPT);
  return event instanceof ItemFault ? event.code : event;
};

describe('a mapping', () => {
  test('columns, constants, times and data', () => {
    const [row] = read('row,customer,ts,tokens,note\nr1,acme,2023-11-16T18:15:46Z,12.50,x\n', { mapping: MAPPING }).rows;
    expect(told(row!)).toEqual({ id: 'r1', source: 'import', type: 'call', subject: 'acme', time: '2023-11-16T18:15:46Z', data: { tokens: '12.50', region: 'eu' } });
  });
  test.each([
    ['epoch_seconds', '1700158546', '2023-11-16T18:15:46Z'], ['epoch_seconds', '1700158546.6801239', '2023-11-16T18:15:46.680123Z'], ['epoch_millis', '1700158546680', '2023-11-16T18:15:46.680Z'],
    ['epoch_millis', '1700158546680.5', '2023-11-16T18:15:46.680500Z'], ['epoch_seconds', '-5', 'invalid_time'], ['epoch_seconds', '1e9', 'invalid_time'], ['epoch_millis', '999999999999999', 'invalid_time'],
    ['epoch_seconds', '2023-11-16T18:15:46Z', 'invalid_time'], ['rfc3339', '1700158546', 'invalid_time'], ['epoch_seconds', '', '2026-03-01T12:00:00Z'],
  ])('a time in %s: %s', (format, text, expected) => {
    const [row] = read(`subject,t\nacme,${text}\n`, { mapping: { subject: 'subject', type: { const: 'call' }, time: { column: 't', format } } }).rows;
    const event = told(row!);
    expect(typeof event === 'string' ? event : (event as { time: string }).time).toBe(expected);
  });
  test('without one columns are what they are called, and the others are data; ids are those of the rows', () => {
    const { rows } = read('subject,type,tokens,note\nacme,call,5,\n,call,5,x\n');
    expect(rows.map(told)).toEqual([{ id: 'row 1', source: 'import', type: 'call', subject: 'acme', time: RECEIPT.receivedAt, data: { tokens: '5' } }, 'missing_field']);
  });
  test('of JSON lines: fields, and whole events without one', () => {
    const mapped = read('{"customer":42,"ts":1700158546,"row":7,"tokens":1.5}\n', { format: 'ndjson', mapping: { ...MAPPING, time: { column: 'ts', format: 'epoch_seconds' } } }).rows;
    expect(mapped.map(told)).toEqual([{ id: '7', source: 'import', type: 'call', subject: '42', time: '2023-11-16T18:15:46Z', data: { tokens: 1.5, region: 'eu' } }]);
    const whole = read('{"type":"call","subject":"acme","data":{"a":1}}\n\n{"rejection":"invalid_time: x","id":"","type":"call","subject":"acme"}', { format: 'ndjson' }).rows;
    expect(whole.map(told)).toEqual([{ id: 'row 1', source: 'import', type: 'call', subject: 'acme', time: RECEIPT.receivedAt, data: { a: 1 } }, 'missing_field']);
  });
  test.each([
    [5, '/mapping'], [{ colour: 'x' }, '/mapping/colour'], [{ id: '' }, '/mapping/id'], [{ id: {} }, '/mapping/id'], [{ id: { column: 'a', const: 'b' } }, '/mapping/id'], [{ id: { const: null } }, '/mapping/id/const'],
    [{ time: { column: 'a', format: 'julian' } }, '/mapping/time/format'], [{ subject: { column: 'a', format: 'rfc3339' } }, '/mapping/subject/format'], [{ data: [] }, '/mapping/data'], [{ data: { a: 5 } }, '/mapping/data/a'],
  ])('%j is refused at %s', (mapping, pointer) => {
    let refused: unknown;
    try { readMapping(mapping); } catch (error) { refused = error; }
    expect(refused).toBeInstanceOf(Refused);
    expect(refused).toMatchObject({ code: 'invalid_mapping', pointer });
  });
});

describe('rows of CSV', () => {
  const cell = fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom('', 'a,b', 'say "x"', 'two\nlines', 'two\r\nlines', 'ü', '"', '\t', ' x '));
  const written = (value: string, delimiter: string): string => (/["\r\n]/.test(value) || value.includes(delimiter) ? `"${value.replaceAll('"', '""')}"` : value);

  test('are those that csv-parse finds in the whole file, however it is cut', () => {
    const file = fc.record({ rows: fc.array(fc.array(cell.filter((text) => !text.includes('\0')), { minLength: 3, maxLength: 3 }), { maxLength: 12 }), feed: fc.constantFrom('\n', '\r\n'), last: fc.boolean(), delimiter: fc.constantFrom(...Object.keys(DELIMITERS) as Delimiter[]), most: fc.integer({ min: 1, max: 5 }) });
    fc.assert(fc.property(file, ({ rows, feed, last, delimiter, most }) => {
      const between = DELIMITERS[delimiter];
      // Names are not split over lines, or their row would be taken for what a stray quote holds together.
      const lines = rows.map(([subject = '', ...data]) => [`s${subject.replaceAll(/[\r\n"=]/g, '')}`, ...data]);
      const text = [`subject${between}a${between}b`, ...lines.map((row) => row.map((value) => written(value, between)).join(between))].join(feed) + (last ? feed : '');
      const expected = parse(text, { delimiter: between, columns: true, record_delimiter: ['\r\n', '\n'], relax_column_count: true }) as Record<string, string>[];
      const found = read(text, { delimiter, most, mapping: { subject: 'subject', type: { const: 'call' }, data: { a: 'a', b: 'b' } } }).rows;
      expect(found.map(({ fault }) => fault)).toEqual(expected.map(() => undefined));
      expect(found.map(({ value }) => value)).toEqual(expected.map(({ subject, a, b }, nth) => ({ specversion: '1.0', id: `row ${nth + 1}`, source: 'import', type: 'call', subject, data: { ...(a === '' ? {} : { a }), ...(b === '' ? {} : { b }) } })));
    }), runs(61, 300));
  });

  const good = (id: string): string => `${id},acme,2023-11-16T18:15:46Z,1`;
  const file = (...rows: string[]): string => ['row,customer,ts,tokens', ...rows, ''].join('\n');
  test.each<[string, string[], string[]]>([
    ['too few cells', ['x,acme', good('2')], ['ragged_row', '2']], ['too many cells', [`${good('1')},5`, good('2')], ['ragged_row', '2']],
    ['a quote that is never closed', ['"1,acme,2023-11-16T18:15:46Z,1', good('2'), good('3')], ['unbalanced_quote', '2', '3']],
    ['a quote that is closed in another row', ['"1,acme,2023-11-16T18:15:46Z,1', good('2'), 'x",acme,2023-11-16T18:15:46Z,1', good('4')], ['unbalanced_quote', '2', 'unbalanced_quote', '4']],
    ['a cell of several lines, whatever they look like', ['1,acme,2023-11-16T18:15:46Z,"1', good('2'), '1"', good('4')], ['1', '4']], ['a name of several lines, which is none', ['1,"acme', good('2'), '1",2023-11-16T18:15:46Z,1', good('4')], ['unbalanced_quote', '2', 'unbalanced_quote', '4']],
    ['a quote inside a cell', ['1,ac"me,2023-11-16T18:15:46Z,1', good('2')], ['unbalanced_quote', '2']], ['text behind a quoted cell', ['1,"acme"x,2023-11-16T18:15:46Z,1', good('2')], ['unbalanced_quote', '2']],
    ['a NUL', ['1,ac\0me,2023-11-16T18:15:46Z,1', good('2')], ['invalid_characters', '2']], ['a formula as a name', ['=1+1,acme,2023-11-16T18:15:46Z,1', good('2')], ['formula_cell', '2']],
    ['blank lines, which are no rows', ['', good('1'), '\r', good('2')], ['1', '2']], ['a row that is too long', [`1,${'x'.repeat(ROW_BYTES_MAX)}`, good('2')], ['row_too_long', '2']],
    ['a row without end', [`1,${'x'.repeat(5 * ROW_BYTES_MAX)}`, good('2')], ['row_too_long', '2']], ['a quoted cell without end', [`1,"${'x'.repeat(2 * ROW_BYTES_MAX)}`, good('2')], ['row_too_long', '2']],
  ])('%s', (_, rows, expected) => {
    for (const stretch of [4 * ROW_BYTES_MAX, ROW_BYTES_MAX * 2 + 1]) {
      expect(read(file(...rows), { mapping: MAPPING, stretch }).rows.map(told).map((one) => (typeof one === 'string' ? one : (one as { id: string }).id))).toEqual(expected);
    }
  });
  test('bytes that are not UTF-8 are a fault of their row', () => {
    const bytes = Buffer.concat([Buffer.from(`row,customer,ts,tokens\n${good('1')}\n2,Fran`), Buffer.from([0xe7]), Buffer.from(`ois,2023-11-16T18:15:46Z,1\n${good('3')}`)]);
    expect(read(bytes, { mapping: MAPPING }).rows.map(told)).toMatchObject([{ id: '1' }, 'invalid_encoding', { id: '3' }]);
  });
  test.each([['a column that is there twice', 'a,b,a\n', 'duplicate_column'], ['an empty file', '\n\n', 'no_header'], ['a quote in the header', '"a,b\n', 'no_header'], ['the column of reasons in another place', 'a,rejection\n', 'reserved_column']])('%s cannot be read', (_, text, code) => {
    expect(readHeader(Buffer.from(text), true, 'comma')).toMatchObject({ code });
  });
});

describe('rejected rows', () => {
  const rejected = (rows: readonly Row[], columns: readonly string[]): string => rejectedHeader(columns, 'comma') + Buffer.concat(rows.flatMap((row) => {
    const fault = row.fault ?? readEvent(row.value, RECEIPT);
    return fault instanceof ItemFault ? [rejectedRow({ ...fault, raw: row.raw }, 'comma', columns[0] === 'rejection')] : [];
  })).toString();
  test('are given back as they came behind the reason, and can be mended and sent again', () => {
    const first = read('subject,type,time,note\nacme,call,never,"a ""b"""\nbeta,call\ngamma,call,never,=1+1\n"delta,call,,\n');
    const file = rejected(first.rows, first.columns);
    expect(file.split('\n')).toEqual([
      'rejection,subject,type,time,note', expect.stringMatching(/^"invalid_time: [^"]+",acme,call,never,"a ""b"""$/), '"ragged_row: the row has 2 cells, the header has 4",beta,call',
      expect.stringMatching(/^"invalid_time: [^"]+",gamma,call,never,'=1\+1$/), '"unbalanced_quote: a quote is not where a quoted cell begins or ends","delta,call,,', '']);
    const mended = read(file.replaceAll('never', '2023-11-16T18:15:46Z').replace('beta,call', 'beta,call,,'));
    expect(mended.rows.map(told)).toMatchObject([{ subject: 'acme', data: { note: 'a "b"' } }, { subject: 'beta' }, { subject: 'gamma', data: { note: '=1+1' } }, 'unbalanced_quote']);
    const again = rejected(mended.rows, mended.columns);
    expect(again).toBe('rejection,subject,type,time,note\n"unbalanced_quote: a quote is not where a quoted cell begins or ends","delta,call,,\n');
  });
  test('of JSON lines have the reason as a field; what is no object stands in "line"', () => {
    const line = (raw: string): string => rejectedLine({ code: 'invalid_time', detail: 'is "none"', raw: Buffer.from(raw) });
    expect(line('{ "id":"1", "n":1.50 }')).toBe('{"rejection":"invalid_time: is \\"none\\"","id":"1", "n":1.50 }\n');
    expect(line('{}')).toBe('{"rejection":"invalid_time: is \\"none\\""}\n');
    expect(line('{"id":')).toBe('{"rejection":"invalid_time: is \\"none\\"","line":"{\\"id\\":"}\n');
    expect(line(line('{"id":"1"}').trim())).toBe(line('{"id":"1"}'));
    expect(line(line('{}').trim())).toBe(line('{}'));
  });
});
