import { USAGE_TOPIC } from '@valueverse/contracts';
import { FeedTimeout, isTransient, type Feed, type NewRecord } from '@valueverse/event-log';

/** Where envelopes are durable too and wait until their partition takes them. */
export interface Aside {
  /** Answers whether there was room for them. */
  keep(partition: number, records: readonly NewRecord[]): Promise<boolean>;
}

/** An append without an answer for so long is waited for no more. */
const SILENT_AFTER_MS = 5_000;
const NO_ANSWER = Symbol('no answer');

/**
 * Appends to single partitions of `usage.events`. What one of them does not take, or not in time, is set aside, so that it holds up nobody who sends something for others as well. It goes to the feed later
 * as the same envelope: metering passes over one that it knows, so an append that succeeds after all changes nothing.
 */
export class AppendOrSetAside {
  /** Partitions with an append that is waited for no more, and has no answer yet. */
  private readonly silent = new Set<number>();

  constructor(private readonly feed: Pick<Feed, 'append'>, private readonly aside: Aside) {}

  /** Resolves once the records are durable. Throws what the feed threw where they could not be set aside either. */
  async append(partition: number, records: readonly NewRecord[]): Promise<void> {
    if (this.silent.has(partition)) return this.setAside(partition, records, this.silence(partition));
    const appending = this.feed.append(USAGE_TOPIC, partition, records);
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<typeof NO_ANSWER>((resolve) => { timer = setTimeout(() => resolve(NO_ANSWER), SILENT_AFTER_MS); });
    const failure = await Promise.race([appending.then(() => undefined, (error: unknown) => error ?? new Error('an append failed without a reason')), silence]);
    clearTimeout(timer);
    if (failure === undefined) return;
    if (failure === NO_ANSWER) {
      this.silent.add(partition);
      void appending.catch(() => undefined).finally(() => this.silent.delete(partition));
      return this.setAside(partition, records, this.silence(partition));
    }
    // What no broker would ever take must not wait for one.
    if (!(failure instanceof FeedTimeout) && !isTransient(failure)) throw failure;
    return this.setAside(partition, records, failure);
  }

  private silence(partition: number): FeedTimeout { return new FeedTimeout(`${USAGE_TOPIC}/${partition} has not answered an append for ${SILENT_AFTER_MS} ms`); }

  private async setAside(partition: number, records: readonly NewRecord[], cause: unknown): Promise<void> {
    const isKept = await this.aside.keep(partition, records).catch(() => false);
    if (!isKept) throw cause;
  }
}
