import { isUtf8 } from 'node:buffer';
import { rawFaults } from '../ingest/domain/raw-json';
import { ItemFault } from '../ingest/domain/usage-event';
import { asItWas, cellsOf, cellText, DELIMITERS, isFormula, type Delimiter } from './domain/csv-cells';
import { frameCsv, frameLines, withoutLineEnd, type Frame, type Frames } from './domain/framing';
import { NAMES, type Mapping } from './domain/mapping';
import { csvReader, lineReader, REJECTION_COLUMN } from './domain/row-event';

/** How a file is to be read. */
export interface Format {
  readonly format: 'csv' | 'ndjson';
  readonly delimiter: Delimiter;
  readonly mapping: Mapping | undefined;
}
/** A row as an event, or why it is none. */
export interface Row {
  readonly value: unknown;
  readonly fault?: ItemFault;
  /** The row as it is given back where it is rejected. */
  readonly raw: Buffer;
}
export interface Rows { readonly rows: readonly Row[]; readonly next: number; readonly isPassing: boolean }
export interface Stretch {
  readonly bytes: Buffer;
  readonly isEnd: boolean;
  /** How many rows are taken at most. */
  readonly most: number;
  /** The id of an event of a file without ids, by the place of its row in the stretch, from 0. */
  readonly derivedId: (nth: number) => string;
}

const invalidEncoding = new ItemFault('invalid_encoding', 'the row is not UTF-8');

/** The header of a CSV file; undefined where it does not end in the stretch. A fault is one of the whole file. */
export const readHeader = (bytes: Buffer, isEnd: boolean, delimiter: Delimiter): { readonly columns: readonly string[]; readonly next: number } | ItemFault | undefined => {
  const [frame] = frameCsv(bytes, isEnd, 1, DELIMITERS[delimiter].charCodeAt(0), () => true).frames;
  if (frame === undefined) return isEnd ? new ItemFault('no_header', 'the file has no row: the first one names the columns') : undefined;
  if (frame.fault !== undefined) return new ItemFault('no_header', `the first row names the columns: ${frame.fault.detail}`);
  const header = withoutLineEnd(bytes, frame);
  if (!isUtf8(header)) return new ItemFault('invalid_encoding', 'the header is not UTF-8');
  const columns = cellsOf(header, delimiter)[0]!.map((column) => column.trim());
  if (columns.some((column) => column.includes('\r'))) return new ItemFault('no_header', 'the first row names the columns: there is a carriage return in one of them; lines end with a line feed');
  const seen = new Set<string>();
  const twice = columns.find((column) => { const isSeen = seen.has(column); seen.add(column); return isSeen; });
  if (twice !== undefined) return new ItemFault('duplicate_column', `the column "${twice}" is there twice`);
  if (columns.lastIndexOf(REJECTION_COLUMN) > 0) return new ItemFault('reserved_column', `the column "${REJECTION_COLUMN}" says why rows were rejected, and comes first`);
  return { columns, next: frame.end };
};

/** The columns of names in a row: a line feed in one says that a quote has swallowed what comes after it. */
const namesIn = (columns: readonly string[], mapping: Mapping | undefined): number[] =>
  NAMES.flatMap((name) => { const field = mapping === undefined ? { column: name } : mapping[name]; return field !== undefined && 'column' in field ? [columns.indexOf(field.column)] : []; }).filter((index) => index >= 0);

const ragged = (cells: readonly string[], columns: readonly string[]): ItemFault => new ItemFault('ragged_row', `the row has ${cells.length} cells, the header has ${columns.length}`);

/** The cells of frames, each by its frame. Records of one line are parsed together. */
const cellsByFrame = (bytes: Buffer, frames: readonly Frame[], delimiter: Delimiter): Map<Frame, readonly string[]> => {
  const whole = frames.filter(({ fault }) => fault === undefined);
  if (whole.length === 0) return new Map();
  const parsed = cellsOf(Buffer.concat(whole.map(({ start, end }) => bytes.subarray(start, end))), delimiter);
  if (parsed.length !== whole.length) throw new Error(`${whole.length} records were read as ${parsed.length}`);
  return new Map(whole.map((frame, nth) => [frame, parsed[nth]!]));
};

const utf8Checked = (bytes: Buffer, { frames, next, isPassing }: Frames): Frames => (isUtf8(bytes.subarray(0, next)) ? { frames, next, isPassing }
  : { frames: frames.map((frame) => (frame.fault === undefined && !isUtf8(bytes.subarray(frame.start, frame.end)) ? { ...frame, fault: invalidEncoding } : frame)), next, isPassing });

/** Reads CSV below its header. */
export const csvRows = ({ delimiter, mapping }: Format, columns: readonly string[]): ((stretch: Stretch) => Rows) => {
  const read = csvReader(mapping, columns);
  const names = namesIn(columns, mapping);
  const isMended = columns[0] === REJECTION_COLUMN;
  const toRow = (frame: Frame, bytes: Buffer, cells: readonly string[] | undefined, derivedId: () => string): Row => {
    const raw = withoutLineEnd(bytes, frame);
    if (cells === undefined) return { value: undefined, fault: frame.fault!, raw };
    const told = cells.some(isFormula) ? Buffer.from(cells.map((cell) => cellText(cell, delimiter)).join(DELIMITERS[delimiter])) : raw;
    const plain = isMended ? cells.map(asItWas) : cells;
    if (cells.length !== columns.length) return { value: undefined, fault: ragged(cells, columns), raw: told };
    if (names.some((index) => plain[index]!.startsWith('='))) return { value: undefined, fault: new ItemFault('formula_cell', 'a cell that begins with = is a formula and no name'), raw: told };
    const value = read(plain, derivedId);
    return value instanceof ItemFault ? { value: undefined, fault: value, raw: told } : { value, raw: told };
  };
  return ({ bytes, isEnd, most, derivedId }) => {
    const isRow = ({ start, end }: Frame): boolean => {
      const [cells] = cellsOf(bytes.subarray(start, end), delimiter);
      return cells?.length === columns.length && !names.some((index) => cells[index]!.includes('\n'));
    };
    const framed = utf8Checked(bytes, frameCsv(bytes, isEnd, most, DELIMITERS[delimiter].charCodeAt(0), isRow));
    const cells = cellsByFrame(bytes, framed.frames, delimiter);
    return { ...framed, rows: framed.frames.map((frame, nth) => toRow(frame, bytes, cells.get(frame), () => derivedId(nth))) };
  };
};

/** Reads JSON lines. */
export const lineRows = ({ mapping }: Format): ((stretch: Stretch) => Rows) => {
  const read = lineReader(mapping);
  const toRow = (frame: Frame, bytes: Buffer, derivedId: () => string): Row => {
    const raw = withoutLineEnd(bytes, frame);
    if (frame.fault !== undefined) return { value: undefined, fault: frame.fault, raw };
    const text = raw.toString();
    let line: unknown;
    try {
      line = JSON.parse(text);
    } catch {
      return { value: undefined, fault: new ItemFault('malformed_json', 'the line is not JSON'), raw };
    }
    const odd = rawFaults(text, false).get(0);
    if (odd !== undefined) return { value: line, fault: new ItemFault(odd.code, `${odd.pointer}: ${odd.code === 'duplicate_key' ? 'a key is there twice' : 'a number has 16 digits or more, or is too large or too small; write it as a string'}`), raw };
    if (typeof line !== 'object' || line === null || Array.isArray(line)) return { value: undefined, fault: new ItemFault('object_expected', 'a line is an object'), raw };
    const value = read(line as Readonly<Record<string, unknown>>, derivedId);
    return value instanceof ItemFault ? { value: undefined, fault: value, raw } : { value, raw };
  };
  return ({ bytes, isEnd, most, derivedId }) => {
    const framed = utf8Checked(bytes, frameLines(bytes, isEnd, most));
    return { ...framed, rows: framed.frames.map((frame, nth) => toRow(frame, bytes, () => derivedId(nth))) };
  };
};
