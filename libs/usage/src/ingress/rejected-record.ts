import type { FeedRecord, NewRecord } from '@valueverse/event-log';
import { STRUCTURED_TYPE } from '../ingest/cloud-events';
import type { ItemFault } from '../ingest/domain/usage-event';
import { AUTHORIZATION } from './read-record';

/** A value that is larger than this is not repeated: the broker would not take it with what is said of it. Its record can be read in `usage.ingress`. */
const VALUE_BYTES_MAX = 10 * 1024 * 1024;
const NUL = /\0/g;

const textOf = (bytes: Buffer): string => bytes.toString().replace(NUL, '\uFFFD');

/** The headers of a record as texts, without its credential; of one that is there twice the first. */
const headersOf = ({ headers }: NonNullable<FeedRecord['client']>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name, values]) => name.toLowerCase() !== AUTHORIZATION && !name.startsWith('vv_') && values[0] !== undefined).map(([name, [value]]) => [name, textOf(value!)]));

/**
 * What `usage.ingress.rejected` says of a record that could not be read, or of one event of several: the value as it came, and beside the headers as they came
 * `vv_code`, `vv_detail`, `vv_record` (topic, partition and offset), and `vv_index` of an event of several, whose value is its own text.
 */
export const rejectedRecord = ({ topic, partition, offset, client }: FeedRecord, { code, detail }: ItemFault, item?: { readonly index: number; readonly text: string }): NewRecord => {
  const value = item === undefined ? client?.value ?? null : Buffer.from(item.text);
  const tooLarge = value !== null && value.length > VALUE_BYTES_MAX;
  return {
    key: textOf(client?.key ?? Buffer.alloc(0)), value: '', bytes: tooLarge ? null : value,
    headers: {
      ...(client === undefined ? {} : headersOf(client)), ...(item === undefined ? {} : { 'content-type': STRUCTURED_TYPE, 'vv_index': String(item.index) }),
      vv_code: code, vv_detail: detail, vv_record: `${topic}/${partition}/${offset}`, ...(tooLarge ? { vv_value: `left out: ${value.length} bytes` } : {}),
    },
  };
};
