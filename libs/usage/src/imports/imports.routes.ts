import type { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { admit, type Authenticator, type Caller } from '@valueverse/auth';
import { answerOnce, created, parseJsonBody, Problem, validationPipe, type RawRoutes } from '@valueverse/platform';
import { LINES_TYPE } from '../ingest/cloud-events';
import { decoderOf } from '../ingest/encoding';
import { IngestOverloaded, type Room } from '../ingest/room';
import { AnnounceImportDto, ChunkQuery, FileQuery } from './imports.dto';
import { IMPORTS_PATHS } from './imports.openapi';
import { IMPORTS_PATH, toApi, type Import, type Imports } from './imports';
import { PIECE_BYTES_MAX, plainBody } from './receive';

const CSV_TYPE = 'text/csv';
const CHUNK_TYPES = [CSV_TYPE, LINES_TYPE, 'application/octet-stream'];
const ANNOUNCEMENT_BYTES_MAX = 100 * 1024;
const RETRY_AFTER_SECONDS = 1;
/** A piece that is stored, and the one that comes meanwhile. */
const BYTES_IN_HAND = 2 * PIECE_BYTES_MAX;

interface Importing extends FastifyRequest { caller: Caller }
type Handler = (request: Importing, reply: FastifyReply) => Promise<unknown>;

const checked = async <T>(type: new () => T, value: unknown): Promise<T> => await validationPipe().transform(value, { type: 'body', metatype: type }) as T;

const mappingIn = (text: string | undefined): unknown => {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Problem(400, 'invalid_mapping', 'the mapping is not JSON', { errors: [{ pointer: '/mapping', code: 'invalid_mapping', detail: 'is not JSON' }] });
  }
};

/** A body is taken piece by piece; who has no room for one is asked to come again. */
const withRoom = async <T>(room: Room, work: () => Promise<T>): Promise<T> => {
  try {
    room.take(BYTES_IN_HAND);
  } catch (error) {
    if (error instanceof IngestOverloaded) throw new Problem(429, error.code, error.message, { retryAfterSeconds: RETRY_AFTER_SECONDS });
    throw error;
  }
  try {
    return await work();
  } finally {
    room.give(BYTES_IN_HAND);
  }
};

const isAnnouncement = ({ headers }: FastifyRequest): boolean => /^application\/json/i.test(headers['content-type'] ?? '');
/** Opened where it is read, so that nothing of it comes before. */
const bodyOf = ({ body, headers }: FastifyRequest): (() => Readable) => {
  decoderOf(headers['content-encoding']);
  return () => plainBody(body as Readable, headers['content-encoding']);
};

/** Announces a file, or takes one that comes whole. */
const post = (imports: Imports, room: Room): Handler => async (request, reply) => {
  const { caller } = request;
  const { tenant } = caller;
  if (isAnnouncement(request)) {
    const announced = await checked(AnnounceImportDto, request.body ?? {});
    return answerOnce(imports.service, { tenant, route: `POST ${IMPORTS_PATH}`, request, reply }, async (tx) => {
      const row = toApi(await imports.announce(tx, caller, announced));
      return created(`${IMPORTS_PATH}/${row.id}`, row);
    });
  }
  const { name, delimiter, mapping } = await checked(FileQuery, request.query);
  const open = bodyOf(request);
  const format = (request.headers['content-type'] ?? '').toLowerCase().startsWith(CSV_TYPE) ? 'csv' : 'ndjson';
  return withRoom(room, async () => {
    const { id } = await imports.service.database.transaction({ role: 'api', tenant }, (tx) => imports.announce(tx, caller, { format, name, delimiter, mapping: mappingIn(mapping) }));
    await imports.take(tenant, id, 0, open);
    return answer(reply, toApi(await imports.complete(tenant, id)));
  });
};
const answer = (reply: FastifyReply, row: Import): Import => {
  void reply.code(202).header('Location', `${IMPORTS_PATH}/${row.id}`);
  return row;
};

/** Takes the next chunk of a file that was announced. */
const postChunk = (imports: Imports, room: Room): Handler => async (request, reply) => {
  const { offset } = await checked(ChunkQuery, request.query);
  const { id } = request.params as { id: string };
  return withRoom(room, async () => answer(reply, toApi(await imports.take(request.caller.tenant, id, offset, bodyOf(request)))));
};

/** The routes by which files come in: their bodies are streams. */
export const importRoutes = (imports: Imports, room: Room, authenticator: Authenticator): RawRoutes => ({
  paths: IMPORTS_PATHS,
  register: (scope, { rateLimiter }) => {
    scope.addContentTypeParser(CHUNK_TYPES, (_request, payload, done) => done(null, payload));
    scope.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit: ANNOUNCEMENT_BYTES_MAX }, (request, body, done) => {
      try {
        // What a repetition is compared by.
        (request as { rawBody?: Buffer }).rawBody = body as Buffer;
        done(null, parseJsonBody(body as Buffer));
      } catch (error) {
        done(error as Error);
      }
    });
    scope.decorateRequest('caller');
    const route = (path: string, handler: Handler): void => {
      scope.post(path, {
        onRequest: async (request, reply) => { (request as Importing).caller = await admit(authenticator, rateLimiter, request.headers.authorization, reply, 'usage:write'); },
      }, async (request, reply) => {
        if (request.body === undefined || request.body === null) throw new Problem(400, 'empty_file', 'the request has no body');
        return handler(request as Importing, reply);
      });
    };
    route(IMPORTS_PATH, post(imports, room));
    route(`${IMPORTS_PATH}/:id/chunks`, postChunk(imports, room));
  },
});
