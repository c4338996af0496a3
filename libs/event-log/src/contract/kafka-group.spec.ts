import { randomBytes } from 'node:crypto';
import { describeOnKafka, eventually } from '@valueverse/testing';
import { AssignerProtocol, Kafka, logLevel } from 'kafkajs';
import type { TopicPartition } from '../feed/feed';
import { KafkaFeed } from '../feed/kafka-feed';

// The client ends its loop for good over errors that it takes for lasting. A reader does not.
const TIMEOUT_MS = 90_000;

describeOnKafka('a reader whose client gives up', (brokers) => {
  test('comes back when its group can be joined again', async () => {
    const namespace = `g${randomBytes(4).toString('hex')}.`;
    const feed = new KafkaFeed({ brokers: brokers(), clientId: 'reader', namespace });
    await feed.ensureTopics();
    // Somebody who agrees with nobody on how partitions are shared: the broker refuses whoever comes after.
    const intruder = new Kafka({ brokers: [...brokers()], clientId: 'intruder', logLevel: logLevel.NOTHING }).consumer({
      groupId: `${namespace}valueverse.readers`, partitionAssigners: [() => ({
        name: 'Own', version: 1, assign: async () => [], protocol: ({ topics }) => ({ name: 'Own', metadata: AssignerProtocol.MemberMetadata.encode({ version: 1, topics, userData: Buffer.alloc(0) }) }),
      })],
    });
    await intruder.connect();
    await intruder.subscribe({ topic: `${namespace}billing.plans` });
    const joined = new Promise((resolve) => { intruder.on('consumer.connect', resolve); });
    await intruder.run({ eachMessage: async () => undefined });
    await joined;
    const errors: string[] = [];
    const assigned: TopicPartition[] = [];
    const membership = feed.join('readers', ['billing.plans'], {
      onAssigned: async (partitions) => { assigned.push(...partitions); return new Map(); }, onRecords: async () => 'later', onMissing: async () => undefined, onPassed: async () => undefined, onError: (error) => { errors.push((error as Error).message); },
    });
    await eventually('the reader to be refused', (saw) => { saw(errors); return errors.length > 0 ? true : undefined; }, { timeoutMs: TIMEOUT_MS / 3 });
    expect(assigned).toEqual([]);
    await intruder.disconnect();
    await eventually('its partitions', (saw) => { saw({ errors, assigned }); return assigned.length > 0 ? true : undefined; }, { timeoutMs: TIMEOUT_MS / 2 });
    await membership.stop();
    await feed.close();
  }, TIMEOUT_MS);
});
