import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';

/** What is known of the work at hand: a request, records of the log, a job. Guards fill in who is asking. Log lines carry it. */
export interface WorkContext {
  /** W3C trace context for what this work calls and appends. */
  readonly traceparent: string;
  readonly traceId: string;
  tenant?: string | undefined;
  actor?: string | undefined;
  /** Of the facts that this work follows from, or else of the first one that it makes. */
  correlationId?: string | undefined;
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/;
const TRACE_BYTES = 16;
const SPAN_BYTES = 8;
const NOT_SAMPLED = '00';

const storage = new AsyncLocalStorage<WorkContext>();

/** The context of the work at hand; undefined outside of any. */
export const workContext = (): WorkContext | undefined => storage.getStore();

/** Does work in a context: everything that it awaits sees it. */
export const runInContext = <T>(context: WorkContext, work: () => T): T => storage.run(context, work);

/** The parts of a well-formed trace context. */
export const partsOf = (traceparent: string | undefined): { readonly traceId: string; readonly spanId: string; readonly flags: string } | undefined => {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  return traceId === undefined ? undefined : { traceId, spanId: spanId!, flags: flags! };
};

/** A context that goes on with the caller's trace, or begins one where the header is absent or not well formed. */
export const newContext = (traceparent?: string): WorkContext => {
  const given = partsOf(traceparent);
  const traceId = given?.traceId ?? randomBytes(TRACE_BYTES).toString('hex');
  return { traceId, traceparent: `00-${traceId}-${randomBytes(SPAN_BYTES).toString('hex')}-${given?.flags ?? NOT_SAMPLED}` };
};

/** The context of what follows from something that was traced: its own, unchanged; a new one where there is none. */
export const contextAfter = (traceparent: string | undefined): WorkContext => {
  const given = partsOf(traceparent);
  return given === undefined ? newContext() : { traceId: given.traceId, traceparent: traceparent! };
};
