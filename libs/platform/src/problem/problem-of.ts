import { HttpException } from '@nestjs/common';
import { AppendConflict, CommitUnknown, isTransient } from '@valueverse/event-log';
import { Refused } from '@valueverse/kernel';
import { Problem } from './problem';
import { problemOfRefusal } from './refusals';

/** The codes of statuses for which nobody chose a better one. */
const CODES: Readonly<Record<number, string>> = {
  400: 'bad_request', 401: 'unauthorized', 403: 'forbidden', 404: 'not_found', 405: 'method_not_allowed', 408: 'request_timeout', 409: 'conflict',
  412: 'precondition_failed', 413: 'body_too_large', 414: 'uri_too_long', 415: 'unsupported_media_type', 422: 'unprocessable', 429: 'rate_limited',
  431: 'headers_too_large', 500: 'internal_error', 501: 'not_implemented', 503: 'unavailable', 504: 'timeout',
};
/** What Fastify finds before any handler runs, by its error codes. */
const FASTIFY: Readonly<Record<string, readonly [status: number, code: string, detail: string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, 'unsupported_media_type', 'the content type is not one that this path takes'],
  FST_ERR_CTP_BODY_TOO_LARGE: [413, 'body_too_large', 'the body is larger than this path takes'],
  FST_ERR_CTP_EMPTY_JSON_BODY: [400, 'malformed_json', 'the body is empty'],
  FST_ERR_CTP_INVALID_JSON_BODY: [400, 'malformed_json', 'the body is not JSON'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [400, 'invalid_content_length', 'the body is not as long as its header says'],
  FST_ERR_BAD_URL: [400, 'bad_url', 'the path is not well formed'],
  FST_ERR_MAX_PARAM_LENGTH: [414, 'uri_too_long', 'a part of the path is too long'],
};

/** What went wrong, in the words of an answer; `unexpected` asks for a line in the log. */
export interface Understood {
  readonly problem: Problem;
  readonly unexpected: boolean;
}

/** Finds the answer for anything that was thrown. What nobody foresaw is a 500 that says nothing of its inside. */
export function problemOf(error: unknown): Understood {
  if (error instanceof Problem) return { problem: error, unexpected: error.status === 500 };
  if (error instanceof Refused) return { problem: problemOfRefusal(error), unexpected: false };
  if (error instanceof CommitUnknown) {
    return { problem: new Problem(503, 'outcome_unknown', 'the database was lost while this was being written: look whether it is there before you send it again', { retryAfterSeconds: 1, cause: error }), unexpected: true };
  }
  if (error instanceof AppendConflict || isTransient(error)) {
    return { problem: new Problem(503, 'unavailable', 'nothing was written; send the request again', { retryAfterSeconds: 1, cause: error }), unexpected: true };
  }
  const fastify = FASTIFY[(error as { code?: string } | undefined)?.code ?? ''];
  if (fastify) return { problem: new Problem(...fastify), unexpected: false };
  if (error instanceof HttpException) return ofHttpException(error);
  return { problem: new Problem(500, 'internal_error', 'something went wrong on our side; the trace id finds it in our log'), unexpected: true };
}

function ofHttpException(error: HttpException): Understood {
  const status = error.getStatus();
  const code = CODES[status] ?? (status < 500 ? 'bad_request' : 'internal_error');
  // Words of a 5xx may be those of a driver or a host name: they stay in the log.
  return { problem: new Problem(status, code, status < 500 ? error.message : undefined), unexpected: status >= 500 && status !== 503 };
}
