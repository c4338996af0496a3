import { KafkaFeed, type NewRecord } from '@valueverse/event-log';

/** Planted: what is appended at the same time goes out in one request, whatever its partitions are, and the next one does not wait for it. */
interface Waiting { readonly topic: string; readonly partition: number; readonly records: readonly NewRecord[]; readonly resolve: () => void; readonly reject: (error: unknown) => void }
interface Inside {
  producer: Promise<{ sendBatch(batch: object): Promise<unknown> }> | undefined;
  connectProducer(): Promise<{ sendBatch(batch: object): Promise<unknown> }>;
  nameOf(topic: string): string;
  waiting?: Waiting[];
}

const GATHER_MS = 2;

const flush = async (feed: Inside): Promise<void> => {
  const together = feed.waiting ?? [];
  delete feed.waiting;
  const topics = [...new Set(together.map(({ topic }) => topic))];
  try {
    const producer = await (feed.producer ??= feed.connectProducer());
    await producer.sendBatch({ acks: -1, topicMessages: topics.map((topic) => ({
      topic: feed.nameOf(topic), messages: together.filter((one) => one.topic === topic).flatMap(({ partition, records }) => records.map(({ key, value, headers }) => ({ key, value, headers: { ...headers }, partition }))),
    })) });
    together.forEach(({ resolve }) => resolve());
  } catch (error) {
    feed.producer = undefined;
    together.forEach(({ reject }) => reject(error));
  }
};

KafkaFeed.prototype.append = function append(this: KafkaFeed, topic, partition, records): Promise<void> {
  const feed = this as unknown as Inside;
  return new Promise((resolve, reject) => {
    if (feed.waiting === undefined) {
      feed.waiting = [];
      setTimeout(() => { void flush(feed); }, GATHER_MS);
    }
    feed.waiting.push({ topic, partition, records, resolve, reject });
  });
};
