import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, noteNotRun } from '@valueverse/testing';
import { FeedTimeout, KafkaFeed, type FeedRecord, type GroupMember } from '@valueverse/event-log';
import { Kafka, type Admin } from 'kafkajs';
import { findKafka } from './kafka';
import { startKafkaCluster, type KafkaCluster } from './kafka-cluster';

// Three brokers of our own, which are killed, and topics that somebody has changed.
const found = findKafka();
const TIMEOUT_MS = 180_000;
const TOPIC = 'billing.plans';
const describeWithBrokers = found.how === 'java' ? describe : (name: string, _: () => void) => test(name, () => noteNotRun(name, found.how === 'none' ? found.reason : 'brokers that were given are not killed'));

describeWithBrokers('three brokers', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vv-kafka-outage-'));
  let cluster: KafkaCluster;
  let admin: Admin;
  const feeds: KafkaFeed[] = [];
  const open = (namespace: string, replication = 3): KafkaFeed => {
    const feed = new KafkaFeed({ brokers: cluster.brokers, clientId: 'outage', replication, namespace });
    feeds.push(feed);
    return feed;
  };
  const newNamespace = (): string => `n${randomBytes(4).toString('hex')}.`;
  const record = (nth: number): { key: string; value: string; headers: Record<string, string> } => ({ key: 'k', value: String(nth), headers: {} });
  const kill = async (nth: number): Promise<void> => { cluster.nodes[nth]!.process.signal('SIGKILL'); await cluster.nodes[nth]!.process.whenEnded; };
  const valuesOf = async (feed: KafkaFeed): Promise<string[]> => (await eventually('the partition to be read', () => feed.read({ topic: TOPIC, partition: 0 }, 0n, 1_000).catch(() => undefined), { timeoutMs: TIMEOUT_MS / 3 })).map(({ value }) => value);

  beforeAll(async () => {
    cluster = await startKafkaCluster({ jars: (found as { jars: string }).jars, folder, brokers: 3, disposable: true });
    admin = new Kafka({ clientId: 'admin', brokers: [...cluster.brokers], logLevel: 0 }).admin();
    await admin.connect();
  }, TIMEOUT_MS);
  afterAll(async () => {
    await admin.disconnect();
    await Promise.all(feeds.map((feed) => feed.close()));
    await cluster.stop();
    rmSync(folder, { recursive: true, force: true });
  }, TIMEOUT_MS);

  // First, while there are few partitions: a broker that was killed looks through each of them when it comes again.
  test('F20 F21 F22 F23 F24: with one broker of three nothing is acknowledged; killed all together and started again, they have all that was, in order', async () => {
    const feed = open(newNamespace());
    await feed.ensureTopics();
    const acknowledged: string[] = [];
    const append = async (nth: number): Promise<void> => { await feed.append(TOPIC, 0, [record(nth)]); acknowledged.push(String(nth)); };
    for (let nth = 0; nth < 5; nth++) await append(nth);
    await kill(0);
    await eventually('an append with two brokers', () => append(5).then(() => true as const, () => undefined), { timeoutMs: TIMEOUT_MS / 3 });
    await kill(1);
    await expect(feed.append(TOPIC, 0, [record(6)])).rejects.toThrow(FeedTimeout);
    await kill(2);
    await Promise.all(cluster.nodes.map((node) => node.restart()));
    await eventually('an append after all came back', () => append(7).then(() => true as const, () => undefined), { timeoutMs: TIMEOUT_MS / 3 });
    const values = await valuesOf(feed);
    // What was not acknowledged may be there, and what was sent again may be there twice; readers drop it by its position.
    const distinct = [...new Set(values)].filter((value) => value !== '6');
    expect(distinct).toEqual(acknowledged);
  }, TIMEOUT_MS);

  test('F24: one partition with too few copies takes nothing and says that it is of the moment, beside others that do; when its broker is back it does', async () => {
    const namespace = newNamespace();
    // Partition 0 is on two of the brokers, the others are led by one of these two and have a copy on the third.
    const replicaAssignment = [[2, 3], [2, 1], [2, 1]].map((replicas, partition) => ({ partition, replicas }));
    await admin.createTopics({ topics: [{ topic: namespace + TOPIC, replicaAssignment, configEntries: [{ name: 'min.insync.replicas', value: '2' }] }] });
    const feed = open(namespace);
    const partitions = [0, 1, 2].map((partition) => ({ topic: TOPIC, partition }) as const);
    const took = (partition: number): Promise<true | undefined> => feed.append(TOPIC, partition, [record(partition)]).then(() => true as const, () => undefined);
    for (const { partition } of partitions) await eventually(`partition ${partition} to have a leader`, () => took(partition), { timeoutMs: TIMEOUT_MS / 3 });
    await kill(2);
    const answers = await Promise.allSettled(partitions.map(({ partition }) => feed.append(TOPIC, partition, [record(partition)])));
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect((answers[0] as PromiseRejectedResult).reason).toBeInstanceOf(FeedTimeout);
    // It is read as before.
    expect((await feed.ends(partitions)).size).toBe(3);
    await cluster.nodes[2]!.restart();
    await eventually('the partition to take something again', () => took(0), { timeoutMs: TIMEOUT_MS / 3 });
  }, TIMEOUT_MS);

  test('F35 F36 F42: topics whose settings, copies or partitions were changed are refused by name at the start', async () => {
    const namespace = newNamespace();
    const feed = open(namespace);
    await feed.ensureTopics();
    expect(await feed.faults()).toEqual([]);
    const set = (topic: string, name: string, value: string): Promise<unknown> => admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: namespace + topic, configEntries: Object.entries({ 'max.message.bytes': '16777216', 'min.insync.replicas': '2', 'retention.ms': '-1', [name]: value }).map(([key, text]) => ({ name: key, value: text })) }] });
    const changes: readonly (readonly [string, string, string, RegExp])[] = [
      ['billing.invoices', 'retention.ms', '1000', /billing.invoices: retention.ms has to be -1/],
      ['billing.accounts', 'cleanup.policy', 'compact', /billing.accounts: cleanup.policy has to be delete/],
      ['identity.personal-keys', 'cleanup.policy', 'delete', /identity.personal-keys: cleanup.policy has to be compact/],
      ['payments.payments', 'min.insync.replicas', '1', /payments.payments: min.insync.replicas has to be at least 2/],
      ['usage.meters', 'unclean.leader.election.enable', 'true', /usage.meters: unclean.leader.election.enable has to be false/],
    ];
    for (const [topic, name, value] of changes) await set(topic, name, value);
    await admin.createPartitions({ topicPartitions: [{ topic: `${namespace}billing.plans`, count: 20 }] });
    const faults = await eventually('all of them to be seen', async (saw) => { const seen = await feed.faults(); saw(seen); return seen.length === changes.length + 1 ? seen : undefined; }, { timeoutMs: TIMEOUT_MS / 3 });
    for (const [, , , says] of changes) expect(faults.join('\n')).toMatch(says);
    expect(faults.join('\n')).toMatch(/billing.plans has 20 partitions, this release has 16/);
    // Each broker hears of a change for itself.
    const refused = await eventually('a start to be refused for it', async (saw) => { const error = await feed.ensureTopics().catch((cause: Error) => cause.message) ?? ''; saw(error); return error.includes('has 20 partitions') ? error : undefined; }, { timeoutMs: TIMEOUT_MS / 3 });
    expect(refused).toMatch(/topics that could lose records: .*billing.plans has 20 partitions/);
    const thin = newNamespace();
    await open(thin, 1).ensureTopics();
    await expect(open(thin, 3).ensureTopics()).rejects.toThrow('has 1 copies of its records, KAFKA_REPLICATION is 3');
  }, TIMEOUT_MS);

  test('F34: records that are gone below a checkpoint are told, and never jumped over', async () => {
    const namespace = newNamespace();
    const feed = open(namespace);
    await feed.ensureTopics();
    for (let nth = 0; nth < 6; nth++) await feed.append('usage.events', 0, [record(nth)]);
    // The client learns of the topic's leaders by asking for its offsets.
    await admin.fetchTopicOffsets(`${namespace}usage.events`);
    await eventually('the records to be deleted', () => admin.deleteTopicRecords({ topic: `${namespace}usage.events`, partitions: [{ partition: 0, offset: '4' }] }).then(() => true as const, () => undefined), { timeoutMs: TIMEOUT_MS / 3 });
    const seen: string[] = [];
    const member: GroupMember = {
      onAssigned: async (partitions) => new Map(partitions.filter(({ partition }) => partition === 0).map(({ topic, partition }) => [`${topic}/${partition}`, 2n])),
      onRecords: async (_, records: readonly FeedRecord[]) => { seen.push(...records.map(({ offset }) => `read ${offset}`)); return { next: records.at(-1)!.offset + 1n }; },
      onPassed: async () => undefined,
      onMissing: async ({ topic, partition }, wanted, first) => { seen.push(`${topic}/${partition}: wanted ${wanted}, the first is ${first}`); },
      onError: () => undefined,
    };
    const membership = feed.join('outage', ['usage.events'], member);
    const first = await eventually('it to be noticed', () => seen[0], { timeoutMs: TIMEOUT_MS / 3 });
    await membership.stop();
    // Either the feed says so itself, or the reader sees by the offset that the first record is not the one that comes next.
    expect(['usage.events/0: wanted 2, the first is 4', 'read 4']).toContain(first);
  }, TIMEOUT_MS);
});
