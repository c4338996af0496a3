import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';

/** What is known of the work at hand: a request, a record of the log, a job. Guards fill in who is asking. */
export interface RequestContext {
  /** W3C trace context for what this work calls and appends. */
  readonly traceparent: string;
  readonly traceId: string;
  tenant?: string;
  actor?: string;
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(?:$|-)/;
const TRACE_BYTES = 16;
const SPAN_BYTES = 8;
const NOT_SAMPLED = '00';

const storage = new AsyncLocalStorage<RequestContext>();
const CONTEXT = Symbol('request context');

/** The context of the work at hand; undefined outside of any. */
export const requestContext = (): RequestContext | undefined => storage.getStore();

/** Does work in a context: everything that it awaits sees it. */
export const runInContext = <T>(context: RequestContext, work: () => T): T => storage.run(context, work);

/** A context that goes on with the caller's trace, or begins one where the header is absent or not well formed. */
export function newContext(traceparent?: string): RequestContext {
  const [, given, flags] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  const traceId = given ?? randomBytes(TRACE_BYTES).toString('hex');
  const span = randomBytes(SPAN_BYTES).toString('hex');
  return { traceId, traceparent: `00-${traceId}-${span}-${flags ?? NOT_SAMPLED}` };
}

/** The context of a request, made at its first use. */
export function contextOf(request: { headers: Record<string, unknown> }): RequestContext {
  const holder = request as { [CONTEXT]?: RequestContext };
  const header = request.headers['traceparent'];
  return (holder[CONTEXT] ??= newContext(typeof header === 'string' ? header : undefined));
}
