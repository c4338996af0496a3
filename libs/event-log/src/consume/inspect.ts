import { partitionOf } from '@valueverse/kernel';
import { isFromClients, partitionsOf, TOPICS } from '@valueverse/contracts';
import type { FeedRecord } from '../feed/feed';

/** Why a record is no fact of ours, whatever it says of itself. */
export type RejectionCode = 'not_cloudevents' | 'wrong_key' | 'unknown_type' | 'unknown_tenant' | 'broken_chain' | 'not_an_envelope';

/** A record that none of our writers made. It is kept apart with the reason, alone: the stream that it names goes on. */
export class RecordRejected extends Error {
  constructor(readonly code: RejectionCode, message: string) { super(message); }
}
export interface Rejection { readonly record: FeedRecord; readonly code: RejectionCode; readonly detail: string }

const REQUIRED = ['ce_id', 'ce_type', 'ce_tenant'] as const;

/** What the headers, the key and the place of a record say against it. */
export const faultOfRecord = (record: FeedRecord): { code: RejectionCode; detail: string } | undefined => {
  const { topic, partition, key, headers, value } = record;
  const { kind } = TOPICS[topic];
  if (isFromClients(topic)) return undefined;
  // No text of ours has one, and PostgreSQL keeps no text that has.
  if ([key, value, ...Object.entries(headers).flat()].some((text) => text.includes('\0'))) return { code: 'not_cloudevents', detail: 'it holds a NUL character' };
  if (kind === 'keys') return undefined;
  if (kind === 'transport') return headers['ce_tenant'] === undefined ? { code: 'not_cloudevents', detail: 'the header ce_tenant is missing' } : undefined;
  const missing = REQUIRED.find((name) => !headers[name]);
  if (missing !== undefined) return { code: 'not_cloudevents', detail: `the header ${missing} is missing` };
  if (record.position === undefined || record.previous === undefined) return { code: 'not_cloudevents', detail: 'the headers ce_position and ce_previous are not positions' };
  if (partitionOf(headers['ce_tenant']!, key, partitionsOf(topic)) !== partition) return { code: 'wrong_key', detail: `the stream ${key} does not belong to partition ${partition}` };
  return undefined;
};

const known = new WeakMap<FeedRecord, { readonly json: unknown }>();
const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};
/** The text of a record as JSON, parsed once however many readers look at it, so nobody may change it; undefined where it is none. */
export const jsonOf = (record: FeedRecord): unknown => {
  let found = known.get(record);
  if (found === undefined) known.set(record, found = { json: parsed(record.value) });
  return found.json;
};

/** What the text of a fact says against it: it has to be a CloudEvent, and the one that its record promises. Every link of a chain is asked, also by readers that pass over its type. */
export const faultOfText = (record: FeedRecord): { code: RejectionCode; detail: string } | undefined => {
  const { key, headers } = record;
  const event = jsonOf(record) as Record<string, unknown> | null | undefined;
  if (event === undefined) return { code: 'not_cloudevents', detail: 'the text is not JSON' };
  if (typeof event !== 'object' || event === null || event['specversion'] !== '1.0') return { code: 'not_cloudevents', detail: 'the text is not a CloudEvent of version 1.0' };
  if (event['subject'] !== key) return { code: 'wrong_key', detail: `the key is ${key}, the fact is of the stream ${String(event['subject'])}` };
  const isPromised = event['tenant'] === headers['ce_tenant'] && event['id'] === headers['ce_id'] && event['type'] === headers['ce_type'];
  return isPromised ? undefined : { code: 'not_cloudevents', detail: 'the headers name another fact than the text' };
};

/** The text of a position, as the relay writes it; anything else is none. */
export const positionOfText = (text: string | undefined): bigint | undefined => (text !== undefined && /^\d{1,18}$/.test(text) ? BigInt(text) : undefined);
