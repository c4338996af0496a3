import { Redis } from 'ioredis';
import type { Logger } from '../logging/logger';

/** How long a request may be held up by Redis before it goes on without it. */
const ANSWER_TIMEOUT_MS = 50;
const CONNECT_TIMEOUT_MS = 1_000;
/** After a failure Redis is left alone for this long, so that one that hangs is felt by a few requests and not by each. */
const LEFT_ALONE_MS = 1_000;
const RECONNECT_STEP_MS = 100;
const RECONNECT_MAX_MS = 2_000;

export interface RedisOptions {
  readonly url: string;
  /** Before each key and channel, where installations share a server. */
  readonly namespace: string;
  readonly logger: Logger;
}

/**
 * A connection to Redis that is never waited for. What asks it says what to do without it: nothing that money depends on is kept there, so a server
 * that was killed, flushed or paused costs a moment and changes no answer.
 */
export class RedisLink {
  readonly client: Redis;
  private leftAloneUntilMs = 0;
  private isDown = false;

  constructor(private readonly options: RedisOptions) {
    this.client = this.connection();
  }

  /** The name of a key or channel of this installation. */
  name(kind: string, rest: string): string { return `vv:${this.options.namespace}:${kind}:${rest}`; }

  /** What `ask` answers, or what `otherwise` makes where Redis does not answer in time. */
  async ask<T>(ask: (client: Redis) => Promise<T>, otherwise: () => T | Promise<T>): Promise<T> {
    if (performance.now() < this.leftAloneUntilMs) return otherwise();
    try {
      const answer = await ask(this.client);
      this.note(undefined);
      return answer;
    } catch (error) {
      this.leftAloneUntilMs = performance.now() + LEFT_ALONE_MS;
      this.note(error);
      return otherwise();
    }
  }

  /** Another connection with the same manners; one that subscribes can do nothing else. */
  connection(): Redis {
    const client = new Redis(this.options.url, {
      commandTimeout: ANSWER_TIMEOUT_MS, connectTimeout: CONNECT_TIMEOUT_MS, maxRetriesPerRequest: 0, enableOfflineQueue: false,
      // A command that was under way when the connection broke is not sent again behind the back of whoever asked.
      autoResendUnfulfilledCommands: false,
      retryStrategy: (attempt) => Math.min(attempt * RECONNECT_STEP_MS, RECONNECT_MAX_MS),
    });
    client.on('error', (error: Error) => this.note(error));
    return client;
  }

  async isReachable(): Promise<boolean> {
    try {
      return (await this.client.ping()) === 'PONG';
    } catch {
      return false;
    }
  }

  async close(): Promise<void> { this.client.disconnect(); }

  /** Says once that Redis is gone, and once that it is back. */
  private note(error: unknown): void {
    if ((error !== undefined) === this.isDown) return;
    this.isDown = error !== undefined;
    if (this.isDown) this.options.logger.warn({ err: error }, 'Redis does not answer: each process counts and remembers for itself until it does');
    else this.options.logger.info('Redis answers again');
  }
}
