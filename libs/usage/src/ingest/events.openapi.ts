import type { RawRoutes } from '@valueverse/platform';
import { BATCH_EVENTS_MAX, BATCH_TYPE, LINES_TYPE, STRUCTURED_TYPE } from './cloud-events';
import { NAME_LENGTH_MAX } from './domain/plain-event';

const name = (description: string): object => ({ type: 'string', minLength: 1, maxLength: NAME_LENGTH_MAX, description });
const EVENT = {
  type: 'object', required: ['specversion', 'id', 'source', 'type', 'subject'],
  description: 'A CloudEvent 1.0. Extension attributes are kept as they are sent.',
  properties: {
    specversion: { type: 'string', enum: ['1.0'] }, id: name('With source and subject what makes it this event: sent again it counts once'), source: name('What sends it'),
    type: name('What meters go by'), subject: name('Who has used it'), time: { type: 'string', format: 'date-time', description: 'When; the receipt where it is absent' },
    data: { type: 'object', additionalProperties: true, description: 'Numbers of 16 digits and more come as strings' },
  },
};
const LINES = { type: 'string', description: `An event in each line, ${BATCH_EVENTS_MAX} at most`, example: '{"specversion":"1.0","id":"1","source":"gateway","type":"call","subject":"acme","data":{}}\n' };
const REJECTED = {
  type: 'object', required: ['index', 'id', 'code', 'detail', 'pointer'],
  properties: {
    index: { type: 'integer', description: 'Its place in the batch, or its line, from 0' }, id: { type: ['string', 'null'] },
    code: { type: 'string', example: 'invalid_time' }, detail: { type: 'string' }, pointer: { type: 'string', description: 'Where in the event it is (RFC 6901); empty where it is the whole', example: '/time' },
  },
};
const RESULT = {
  type: 'object', required: ['accepted', 'rejected'],
  properties: { accepted: { type: 'integer', description: 'How many events are durable' }, rejected: { type: 'array', items: REJECTED } },
};
const attribute = (header: string, required: boolean): object => ({ name: header, in: 'header', required: false, schema: { type: 'string' }, description: `In binary mode, percent-encoded${required ? '; required there' : ''}` });

export const EVENTS_PATHS: RawRoutes['paths'] = {
  '/api/v1/usage/events': {
    post: {
      operationId: 'eventsSend', tags: ['usage'], summary: 'Sends usage events: one, a batch, or lines', security: [{ bearer: [] }],
      parameters: [
        { name: 'Content-Encoding', in: 'header', required: false, schema: { type: 'string', enum: ['gzip', 'zstd'] } },
        ...['ce-specversion', 'ce-id', 'ce-source', 'ce-type', 'ce-subject'].map((header) => attribute(header, true)), attribute('ce-time', false),
      ] as never[],
      requestBody: { required: true, content: {
        [BATCH_TYPE]: { schema: { type: 'array', items: EVENT, minItems: 1, maxItems: BATCH_EVENTS_MAX } as never }, [LINES_TYPE]: { schema: LINES as never },
        [STRUCTURED_TYPE]: { schema: EVENT as never }, 'application/json': { schema: { ...EVENT.properties.data, description: 'The data of an event in binary mode' } as never },
      } },
      responses: {
        202: { description: 'The good events are durable, the others are named', content: { 'application/json': { schema: RESULT as never } } },
        429: { description: 'Too many requests of this key, or too much usage on its way: nothing was written. Retry-After says when to come again.' },
      },
    },
  },
};
