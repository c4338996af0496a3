import { countRequest, Problem, requestContext, type RateLimiter, type RateLimitPolicy } from '@valueverse/platform';
import type { FastifyReply } from 'fastify';
import type { Caller } from '../caller';
import type { Authenticator } from './authenticator';

/** What one key may ask of one process, bursts included: far more than a well-behaved client needs, and less than would starve the others. */
export const KEY_LIMIT: RateLimitPolicy = { name: 'default', quota: 6_000, windowSeconds: 10 };
/** The installation's own are not counted: services ask each other, and an operator may be repairing what the limit is about. */
const isCounted = ({ kind }: Caller): boolean => kind !== 'operator' && kind !== 'service';

/** Counts a request against the rate of its key and says in the headers what is left. Refuses with 429 `rate_limited`. */
export const countCaller = async (limiter: RateLimiter, caller: Caller, reply: Pick<FastifyReply, 'headers'>): Promise<void> => {
  if (isCounted(caller)) await countRequest(limiter, `tenant ${caller.tenant} ${caller.actor}`, KEY_LIMIT, reply);
};

/** Refuses with 403 `permission_missing` a caller who has none of these permissions; none at all are a route without a policy, which nobody may ask. */
export const permit = (caller: Caller, allowed: readonly string[] | undefined): void => {
  if (allowed === undefined || !allowed.some((permission) => caller.scopes.includes(permission))) {
    throw new Problem(403, 'permission_missing', `this key may not do this; it takes ${(allowed ?? ['a policy']).join(' or ')}`);
  }
  const context = requestContext();
  if (context !== undefined) { context.tenant = caller.tenant; context.actor = caller.actor; }
};

/** What the guard asks of every request, for routes that stand beside Nest: the credential, its rate, and one of these permissions. */
export const admit = async (authenticator: Authenticator, limiter: RateLimiter, header: string | undefined, reply: Pick<FastifyReply, 'headers'>, ...allowed: readonly string[]): Promise<Caller> => {
  const caller = authenticator.known(header) ?? await authenticator.callerOf(header);
  await countCaller(limiter, caller, reply);
  permit(caller, allowed);
  return caller;
};
