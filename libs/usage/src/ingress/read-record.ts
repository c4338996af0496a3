import { isUtf8 } from 'node:buffer';
import type { ClientRecord } from '@valueverse/event-log';
import { readCloudEvents, type Received } from '../ingest/cloud-events';
import { ItemFault } from '../ingest/domain/usage-event';
import { EVENTS_BYTES_MAX } from '../ingest/encoding';

const PREFIX = 'ce_';
const OF_DATA = new Set(['ce_datacontenttype', 'ce_data', 'ce_data_base64']);
const SECRET_KEY = /^Bearer +vv_(?:test|live)_sk_/i;
const NOTHING = Buffer.alloc(0);
export const AUTHORIZATION = 'authorization';

/** The values of a header, whatever the case of its name; undefined where one is no text. */
const valuesOf = (headers: ClientRecord['headers'], name: string): (string | undefined)[] =>
  Object.entries(headers).filter(([header]) => header.toLowerCase() === name).flatMap(([, values]) => values.map((value) => (isUtf8(value) ? value.toString() : undefined)));

/**
 * The `authorization` of a record, as a request has it. `credential_missing`, `invalid_header` where it is there twice, and `secret_key_refused`: a log keeps
 * what it gets, so no secret key may be in it.
 */
export const authorizationOf = ({ headers }: ClientRecord): string | ItemFault => {
  const [value, ...more] = valuesOf(headers, AUTHORIZATION);
  if (more.length > 0) return new ItemFault('invalid_header', 'authorization is there twice');
  if (value === undefined) return new ItemFault('credential_missing', 'send the header authorization: Bearer <ingest or publishable key>');
  return SECRET_KEY.test(value) ? new ItemFault('secret_key_refused', 'a log keeps what it gets: send with an ingest or publishable key, and revoke this one') : value;
};

/** The attributes of an event in `ce_` headers (CloudEvents Kafka binding, 3.2.3). */
const recordAttributes = (headers: ClientRecord['headers']): Readonly<Record<string, string>> | ItemFault | undefined => {
  const attributes: Record<string, string> = {};
  let found = false;
  for (const [name, values] of Object.entries(headers)) {
    if (!name.startsWith(PREFIX)) continue;
    found = true;
    if (values.length !== 1) return new ItemFault('invalid_header', `${name} is there twice`);
    if (OF_DATA.has(name)) return new ItemFault('invalid_header', `${name} is no attribute of the binary mode`);
    if (!isUtf8(values[0]!)) return new ItemFault('invalid_header', `${name} is not UTF-8`);
    Object.defineProperty(attributes, name.slice(PREFIX.length), { value: values[0]!.toString(), enumerable: true });
  }
  return found ? attributes : undefined;
};

export const contentTypeOf = ({ headers }: ClientRecord): string | ItemFault => {
  const [value = '', ...more] = valuesOf(headers, 'content-type');
  return more.length > 0 ? new ItemFault('invalid_header', 'content-type is there twice') : value;
};

/** Takes a record apart, as a request is. Throws `Refused` with the codes of `readCloudEvents`; a fault of its headers or its size is answered. */
export const readClientRecord = (record: ClientRecord): Received | ItemFault => {
  const contentType = contentTypeOf(record);
  if (contentType instanceof ItemFault) return contentType;
  if ((record.value?.length ?? 0) > EVENTS_BYTES_MAX) return new ItemFault('body_too_large', `a record has at most ${EVENTS_BYTES_MAX} bytes`);
  return readCloudEvents(contentType, record.value ?? NOTHING, () => recordAttributes(record.headers));
};
