import type { Topic } from '@valueverse/contracts';

type Json = Record<string, unknown>;
const text = (description: string, more: Json = {}): Json => ({ type: 'string', description, ...more });
const POSITION = '^[0-9]+$';
const TRACEPARENT = text('W3C trace context of what made it');

/** The attributes that every fact has beside its data: CloudEvents 1.0 in structured mode. */
export const FACT: Json = {
  type: 'object', required: ['specversion', 'id', 'source', 'type', 'subject', 'time', 'datacontenttype', 'tenant', 'streamversion', 'actor', 'correlationid', 'recordedtime', 'data'],
  properties: {
    specversion: { const: '1.0' }, id: text('The same for the same fact, however often it comes'), source: text('The service that appended it', { pattern: '^/valueverse/' }),
    type: text('What happened, with its version', { pattern: '^dev\\.valueverse\\..+\\.v[0-9]+$' }), subject: text('The id of the stream; also the key of the record'),
    time: text('When it happened: of the test clock where there is one', { format: 'date-time' }), recordedtime: text('When it was appended, by the wall clock', { format: 'date-time' }),
    datacontenttype: { const: 'application/json' }, tenant: text('Organization and environment; `platform` for facts of the installation'),
    streamversion: { type: 'integer', minimum: 1, description: 'Counts the facts of the stream, without gaps' }, actor: text('Who or what caused it'),
    clockid: text('The test clock that it belongs to'), causationid: text('The id of the fact that caused it'), correlationid: text('The id of the fact that began it all'),
    traceparent: TRACEPARENT, data: { type: 'object' },
  },
};

/** The headers of a record that holds a fact. */
export const RECORD_HEADERS: Json = {
  type: 'object', required: ['content-type', 'ce_id', 'ce_type', 'ce_tenant', 'ce_partition', 'ce_position', 'ce_previous'],
  properties: {
    'content-type': { const: 'application/cloudevents+json; charset=UTF-8' }, ce_id: text('`id` of the fact'), ce_type: text('`type` of the fact'), ce_tenant: text('`tenant` of the fact'),
    ce_partition: text('The partition of the store and of the topic', { pattern: POSITION }), ce_position: text('The position in that partition of the store: grows with each record, what is not greater was there before', { pattern: POSITION }),
    ce_previous: text('The position of the record before it in this topic partition, 0 for the first: another one than the last that was read means that something is missing', { pattern: POSITION }),
    ce_link: text('The link of the hash chain up to here, where an append ends', { pattern: '^[0-9a-f]{64}$' }), traceparent: TRACEPARENT,
  },
};

const USAGE_EVENT: Json = {
  type: 'object', required: ['id', 'source', 'type', 'subject', 'time'],
  properties: {
    id: { type: 'string' }, source: { type: 'string' }, type: { type: 'string' }, subject: { type: 'string' }, time: text('In UTC', { format: 'date-time' }), data: { type: 'object' },
    extensions: { type: 'object', description: 'Extension attributes as they were sent' },
  },
};

/** A usage event as clients send it. */
const SENT_EVENT: Json = {
  type: 'object', required: ['specversion', 'id', 'source', 'type', 'subject'], description: 'A CloudEvent 1.0; extension attributes are kept',
  properties: { specversion: { const: '1.0' }, id: { type: 'string' }, source: { type: 'string' }, type: { type: 'string' }, subject: { type: 'string' }, time: text('The timestamp of the record where it is absent', { format: 'date-time' }), data: { type: 'object' } },
};
const SENDING_HEADERS: Json = {
  type: 'object', required: ['authorization'],
  properties: {
    'authorization': text('Bearer and an ingest or publishable key; a secret key is refused, because a log keeps what it gets'),
    'content-type': text('Of one event, of a batch, of lines; in binary mode that of the data', { examples: ['application/cloudevents+json', 'application/cloudevents-batch+json', 'application/x-ndjson', 'application/json'] }),
    'ce_specversion': text('In binary mode'), 'ce_id': text('In binary mode'), 'ce_source': text('In binary mode'), 'ce_type': text('In binary mode'), 'ce_subject': text('In binary mode'), 'ce_time': text('In binary mode'), 'traceparent': TRACEPARENT,
  },
};
const REJECTED_HEADERS: Json = {
  type: 'object', required: ['vv_code', 'vv_detail', 'vv_record'], description: 'The headers as they came, without the credential, and these',
  properties: {
    vv_code: text('Why, for programs'), vv_detail: text('Why, for people'), vv_pointer: text('Where in the event (RFC 6901); absent where it is the whole'), vv_record: text('Topic, partition and offset of the record in usage.ingress', { pattern: '^usage\\.ingress/[0-9]+/[0-9]+$' }),
    vv_index: text('Of one event of several: its place in them, from 0', { pattern: POSITION }), vv_value: text('Why the value is left out, where it is'),
  },
};

/** What a record is in the topics that hold no facts. */
export const RECORDS: Readonly<Partial<Record<Topic, { readonly name: string; readonly schema: Json; readonly headers?: Json; readonly contentType?: string }>>> = {
  'usage.ingress': { name: 'UsageSent', contentType: 'application/cloudevents+json', headers: SENDING_HEADERS, schema: { anyOf: [SENT_EVENT, { type: 'array', items: SENT_EVENT, minItems: 1, maxItems: 1_000 }, { type: 'object', description: 'The data of an event in binary mode' }] } },
  'usage.ingress.rejected': { name: 'UsageRejected', contentType: 'application/octet-stream', headers: REJECTED_HEADERS, schema: { description: 'The value as it came; of one event of several its own text' } },
  'usage.events': { name: 'UsageEnvelope', schema: {
    type: 'object', required: ['id', 'tenant', 'recordedAt', 'events'], description: 'Usage events of one tenant and one partition',
    properties: { id: text('Of the envelope; the same again is the same envelope'), tenant: { type: 'string' }, recordedAt: text('Receipt of its latest event', { format: 'date-time' }), traceparent: TRACEPARENT, events: { type: 'array', items: USAGE_EVENT } },
  } },
  'identity.personal-keys': { name: 'PersonalKey', schema: {
    type: 'object', required: ['tenant', 'keyId', 'state', 'partition', 'position'], description: 'The latest state of a key of personal data; its topic keeps no older one',
    properties: {
      tenant: { type: 'string' }, keyId: text('The customer'), state: { enum: ['active', 'erased'] }, wrapped: text('The key, sealed with the master key; absent once it is erased'),
      partition: { type: 'integer' }, position: text('Grows with each change in its partition', { pattern: POSITION }),
    },
  } },
};
