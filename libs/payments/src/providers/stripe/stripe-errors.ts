import type Stripe from 'stripe';
import type { NoAnswer } from '../provider';

/** The connection was never there: what was to be sent was not. */
const NEVER_CONNECTED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);
const REASON_LENGTH_MAX = 500;
const RATE_LIMITED = 429;
const IN_FLIGHT = 409;
const SERVER_FAULT = 500;

/** Of an error of the socket itself. */
export const wasNeverConnected = (error: unknown): boolean => NEVER_CONNECTED.has((error as { code?: string }).code ?? '');
const codeOf = (error: Stripe.errors.StripeError): string | undefined => (error.detail as { code?: string } | undefined)?.code ?? (error.detail as { cause?: { code?: string } } | undefined)?.cause?.code;

/** What an error of the package says about the order: whether it was refused, surely not done, or nobody knows. Anything that is not sure is `unknown`. */
export const noAnswerOf = (error: unknown): NoAnswer => {
  const failed = error as Stripe.errors.StripeError;
  const reason = (error instanceof Error ? error.message : String(error)).slice(0, REASON_LENGTH_MAX);
  switch (failed.type) {
    case 'StripeConnectionError': return NEVER_CONNECTED.has(codeOf(failed) ?? '') ? { status: 'unavailable', reason } : { status: 'unknown', reason };
    // Those are of this tenant's key alone: for all others the provider is there.
    case 'StripeRateLimitError': return { status: 'unavailable', isAnswer: true, reason };
    case 'StripeAuthenticationError': case 'StripePermissionError': return { status: 'unavailable', isAnswer: true, reason: `the provider does not take our key: ${reason}` };
    case 'StripeCardError': return { status: 'refused', code: failed.decline_code ?? failed.code ?? 'card_declined', detail: reason };
    case 'StripeIdempotencyError': return failed.statusCode === IN_FLIGHT ? { status: 'unknown', reason } : { status: 'refused', code: 'key_reused', detail: reason };
    case 'StripeInvalidRequestError': return failed.statusCode === RATE_LIMITED ? { status: 'unavailable', isAnswer: true, reason } : { status: 'refused', code: failed.code ?? 'invalid_request', detail: reason };
    default: {
      const wasReplayed = failed.headers?.['idempotent-replayed'] === 'true' && (failed.statusCode ?? 0) >= SERVER_FAULT;
      return { status: 'unknown', reason, ...(wasReplayed ? { isReplay: true } : {}) };
    }
  }
};
