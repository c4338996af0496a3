import { FeedTimeout } from './feed';
import { KafkaFeed } from './kafka-feed';

const feedThatIsAnswered = (answer: readonly object[]): KafkaFeed => {
  const feed = new KafkaFeed({ brokers: ['127.0.0.1:1'], clientId: 'spec' });
  return Object.assign(feed, { producers: Array.from({ length: 4 }, () => Promise.resolve({ send: async () => answer, disconnect: async () => undefined })) });
};
const append = (feed: KafkaFeed): Promise<void> => feed.append('billing.invoices', 3, [{ key: 'k', value: '{}', headers: {} }]);

test('an append counts when a broker has answered for its partition, by name', async () => {
  await append(feedThatIsAnswered([{ topicName: 'billing.invoices', partition: 3, errorCode: 0, baseOffset: '0' }]));
  // Seen with connections that were cut: the client sends nothing at all, and reports a success.
  for (const answer of [[], [{ topicName: 'billing.invoices', partition: 4, errorCode: 0 }], [{ topicName: 'billing.plans', partition: 3, errorCode: 0 }]]) {
    await expect(append(feedThatIsAnswered(answer))).rejects.toThrow(FeedTimeout);
  }
});
