import { createHash } from 'node:crypto';
import { isTransient } from '@valueverse/event-log';
import { Problem, type RawRoutes, type Service } from '@valueverse/platform';
import type { ProviderBook } from '../providers/provider-settings';
import { Inbox, InboxFull, MALFORMED } from './inbox';
import { signatureFault, TOLERANCE_SECONDS, type SignatureFault } from './signature';

const PATH = '/api/v1/payments/webhooks/:provider/:endpointId';
const BODY_BYTES_MAX = 262_144;
/** Of events and their types. What the database could not keep must not get as far as the transaction that it shares with the events of others. */
const NAME = /^[\x21-\x7e]{1,256}$/;
const MILLISECONDS = 1_000;
const RETRY_AFTER_SECONDS = 5;
const DETAILS: Readonly<Record<SignatureFault, string>> = {
  missing_signature: 'the header Stripe-Signature is required', invalid_signature: 'the signature is not of this body and this endpoint', signature_too_old: `the signature is more than ${TOLERANCE_SECONDS} seconds away from now`,
};
const PATHS: RawRoutes['paths'] = {
  '/api/v1/payments/webhooks/{provider}/{endpointId}': {
    post: {
      operationId: 'webhooksReceive', tags: ['payments'], summary: 'Takes a webhook of a provider: the URL to paste there', security: [],
      parameters: [{ name: 'provider', in: 'path', required: true, schema: { type: 'string' } }, { name: 'endpointId', in: 'path', required: true, schema: { type: 'string' } }, { name: 'Stripe-Signature', in: 'header', required: true, schema: { type: 'string' } }] as never[],
      requestBody: { required: true, content: { 'application/json': { schema: { type: 'object', additionalProperties: true } as never } } },
      responses: { 200: { description: 'It is kept; what comes of it is under /api/v1/payments/webhook-events' }, 400: { description: '`missing_signature`, `invalid_signature`, `signature_too_old`' }, 401: { description: '`webhook_not_set_up`: the endpoint has no secret yet' }, 404: { description: '`webhook_endpoint_not_found`' }, 503: { description: 'Not kept: send it again' } } as never,
    },
  },
};

/**
 * What there is to know of an event before it is kept: its id and type. What is signed and is no event is kept too, by its bytes: its provider would send it again and again, and it would be refused each time.
 */
const headOf = (body: Buffer): { readonly eventId: string; readonly type: string } => {
  try {
    const { id, type } = JSON.parse(body.toString('utf8')) as { id?: unknown; type?: unknown };
    if (typeof id === 'string' && typeof type === 'string' && NAME.test(id) && NAME.test(type)) return { eventId: id, type };
  } catch { /* Signed, and not what its provider sends. */ }
  return { eventId: createHash('sha256').update(body).digest('hex'), type: MALFORMED };
};

/** Where providers announce what happened. The signature is looked at over the bytes as they came, before anything else. */
export const webhooksRoutes = (service: Service, book: ProviderBook): RawRoutes => {
  const inbox = new Inbox(service.database, service.jobs);
  const counted = service.metrics.counter({ subsystem: 'payments', what: 'webhooks', help: 'Webhooks of providers as they came in, by what was answered', labels: ['provider', 'outcome'] });
  return {
    paths: PATHS,
    register: (scope) => {
      scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_BYTES_MAX }, (_request, body, done) => done(null, body));
      scope.post(PATH, async (request, reply) => {
        const { provider, endpointId } = request.params as { provider: string; endpointId: string };
        const endpoint = await book.endpoint(endpointId);
        if (endpoint === undefined || endpoint.provider !== provider) throw new Problem(404, 'webhook_endpoint_not_found', 'there is no such endpoint');
        if (endpoint.secrets.length === 0) throw new Problem(401, 'webhook_not_set_up', 'this endpoint has no secret yet');
        const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
        const header = request.headers['stripe-signature'];
        const now = service.clock.now();
        const fault = signatureFault(typeof header === 'string' ? header : undefined, body, endpoint.secrets, Math.floor(Date.parse(now) / MILLISECONDS));
        if (fault !== undefined) { counted.inc({ provider, outcome: fault }); throw new Problem(400, fault, DETAILS[fault]); }
        try {
          await inbox.keep({ tenant: endpoint.tenant, provider, endpointId, ...headOf(body), body, signature: header as string, receivedAt: now });
        } catch (error) {
          if (!(error instanceof InboxFull) && !isTransient(error)) throw error;
          counted.inc({ provider, outcome: 'not_kept' });
          throw new Problem(503, 'unavailable', 'the event could not be kept; send it again', { retryAfterSeconds: RETRY_AFTER_SECONDS, cause: error });
        }
        counted.inc({ provider, outcome: 'kept' });
        return reply.code(200).send({ received: true });
      });
    },
  };
};
