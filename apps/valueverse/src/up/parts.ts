import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES, type ServiceName } from '@valueverse/contracts';
import { findKafka, findRedis, startEmbeddedPostgres, startKafkaCluster, startRedis, type EmbeddedPostgres, type KafkaFound } from '@valueverse/platform';
import { Client } from 'pg';
import type { Keeper } from './keeper';
import { UpRefused } from './refusal';

/** Four services, each with a pool for every replica. */
const CONNECTIONS_MAX = '400';
const HOW_TO_GET_KAFKA = 'install Java 17 and Maven (apt-get install openjdk-17-jre-headless maven), or give KAFKA_BROKERS, or start Docker';

/** One PostgreSQL with a database for each service. */
export const keepPostgres = async (keeper: Keeper, folder: string): Promise<{ databases: Record<ServiceName, string>; dataDir: string }> => {
  let server: EmbeddedPostgres | undefined;
  const start = async (): Promise<{ pid: number; whenEnded: Promise<string>; stop: () => Promise<void> }> => {
    const started = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres'), settings: { max_connections: CONNECTIONS_MAX }, ...(server === undefined ? {} : { port: server.port }) });
    server = started;
    return { pid: started.pid, whenEnded: started.whenEnded.then(() => 'ended'), stop: () => started.stop() };
  };
  await keeper.keep({ name: 'postgres', log: join(folder, 'postgres', 'postgres.log'), start });
  const { url, dataDir } = server!;
  await makeDatabases(url);
  const databaseOf = (service: ServiceName): string => Object.assign(new URL(url), { pathname: `/${service}` }).href;
  return { databases: Object.fromEntries(SERVICES.map((service) => [service, databaseOf(service)])) as Record<ServiceName, string>, dataDir };
};

const makeDatabases = async (url: string): Promise<void> => {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const service of SERVICES) {
      const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [service]);
      // CREATE DATABASE takes no parameters; the name is quoted as the server quotes it.
      if (rowCount === 0) await client.query('CREATE DATABASE '.concat(client.escapeIdentifier(service)));
    }
  } finally {
    await client.end();
  }
};

/** A Kafka that local parts can do with. */
export type UsableKafka = Extract<KafkaFound, { how: 'given' | 'java' }>;

/** Looks before anything is started, so that the answer comes at once. */
export const requireKafka = (): UsableKafka => {
  const found = findKafka();
  if (found.how === 'given' || found.how === 'java') return found;
  throw new UpRefused(found.how === 'none' ? `There is ${found.reason}.` : 'Kafka can be had here in Docker only, and local parts were asked for.', HOW_TO_GET_KAFKA);
};

/** The brokers of KAFKA_BROKERS, or one or three on local Java. */
export const keepKafka = async (keeper: Keeper, found: UsableKafka, folder: string, brokers: 1 | 3): Promise<readonly string[]> => {
  if (found.how === 'given') return found.brokers;
  mkdirSync(join(folder, 'kafka'), { recursive: true });
  const cluster = await startKafkaCluster({ jars: found.jars, folder: join(folder, 'kafka'), brokers });
  for (const node of cluster.nodes) {
    let isFirst = true;
    await keeper.keep({
      name: `kafka-${node.id}`, log: join(folder, 'kafka', `broker-${node.id}`, 'kafka.log'),
      start: async () => {
        if (!isFirst) await node.restart();
        isFirst = false;
        return node.process;
      },
    });
  }
  return cluster.brokers;
};

/** The Redis of REDIS_URL, a local one, or none: then each process keeps limits and a cache of its own. */
export const keepRedis = async (keeper: Keeper, folder: string): Promise<{ url: string | undefined; reason: string }> => {
  const found = findRedis();
  if (found.how === 'given') return { url: found.url, reason: '' };
  if (found.how !== 'program') return { url: undefined, reason: found.how === 'none' ? found.reason : 'Redis can be had here in Docker only, and local parts were asked for' };
  const server = await startRedis({ program: found.program, folder: join(folder, 'redis') });
  let isFirst = true;
  await keeper.keep({
    name: 'redis', log: join(folder, 'redis', 'redis.log'),
    start: async () => {
      if (!isFirst) await server.restart();
      isFirst = false;
      return server.process;
    },
  });
  return { url: server.url, reason: '' };
};
