import type { FeedRecord, NewRecord } from '@valueverse/event-log';
import { STRUCTURED_TYPE } from '../ingest/cloud-events';
import type { ItemFault } from '../ingest/domain/usage-event';
import { AUTHORIZATION } from './read-record';

/** A value that is larger than this is not repeated: the broker would not take it with what is said of it. Its record can be read in `usage.ingress`. */
const VALUE_BYTES_MAX = 10 * 1024 * 1024;
/** Keys and headers that are larger than this are not repeated either: what is no text is longer as text, and a rejection that no broker takes would hold up all that come after it. */
const KEY_BYTES_MAX = 4 * 1024;
const HEADERS_BYTES_MAX = 64 * 1024;
/** Of one event of several: a record of a thousand bad ones would be its headers a thousand times. */
const ITEM_HEADERS_BYTES_MAX = 1_024;
const DETAIL_LENGTH_MAX = 1_024;
const NUL = /\0/g;

const NOTHING = Buffer.alloc(0);
const textOf = (bytes: Buffer): string => bytes.toString().replace(NUL, '\uFFFD');

type Headers = NonNullable<FeedRecord['client']>['headers'];
const sizeOf = (headers: Headers): number => Object.entries(headers).reduce((sum, [name, values]) => sum + name.length + values.reduce((bytes, value) => bytes + value.length, 0), 0);

/** The headers of a record as texts, without its credential; of one that is there twice the first. */
const headersOf = (headers: Headers): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name, values]) => name.toLowerCase() !== AUTHORIZATION && !name.startsWith('vv_') && values[0] !== undefined).map(([name, [value]]) => [name, textOf(value!)]));

/**
 * What `usage.ingress.rejected` says of a record that could not be read, or of one event of several: the value as it came, and beside the headers as they came
 * `vv_code`, `vv_detail`, `vv_pointer` where in the event, `vv_record` (topic, partition and offset), and `vv_index` of an event of several, whose value is its own text. `vv_value`, `vv_key` and
 * `vv_headers` say that one was too large to be repeated; it can be read in `usage.ingress`.
 */
export const rejectedRecord = ({ topic, partition, offset, client }: FeedRecord, { code, detail, pointer }: ItemFault, item?: { readonly index: number; readonly text: string }): NewRecord => {
  const value = item === undefined ? client?.value ?? null : Buffer.from(item.text);
  const [key, headers] = [client?.key ?? NOTHING, client?.headers ?? {}];
  const bytes = { value: value?.length ?? 0, key: key.length, headers: sizeOf(headers) };
  const isLeftOut = { value: bytes.value > VALUE_BYTES_MAX, key: bytes.key > KEY_BYTES_MAX, headers: bytes.headers > (item === undefined ? HEADERS_BYTES_MAX : ITEM_HEADERS_BYTES_MAX) };
  const leftOut = (['value', 'key', 'headers'] as const).filter((part) => isLeftOut[part]).map((part) => [`vv_${part}`, `left out: ${bytes[part]} bytes`] as const);
  return {
    key: isLeftOut.key ? '' : textOf(key), value: '', bytes: isLeftOut.value ? null : value,
    headers: {
      ...(isLeftOut.headers ? {} : headersOf(headers)), ...(item === undefined ? {} : { 'content-type': STRUCTURED_TYPE, 'vv_index': String(item.index) }),
      vv_code: code, vv_detail: detail.slice(0, DETAIL_LENGTH_MAX), ...(pointer === '' ? {} : { vv_pointer: pointer }), vv_record: `${topic}/${partition}/${offset}`, ...Object.fromEntries(leftOut),
    },
  };
};
