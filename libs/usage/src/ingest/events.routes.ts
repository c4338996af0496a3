import type { FastifyReply, FastifyRequest } from 'fastify';
import { FeedTimeout, isTransient } from '@valueverse/event-log';
import { Refused } from '@valueverse/kernel';
import { admit, type Authenticator, type Caller } from '@valueverse/auth';
import { Problem, requestContext, type RawRoutes } from '@valueverse/platform';
import { rejectionsOf } from '../rejections/rejections';
import type { UsageHost } from '../usage-host';
import { BATCH_TYPE, LINES_TYPE, readCloudEvents, type Received, STRUCTURED_TYPE } from './cloud-events';
import { decoded, decoderOf, EVENTS_BYTES_MAX } from './encoding';
import { EVENTS_PATHS } from './events.openapi';
import { httpAttributes } from './http-attributes';
import { planEvents, type IngestResult } from './ingest';
import { IngestOverloaded, type Room } from './room';

export const EVENTS_PATH = '/api/v1/usage/events';
const BODY_TYPES = [BATCH_TYPE, STRUCTURED_TYPE, LINES_TYPE, 'application/json'];
/** In binary mode data may be of any type that is JSON. */
const OTHER_JSON = /^application\/[\w.-]+\+json(?:;|$)/;
const RETRY_AFTER_SECONDS = 1;
/** A body is held as it came, and as the texts that are written. */
const COPIES = 2;
const NOTHING = Buffer.alloc(0);

/** What a request holds of the room of its process until it is answered, or its connection is gone. */
class Held {
  private bytes = 0;
  isAtWork = false;

  constructor(private readonly room: Room) {}

  take(bytes: number): void {
    try {
      this.room.take(bytes);
    } catch (error) {
      if (error instanceof IngestOverloaded) throw new Problem(429, error.code, error.message, { retryAfterSeconds: RETRY_AFTER_SECONDS });
      throw error;
    }
    this.bytes += bytes;
  }
  give(): void {
    this.room.give(this.bytes);
    this.bytes = 0;
  }
}
interface Sending extends FastifyRequest { caller: Caller; held: Held }

/** Room is taken before the body is read. A body whose length is not told may be as long as one can be. */
const takeRoom = (room: Room, request: Sending, reply: FastifyReply): void => {
  decoderOf(request.headers['content-encoding']);
  const held = new Held(room);
  const { 'content-length': length, 'transfer-encoding': chunked } = request.headers;
  held.take(COPIES * (chunked === undefined ? Math.min(Number(length ?? 0), EVENTS_BYTES_MAX) : EVENTS_BYTES_MAX));
  reply.raw.once('close', () => { if (!held.isAtWork) held.give(); });
  request.held = held;
};

const bodyOf = async (request: Sending): Promise<Buffer> => {
  const body = Buffer.isBuffer(request.body) ? request.body : NOTHING;
  const decode = decoderOf(request.headers['content-encoding']);
  if (decode === undefined) return body;
  const whole = await decoded(body, decode);
  request.held.take(COPIES * whole.length);
  return whole;
};

/** Reads the body; what cannot be read as a whole is kept as a rejection too. */
const received = async ({ rejections }: UsageHost, request: Sending): Promise<Received> => {
  try {
    return readCloudEvents(request.headers['content-type'] ?? '', await bodyOf(request), () => httpAttributes(request.raw.headersDistinct));
  } catch (error) {
    if (error instanceof Refused) rejections.note(request.caller.tenant, [{ via: 'http', code: error.code, detail: error.message }]);
    throw error;
  }
};

const take = async (host: UsageHost, request: Sending): Promise<IngestResult> => {
  const { ingest, service, rejections } = host;
  const { caller } = request;
  const { items, isBatch } = await received(host, request);
  const plan = planEvents(caller.tenant, caller.environment, items, service.clock.now(), {
    subjects: caller.kind === 'publishable' ? caller.subjects ?? [] : undefined, traceparent: requestContext()?.traceparent,
  });
  const result = await ingest.write(plan);
  rejections.note(caller.tenant, rejectionsOf(items, result.rejected));
  const [only] = result.rejected;
  if (!isBatch && only !== undefined) throw new Problem(400, only.code, only.detail, { errors: [{ pointer: only.pointer, code: only.code, detail: only.detail }] });
  return result;
};

/** What was sent may be durable or not. Its ids make sending it again harmless. */
const unavailable = (cause: unknown): Problem =>
  new Problem(503, 'log_unavailable', 'the log does not answer; send the same events again', { retryAfterSeconds: RETRY_AFTER_SECONDS, cause });

/**
 * Usage events come in here, as CloudEvents 1.0. 202 with what became of each, once the good ones are durable. Refused as a whole: 400 with the codes of
 * `readCloudEvents` and, where there is only one event, with its own; 413 `body_too_large`, 415 `unsupported_media_type` or `unsupported_encoding`;
 * 429 `ingest_overloaded` before anything is written; 503 `log_unavailable`.
 */
export const eventsRoutes = (host: UsageHost, authenticator: Authenticator): RawRoutes => ({
  paths: EVENTS_PATHS,
  register: (scope, { rateLimiter }) => {
    for (const types of [BODY_TYPES, OTHER_JSON]) scope.addContentTypeParser(types, { parseAs: 'buffer', bodyLimit: EVENTS_BYTES_MAX }, (_request, body, done) => done(null, body));
    scope.decorateRequest('caller');
    scope.decorateRequest('held');
    scope.post(EVENTS_PATH, {
      onRequest: async (request, reply) => {
        (request as Sending).caller = await admit(authenticator, rateLimiter, request.headers.authorization, reply, 'usage:write');
        takeRoom(host.ingest.room, request as Sending, reply);
      },
    }, async (request, reply) => {
      const sending = request as Sending;
      sending.held.isAtWork = true;
      try {
        return await reply.code(202).send(await take(host, sending));
      } catch (error) {
        throw error instanceof FeedTimeout || isTransient(error) ? unavailable(error) : error;
      } finally {
        sending.held.give();
      }
    });
  },
});
