import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { RedisLink } from '../redis/redis-link';
import { type FanOut, type Hint, LocalFanOut } from './fan-out';

const CHANNEL = 'hints';
/** Hints are told at most once in this time each: a process that commits a thousand times a second has one thing to say. */
const TOGETHER_MS = 5;

/** Hints by a channel of Redis. The listeners of this process are told at once and without it. */
export class RedisFanOut implements FanOut {
  private readonly local = new LocalFanOut();
  private readonly subscriber: Redis;
  private readonly waiting = new Set<Hint>();
  private readonly own = randomUUID();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly link: RedisLink) {
    this.subscriber = link.connection();
    // Subscribed again after each reconnection; what was said in between is lost, as hints may be.
    this.subscriber.on('ready', () => { this.subscriber.subscribe(link.name('channel', CHANNEL)).catch(() => undefined); });
    this.subscriber.on('message', (_, message: string) => {
      const [from, hint] = splitOnce(message);
      if (from !== this.own) this.local.tell(hint as Hint);
    });
  }

  tell(hint: Hint): void {
    this.local.tell(hint);
    this.waiting.add(hint);
    this.timer ??= setTimeout(() => { void this.send(); }, TOGETHER_MS).unref();
  }
  listen(hint: Hint, heard: () => void): void { this.local.listen(hint, heard); }

  close(): void {
    clearTimeout(this.timer);
    this.subscriber.disconnect();
  }

  private async send(): Promise<void> {
    this.timer = undefined;
    const hints = [...this.waiting];
    this.waiting.clear();
    await this.link.ask<unknown>((client) => Promise.all(hints.map((hint) => client.publish(this.link.name('channel', CHANNEL), `${this.own} ${hint}`))), () => undefined);
  }
}

const splitOnce = (text: string): [string, string] => {
  const at = text.indexOf(' ');
  return [text.slice(0, at), text.slice(at + 1)];
};
