import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES, type ServiceName } from '@valueverse/contracts';
import { findKafka, findRedis, freePorts, startEmbeddedPostgres, startKafkaCluster, startRedis, type EmbeddedPostgres, type KafkaCluster, type RedisServer, scratchFolder } from '@valueverse/platform';
import { Kafka, logLevel, type Admin } from 'kafkajs';
import { Client } from 'pg';
import { Actor } from './actor';
import { FaultProxy } from './fault-proxy';
import { until } from './until';

const APPS = join(__dirname, '..', '..', '..');
const MAINS: Readonly<Record<ServiceName, string>> = { usage: 'usage-service', billing: 'billing-engine', payments: 'payment-service', notifications: 'notification-service' };
/** What a process of the storm has of this one: where programs are, and what was compiled already. */
const INHERITED = ['PATH', 'HOME', 'NODE_COMPILE_CACHE'];
const REPLICAS = 2;
const BROKERS = 3;
const MASTER_KEY_BYTES = 32;
const READY_TIMEOUT_MS = 180_000;
const IN_SYNC_TIMEOUT_MS = 60_000;

/** What cannot be had here, so that the storm cannot be run. */
export class NotHere extends Error {}

/** A replica of a service with the proxies that are its alone. */
export interface Replica { readonly service: ServiceName; readonly actor: Actor; readonly database: FaultProxy; readonly redis: FaultProxy | undefined }

/** Everything of the storm, behind proxies: three brokers, PostgreSQL, Redis, two replicas of each service, the gateway and the inbox. */
export class World {
  readonly folder = scratchFolder('storm');
  readonly masterKey = randomBytes(MASTER_KEY_BYTES);
  readonly operatorToken = 'operator-token-of-the-storm';
  readonly replicas: Replica[] = [];
  readonly brokerProxies: FaultProxy[] = [];
  postgres!: EmbeddedPostgres;
  kafka!: KafkaCluster;
  redis: RedisServer | undefined;
  url = '';
  private readonly others: Actor[] = [];
  private admin: Admin | undefined;

  /** `patch` is a module that each service loads first: see `planted/`. */
  async start(patch: string | undefined, say: (line: string) => void): Promise<void> {
    const kafka = findKafka();
    if (kafka.how !== 'java') throw new NotHere(kafka.how === 'none' ? kafka.reason : `the storm kills its brokers, so it takes local ones, and Kafka is ${kafka.how} here`);
    const redis = findRedis();
    for (const below of ['logs', 'anchors']) mkdirSync(join(this.folder, below));
    for (let nth = 1; nth <= BROKERS; nth++) this.brokerProxies.push(await new FaultProxy(`broker-${nth}`).listen());
    const [postgres, cluster, cache] = await Promise.all([
      startEmbeddedPostgres({ dataDir: join(this.folder, 'postgres'), disposable: true, settings: { max_connections: '400' } }),
      startKafkaCluster({ jars: kafka.jars, folder: join(this.folder, 'kafka'), brokers: BROKERS, advertised: this.brokerProxies.map(({ port }) => port), disposable: true }),
      redis.how === 'program' ? startRedis({ program: redis.program, folder: join(this.folder, 'redis') }) : undefined,
    ]);
    this.postgres = postgres;
    this.kafka = cluster;
    this.redis = cache;
    cluster.nodes.forEach((node, nth) => this.brokerProxies[nth]!.leadTo(node.port));
    await this.onPostgres(async (client) => { for (const service of SERVICES) await client.query('CREATE DATABASE '.concat(client.escapeIdentifier(service))); });
    say(`three brokers, PostgreSQL${cache === undefined ? ', no Redis here' : ', Redis'}; data in ${this.folder}`);
    await this.startServices(patch);
    await this.ready();
    say('two replicas of each service');
  }

  /** The direct way to the database of a service, past its proxies. */
  databaseUrl(service: ServiceName): string { return Object.assign(new URL(this.postgres.url), { pathname: `/${service}` }).href; }

  async onPostgres<T>(work: (client: Client) => Promise<T>, url = this.postgres.url): Promise<T> {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }

  /** Waits until each replica of each service is ready, as the gateway sees it. */
  async ready(): Promise<void> {
    await until('every replica to be ready', async () => {
      const { details } = await (await fetch(`${this.url}/health`)).json() as { details: Record<string, { ready: number; replicas: number; reason?: string }> };
      const missing = Object.entries(details).filter(([, { ready, replicas }]) => ready < replicas);
      return missing.length === 0 ? undefined : missing.map(([name, { reason }]) => `${name}: ${reason ?? ''}`).join('; ');
    }, READY_TIMEOUT_MS);
  }

  /** Waits until every copy of every partition is in sync: a broker may be lost only then. */
  async brokersInSync(): Promise<void> {
    await until('every copy to be in sync', async () => {
      const { topics } = await (await this.connectedAdmin()).fetchTopicMetadata();
      const behind = topics.flatMap(({ name, partitions }) => partitions.filter(({ isr }) => isr.length < BROKERS).map(({ partitionId }) => `${name}/${partitionId}`));
      return behind.length === 0 ? undefined : `${behind.length} partitions, among them ${behind[0]}`;
    }, IN_SYNC_TIMEOUT_MS);
  }

  async heal(): Promise<void> {
    for (const proxy of this.proxies) proxy.heal();
    for (const { actor } of this.replicas) actor.thaw();
    await this.ready();
    await this.brokersInSync();
  }
  get proxies(): FaultProxy[] { return [...this.brokerProxies, ...this.replicas.flatMap(({ database, redis }) => (redis === undefined ? [database] : [database, redis]))]; }

  /** `keepLogs` leaves what the processes wrote. */
  async stop(keepLogs: boolean): Promise<void> {
    for (const proxy of this.proxies) proxy.close();
    await this.admin?.disconnect().catch(() => undefined);
    await Promise.all([...this.replicas.map(({ actor }) => actor), ...this.others].map((actor) => actor.stop()));
    await Promise.all([this.redis?.process.stop(), (this.kafka as KafkaCluster | undefined)?.stop()]);
    await (this.postgres as EmbeddedPostgres | undefined)?.stop();
    if (!keepLogs) rmSync(this.folder, { recursive: true, force: true });
  }

  private async startServices(patch: string | undefined): Promise<void> {
    const ports = await freePorts(SERVICES.length * (REPLICAS + 1) + 3);
    const next = (): number => ports.pop()!;
    const [gateway, page, smtp] = [next(), next(), next()];
    const inner = Object.fromEntries(SERVICES.map((service) => [service, next()])) as Record<ServiceName, number>;
    const own = Object.fromEntries(SERVICES.map((service) => [service, Array.from({ length: REPLICAS }, next)])) as Record<ServiceName, number[]>;
    const shared = {
      KAFKA_BROKERS: this.kafka.brokers.join(','), KAFKA_REPLICATION: String(BROKERS), VV_MASTER_KEY: this.masterKey.toString('base64'), VV_OPERATOR_TOKEN: this.operatorToken,
      VV_SERVICE_TOKEN: 'service-token-of-the-storm', SMTP_URL: `smtp://127.0.0.1:${smtp}`, LOG_LEVEL: 'warn', ...Object.fromEntries(SERVICES.map((service) => [`${service.toUpperCase()}_URL`, `http://127.0.0.1:${inner[service]}`])),
    };
    for (const service of SERVICES) {
      for (const [index, port] of own[service].entries()) {
        const name = `${service}-${index + 1}`;
        const database = await new FaultProxy(`database of ${name}`).listen();
        database.leadTo(this.postgres.port);
        const redis = this.redis === undefined ? undefined : await new FaultProxy(`Redis of ${name}`).listen();
        redis?.leadTo(Number(new URL(this.redis!.url).port));
        const env = {
          ...shared, PORT: String(port), DATABASE_URL: Object.assign(new URL(this.databaseUrl(service)), { port: String(database.port) }).href, VV_ANCHOR_FILE: join(this.folder, 'anchors', `${service}.jsonl`),
          ...(redis === undefined ? {} : { REDIS_URL: `redis://127.0.0.1:${redis.port}` }),
        };
        const actor = this.actor(name, join(APPS, MAINS[service], 'dist', 'main.js'), env, patch);
        this.replicas.push({ service, actor, database, redis });
      }
    }
    this.others.push(this.actor('inbox', join(APPS, 'valueverse', 'dist', 'up', 'inbox.js'), { PORT: String(page), SMTP_PORT: String(smtp), DATABASE_URL: this.databaseUrl('notifications') }));
    this.others.push(this.actor('gateway', join(APPS, 'valueverse', 'dist', 'gateway', 'main.js'), {
      PORT: String(gateway), ...Object.fromEntries(SERVICES.flatMap((service) => [[`${service.toUpperCase()}_TARGETS`, own[service].map((port) => `http://127.0.0.1:${port}`).join(',')], [`${service.toUpperCase()}_PORT`, String(inner[service])]])),
    }));
    this.url = `http://127.0.0.1:${gateway}`;
    for (const actor of [...this.replicas.map((replica) => replica.actor), ...this.others]) actor.start();
  }

  private actor(name: string, main: string, env: Readonly<Record<string, string>>, patch?: string): Actor {
    return new Actor(name, {
      command: process.execPath, args: [...(patch === undefined ? [] : ['--require', patch]), main], logFile: join(this.folder, 'logs', `${name}.log`),
      env: { ...Object.fromEntries(INHERITED.flatMap((inherited) => (process.env[inherited] === undefined ? [] : [[inherited, process.env[inherited]]]))), ...env },
    });
  }

  private async connectedAdmin(): Promise<Admin> {
    if (this.admin === undefined) {
      this.admin = new Kafka({ brokers: [...this.kafka.brokers], clientId: 'storm', logLevel: logLevel.NOTHING }).admin();
      await this.admin.connect();
    }
    return this.admin;
  }
}
