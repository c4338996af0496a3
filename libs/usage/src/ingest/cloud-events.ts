import { isUtf8 } from 'node:buffer';
import { Refused } from '@valueverse/kernel';
import { countKeys, itemTexts, rawFaults, scanJson, type RawFault, type RawFaultCode } from './domain/raw-json';
import { ItemFault } from './domain/usage-event';

/** The most events of one request or record. */
export const BATCH_EVENTS_MAX = 1_000;
export const BATCH_TYPE = 'application/cloudevents-batch+json';
export const STRUCTURED_TYPE = 'application/cloudevents+json';
export const LINES_TYPE = 'application/x-ndjson';
const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json$/;
const CHARSET = /;\s*charset\s*=\s*"?([^\s;"]*)/i;
const UTF8_NAMES = new Set(['utf-8', 'utf8', 'us-ascii']);
const MARK = [0xef, 0xbb, 0xbf] as const;
const LINE_FEED = 0x0a;

/** One event as it was sent, and what its text has done wrong. */
export interface Item {
  readonly value: unknown;
  readonly fault?: ItemFault;
  /** Its place, where that is not its place in the list: the number of its line, from 0. */
  readonly index?: number;
}
export interface Received {
  readonly isBatch: boolean;
  readonly items: readonly Item[];
}
/** The attributes of an event in binary mode, as the request or record carries them beside the data; undefined where it carries none. */
export type ReadAttributes = () => Readonly<Record<string, string>> | ItemFault | undefined;

export const RAW_FAULT_DETAILS: Readonly<Record<RawFaultCode, string>> = {
  duplicate_key: 'a key is there twice',
  unsafe_number: 'a number has 16 digits or more, or is too large or too small; send it as a string',
};

const itemOf = (value: unknown, fault: RawFault | undefined): Item => (fault === undefined ? { value } : { value, fault: new ItemFault(fault.code, RAW_FAULT_DETAILS[fault.code], fault.pointer) });
const isWhole = (bytes: Uint8Array, values: readonly unknown[]): boolean => {
  const { colons, suspectNumber } = scanJson(bytes);
  return !suspectNumber && colons === values.reduce<number>((keys, value) => keys + countKeys(value), 0);
};

/** Texts may begin with a mark that says that they are UTF-8; it is no part of them. */
const unmarked = (bytes: Buffer): Buffer => (MARK.every((byte, at) => bytes[at] === byte) ? bytes.subarray(MARK.length) : bytes);

/** The text of bytes, its value, and what JSON.parse passes over in it. Refuses with `malformed_json`. */
const readJson = (bytes: Buffer, isBatch: boolean): { value: unknown; faults: () => ReadonlyMap<number, RawFault> } => {
  if (!isUtf8(bytes)) throw new Refused('malformed_json', 'the body is not JSON in UTF-8');
  const text = bytes.toString();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refused('malformed_json', 'the body is not JSON in UTF-8');
  }
  return { value, faults: () => (isWhole(bytes, [value]) ? new Map<number, RawFault>() : rawFaults(text, isBatch)) };
};

const refuseCount = (count: number): void => {
  if (count === 0) throw new Refused('no_events', 'there is no event in it');
  if (count > BATCH_EVENTS_MAX) throw new Refused('too_many_events', `at most ${BATCH_EVENTS_MAX} events come at once`);
};

const readBatch = (bytes: Buffer): Received => {
  const { value, faults } = readJson(bytes, true);
  if (!Array.isArray(value)) throw new Refused('list_expected', 'a batch is a list of events');
  refuseCount(value.length);
  const found = faults();
  return { isBatch: true, items: found.size === 0 ? value.map((event: unknown) => ({ value: event })) : value.map((event: unknown, index) => itemOf(event, found.get(index))) };
};

const linesOf = (bytes: Buffer): (string | undefined)[] => {
  if (isUtf8(bytes)) return bytes.toString().split('\n');
  const lines: (string | undefined)[] = [];
  for (let start = 0; start <= bytes.length;) {
    const found = bytes.indexOf(LINE_FEED, start);
    const line = bytes.subarray(start, found === -1 ? bytes.length : found);
    lines.push(isUtf8(line) ? line.toString() : undefined);
    start = found === -1 ? bytes.length + 1 : found + 1;
  }
  return lines;
};

const itemOfLine = (line: string | undefined, index: number): Item => {
  if (line === undefined) return { value: undefined, index, fault: new ItemFault('malformed_json', 'the line is not UTF-8') };
  try {
    return { value: JSON.parse(line) as unknown, index };
  } catch {
    return { value: undefined, index, fault: new ItemFault('malformed_json', 'the line is not JSON') };
  }
};

/** An event in each line; lines without a character are none. */
const readLines = (bytes: Buffer): Received => {
  const lines = linesOf(bytes);
  const items = lines.flatMap((line, index) => (line !== undefined && line.trim() === '' ? [] : [itemOfLine(line, index)]));
  refuseCount(items.length);
  // Of a line that is no JSON a quote may be open: all lines at once would be read inside out after it.
  if (items.every(({ fault }) => fault === undefined) && isWhole(bytes, items.map(({ value }) => value))) return { isBatch: true, items };
  return { isBatch: true, items: items.map((item) => (item.fault === undefined ? { ...itemOf(item.value, rawFaults(lines[item.index!]!, false).get(0)), index: item.index! } : item)) };
};

const readBinary = (bytes: Buffer, attributes: Readonly<Record<string, string>> | ItemFault): Received => {
  if (attributes instanceof ItemFault) return { isBatch: false, items: [{ value: undefined, fault: attributes }] };
  if (bytes.length === 0) return { isBatch: false, items: [{ value: attributes }] };
  const { value, faults } = readJson(bytes, false);
  const fault = faults().get(0);
  return { isBatch: false, items: [itemOf({ ...attributes, data: value }, fault === undefined ? undefined : { ...fault, pointer: `/data${fault.pointer}` })] };
};

const essenceOf = (contentType: string): string => (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();

/** The events of a batch or of lines as they were written, by their index, for who passes one of them on. */
export const textsOf = (contentType: string, body: Buffer): readonly string[] => {
  const text = unmarked(body).toString();
  return essenceOf(contentType) === BATCH_TYPE ? itemTexts(text) : text.split('\n');
};

/**
 * Takes a request or record apart: a batch, lines, one event in structured mode, or one in binary mode. Refuses what is no JSON with `malformed_json`, another
 * charset than UTF-8 with `unsupported_charset`, a batch that is none with `list_expected`, one of nothing with `no_events`, one of more than `BATCH_EVENTS_MAX`
 * with `too_many_events`, and what is in no mode at all with `not_a_cloud_event`.
 */
export const readCloudEvents = (contentType: string, body: Buffer, attributes: ReadAttributes): Received => {
  const type = essenceOf(contentType);
  const charset = CHARSET.exec(contentType)?.[1];
  if (charset !== undefined && !UTF8_NAMES.has(charset.toLowerCase())) throw new Refused('unsupported_charset', 'events are read in UTF-8');
  const bytes = unmarked(body);
  if (type === BATCH_TYPE) return readBatch(bytes);
  if (type === LINES_TYPE) return readLines(bytes);
  if (type === STRUCTURED_TYPE) {
    const { value, faults } = readJson(bytes, false);
    return { isBatch: false, items: [itemOf(value, faults().get(0))] };
  }
  const beside = type === '' || JSON_TYPE.test(type) ? attributes() : undefined;
  if (beside === undefined) throw new Refused('not_a_cloud_event', `send ${BATCH_TYPE}, ${LINES_TYPE}, ${STRUCTURED_TYPE}, or JSON with the attributes in headers`);
  return readBinary(bytes, beside);
};
