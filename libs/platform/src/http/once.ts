import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Tx } from '@valueverse/event-log';
import { fingerprintOf, readIdempotencyKey, sendAnswer, withIdempotency, type StoredAnswer } from '../idempotency/idempotency';
import type { Service } from '../service/service';

interface OnceOptions {
  readonly tenant: string;
  /** The route as a name, such as `POST /api/v1/billing/plans`. */
  readonly route: string;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Where money moves the header is required. */
  readonly keyRequired?: boolean;
}

/**
 * Answers a request whose work is one transaction of its tenant. With an `Idempotency-Key` the answer is stored in that transaction and given
 * again to a repetition.
 */
export const answerOnce = async (service: Service, options: OnceOptions, work: (tx: Tx) => Promise<StoredAnswer>): Promise<unknown> => {
  const { tenant, route, request, reply } = options;
  const header = request.headers['idempotency-key'];
  const key = options.keyRequired ? readIdempotencyKey(header, true) : readIdempotencyKey(header);
  const answer = await service.log.transact({ role: 'api', tenant, repeatable: key !== undefined }, async (tx) => {
    if (key === undefined) return work(tx);
    const { rawBody } = request as FastifyRequest & { rawBody?: Buffer };
    const fingerprint = fingerprintOf({ method: request.method, url: request.url, ...(rawBody === undefined ? {} : { rawBody }) });
    return withIdempotency(tx, { tenant, route, key, fingerprint }, () => work(tx));
  });
  return sendAnswer(reply, answer);
};

/** 201 with the place of what was made. */
export const created = (location: string, body: unknown): StoredAnswer => ({ status: 201, headers: { Location: location }, body });
/** 202: the work has begun. */
export const accepted = (body: unknown, location?: string): StoredAnswer => ({ status: 202, headers: location === undefined ? {} : { Location: location }, body });
/** 200. */
export const ok = (body: unknown): StoredAnswer => ({ status: 200, headers: {}, body });
