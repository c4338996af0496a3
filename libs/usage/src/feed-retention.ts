import { USAGE_TOPIC } from '@valueverse/contracts';
import { consumerName, isTransient, Loop, type Consumer, type Database, type Feed } from '@valueverse/event-log';

const LOOK_EVERY_MS = 60_000;
/** Usage stays in the feed for a day after everybody has read it: metering's own copy is the evidence. Kafka drops its records by itself, after seven days. */
export const KEPT_MS = 86_400_000;

/** `failed` is told when it could not be done; it is tried again. */
interface Parts { readonly database: Database; readonly feed: Feed; readonly consumers: readonly Consumer[]; readonly failed: (cause: unknown) => void }

/** Drops usage from the feed in PostgreSQL that every reader of this service has passed for a day. */
export class FeedRetention {
  private readonly loop = new Loop(() => this.look(), (error) => {
    if (!isTransient(error)) this.parts.failed(error);
    return LOOK_EVERY_MS;
  });

  constructor(private readonly parts: Parts) {}

  start(): void { if (this.parts.feed.forget !== undefined) this.loop.start(); }
  stop(): Promise<void> { return this.loop.stop(); }

  private async look(): Promise<number> { return (await this.drop()) > 0 ? 0 : LOOK_EVERY_MS; }

  /** Drops some; answers how many records. A partition that some reader has not begun with is left alone. */
  async drop(olderThanMs = KEPT_MS): Promise<number> {
    const { database, feed, consumers } = this.parts;
    const readers = consumers.filter(({ topics }) => topics.includes(USAGE_TOPIC)).map(consumerName);
    const { rows } = await database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ partition: number; passed: bigint }>(
      'SELECT partition, min(next_offset) AS passed FROM checkpoints WHERE topic = $1 AND consumer = ANY($2) GROUP BY partition HAVING count(*) = $3', [USAGE_TOPIC, readers, readers.length]));
    return rows.length === 0 || feed.forget === undefined ? 0 : feed.forget(USAGE_TOPIC, new Map(rows.map(({ partition, passed }) => [partition, passed])), olderThanMs);
  }
}
