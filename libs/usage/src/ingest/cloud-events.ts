import { Refused } from '@valueverse/kernel';
import { countKeys, rawFaults, scanJson, type RawFault } from './domain/raw-json';
import { ItemFault } from './domain/usage-event';

/** The most events of one request. */
export const BATCH_EVENTS_MAX = 1_000;
const BATCH_TYPE = 'application/cloudevents-batch+json';
const STRUCTURED_TYPE = 'application/cloudevents+json';

/** What a request or record held: the value of its JSON, and the bytes it was made of. */
export interface RawBody {
  readonly value: unknown;
  readonly bytes: Uint8Array;
}
/** One event as it was sent, and what its text has done wrong. */
export interface Item {
  readonly value: unknown;
  readonly fault?: ItemFault;
}
export interface Received {
  readonly isBatch: boolean;
  readonly items: readonly Item[];
}
/** The content types whose bodies this context reads by itself. */
export const CLOUD_EVENT_TYPES: readonly string[] = [BATCH_TYPE, STRUCTURED_TYPE];

type Headers = Readonly<Record<string, string | string[] | undefined>>;

const DETAILS: Readonly<Record<RawFault, string>> = {
  duplicate_key: 'a key is there twice',
  unsafe_number: 'a number has 16 digits or more, or is too large or too small; send it as a string',
};

const faultsOf = ({ value, bytes }: RawBody, isBatch: boolean): ReadonlyMap<number, RawFault> => {
  const { colons, suspectNumber } = scanJson(bytes);
  if (!suspectNumber && colons === countKeys(value)) return new Map();
  return rawFaults(new TextDecoder().decode(bytes), isBatch);
};

const itemOf = (value: unknown, fault: RawFault | undefined): Item => (fault === undefined ? { value } : { value, fault: new ItemFault(fault, DETAILS[fault]) });

/** Attributes in `ce-` headers, percent-encoded once. */
const binaryItem = (headers: Headers, body: RawBody): Item => {
  const event: Record<string, unknown> = {};
  for (const [header, text] of Object.entries(headers)) {
    const name = header.toLowerCase();
    if (!name.startsWith('ce-') || text === undefined) continue;
    if (typeof text !== 'string') return { value: event, fault: new ItemFault('invalid_header', `${name} is there twice`) };
    if (name === 'ce-datacontenttype' || name === 'ce-data' || name === 'ce-data_base64') return { value: event, fault: new ItemFault('invalid_header', `${name} is no attribute of the binary mode`) };
    try {
      event[name.slice('ce-'.length)] = decodeURIComponent(text);
    } catch {
      return { value: event, fault: new ItemFault('invalid_header', `${name} is not percent-encoded UTF-8`) };
    }
  }
  const item = itemOf(event, faultsOf(body, false).get(0));
  if (body.value !== undefined) event['data'] = body.value;
  return item;
};

/**
 * Takes a request or record apart: a batch, one event in structured mode, or one in binary mode whose attributes are headers.
 * Refuses a batch that is none with `list_expected`, one of more than `BATCH_EVENTS_MAX` with `too_many_events`, and what is in no mode at all with
 * `not_a_cloud_event`.
 */
export const readCloudEvents = (contentType: string, headers: Headers, body: RawBody): Received => {
  const type = contentType.toLowerCase().trimStart();
  // The name of the structured mode is a prefix of nothing else once the batch has been told apart.
  if (type.startsWith(BATCH_TYPE)) {
    if (!Array.isArray(body.value)) throw new Refused('list_expected', 'a batch is a list of events');
    if (body.value.length > BATCH_EVENTS_MAX) throw new Refused('too_many_events', `a batch has at most ${BATCH_EVENTS_MAX} events`);
    const faults = faultsOf(body, true);
    return { isBatch: true, items: body.value.map((value, index) => itemOf(value, faults.get(index))) };
  }
  if (type.startsWith(STRUCTURED_TYPE)) return { isBatch: false, items: [itemOf(body.value, faultsOf(body, false).get(0))] };
  if (!Object.keys(headers).some((name) => name.toLowerCase().startsWith('ce-'))) {
    throw new Refused('not_a_cloud_event', `send ${BATCH_TYPE}, ${STRUCTURED_TYPE}, or the attributes in ce- headers`);
  }
  return { isBatch: false, items: [binaryItem(headers, body)] };
};
