import { instantFromMicros, type Instant, Refused } from '@valueverse/kernel';
import { claimedMicros, isInstantText } from './claimed-time';
import { DATA_KEYS_MAX, isPlainEvent, NAME_LENGTH_MAX, type PlainEvent } from './plain-event';
import { pointerTo } from './raw-json';
import { ItemFault, type UsageEvent } from './usage-event';

/** How deep `data` may be nested, itself counted. */
export const DATA_DEPTH_MAX = 20;
export const EXTENSIONS_MAX = 20;
const EXTENSION_TEXT_LENGTH_MAX = 1024;

/** What an event is held against. */
export interface Receipt {
  /** The time of an event that claims none, or what is wrong with an event that claims none. */
  readonly receivedAt: Instant | ItemFault;
  /** The latest time that an event may claim, in microseconds; infinite where any is allowed. */
  readonly latestMicros: number;
}

type Json = Record<string, unknown>;
type Extensions = Record<string, string | number | boolean>;

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
/** What nobody sees: two names would look the same, or read another way round. */
const INVISIBLE = /[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/;
const HALF_CHARACTER = /\p{Surrogate}/u;
const EXTENSION_NAME = /^[a-z0-9]{1,20}$/;
const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json(?:\s*;.*)?$/i;
const OWN_ATTRIBUTES = new Set(['specversion', 'id', 'source', 'type', 'subject', 'time', 'data', 'datacontenttype', 'dataschema', 'data_base64']);
const NAMES = ['id', 'source', 'type', 'subject'] as const;

/** A name in the normal form C of Unicode, as every other name that a client gives us: two that look the same are the same. */
const nameOf = (event: Json, name: string): string | ItemFault => {
  const given = event[name];
  const value = typeof given === 'string' ? given.normalize('NFC') : given;
  if (value === undefined || value === null || value === '') return new ItemFault('missing_field', `"${name}" is missing`, `/${name}`);
  if (typeof value !== 'string') return new ItemFault('string_expected', `"${name}" is a string`, `/${name}`);
  if (value.length > NAME_LENGTH_MAX) return new ItemFault('too_long', `"${name}" has at most ${NAME_LENGTH_MAX} characters`, `/${name}`);
  if (CONTROL.test(value) || INVISIBLE.test(value) || HALF_CHARACTER.test(value)) return new ItemFault('invalid_characters', `"${name}" holds characters that are no text`, `/${name}`);
  return value;
};

/** Walks `data`; counts its keys from `keys` on. */
const treeFault = (value: unknown, depth: number, count: { keys: number }): ItemFault | undefined => {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : new ItemFault('unsafe_number', 'a number is too large; send it as a string');
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > DATA_DEPTH_MAX) return new ItemFault('too_deep', `data is nested at most ${DATA_DEPTH_MAX} deep`);
  const inner = Array.isArray(value) ? value as unknown[] : Object.values(value);
  if (!Array.isArray(value) && (count.keys += inner.length) > DATA_KEYS_MAX) return new ItemFault('too_many_keys', `data has at most ${DATA_KEYS_MAX} keys`);
  for (let nth = 0; nth < inner.length; nth++) {
    const fault = treeFault(inner[nth], depth + 1, count);
    if (fault !== undefined) return new ItemFault(fault.code, fault.detail, pointerTo('', Object.keys(value)[nth]!) + fault.pointer);
  }
  return undefined;
};

const dataFault = (event: Json): ItemFault | undefined => {
  const { data, datacontenttype: contentType } = event;
  if (event['data_base64'] != null) return new ItemFault('unsupported_data', 'data is JSON, not base64', '/data_base64');
  if (contentType != null && (typeof contentType !== 'string' || !JSON_TYPE.test(contentType))) return new ItemFault('unsupported_data', 'data is JSON', '/datacontenttype');
  if (data == null) return undefined;
  if (typeof data !== 'object' || Array.isArray(data)) return new ItemFault('object_expected', '"data" is an object', '/data');
  const fault = treeFault(data, 1, { keys: 0 });
  return fault === undefined ? undefined : new ItemFault(fault.code, fault.detail, `/data${fault.pointer}`);
};

const extensionsOf = (event: Json): Extensions | ItemFault | undefined => {
  let extensions: Extensions | undefined;
  let count = 0;
  for (const name of Object.keys(event)) {
    if (OWN_ATTRIBUTES.has(name)) continue;
    const value = event[name];
    if (!EXTENSION_NAME.test(name)) return new ItemFault('invalid_extension', 'names of extensions have 1 to 20 lower-case letters and digits', pointerTo('', name));
    if (++count > EXTENSIONS_MAX) return new ItemFault('too_many_extensions', `at most ${EXTENSIONS_MAX} extensions`, pointerTo('', name));
    if (value === null) continue;
    const isText = typeof value === 'string' && value.length <= EXTENSION_TEXT_LENGTH_MAX;
    if (!isText && typeof value !== 'boolean' && !Number.isInteger(value)) return new ItemFault('invalid_extension', 'an extension is a text, a whole number or true or false', pointerTo('', name));
    (extensions ??= {})[name] = value as string | number | boolean;
  }
  return extensions;
};

const timeOf = (event: Json, { receivedAt, latestMicros }: Receipt): Instant | ItemFault => {
  const { time } = event;
  if (time === undefined || time === null) return receivedAt;
  if (typeof time !== 'string') return new ItemFault('invalid_time', '"time" is an RFC 3339 text with its offset', '/time');
  const micros = claimedMicros(time);
  if (micros instanceof Refused) return new ItemFault('invalid_time', micros.message, '/time');
  if (micros > latestMicros) return new ItemFault('time_ahead', `"time" is after ${instantFromMicros(latestMicros)}`, '/time');
  return isInstantText(time) ? time : instantFromMicros(micros);
};

/** The usual event, at little cost; undefined where something is wrong with its time. */
const ofPlain = ({ id, source, type, subject, time, data }: PlainEvent, { receivedAt, latestMicros }: Receipt): UsageEvent | undefined => {
  let kept = receivedAt;
  if (time !== undefined) {
    const micros = claimedMicros(time);
    if (micros instanceof Refused || micros > latestMicros) return undefined;
    kept = isInstantText(time) ? time : instantFromMicros(micros);
  }
  if (kept instanceof ItemFault) return undefined;
  return data === undefined ? { id, source, type, subject, time: kept } : { id, source, type, subject, time: kept, data };
};

/**
 * Reads one CloudEvent. The codes of a fault: `object_expected`, `invalid_specversion`, `missing_field`, `string_expected`, `too_long`, `invalid_characters`,
 * `invalid_time`, `time_ahead`, `unsupported_data`, `too_deep`, `too_many_keys`, `unsafe_number`, `invalid_extension`, `too_many_extensions`.
 */
export const readEvent = (item: unknown, receipt: Receipt): UsageEvent | ItemFault => (isPlainEvent(item) ? ofPlain(item, receipt) : undefined) ?? readClosely(item, receipt);

/** The same for any event, one rule after the other, so that it can say which one was broken. */
export const readClosely = (item: unknown, receipt: Receipt): UsageEvent | ItemFault => {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return new ItemFault('object_expected', 'an event is an object');
  const event = item as Json;
  if (event['specversion'] !== '1.0') return new ItemFault('invalid_specversion', '"specversion" is "1.0"', '/specversion');
  const names = {} as Record<(typeof NAMES)[number], string>;
  for (const name of NAMES) {
    const found = nameOf(event, name);
    if (found instanceof ItemFault) return found;
    names[name] = found;
  }
  const time = timeOf(event, receipt);
  if (time instanceof ItemFault) return time;
  const fault = dataFault(event);
  if (fault !== undefined) return fault;
  const extensions = extensionsOf(event);
  if (extensions instanceof ItemFault) return extensions;
  return {
    ...names, time,
    ...(event['data'] == null ? {} : { data: event['data'] as Json }),
    ...(extensions === undefined ? {} : { extensions }),
  };
};
