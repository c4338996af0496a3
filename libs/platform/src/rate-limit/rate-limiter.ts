/** A bucket that holds `quota` tokens and is filled once per window. */
export interface RateLimitPolicy {
  /** Shown in the headers. */
  readonly name: string;
  readonly quota: number;
  readonly windowSeconds: number;
}

/** What a taker is told. */
export interface RateLimitVerdict {
  readonly allowed: boolean;
  /** Whole tokens that are left. */
  readonly remaining: number;
  /** Until the bucket is full again, or, when refused, until this many tokens are there. */
  readonly waitSeconds: number;
}

/** Counts what each key takes. In one process it is memory, between processes it is a store that they share. */
export interface RateLimiter {
  /** `key` holds the tenant; `cost` is how many tokens are taken at once. */
  take(key: string, policy: RateLimitPolicy, cost?: number): Promise<RateLimitVerdict>;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

const BUCKETS_MAX = 100_000;
const MS_PER_SECOND = 1000;

/** Token buckets in this process. */
export class MemoryRateLimiter implements RateLimiter {
  private readonly buckets = new Map<string, Bucket>();

  /** `nowMs` only has to grow; a test gives its own. */
  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  take(key: string, policy: RateLimitPolicy, cost = 1): Promise<RateLimitVerdict> {
    const { quota, windowSeconds } = policy;
    const perMs = quota / (windowSeconds * MS_PER_SECOND);
    const now = this.nowMs();
    const id = JSON.stringify([policy.name, key]);
    const bucket = this.buckets.get(id) ?? { tokens: quota, atMs: now };
    bucket.tokens = Math.min(quota, bucket.tokens + (now - bucket.atMs) * perMs);
    bucket.atMs = now;
    const allowed = bucket.tokens >= cost;
    if (allowed) bucket.tokens -= cost;
    // Taken out and put back, so that the map is ordered by last use and the stalest is forgotten first.
    this.buckets.delete(id);
    this.buckets.set(id, bucket);
    if (this.buckets.size > BUCKETS_MAX) this.buckets.delete(this.buckets.keys().next().value as string);
    const missing = allowed ? quota - bucket.tokens : cost - bucket.tokens;
    return Promise.resolve({ allowed, remaining: Math.floor(bucket.tokens), waitSeconds: Math.ceil(missing / perMs / MS_PER_SECOND) });
  }
}
