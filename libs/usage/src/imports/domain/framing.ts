import { ItemFault } from '../../ingest/domain/usage-event';

/** A row is not longer than this: a quote that is not closed would swallow the rest of the file. */
export const ROW_BYTES_MAX = 262_144;
export const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const QUOTE = 0x22;
const NUL = 0;

/** A row in a stretch of a file, from `start` to `end`, where the next one begins. */
export interface Frame {
  readonly start: number;
  readonly end: number;
  /** A row over more than one line. */
  readonly isLong?: boolean;
  readonly fault?: ItemFault;
}
/** Rows of a stretch; `next` is where the first one begins that does not end in it. */
export interface Frames {
  readonly frames: readonly Frame[];
  readonly next: number;
  /** What stands at `next` is the rest of a row that was too long: it is passed over up to the end of its line. */
  readonly isPassing: boolean;
}

export const tooLong = new ItemFault('row_too_long', `a row has at most ${ROW_BYTES_MAX} bytes`);
export const unbalanced = new ItemFault('unbalanced_quote', 'a quote is not where a quoted cell begins or ends');

/** Where a record of CSV ends: RFC 4180, with line feeds alone too. `open`: not in this stretch, `inQuotes` where a quote has begun. `broken`: a quote stands where none may. */
type RecordEnd = { readonly end: number; readonly isLong: boolean } | { readonly open: 'plain' | 'inQuotes' } | 'broken';

const endOfQuoted = (bytes: Buffer, start: number): number => {
  for (let at = start + 1; ;) {
    const quote = bytes.indexOf(QUOTE, at);
    if (quote === -1) return -1;
    if (bytes[quote + 1] !== QUOTE) return quote + 1;
    at = quote + 2;
  }
};

export const endOfRecord = (bytes: Buffer, start: number, delimiter: number): RecordEnd => {
  let isLong = false;
  for (let at = start; ;) {
    if (bytes[at] === QUOTE) {
      const end = endOfQuoted(bytes, at);
      if (end === -1) return { open: 'inQuotes' };
      const feed = bytes.indexOf(LINE_FEED, at);
      if (feed !== -1 && feed < end) isLong = true;
      at = end;
      if (bytes[at] === CARRIAGE_RETURN && (bytes[at + 1] === LINE_FEED || at + 1 === bytes.length)) at++;
      if (at < bytes.length && bytes[at] !== delimiter && bytes[at] !== LINE_FEED) return 'broken';
    } else {
      while (at < bytes.length && bytes[at] !== delimiter && bytes[at] !== LINE_FEED) if (bytes[at++] === QUOTE) return 'broken';
    }
    if (at >= bytes.length) return { open: 'plain' };
    if (bytes[at++] === LINE_FEED) return { end: at, isLong };
  }
};

/** Where the line at `start` ends, its line feed included; -1 where that is not in this stretch. */
const endOfLine = (bytes: Buffer, start: number, isEnd: boolean): number => {
  const feed = bytes.indexOf(LINE_FEED, start);
  return feed !== -1 ? feed + 1 : isEnd ? bytes.length : -1;
};

/** A row whose end is not to be seen: it is waited for, or refused where it would be too long. */
const unended = (bytes: Buffer, start: number, frames: Frame[], fault: ItemFault): Frames =>
  (bytes.length - start <= ROW_BYTES_MAX ? { frames, next: start, isPassing: false } : { frames: [...frames, { start, end: bytes.length, fault }], next: bytes.length, isPassing: true });

const isBlank = (bytes: Buffer, start: number, end: number): boolean => {
  for (let at = start; at < end; at++) if (bytes[at] !== LINE_FEED && bytes[at] !== CARRIAGE_RETURN) return false;
  return true;
};
const faultOfBytes = (bytes: Buffer): ItemFault | undefined => (bytes.includes(NUL) ? new ItemFault('invalid_characters', 'the row holds a NUL') : undefined);

/** The next row at `start`; undefined where it does not end in this stretch. */
type NextFrame = (start: number) => Frame | undefined;

/** Rows by lines. */
const nextLine = (bytes: Buffer, isEnd: boolean): NextFrame => (start) => {
  const end = endOfLine(bytes, start, isEnd);
  return end === -1 ? undefined : { start, end };
};

/** Rows by records of CSV. One that a stray quote has broken, or made longer than a row may be, ends with its first line: what comes after it is read for itself. */
const nextRecord = (bytes: Buffer, isEnd: boolean, delimiter: number, isRow: (frame: Frame) => boolean): NextFrame => (start) => {
  const found = endOfRecord(bytes, start, delimiter);
  if (found !== 'broken' && 'open' in found) {
    if (found.open === 'plain') return isEnd ? { start, end: bytes.length } : undefined;
    if (!isEnd && bytes.length - start <= ROW_BYTES_MAX) return undefined;
  } else if (found !== 'broken') {
    const frame = { start, ...found };
    if (!found.isLong || (frame.end - start <= ROW_BYTES_MAX && isRow(frame))) return frame;
  }
  const end = endOfLine(bytes, start, isEnd);
  return end === -1 ? undefined : { start, end, fault: unbalanced };
};

const framesBy = (bytes: Buffer, next: NextFrame, most: number): Frames => {
  const frames: Frame[] = [];
  for (let start = 0; start < bytes.length;) {
    if (frames.length === most) return { frames, next: start, isPassing: false };
    const frame = next(start);
    if (frame === undefined) return unended(bytes, start, frames, tooLong);
    const { end } = frame;
    if (!isBlank(bytes, start, end)) {
      const fault = end - start > ROW_BYTES_MAX ? tooLong : frame.fault ?? faultOfBytes(bytes.subarray(start, end));
      frames.push(fault === undefined ? frame : { ...frame, fault });
    }
    start = end;
  }
  return { frames, next: bytes.length, isPassing: false };
};

/** The rows of a stretch of lines, `most` of them; `isEnd` where the stretch ends with the file. Blank lines are no rows. */
export const frameLines = (bytes: Buffer, isEnd: boolean, most: number): Frames => framesBy(bytes, nextLine(bytes, isEnd), most);

/** The rows of a stretch of CSV. `isRow` says of a record over several lines whether it is a row in earnest, or only held together by stray quotes. */
export const frameCsv = (bytes: Buffer, isEnd: boolean, most: number, delimiter: number, isRow: (frame: Frame) => boolean): Frames => framesBy(bytes, nextRecord(bytes, isEnd, delimiter, isRow), most);

/** Where the line that was too long ends; the end of the stretch where it does not. */
export const passLine = (bytes: Buffer): { readonly next: number; readonly isPassing: boolean } => {
  const feed = bytes.indexOf(LINE_FEED);
  return feed === -1 ? { next: bytes.length, isPassing: true } : { next: feed + 1, isPassing: false };
};

/** The bytes of a row without the end of its line. */
export const withoutLineEnd = (bytes: Buffer, { start, end }: Frame): Buffer => {
  let last = end;
  if (bytes[last - 1] === LINE_FEED) last--;
  if (last > start && bytes[last - 1] === CARRIAGE_RETURN) last--;
  return bytes.subarray(start, last);
};
