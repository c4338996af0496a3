import { compareInstants, type Instant, parseInstant, Refused } from '@valueverse/kernel';
import { ItemFault, type UsageEvent } from './usage-event';

/** Ids, sources, types and subjects. */
export const NAME_LENGTH_MAX = 256;
/** How deep `data` may be nested, itself counted. */
export const DATA_DEPTH_MAX = 20;
/** How many keys `data` may have, on all levels together. */
export const DATA_KEYS_MAX = 100;
export const EXTENSIONS_MAX = 20;
const EXTENSION_TEXT_LENGTH_MAX = 1024;

/** What an event is held against. */
export interface Receipt {
  readonly receivedAt: Instant;
  /** The latest time that an event may claim; absent where any is allowed. */
  readonly latest?: Instant | undefined;
}

type Json = Record<string, unknown>;
type Extensions = Record<string, string | number | boolean>;

/** Nearly no name holds one of these, so halves of characters are looked for only where there is any. */
const UNUSUAL = /[\u0000-\u001f\u007f-\u009f\ud800-\udfff]/;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const HALF_CHARACTER = /\p{Surrogate}/u;
const EXTENSION_NAME = /^[a-z0-9]{1,20}$/;
const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json(?:\s*;.*)?$/i;
const OWN_ATTRIBUTES = new Set(['specversion', 'id', 'source', 'type', 'subject', 'time', 'data', 'datacontenttype', 'dataschema', 'data_base64']);
const NAMES = ['id', 'source', 'type', 'subject'] as const;

const nameFault = (event: Json, name: string): ItemFault | undefined => {
  const value = event[name];
  if (value === undefined || value === null || value === '') return new ItemFault('missing_field', `"${name}" is missing`);
  if (typeof value !== 'string') return new ItemFault('string_expected', `"${name}" is a string`);
  if (value.length > NAME_LENGTH_MAX) return new ItemFault('too_long', `"${name}" has at most ${NAME_LENGTH_MAX} characters`);
  if (UNUSUAL.test(value) && (CONTROL.test(value) || HALF_CHARACTER.test(value))) return new ItemFault('invalid_characters', `"${name}" holds characters that are no text`);
  return undefined;
};

/** Walks `data`; counts its keys from `keys` on. */
const treeFault = (value: unknown, depth: number, count: { keys: number }): ItemFault | undefined => {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : new ItemFault('unsafe_number', 'a number is too large; send it as a string');
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > DATA_DEPTH_MAX) return new ItemFault('too_deep', `data is nested at most ${DATA_DEPTH_MAX} deep`);
  const inner = Array.isArray(value) ? value as unknown[] : Object.values(value);
  if (!Array.isArray(value) && (count.keys += inner.length) > DATA_KEYS_MAX) return new ItemFault('too_many_keys', `data has at most ${DATA_KEYS_MAX} keys`);
  for (const child of inner) {
    const fault = treeFault(child, depth + 1, count);
    if (fault !== undefined) return fault;
  }
  return undefined;
};

const dataFault = (event: Json): ItemFault | undefined => {
  const { data, datacontenttype: contentType } = event;
  if (event['data_base64'] != null) return new ItemFault('unsupported_data', 'data is JSON, not base64');
  if (contentType != null && (typeof contentType !== 'string' || !JSON_TYPE.test(contentType))) return new ItemFault('unsupported_data', 'data is JSON');
  if (data == null) return undefined;
  if (typeof data !== 'object' || Array.isArray(data)) return new ItemFault('object_expected', '"data" is an object');
  return treeFault(data, 1, { keys: 0 });
};

const extensionsOf = (event: Json): Extensions | ItemFault | undefined => {
  let extensions: Extensions | undefined;
  let count = 0;
  for (const name of Object.keys(event)) {
    if (OWN_ATTRIBUTES.has(name)) continue;
    const value = event[name];
    if (!EXTENSION_NAME.test(name)) return new ItemFault('invalid_extension', 'names of extensions have 1 to 20 lower-case letters and digits');
    if (++count > EXTENSIONS_MAX) return new ItemFault('too_many_extensions', `at most ${EXTENSIONS_MAX} extensions`);
    if (value === null) continue;
    const isText = typeof value === 'string' && value.length <= EXTENSION_TEXT_LENGTH_MAX;
    if (!isText && typeof value !== 'boolean' && !Number.isInteger(value)) return new ItemFault('invalid_extension', 'an extension is a text, a whole number or true or false');
    (extensions ??= {})[name] = value as string | number | boolean;
  }
  return extensions;
};

const timeOf = (event: Json, { receivedAt, latest }: Receipt): Instant | ItemFault => {
  const { time } = event;
  if (time === undefined || time === null) return receivedAt;
  let instant: Instant;
  try {
    if (typeof time !== 'string') return new ItemFault('invalid_time', '"time" is an RFC 3339 text with its offset');
    instant = parseInstant(time);
  } catch (error) {
    if (error instanceof Refused) return new ItemFault('invalid_time', error.message);
    throw error;
  }
  if (latest !== undefined && compareInstants(instant, latest) > 0) return new ItemFault('time_ahead', `"time" is after ${latest}`);
  return instant;
};

/**
 * Reads one CloudEvent. The codes of a fault: `object_expected`, `invalid_specversion`, `missing_field`, `string_expected`, `too_long`, `invalid_characters`,
 * `invalid_time`, `time_ahead`, `unsupported_data`, `too_deep`, `too_many_keys`, `unsafe_number`, `invalid_extension`, `too_many_extensions`.
 */
export const readEvent = (item: unknown, receipt: Receipt): UsageEvent | ItemFault => {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return new ItemFault('object_expected', 'an event is an object');
  const event = item as Json;
  if (event['specversion'] !== '1.0') return new ItemFault('invalid_specversion', '"specversion" is "1.0"');
  for (const name of NAMES) {
    const fault = nameFault(event, name);
    if (fault !== undefined) return fault;
  }
  const time = timeOf(event, receipt);
  if (time instanceof ItemFault) return time;
  const fault = dataFault(event);
  if (fault !== undefined) return fault;
  const extensions = extensionsOf(event);
  if (extensions instanceof ItemFault) return extensions;
  return {
    id: event['id'] as string, source: event['source'] as string, type: event['type'] as string, subject: event['subject'] as string, time,
    ...(event['data'] == null ? {} : { data: event['data'] as Json }),
    ...(extensions === undefined ? {} : { extensions }),
  };
};
