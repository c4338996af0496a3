import type { RedisLink } from '../redis/redis-link';
import { type Cache, type CacheKey, cacheKeyText } from './cache';

/** A cache that processes share. Without Redis nothing is found and nothing is kept. */
export class RedisCache implements Cache {
  constructor(private readonly link: RedisLink) {}

  async get<T>(key: CacheKey): Promise<T | undefined> {
    const json = await this.link.ask((client) => client.get(this.name(key)), () => null);
    try {
      return json === null ? undefined : JSON.parse(json) as T;
    } catch {
      // Somebody else wrote there: nothing is found.
      return undefined;
    }
  }

  async set(key: CacheKey, value: unknown, ttlMs: number): Promise<void> {
    await this.link.ask<unknown>((client) => client.set(this.name(key), JSON.stringify(value), 'PX', ttlMs), () => undefined);
  }

  async delete(key: CacheKey): Promise<void> {
    await this.link.ask<unknown>((client) => client.del(this.name(key)), () => undefined);
  }

  private name(key: CacheKey): string { return this.link.name('cache', cacheKeyText(key)); }
}
