import type { FastifyReply, FastifyRequest } from 'fastify';
import { beginSpan, partsOf, SpanKind, SpanStatusCode, tracingIsOn, type Span } from '@valueverse/event-log';
import { contextOf, giveContext } from '../http/request-context';

const SPAN = Symbol('span of a request');
const FAILED_MIN = 500;

/** Begins the span of a request, part of the trace that its caller names. Its path is told as the route's pattern: paths hold ids, queries hold what was asked for. */
export const beginRequestSpan = (request: FastifyRequest): void => {
  if (!tracingIsOn()) return;
  const route = request.routeOptions.url;
  const header = request.headers['traceparent'];
  const parent = typeof header === 'string' && partsOf(header) !== undefined ? header : undefined;
  const { span, context } = beginSpan(route === undefined ? request.method : `${request.method} ${route}`, {
    kind: SpanKind.SERVER, attributes: { 'http.request.method': request.method, ...(route === undefined ? {} : { 'http.route': route }) }, ...(parent === undefined ? { causes: [] } : { parent }),
  });
  giveContext(request, context);
  (request as { [SPAN]?: Span })[SPAN] = span;
};

export const endRequestSpan = (request: FastifyRequest, reply: FastifyReply): void => {
  const span = (request as { [SPAN]?: Span })[SPAN];
  if (span === undefined) return;
  const { tenant } = contextOf(request);
  span.setAttributes({ 'http.response.status_code': reply.statusCode, ...(tenant === undefined ? {} : { 'valueverse.tenant': tenant }) });
  if (reply.statusCode >= FAILED_MIN) span.setAttribute('error.type', String(reply.statusCode)).setStatus({ code: SpanStatusCode.ERROR });
  span.end();
};
