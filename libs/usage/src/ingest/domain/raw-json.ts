import { NUMBER_DIGITS_MAX } from '@valueverse/kernel';

/**
 * What JSON.parse forgets: a key that was there twice, and the digits that a double cannot hold. Both are looked for in the text.
 * Nearly every text has neither, so one fast pass over the bytes comes first, and only a suspicion pays for the slow one.
 */
export interface RawCount { readonly colons: number; readonly suspectNumber: boolean }

const QUOTE = 0x22, BACKSLASH = 0x5c, COLON = 0x3a, ZERO = 0x30, NINE = 0x39, POINT = 0x2e, UPPER_E = 0x45, LOWER_E = 0x65, PLUS = 0x2b, MINUS = 0x2d;
const isDigit = (code: number | undefined): boolean => code !== undefined && code >= ZERO && code <= NINE;

const endOfString = (bytes: Uint8Array, start: number): number => {
  for (let at = start + 1; at < bytes.length; at++) {
    if (bytes[at] === BACKSLASH) at++;
    else if (bytes[at] === QUOTE) return at;
  }
  return bytes.length;
};

/** Counts the keys of a valid JSON text by their colons, and says whether a number is long or has an exponent. */
export const scanJson = (bytes: Uint8Array): RawCount => {
  let colons = 0;
  let suspectNumber = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) at = endOfString(bytes, at);
    else if (byte === COLON) colons++;
    else if (byte >= ZERO && byte <= NINE) {
      let digits = 1;
      for (at++; at < bytes.length; at++) {
        const next = bytes[at]!;
        if (next >= ZERO && next <= NINE) digits++;
        else if (next === LOWER_E || next === UPPER_E) suspectNumber = true;
        else if (next !== POINT && next !== PLUS && next !== MINUS) break;
      }
      at--;
      if (digits > NUMBER_DIGITS_MAX) suspectNumber = true;
    }
  }
  return { colons, suspectNumber };
};

/** The number of keys of a parsed value, each counted once however often it was written. */
export const countKeys = (value: unknown): number => {
  let keys = 0;
  const open: unknown[] = [value];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next !== 'object' || next === null) continue;
    const inner = Array.isArray(next) ? next as unknown[] : Object.values(next);
    if (!Array.isArray(next)) keys += inner.length;
    for (const child of inner) if (typeof child === 'object') open.push(child);
  }
  return keys;
};

export type RawFaultCode = 'duplicate_key' | 'unsafe_number';
/** What is wrong, and where in the item (RFC 6901). */
export interface RawFault { readonly code: RawFaultCode; readonly pointer: string }
/** A pointer to what a key, or the place in a list, leads to from another pointer. */
export const pointerTo = (pointer: string, key: string | number): string => `${pointer}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
/** A list or an object that is open: its keys up to now, of a list undefined, and the key or place where the text is. */
interface Open { readonly keys: Set<string> | undefined; at: string | number }

/** Below this doubles have fewer digits than a sender may have written. */
const NORMAL_MIN = 2.2250738585072014e-308;

/** Whether a number as it was written may have been changed by becoming a double. */
const isUnsafeNumber = (token: string): boolean => {
  const mantissa = token.split(/[eE]/)[0]!.replace(/[-.]/g, '').replace(/^0+/, '').replace(/0+$/, '');
  if (mantissa === '') return false;
  const magnitude = Math.abs(Number(token));
  return mantissa.length > NUMBER_DIGITS_MAX || magnitude === Infinity || magnitude < NORMAL_MIN;
};

/** Walks a text that JSON.parse has accepted, without recursion, and notes what each item of the outermost list has done wrong. */
class RawWalk {
  readonly faults = new Map<number, RawFault>();
  private item = 0;
  private readonly open: Open[] = [];

  constructor(private readonly text: string, private readonly isBatch: boolean) {}

  run(): this {
    for (let at = 0; at < this.text.length; at++) {
      const code = this.text.charCodeAt(at);
      if (code === QUOTE) at = this.string(at);
      else if (code === MINUS || isDigit(code)) at = this.number(at);
      else this.structure(this.text[at]!);
    }
    return this;
  }

  private structure(character: string): void {
    if (character === '{') this.open.push({ keys: new Set(), at: '' });
    else if (character === '[') this.open.push({ keys: undefined, at: 0 });
    else if (character === '}' || character === ']') this.open.pop();
    else if (character === ',') this.next(this.open.at(-1)!);
  }

  private next(open: Open): void {
    if (this.isBatch && this.open.length === 1) this.item++;
    if (typeof open.at === 'number') open.at++;
  }

  private string(start: number): number {
    let end = start + 1;
    while (this.text.charCodeAt(end) !== QUOTE) end += this.text.charCodeAt(end) === BACKSLASH ? 2 : 1;
    let after = end + 1;
    while (/\s/.test(this.text[after] ?? 'x')) after++;
    if (this.text.charCodeAt(after) !== COLON) return end;
    const key = JSON.parse(this.text.slice(start, end + 1)) as string;
    const open = this.open.at(-1)!;
    open.at = key;
    if (open.keys!.has(key)) this.fault('duplicate_key');
    open.keys!.add(key);
    return after;
  }

  private number(start: number): number {
    let end = start + 1;
    while (/[0-9.eE+-]/.test(this.text[end] ?? '')) end++;
    if (isUnsafeNumber(this.text.slice(start, end))) this.fault('unsafe_number');
    return end - 1;
  }

  private fault(code: RawFaultCode): void {
    if (!this.faults.has(this.item)) this.faults.set(this.item, { code, pointer: this.open.slice(this.isBatch ? 1 : 0).reduce((pointer, { at }) => pointerTo(pointer, at), '') });
  }
}

/** The faults of a valid JSON text by the index of the item of its outermost list; of the whole, at 0, where `isBatch` is false. */
export const rawFaults = (text: string, isBatch: boolean): ReadonlyMap<number, RawFault> => new RawWalk(text, isBatch).run().faults;

/** The texts of the items of a valid JSON list, as they were written. */
export const itemTexts = (text: string): string[] => {
  const texts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character === '"') at = endOfText(text, at);
    else if (character === '[' || character === '{') { if (depth++ === 0) start = at + 1; }
    else if (character === ']' || character === '}') { if (--depth === 0) texts.push(text.slice(start, at).trim()); }
    else if (character === ',' && depth === 1) { texts.push(text.slice(start, at).trim()); start = at + 1; }
  }
  return texts.length === 1 && texts[0] === '' ? [] : texts;
};

const endOfText = (text: string, start: number): number => {
  let end = start + 1;
  while (text.charCodeAt(end) !== QUOTE) end += text.charCodeAt(end) === BACKSLASH ? 2 : 1;
  return end;
};
