import type { Redis } from 'ioredis';
import type { RedisLink } from '../redis/redis-link';
import { MemoryRateLimiter, type RateLimiter, type RateLimitPolicy, type RateLimitVerdict } from './rate-limiter';

/**
 * The bucket of `MemoryRateLimiter` by the clock of Redis. Answers whether it is allowed, the whole tokens that are left, and the seconds to wait.
 * Fractions travel as text: Redis makes whole numbers of what a script answers.
 */
const TAKE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local quota, window, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local stored = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(stored[1]) or quota, tonumber(stored[2]) or now
tokens = math.min(quota, tokens + math.max(0, now - at) * quota / window)
local allowed = tokens >= cost
if allowed then tokens = tokens - cost end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.3f', now))
redis.call('PEXPIRE', KEYS[1], window)
local missing = allowed and quota - tokens or cost - tokens
return { allowed and 1 or 0, math.floor(tokens), math.ceil(missing * window / quota / 1000) }`;

const MS_PER_SECOND = 1000;
type Taker = Redis & { vvTake(key: string, quota: number, windowMs: number, cost: number): Promise<[number, number, number]> };

/** Token buckets that processes share. Without Redis each process counts for itself: the limit grows with the processes, and none is refused for that. */
export class RedisRateLimiter implements RateLimiter {
  private readonly alone = new MemoryRateLimiter();

  constructor(private readonly link: RedisLink) {
    link.client.defineCommand('vvTake', { numberOfKeys: 1, lua: TAKE });
  }

  take(key: string, policy: RateLimitPolicy, cost = 1): Promise<RateLimitVerdict> {
    return this.link.ask<RateLimitVerdict>(async (client) => {
      const name = this.link.name('limit', JSON.stringify([policy.name, key]));
      const [allowed, remaining, waitSeconds] = await (client as Taker).vvTake(name, policy.quota, policy.windowSeconds * MS_PER_SECOND, cost);
      return { allowed: allowed === 1, remaining, waitSeconds };
    }, () => this.alone.take(key, policy, cost));
  }
}
