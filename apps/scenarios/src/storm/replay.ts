import { randomUUID } from 'node:crypto';
import { SERVICES, TOPICS, type Topic } from '@valueverse/contracts';
import { Kafka, logLevel } from 'kafkajs';
import type { World } from './world';
import { until } from './until';

const REPLAY_TIMEOUT_MS = 60_000;
const FAULTS_SHOWN = 5;
const FACT_TOPICS = (Object.keys(TOPICS) as Topic[]).filter((topic) => TOPICS[topic].kind === 'facts');

/** Reads all topics of facts from their beginning, as a service that was just invented would, and compares them with the stores that they come from. */
export const feedFaults = async (world: World): Promise<string[]> => {
  const faults: string[] = [];
  const last = new Map<string, bigint>();
  const seen = new Map<string, bigint[]>();
  await readAll(world, (topic, partition, headers) => {
    const name = `${topic}/${partition}`;
    const [position, previous] = [BigInt(headers['ce_position'] ?? '0'), BigInt(headers['ce_previous'] ?? '0')];
    const before = last.get(name) ?? 0n;
    // A relay that was not sure sends again; readers drop what they have seen.
    if (position <= before) return;
    if (previous !== before) faults.push(`${name} has position ${position} after ${before}, which follows ${previous}`);
    last.set(name, position);
    seen.set(name, [...(seen.get(name) ?? []), position]);
  });
  for (const service of SERVICES) faults.push(...await differences(world, service, seen));
  return faults.length === 0 ? [] : [`the feed: ${faults.slice(0, FAULTS_SHOWN).join('; ')}${faults.length > FAULTS_SHOWN ? `; and ${faults.length - FAULTS_SHOWN} more` : ''}`];
};

const differences = (world: World, service: (typeof SERVICES)[number], seen: ReadonlyMap<string, readonly bigint[]>): Promise<string[]> => world.onPostgres(async (client) => {
  const { rows } = await client.query<{ topic: string; partition: number; positions: string[] }>(
    'SELECT topic, partition, array_agg(position::text ORDER BY position) AS positions FROM '.concat(client.escapeIdentifier(service), '.events GROUP BY topic, partition'));
  return rows.filter(({ topic, partition, positions }) => String(seen.get(`${topic}/${partition}`) ?? []) !== String(positions))
    .map(({ topic, partition, positions }) => `${topic}/${partition} has ${(seen.get(`${topic}/${partition}`) ?? []).length} facts, the store of ${service} ${positions.length}`);
}, world.databaseUrl(service));

const readAll = async (world: World, onRecord: (topic: string, partition: number, headers: Readonly<Record<string, string>>) => void): Promise<void> => {
  const kafka = new Kafka({ brokers: [...world.kafka.brokers], clientId: 'replay', logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  const consumer = kafka.consumer({ groupId: `replay-${randomUUID()}` });
  const left = new Map<string, bigint>();
  try {
    await admin.connect();
    for (const topic of FACT_TOPICS) for (const { partition, high } of await admin.fetchTopicOffsets(topic)) if (BigInt(high) > 0n) left.set(`${topic}/${partition}`, BigInt(high));
    await consumer.connect();
    await consumer.subscribe({ topics: [...FACT_TOPICS], fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatch: async ({ batch }) => {
      for (const { headers = {} } of batch.messages) onRecord(batch.topic, batch.partition, Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])));
      const name = `${batch.topic}/${batch.partition}`;
      if (BigInt(batch.lastOffset()) + 1n >= (left.get(name) ?? 0n)) left.delete(name);
    } });
    await until('the replay to reach the end of every topic', async () => (left.size === 0 ? undefined : `${left.size} partitions are left`), REPLAY_TIMEOUT_MS);
  } finally {
    await consumer.disconnect().catch(() => undefined);
    await admin.disconnect().catch(() => undefined);
  }
};
