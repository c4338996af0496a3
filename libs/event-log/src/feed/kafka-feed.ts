import { randomUUID } from 'node:crypto';
import { ConfigResourceTypes, Kafka, KafkaJSError, KafkaJSNumberOfRetriesExceeded, logLevel, type Admin, type Consumer as KafkaConsumer, type EachBatchPayload, type Producer } from 'kafkajs';
import { isFromClients, partitionsOf, TOPICS, type Topic } from '@valueverse/contracts';
import { FeedTimeout, LATER_MS, NotAcknowledged, NotTaken, partitionName, type Delivery, type Feed, type FeedRecord, type GroupMember, type GroupMembership, type NewRecord, type TopicPartition } from './feed';
import { readHeadersInOnePass } from './kafka-headers';
import { toRecord } from './kafka-record';
import { topicConfig, topicFault } from './kafka-topics';
import { sending } from '../tracing';

readHeadersInOnePass();

const APPEND_DEADLINE_MS = 30_000;
const SESSION_TIMEOUT_MS = 10_000;
const HEARTBEAT_MS = 1_000;
/**
 * For so long the broker waits for something to answer with. A partition that was taken or goes on after a pause is asked for with the next request. Each request names all
 * partitions, so where little comes in it is much of what a service costs.
 */
const FETCH_WAIT_MS = 200;
const PARTITIONS_AT_ONCE = 32;
const PRODUCERS = 4;
/** A request is one batch of the broker. Records are sent in requests of about this size, so that a backlog is never too large to be taken. */
const REQUEST_BYTES_MAX = 750_000;
const READ_DEADLINE_MS = 30_000;
const SETTLING_ATTEMPTS_MAX = 200;
const SETTLING_PAUSE_MS = 100;

export interface KafkaFeedOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Copies of each record: 3 in production, 1 on a laptop. */
  readonly replication?: number;
  /** Put before the names of topics and groups, where several installations share a cluster. */
  readonly namespace?: string;
}

/** A topic that was just made, or a leader that just moved, is unknown to some brokers for a moment. */
const UNSETTLED = /does not host this topic-partition|not the leader|no leader|LEADER_NOT_AVAILABLE|UNKNOWN_TOPIC/i;
const settled = async <T>(ask: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      if (attempt === SETTLING_ATTEMPTS_MAX || !UNSETTLED.test((error as Error).message)) throw error;
      await new Promise((resolve) => { setTimeout(resolve, SETTLING_PAUSE_MS); });
    }
  }
};

/** Whether a failure of the client says nothing of the records: it was worth another try, until there were too many of them. */
const isOfTheMoment = (error: unknown): error is Error => error instanceof KafkaJSNumberOfRetriesExceeded || (error instanceof KafkaJSError && error.retriable);

const bytesOf = ({ key, value, headers, bytes }: NewRecord): number =>
  (bytes === undefined ? Buffer.byteLength(value) : bytes?.length ?? 0) + key.length + Object.entries(headers).reduce((sum, [name, text]) => sum + name.length + text.length, 0);

/** Splits records, in their order, into requests that a broker takes. */
const requestsOf = (records: readonly NewRecord[]): NewRecord[][] => {
  const requests: NewRecord[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const record of records) {
    const size = bytesOf(record);
    if (bytes + size > REQUEST_BYTES_MAX) { requests.push([]); bytes = 0; }
    requests.at(-1)!.push(record);
    bytes += size;
  }
  return requests;
};

/**
 * The feed on Apache Kafka, by kafkajs. Each request carries records of one partition, and one request is under way per partition:
 * in any other shape this client was seen to lose records that the brokers had acknowledged. No Kafka transactions, no automatic commits:
 * the reader's own database holds the checkpoints, a consumer group only proposes who reads what.
 */
export class KafkaFeed implements Feed {
  readonly kind = 'kafka';
  private readonly kafka: Kafka;
  private readonly replication: number;
  /** One partition always has the same one. A broker answers the requests of a connection one after the other. */
  private readonly producers: (Promise<Producer> | undefined)[] = Array.from({ length: PRODUCERS });
  private admin: Promise<Admin> | undefined;
  private readonly queues = new Map<string, Promise<void>>();
  private readonly memberships = new Set<GroupMembership>();
  private readonly namespace: string;

  constructor(options: KafkaFeedOptions) {
    this.namespace = options.namespace ?? '';
    this.replication = options.replication ?? 1;
    this.kafka = new Kafka({
      clientId: options.clientId, brokers: [...options.brokers], logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 100, retries: 8, maxRetryTime: 2_000 }, connectionTimeout: 3_000, requestTimeout: 20_000,
    });
  }

  async ensureTopics(): Promise<void> {
    const admin = await this.connectedAdmin();
    const topics = Object.keys(TOPICS) as Topic[];
    const existing = new Set(await admin.listTopics());
    const missing = topics.filter((topic) => !existing.has(this.nameOf(topic)));
    if (missing.length > 0) {
      await admin.createTopics({ waitForLeaders: false, topics: missing.map((topic) => ({
        topic: this.nameOf(topic), numPartitions: partitionsOf(topic), replicationFactor: this.replication, configEntries: topicConfig(topic, this.replication),
      })) });
    }
    const faults = await this.faults();
    if (faults.length > 0) throw new Error(`topics that could lose records: ${faults.join('; ')}`);
  }

  async faults(): Promise<readonly string[]> {
    const admin = await this.connectedAdmin();
    const topics = Object.keys(TOPICS) as Topic[];
    const { topics: found } = await settled(() => admin.fetchTopicMetadata({ topics: topics.map((topic) => this.nameOf(topic)) }));
    const ofPartitions = found.flatMap(({ name, partitions }) => {
      const wanted = partitionsOf(this.topicOf(name));
      if (partitions.length !== wanted) return [`${name} has ${partitions.length} partitions, this release has ${wanted}; partitions never change`];
      const copies = Math.min(...partitions.map(({ replicas }) => replicas.length));
      return copies < this.replication ? [`${name} has ${copies} copies of its records, KAFKA_REPLICATION is ${this.replication}`] : [];
    });
    const asked = topics.map((topic) => ({ type: ConfigResourceTypes.TOPIC, name: this.nameOf(topic) }));
    const { resources } = await settled(() => admin.describeConfigs({ includeSynonyms: false, resources: asked }));
    const ofSettings = resources.flatMap(({ resourceName, configEntries }) => {
      const fault = topicFault(this.topicOf(resourceName), this.replication, new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])));
      return fault === undefined ? [] : [`${resourceName}: ${fault}`];
    });
    return [...ofPartitions, ...ofSettings];
  }

  append(topic: Topic, partition: number, records: readonly NewRecord[]): Promise<void> {
    const name = partitionName({ topic, partition });
    const before = this.queues.get(name) ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(async () => {
      for (const request of requestsOf(records)) await sending(this.kind, { topic, partition }, request, () => this.send(topic, partition, request));
    });
    this.queues.set(name, mine);
    return mine;
  }

  private async send(topic: Topic, partition: number, records: readonly NewRecord[]): Promise<void> {
    const own = partition % PRODUCERS;
    const connecting = this.producers[own] ??= this.connectProducer();
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new FeedTimeout(`${topic}/${partition} did not answer within ${APPEND_DEADLINE_MS} ms`)), APPEND_DEADLINE_MS);
    });
    try {
      const sending = connecting.then((producer) => producer.send({
        topic: this.nameOf(topic), acks: -1, messages: records.map(({ key, value, headers, bytes }) => ({ key, value: bytes === undefined ? value : bytes, headers: { ...headers }, partition })),
      }));
      const answers = await Promise.race([sending, deadline]);
      // A client that has mixed up its brokers sends an empty request, and takes the empty answer for a success.
      if (!answers.some((answer) => answer.topicName === this.nameOf(topic) && answer.partition === partition && answer.errorCode === 0)) {
        throw new NotAcknowledged(`no broker said that it has the records of ${topic}/${partition}`);
      }
    } catch (error) {
      // Whatever is still under way on the old producer must not meet the repetition on the same connection.
      if (this.producers[own] === connecting) this.producers[own] = undefined;
      void connecting.then((producer) => producer.disconnect()).catch(() => undefined);
      throw isOfTheMoment(error) ? new NotTaken(`the brokers of ${topic}/${partition} do not take records: ${error.message}`, { cause: error }) : error;
    } finally {
      clearTimeout(timer);
    }
  }

  async ends(partitions: readonly TopicPartition[]): Promise<Map<string, bigint>> {
    const admin = await this.connectedAdmin();
    const wanted = new Set(partitions.map(partitionName));
    const found = new Map<string, bigint>();
    for (const topic of new Set(partitions.map(({ topic: name }) => name))) {
      for (const { partition, high } of await settled(() => admin.fetchTopicOffsets(this.nameOf(topic)))) {
        const name = partitionName({ topic, partition });
        if (wanted.has(name)) found.set(name, BigInt(high));
      }
    }
    return found;
  }

  async read(partition: TopicPartition, from: bigint, limit: number): Promise<FeedRecord[]> {
    const end = (await this.ends([partition])).get(partitionName(partition)) ?? 0n;
    if (from >= end) return [];
    const groupId = `${this.namespace}read-${randomUUID()}`;
    const consumer = this.kafka.consumer({ groupId, maxWaitTimeInMs: FETCH_WAIT_MS });
    const records: FeedRecord[] = [];
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [this.nameOf(partition.topic)], fromBeginning: true });
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new FeedTimeout(`reading ${partitionName(partition)} took too long`)), READ_DEADLINE_MS);
        const finish = (): void => { clearTimeout(timer); resolve(); };
        consumer.run({ autoCommit: false, eachBatch: async ({ batch }) => {
          if (batch.partition !== partition.partition) return;
          for (const message of batch.messages) {
            if (BigInt(message.offset) >= from && records.length < limit) records.push(toRecord(partition.topic, batch.partition, message));
          }
          if (records.length >= limit || BigInt(batch.lastOffset()) + 1n >= end) finish();
        } }).catch(reject);
        consumer.seek({ topic: this.nameOf(partition.topic), partition: partition.partition, offset: String(from) });
      });
      return records;
    } finally {
      await consumer.disconnect();
      await (await this.connectedAdmin()).deleteGroups([groupId]).catch(() => undefined);
    }
  }

  join(group: string, topics: readonly Topic[], member: GroupMember): GroupMembership {
    const consumer = this.kafka.consumer({
      groupId: `${this.namespace}valueverse.${group}`, sessionTimeout: SESSION_TIMEOUT_MS, heartbeatInterval: HEARTBEAT_MS, maxWaitTimeInMs: FETCH_WAIT_MS,
      retry: { retries: Number.MAX_SAFE_INTEGER, initialRetryTime: 200, maxRetryTime: 2_000 },
    });
    const membership = new KafkaMembership(consumer, topics, member, this.namespace);
    const handle: GroupMembership = { wake: () => undefined, retake: (partition) => membership.retake(partition), stop: async () => { this.memberships.delete(handle); await membership.stop(); } };
    this.memberships.add(handle);
    membership.start();
    return handle;
  }

  async isReachable(): Promise<boolean> {
    try {
      await (await this.connectedAdmin()).listTopics();
      return true;
    } catch {
      this.admin = undefined;
      return false;
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.memberships].map((membership) => membership.stop()));
    await Promise.allSettled([...this.producers.map((connecting) => connecting?.then((producer) => producer.disconnect())), this.admin?.then((admin) => admin.disconnect())]);
  }

  private nameOf(topic: Topic): string { return this.namespace + topic; }
  private topicOf(name: string): Topic { return name.slice(this.namespace.length) as Topic; }

  private async connectProducer(): Promise<Producer> {
    const producer = this.kafka.producer({ idempotent: true, allowAutoTopicCreation: false });
    await producer.connect();
    return producer;
  }

  private connectedAdmin(): Promise<Admin> {
    const connecting = this.admin ??= (async () => {
      const admin = this.kafka.admin();
      await admin.connect();
      return admin;
    })();
    // A failure is not kept: the next one who asks tries again.
    connecting.catch(() => { if (this.admin === connecting) this.admin = undefined; });
    return connecting;
  }
}

/** One consumer of a group. Partitions are paused until their checkpoints are taken over, so nothing below a checkpoint is delivered. */
class KafkaMembership {
  private running = true;
  private started: Promise<void> = Promise.resolve();
  /** How often each partition was taken: a run that was read before is of the past, wherever it ends. */
  private readonly takes = new Map<string, number>();
  /** The last thing that each partition of clients was told to pass over: the next run waits for it. */
  private readonly passing = new Map<string, Promise<void>>();

  constructor(private readonly consumer: KafkaConsumer, private readonly topics: readonly Topic[], private readonly member: GroupMember, private readonly namespace: string) {}

  start(): void {
    this.consumer.on('consumer.group_join', ({ payload }) => {
      const partitions = Object.entries(payload.memberAssignment).flatMap(([topic, list]) => list.map((partition) => ({ topic: topic.slice(this.namespace.length) as Topic, partition })));
      // Pausing has to happen at once: a fetch that is answered while the checkpoints are read would be delivered.
      this.pause(partitions);
      void this.take(partitions);
    });
    this.consumer.on('consumer.crash', ({ payload }) => {
      this.member.onError(payload.error);
      // Some failures of the moment are final for the client, such as a coordinator that is still being chosen.
      if (!payload.restart) this.beginAgain();
    });
    // What holds nothing for a reader is not given to the handler of batches.
    this.consumer.on('consumer.end_batch_process', ({ payload: { topic, partition, batchSize, firstOffset, lastOffset } }) => {
      if (batchSize === 0) void this.passed({ topic: topic.slice(this.namespace.length) as Topic, partition }, BigInt(firstOffset ?? lastOffset), BigInt(lastOffset) + 1n);
    });
    this.begin();
  }

  private begin(): void {
    this.started = (async () => {
      await this.consumer.connect();
      await this.consumer.subscribe({ topics: this.topics.map((topic) => this.namespace + topic), fromBeginning: true });
      await this.consumer.run({ autoCommit: false, eachBatchAutoResolve: false, partitionsConsumedConcurrently: PARTITIONS_AT_ONCE, eachBatch: (payload) => this.batch(payload) });
    })();
    this.started.catch((error: unknown) => {
      this.member.onError(error);
      this.beginAgain();
    });
  }
  private beginAgain(): void {
    setTimeout(() => { if (this.running) this.begin(); }, HEARTBEAT_MS).unref();
  }

  async stop(): Promise<void> {
    if (!this.running) return;
    this.running = false;
    await this.started.catch(() => undefined);
    await this.consumer.disconnect().catch(() => undefined);
  }

  retake(partition: TopicPartition): void {
    // Others of this process may read it meanwhile.
    this.pause([partition]);
    void this.take([partition]);
  }

  private pause(partitions: readonly TopicPartition[]): void {
    this.consumer.pause(partitions.map(({ topic, partition }) => ({ topic: this.namespace + topic, partitions: [partition] })));
  }

  private seek({ topic, partition }: TopicPartition, offset: string): void { this.consumer.seek({ topic: this.namespace + topic, partition, offset }); }
  private resume({ topic, partition }: TopicPartition): void { this.consumer.resume([{ topic: this.namespace + topic, partitions: [partition] }]); }

  private async take(partitions: readonly TopicPartition[]): Promise<void> {
    if (partitions.length === 0) return;
    for (const name of partitions.map(partitionName)) this.takes.set(name, this.takesOf(name) + 1);
    try {
      const starts = await this.member.onAssigned(partitions);
      for (const partition of partitions) {
        const start = starts.get(partitionName(partition));
        if (start === undefined) continue;
        this.seek(partition, String(start));
        this.resume(partition);
      }
    } catch (error) {
      this.member.onError(error);
      if (this.running) setTimeout(() => { void this.take(partitions); }, HEARTBEAT_MS);
    }
  }

  private passed(partition: TopicPartition, from: bigint, next: bigint): Promise<void> {
    if (!isFromClients(partition.topic)) return Promise.resolve();
    const passing = this.member.onPassed(partition, from, next).catch((error: unknown) => this.member.onError(error));
    this.passing.set(partitionName(partition), passing);
    return passing;
  }

  private takesOf(name: string): number { return this.takes.get(name) ?? 0; }

  private offerAgain(partition: TopicPartition, offset: string): void {
    if (!this.running) return;
    this.seek(partition, offset);
    this.resume(partition);
  }

  private async batch({ batch, resolveOffset, heartbeat, isRunning, isStale }: EachBatchPayload): Promise<void> {
    const partition = { topic: batch.topic.slice(this.namespace.length) as Topic, partition: batch.partition };
    if (!isRunning() || isStale() || !this.running || batch.messages.length === 0) return;
    const [name, takes] = [partitionName(partition), this.takesOf(partitionName(partition))];
    const beat = setInterval(() => { void heartbeat().catch(() => undefined); }, HEARTBEAT_MS);
    try {
      await this.passing.get(name);
      const records = batch.messages.map((message) => toRecord(partition.topic, partition.partition, message));
      const answer = await this.member.onRecords(partition, records).catch((error: unknown): Delivery => {
        // Whatever it is, it must not end the client's own loop, which would stop reading without a word.
        this.member.onError(error);
        return 'later';
      });
      if (takes !== this.takesOf(name)) return;
      if (typeof answer === 'object') {
        const [last, end] = [records.at(-1)!.offset, BigInt(batch.lastOffset())];
        if (answer.next === last + 1n) resolveOffset(String(last));
        else this.seek(partition, String(answer.next));
        if (answer.next === last + 1n && end > last) await this.passed(partition, answer.next, end + 1n);
        return;
      }
      this.pause([partition]);
      if (answer === 'reassign') await this.take([partition]);
      else if (answer === 'later') setTimeout(() => { this.offerAgain(partition, batch.firstOffset()!); }, LATER_MS);
    } finally {
      clearInterval(beat);
    }
  }
}
