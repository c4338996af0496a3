import { newContext, type WorkContext } from '@valueverse/event-log';

export { newContext, runInContext, workContext as requestContext, type WorkContext as RequestContext } from '@valueverse/event-log';

const CONTEXT = Symbol('request context');
interface Holder { [CONTEXT]?: WorkContext }

/** The context of a request, made at its first use. */
export function contextOf(request: { headers: Record<string, unknown> }): WorkContext {
  const header = request.headers['traceparent'];
  return ((request as Holder)[CONTEXT] ??= newContext(typeof header === 'string' ? header : undefined));
}

/** Gives a request the context of its span, before anybody has asked for one. */
export function giveContext(request: object, context: WorkContext): void { (request as Holder)[CONTEXT] = context; }
