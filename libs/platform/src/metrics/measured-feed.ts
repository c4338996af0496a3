import type { Feed } from '@valueverse/event-log';
import type { Metrics } from './metrics';

/** The same feed, with the time that its appends take. */
export const measuredFeed = (feed: Feed, metrics: Metrics): Feed => {
  const appends = metrics.histogram({ subsystem: 'feed', what: 'append', unit: 'seconds', help: 'From handing records to the feed until they are durable, or have failed', labels: ['topic', 'outcome'] });
  const measured = async (topic: string, append: () => Promise<void>): Promise<void> => {
    const end = appends.startTimer({ topic });
    try {
      await append();
      end({ outcome: 'done' });
    } catch (error) {
      end({ outcome: 'failed' });
      throw error;
    }
  };
  return {
    kind: feed.kind,
    ensureTopics: () => feed.ensureTopics(),
    faults: () => feed.faults(),
    append: (topic, partition, records) => measured(topic, () => feed.append(topic, partition, records)),
    ...(feed.appendAll === undefined ? {} : { appendAll: (topic, byPartition) => measured(topic, () => feed.appendAll!(topic, byPartition)) }),
    ends: (partitions) => feed.ends(partitions),
    read: (partition, from, limit) => feed.read(partition, from, limit),
    join: (group, topics, member) => feed.join(group, topics, member),
    isReachable: () => feed.isReachable(),
    close: () => feed.close(),
  };
};
