import { partitionOf } from '@valueverse/kernel';
import { partitionsOf, TOPICS } from '@valueverse/contracts';
import type { Fact } from '../codec/codec';
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
  const { topic, partition, key, headers } = record;
  const { kind } = TOPICS[topic];
  if (kind === 'keys') return undefined;
  if (kind === 'transport') return headers['ce_tenant'] === undefined ? { code: 'not_cloudevents', detail: 'the header ce_tenant is missing' } : undefined;
  const missing = REQUIRED.find((name) => !headers[name]);
  if (missing !== undefined) return { code: 'not_cloudevents', detail: `the header ${missing} is missing` };
  if (record.position === undefined || record.previous === undefined) return { code: 'not_cloudevents', detail: 'the headers ce_position and ce_previous are not positions' };
  if (partitionOf(headers['ce_tenant']!, key, partitionsOf(topic)) !== partition) return { code: 'wrong_key', detail: `the stream ${key} does not belong to partition ${partition}` };
  return undefined;
};

/** The text has to be a CloudEvent at all. */
export const assertCloudEvent = (value: string): void => {
  let event: Record<string, unknown> | null;
  try {
    event = JSON.parse(value) as Record<string, unknown> | null;
  } catch {
    throw new RecordRejected('not_cloudevents', 'the text is not JSON');
  }
  if (typeof event !== 'object' || event === null || event['specversion'] !== '1.0') throw new RecordRejected('not_cloudevents', 'the text is not a CloudEvent of version 1.0');
};

/** The fact has to be the one that its record promised. */
export const assertPromised = (record: FeedRecord, fact: Pick<Fact, 'id' | 'tenant' | 'stream'>): void => {
  if (fact.stream !== record.key) throw new RecordRejected('wrong_key', `the key is ${record.key}, the fact is of the stream ${fact.stream}`);
  if (fact.tenant !== record.headers['ce_tenant'] || fact.id !== record.headers['ce_id']) throw new RecordRejected('not_cloudevents', 'the headers name another fact than the text');
};

/** The text of a position, as the relay writes it; anything else is none. */
export const positionOfText = (text: string | undefined): bigint | undefined => (text !== undefined && /^\d{1,18}$/.test(text) ? BigInt(text) : undefined);
