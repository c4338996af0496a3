import { type CanActivate, type ExecutionContext, Inject, Injectable, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { contextOf } from '../http/request-context';
import { RATE_LIMITER } from '../tokens';
import { Problem } from '../problem/problem';
import type { RateLimiter, RateLimitPolicy } from './rate-limiter';

const POLICY = Symbol('rate limit policy');

/** The policy of a controller or route that is guarded by {@link RateLimitGuard}. */
export const RateLimit = (policy: RateLimitPolicy): ReturnType<typeof SetMetadata> => SetMetadata(POLICY, policy);

/** Takes one request from a bucket and says in the headers what is left. Refuses with 429 `rate_limited`. */
export const countRequest = async (limiter: RateLimiter, key: string, policy: RateLimitPolicy, reply: Pick<FastifyReply, 'headers'>): Promise<void> => {
  const { allowed, remaining, waitSeconds } = await limiter.take(key, policy);
  const headers = {
    'RateLimit-Policy': `"${policy.name}";q=${policy.quota};w=${policy.windowSeconds}`,
    'RateLimit': `"${policy.name}";r=${remaining};t=${waitSeconds}`,
  };
  if (!allowed) throw new Problem(429, 'rate_limited', `more than ${policy.quota} requests in ${policy.windowSeconds} s`, { headers, retryAfterSeconds: waitSeconds });
  void reply.headers(headers);
};

/**
 * Refuses with 429 `rate_limited` what exceeds the policy of the route; routes without a policy pass. It counts per
 * tenant and actor where a guard before it has found out who asks, else per address.
 */
@Injectable()
export class RateLimitGuard implements CanActivate {
  constructor(@Inject(Reflector) private readonly reflector: Reflector, @Inject(RATE_LIMITER) private readonly limiter: RateLimiter) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const policy = this.reflector.getAllAndOverride<RateLimitPolicy | undefined>(POLICY, [context.getHandler(), context.getClass()]);
    if (!policy) return true;
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const { tenant, actor } = contextOf(request);
    const key = tenant === undefined ? `address ${request.ip}` : `tenant ${tenant} ${actor ?? ''}`;
    await countRequest(this.limiter, key, policy, http.getResponse<FastifyReply>());
    return true;
  }
}
