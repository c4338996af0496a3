/** The parts of a key, the tenant first. Parts are kept apart, whatever characters they hold. */
export type CacheKey = readonly [tenant: string, ...rest: string[]];

/** Remembers what can be found again. Nothing that money depends on rests on it: any entry may be gone at any time. */
export interface Cache {
  get<T>(key: CacheKey): Promise<T | undefined>;
  /** Values travel as JSON. */
  set(key: CacheKey, value: unknown, ttlMs: number): Promise<void>;
  delete(key: CacheKey): Promise<void>;
}

const ENTRIES_MAX_DEFAULT = 1_000;

/** One text for one key: two lists of parts never make the same one. */
export const cacheKeyText = (key: CacheKey): string => JSON.stringify(key);

/** A cache in this process that forgets what was not used for longest. */
export class MemoryCache implements Cache {
  private readonly entries = new Map<string, { json: string; untilMs: number }>();

  constructor(private readonly entriesMax = ENTRIES_MAX_DEFAULT, private readonly nowMs: () => number = () => performance.now()) {}

  get<T>(key: CacheKey): Promise<T | undefined> {
    const text = cacheKeyText(key);
    const entry = this.entries.get(text);
    this.entries.delete(text);
    if (!entry || entry.untilMs <= this.nowMs()) return Promise.resolve(undefined);
    this.entries.set(text, entry);
    return Promise.resolve(JSON.parse(entry.json) as T);
  }

  set(key: CacheKey, value: unknown, ttlMs: number): Promise<void> {
    const text = cacheKeyText(key);
    this.entries.delete(text);
    this.entries.set(text, { json: JSON.stringify(value), untilMs: this.nowMs() + ttlMs });
    if (this.entries.size > this.entriesMax) this.entries.delete(this.entries.keys().next().value as string);
    return Promise.resolve();
  }

  delete(key: CacheKey): Promise<void> {
    this.entries.delete(cacheKeyText(key));
    return Promise.resolve();
  }
}
