import { type Cache, MemoryCache } from '../cache/cache';
import { RedisCache } from '../cache/redis-cache';
import { type FanOut, LocalFanOut } from '../fan-out/fan-out';
import { RedisFanOut } from '../fan-out/redis-fan-out';
import { MemoryRateLimiter, type RateLimiter } from '../rate-limit/rate-limiter';
import { RedisRateLimiter } from '../rate-limit/redis-rate-limiter';
import { RedisLink, type RedisOptions } from './redis-link';

/** What the processes of an installation share to be faster or fairer, and never to be right. */
export interface BetweenProcesses {
  readonly cache: Cache;
  readonly rateLimiter: RateLimiter;
  readonly fanOut: FanOut;
  /** Whether what is shared is; always so in one process. */
  isReachable(): Promise<boolean>;
  close(): Promise<void>;
}

/** For one process: memory. */
export const localShared = (): BetweenProcesses => ({ cache: new MemoryCache(), rateLimiter: new MemoryRateLimiter(), fanOut: new LocalFanOut(), isReachable: async () => true, close: async () => undefined });

/** For several processes: Redis, which may be absent for a while. */
export const redisShared = (options: RedisOptions): BetweenProcesses => {
  const link = new RedisLink(options);
  const fanOut = new RedisFanOut(link);
  return {
    cache: new RedisCache(link), rateLimiter: new RedisRateLimiter(link), fanOut, isReachable: () => link.isReachable(),
    close: async () => { fanOut.close(); await link.close(); },
  };
};
