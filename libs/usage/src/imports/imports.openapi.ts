import { anything, instant, nullable, object, oneOf, text, whole } from '@valueverse/contracts';
import type { RawRoutes } from '@valueverse/platform';
import { DELIMITER_NAMES } from './imports.dto';
import { FORMATS } from './import-table';
import { TIME_FORMATS } from './domain/mapping';

const FIELD = { oneOf: [
  { type: 'string', description: 'The name of a column, of JSON lines of a field' }, { type: 'object', required: ['column'], properties: { column: { type: 'string' } } },
  { type: 'object', required: ['const'], properties: { const: { oneOf: [{ type: 'string' }, { type: 'number' }, { type: 'boolean' }] } } },
] };
const MAPPING = {
  type: 'object', description: 'Which columns are what of an event. Without it columns are what they are called, and the others are data; JSON lines are CloudEvents. Without an id each row has one of the file and its place.',
  properties: {
    id: FIELD, source: FIELD, type: FIELD, subject: FIELD, data: { type: 'object', additionalProperties: FIELD },
    time: { oneOf: [...FIELD.oneOf, { type: 'object', required: ['column', 'format'], properties: { column: { type: 'string' }, format: { type: 'string', enum: [...TIME_FORMATS] } } }] },
  },
  example: { subject: 'customer_id', time: { column: 'ts', format: 'epoch_seconds' }, id: 'row_id', type: { const: 'call' }, data: { tokens: 'tokens' } },
};
export const IMPORT = object({
  id: text(), name: nullable(text()), format: oneOf(...FORMATS), delimiter: nullable(oneOf(...DELIMITER_NAMES)), mapping: nullable(anything()), status: oneOf('receiving', 'reading', 'done', 'failed'),
  code: nullable(text()), detail: nullable(text()), size: nullable(whole()), sha256: nullable(text()), bytesReceived: whole(), bytesRead: whole(), rowsRead: whole(), accepted: whole(), rejected: whole(),
  createdAt: instant(), completedAt: nullable(instant()),
});

const answer = (description: string): object => ({ description, content: { 'application/json': { schema: IMPORT.json } } });
const query = (name: string, schema: object, description: string, required = false): object => ({ name, in: 'query', required, schema, description });
const ENCODING = { name: 'Content-Encoding', in: 'header', required: false, schema: { type: 'string', enum: ['gzip', 'zstd'] } };
const FILE = { schema: { type: 'string', format: 'binary' } };
const tagged = { tags: ['usage'], security: [{ bearer: [] }] };

export const IMPORTS_PATHS: RawRoutes['paths'] = {
  '/api/v1/usage/imports': {
    post: {
      ...tagged, operationId: 'importsCreate', summary: 'Sends a file of usage, or announces one that comes in chunks',
      parameters: [
        query('mapping', { type: 'string' }, 'Of a file in the body: its mapping, as JSON'), query('name', { type: 'string' }, 'Of a file in the body'),
        query('delimiter', { type: 'string', enum: DELIMITER_NAMES, default: 'comma' }, 'Of a CSV file in the body'), ENCODING,
      ] as never[],
      requestBody: { required: true, content: {
        'text/csv': FILE as never, 'application/x-ndjson': FILE as never,
        'application/json': { schema: { type: 'object', required: ['format'], properties: {
          format: { type: 'string', enum: [...FORMATS] }, name: { type: 'string' }, delimiter: { type: 'string', enum: DELIMITER_NAMES }, mapping: MAPPING,
          size: { type: 'integer' }, sha256: { type: 'string', description: 'In hex: another file is not read' },
        } } as never },
      } },
      responses: { 201: answer('Announced: it takes chunks') as never, 202: answer('Received, and read from now on') as never },
    },
  },
  '/api/v1/usage/imports/{id}/chunks': {
    post: {
      ...tagged, operationId: 'importsSendChunk', summary: 'Sends the next bytes of a file that was announced',
      parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }, query('offset', { type: 'integer', minimum: 0 }, 'Where they begin: `bytesReceived`', true), ENCODING] as never[],
      requestBody: { required: true, content: { 'application/octet-stream': FILE as never, 'text/csv': FILE as never, 'application/x-ndjson': FILE as never } },
      responses: { 202: answer('Durable; `bytesReceived` says where the next chunk begins') as never },
    },
  },
};
