import { instantFromMicros, Refused, type Instant } from '@valueverse/kernel';
import type { Caller } from '@valueverse/auth';
import type { FeedRecord, NewRecord } from '@valueverse/event-log';
import { textsOf, type Received } from '../ingest/cloud-events';
import { ItemFault } from '../ingest/domain/usage-event';
import type { Parcel } from '../ingest/envelopes';
import { latestMicrosOf, planEvents } from '../ingest/ingest';
import { contentTypeOf, readClientRecord } from './read-record';
import { rejectedRecord } from './rejected-record';

/** What is to be written for records of `usage.ingress`. */
export interface RecordsPlan {
  /** In the order of the records. */
  readonly parcels: readonly Parcel[];
  readonly rejected: readonly NewRecord[];
  readonly accepted: number;
  readonly refused: number;
}

const MICROS_PER_MILLI = 1_000;

/** The time of a record, for events that claim none. Clients may write any: one that an event may not claim is a fault of events without a time. */
const assumedTime = (timestampMs: number, latestMicros: number): Instant | ItemFault => {
  const micros = timestampMs * MICROS_PER_MILLI;
  try {
    return micros > latestMicros ? new ItemFault('time_ahead', 'the event has no time, and its record is of the future') : instantFromMicros(micros);
  } catch (error) {
    if (error instanceof Refused) return new ItemFault('invalid_time', 'the event has no time, and its record has none that could be one');
    throw error;
  }
};

const read = (record: FeedRecord): Received | ItemFault => {
  try {
    return readClientRecord(record.client!);
  } catch (error) {
    if (error instanceof Refused) return new ItemFault(error.code, error.message);
    throw error;
  }
};

/** Reads records and writes nothing yet. The codes are those of `authorizationOf`, `readClientRecord` and `planEvents`. */
export const planRecords = (records: readonly FeedRecord[], callerOf: (record: FeedRecord) => Caller | ItemFault, receivedAt: Instant): RecordsPlan => {
  const parcels: Parcel[] = [];
  const rejected: NewRecord[] = [];
  let [accepted, refused] = [0, 0];
  for (const record of records) {
    const caller = callerOf(record);
    const received = caller instanceof ItemFault ? caller : read(record);
    if (caller instanceof ItemFault || received instanceof ItemFault) {
      rejected.push(rejectedRecord(record, received as ItemFault));
      refused += 1;
      continue;
    }
    const plan = planOf(record, received, caller, receivedAt);
    parcels.push(...plan.parcels);
    accepted += plan.accepted;
    refused += plan.rejected.length;
    const texts = plan.rejected.length === 0 || !received.isBatch ? undefined : textsOf(contentTypeOf(record.client!) as string, record.client!.value!);
    for (const { index, code, detail, pointer } of plan.rejected) rejected.push(rejectedRecord(record, new ItemFault(code, detail, pointer), texts === undefined ? undefined : { index, text: texts[index]! }));
  }
  return { parcels, rejected, accepted, refused };
};

const planOf = ({ client }: FeedRecord, { items }: Received, { tenant, environment, kind, subjects }: Caller, receivedAt: Instant): ReturnType<typeof planEvents> =>
  planEvents(tenant, environment, items, receivedAt, {
    subjects: kind === 'publishable' ? subjects ?? [] : undefined, traceparent: client!.headers['traceparent']?.[0]?.toString(),
    assumedTime: assumedTime(client!.timestampMs, latestMicrosOf(environment, receivedAt)),
  });
