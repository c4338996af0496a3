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

/** What a record is in the topics that hold no facts. */
export const RECORDS: Readonly<Partial<Record<Topic, { readonly name: string; readonly schema: Json }>>> = {
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
