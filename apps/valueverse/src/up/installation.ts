import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { join } from 'node:path';
import { claimDataFolder, PortTaken } from '@valueverse/platform';
import { DataFolder, type FirstKeys } from '../edition/data-folder';
import { firstKeys } from '../edition/first-keys';
import { Keeper } from './keeper';
import { claimFor, noteMadeWith } from './made-with';
import { keepKafka, keepPostgres, keepRedis, requireKafka } from './parts';
import { choosePorts, gatewayPart, inboxPart, serviceParts } from './services';
import type { UpSettings } from './settings';
import { endLeftovers, markOf, StateFile } from './state';

/** What whoever started it is told when it is ready. */
export interface UpReady extends FirstKeys {
  readonly url: string;
  readonly dataDir: string;
  readonly logs: string;
  readonly hasInbox: boolean;
}

const ORGANIZATION = 'My organization';
const HEARD_TIMEOUT_MS = 180_000;
const LOOK_EVERY_MS = 100;
/** One of each service. */
const PATHS = ['/api/v1/usage/meters', '/api/v1/billing/plans', '/api/v1/payments', '/api/v1/notifications/messages'];
/** What is taken down together, in this order: who asks before who is asked. */
const DOWN_IN_ORDER: readonly ((name: string) => boolean)[] = [
  (name) => name === 'gateway', (name) => /^(usage|billing|payments|notifications)-/.test(name), (name) => name === 'inbox', (name) => name === 'redis' || name.startsWith('kafka-'), (name) => name === 'postgres',
];

/** The distributed edition on local parts, from its first process to its last. */
export class LocalInstallation {
  private readonly folder: DataFolder;
  private readonly state: StateFile;
  private readonly keeper: Keeper;
  private readonly me = markOf(process.pid);
  private claim: { release(): void } | undefined;
  private isReady = false;

  constructor(private readonly settings: UpSettings, private readonly say: (line: string) => void) {
    this.folder = new DataFolder(settings.data);
    this.state = new StateFile(settings.data);
    this.keeper = new Keeper(say, () => this.note());
  }

  get url(): string { return `http://127.0.0.1:${this.settings.port}`; }

  async start(progress: (step: string) => void): Promise<UpReady> {
    const { data, port, brokers, replicas } = this.settings;
    this.folder.prepare();
    this.claim = claimDataFolder(data, undefined);
    const left = this.state.read();
    if (left !== undefined) (await endLeftovers(left)).forEach((name) => this.say(`${name} was left over and is ended`));
    await refuseTakenPort(port);
    const kafkaFound = requireKafka();
    claimFor(data, brokers);
    for (const below of ['logs', 'anchors']) mkdirSync(join(data, below), { recursive: true });
    this.note();
    const step = async <T>(what: string, work: Promise<T>): Promise<T> => { const done = await work; progress(what); return done; };
    const settled = await Promise.allSettled([
      step('PostgreSQL', keepPostgres(this.keeper, data)), step(`Kafka, ${brokers === 1 ? 'one broker' : 'three brokers'}`, keepKafka(this.keeper, kafkaFound, data, brokers)), keepRedis(this.keeper, data),
    ]);
    const failed = settled.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    const [postgres, kafka, redis] = settled.map((result) => (result as PromiseFulfilledResult<unknown>).value) as
      [Awaited<ReturnType<typeof keepPostgres>>, readonly string[], Awaited<ReturnType<typeof keepRedis>>];
    progress(redis.url === undefined ? `no Redis, every process has limits of its own: ${redis.reason}` : 'Redis');
    noteMadeWith(data, { brokers, databaseDir: postgres.dataDir });
    const ports = await choosePorts(port, replicas);
    const smtpUrl = process.env['SMTP_URL'];
    const around = { databases: postgres.databases, brokers: kafka, copies: brokers, redisUrl: redis.url, smtpUrl, secrets: this.folder.secrets(), folder: data };
    const parts = [...serviceParts(ports, around), gatewayPart(ports, data, smtpUrl === undefined), ...(smtpUrl === undefined ? [inboxPart(ports, around)] : [])];
    await all(parts.map((part) => step(part.name, this.keeper.keep(part))));
    const keys = await firstKeys(this.folder, this.url, around.secrets.operatorToken, ORGANIZATION);
    await heardOf(this.url, keys.secretKey);
    this.folder.noteServer({ url: this.url, pid: process.pid });
    this.isReady = true;
    this.note();
    return { url: this.url, ...keys, dataDir: data, logs: join(data, 'logs'), hasInbox: smtpUrl === undefined };
  }

  async stop(): Promise<void> {
    await this.keeper.stop(DOWN_IN_ORDER);
    if (this.claim === undefined) return;
    this.folder.forgetServer();
    this.state.remove();
    this.claim.release();
  }

  private note(): void {
    const { brokers, replicas } = this.settings;
    this.state.write({ url: this.url, brokers, replicas, supervisor: this.me, isReady: this.isReady, parts: this.keeper.notes });
  }
}

/** Waits until every service knows the key: keys travel by the log, and a service that has not heard of one refuses it. */
const heardOf = async (url: string, key: string): Promise<void> => {
  const deadline = performance.now() + HEARD_TIMEOUT_MS;
  await all(PATHS.map(async (path) => {
    for (;;) {
      const { ok, status } = await fetch(url + path, { headers: { authorization: `Bearer ${key}` } });
      if (ok) return;
      if (performance.now() > deadline) throw new Error(`${path} answers ${status} to the first key`);
      await pause(LOOK_EVERY_MS);
    }
  }));
};

/** Waits for all of them, so that nothing is still starting when one has failed. */
const all = async (works: readonly Promise<unknown>[]): Promise<void> => {
  const failed = (await Promise.allSettled(works)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
};

/** Looks before anything is started, so that the answer comes at once. */
const refuseTakenPort = (port: number): Promise<void> => new Promise((resolve, reject) => {
  const probe = createServer();
  probe.once('error', (error: NodeJS.ErrnoException) => reject(error.code === 'EADDRINUSE' ? new PortTaken(port) : error));
  probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()));
});
