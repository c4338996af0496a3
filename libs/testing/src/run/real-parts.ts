// Jest loads this file without its module map, so the neighbours are named by their places.
// eslint-disable-next-line @nx/enforce-module-boundaries
import { KAFKA_VERSION, type KafkaFound } from '../../../platform/src/parts/kafka';
// eslint-disable-next-line @nx/enforce-module-boundaries
import { startKafkaCluster } from '../../../platform/src/parts/kafka-cluster';
// eslint-disable-next-line @nx/enforce-module-boundaries
import { startRedis, type RedisFound } from '../../../platform/src/parts/redis';
// eslint-disable-next-line @nx/enforce-module-boundaries
import { freePort } from '../../../platform/src/parts/free-ports';

/** A broker for the length of a run. */
export interface Broker {
  readonly brokers: readonly string[];
  stop(): Promise<void>;
}
/** A Redis for the length of a run. */
export interface Cache {
  readonly url: string;
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 90_000;
const KAFKA_CONTAINER_PORT = 9092;
const REDIS_CONTAINER_PORT = 6379;
const REDIS_IMAGE = 'valkey/valkey:9';

/** Starts a broker in the way that was found. */
export async function startKafka(found: KafkaFound, folder: string): Promise<Broker> {
  switch (found.how) {
    case 'given': return { brokers: found.brokers, stop: async () => undefined };
    case 'java': return startKafkaCluster({ jars: found.jars, folder, brokers: 1, disposable: true });
    case 'docker': return startKafkaContainer();
    case 'none': throw new Error(found.reason);
  }
}

/** Starts a Redis in the way that was found. */
export async function startRedisPart(found: RedisFound, folder: string): Promise<Cache> {
  switch (found.how) {
    case 'given': return { url: found.url, stop: async () => undefined };
    case 'program': {
      const server = await startRedis({ program: found.program, folder });
      return { url: server.url, stop: () => server.process.stop() };
    }
    case 'docker': return startRedisContainer();
    case 'none': throw new Error(found.reason);
  }
}

async function startKafkaContainer(): Promise<Broker> {
  const { GenericContainer, Wait } = await import('testcontainers');
  const port = await freePort();
  const container = await new GenericContainer(`apache/kafka:${KAFKA_VERSION}`)
    .withExposedPorts({ container: KAFKA_CONTAINER_PORT, host: port })
    .withEnvironment({
      KAFKA_NODE_ID: '1', KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_LISTENERS: `PLAINTEXT://:${KAFKA_CONTAINER_PORT},CONTROLLER://:9093`, KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093', KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false', KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1', KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: '5',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1', KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1', KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .withStartupTimeout(READY_TIMEOUT_MS)
    .start();
  return { brokers: [`127.0.0.1:${port}`], stop: async () => { await container.stop(); } };
}

async function startRedisContainer(): Promise<Cache> {
  const { GenericContainer, Wait } = await import('testcontainers');
  const container = await new GenericContainer(REDIS_IMAGE)
    .withExposedPorts(REDIS_CONTAINER_PORT)
    .withCommand(['valkey-server', '--save', '', '--appendonly', 'no'])
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .withStartupTimeout(READY_TIMEOUT_MS)
    .start();
  return { url: `redis://${container.getHost()}:${container.getMappedPort(REDIS_CONTAINER_PORT)}`, stop: async () => { await container.stop(); } };
}
