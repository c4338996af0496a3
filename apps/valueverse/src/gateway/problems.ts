import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { Problem } from '@valueverse/platform';

const RETRY_AFTER_SECONDS = 1;
const TRACE_BYTES = 16;
const UNAVAILABLE = 503;

/** The gateway's own word, in the form that services use. */
export const sendProblem = (outgoing: ServerResponse, status: number, code: string, detail: string): void => {
  if (outgoing.headersSent) { outgoing.destroy(); return; }
  const traceId = randomBytes(TRACE_BYTES).toString('hex');
  const problem = new Problem(status, code, detail, status === UNAVAILABLE ? { retryAfterSeconds: RETRY_AFTER_SECONDS } : {});
  const body = JSON.stringify(problem.body(outgoing.req.url ?? '/', traceId));
  outgoing.writeHead(status, { ...problem.headers, 'Content-Type': 'application/problem+json', 'X-Request-Id': traceId, 'Cache-Control': 'no-store' }).end(body);
};
