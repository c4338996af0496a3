import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Client } from 'pg';
// Jest loads this file without its module map, so the neighbour is named by its place.
// eslint-disable-next-line @nx/enforce-module-boundaries
import { scratchFolder } from '../../../platform/src/parts/scratch-folder';
// eslint-disable-next-line @nx/enforce-module-boundaries
import { startEmbeddedPostgres } from '../../../platform/src/postgres/embedded-postgres';
// eslint-disable-next-line @nx/enforce-module-boundaries
import { findKafka } from '../../../platform/src/parts/kafka';
// eslint-disable-next-line @nx/enforce-module-boundaries
import { findRedis } from '../../../platform/src/parts/redis';
import { startKafka, startRedisPart, type Broker, type Cache } from './real-parts';

const RUN_ID_BYTES = 5;

/**
 * The real parts of one Jest run. They belong to Jest's own process, so that they end with it however it ends, and each
 * is started when the first spec of the run asks for it over loopback.
 */
export class TestParts {
  private readonly folder = scratchFolder('test-run');
  private readonly runId = randomBytes(RUN_ID_BYTES).toString('hex');
  private readonly kafkaFound = findKafka();
  private readonly redisFound = findRedis();
  private readonly stops: (() => Promise<void>)[] = [];
  private readonly notRunFile = process.env['VV_NOT_RUN_FILE'] ?? join(this.folder, 'not-run.jsonl');
  private postgresUrl: Promise<string> | undefined;
  private kafka: Promise<Broker> | undefined;
  private redis: Promise<Cache> | undefined;
  private server: Server | undefined;

  async open(): Promise<void> {
    this.server = createServer((request, response) => {
      // A spec asks once in a while: by a connection that is kept it might ask in the moment in which this end closes it.
      response.setHeader('connection', 'close');
      const answer = (body: unknown) => response.end(JSON.stringify(body));
      this.part(request.url ?? '').then(answer, (error: unknown) => answer({ error: error instanceof Error ? error.message : String(error) }));
    });
    await new Promise<void>((resolve) => this.server?.listen(0, '127.0.0.1', resolve));
    this.server.unref();
    process.env['VV_TEST_PARTS'] = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    process.env['VV_TEST_RUN'] = this.runId;
    process.env['VV_TEST_KAFKA'] = this.kafkaFound.how === 'none' ? this.kafkaFound.reason : '';
    process.env['VV_TEST_REDIS'] = this.redisFound.how === 'none' ? this.redisFound.reason : '';
    process.env['VV_NOT_RUN_FILE'] = this.notRunFile;
    // Specs start our programs a hundred times: what was compiled for one of them is there for the next.
    process.env['NODE_COMPILE_CACHE'] ??= join(this.folder, 'compiled');
  }

  async close(): Promise<void> {
    this.server?.closeAllConnections();
    this.server?.close();
    if (process.env['TEST_DATABASE_URL'] && this.postgresUrl) await this.dropDatabases(await this.postgresUrl);
    await Promise.allSettled([this.postgresUrl, this.kafka, this.redis]);
    await Promise.all(this.stops.map((stop) => stop()));
    this.tellNotRun();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async part(path: string): Promise<unknown> {
    if (path === '/postgres') return { url: await (this.postgresUrl ??= this.startPostgres()) };
    if (path === '/kafka') return { brokers: (await (this.kafka ??= this.startBroker())).brokers };
    if (path === '/redis') return { url: (await (this.redis ??= this.startCache())).url };
    throw new Error(`there is no part ${path}`);
  }

  private async startPostgres(): Promise<string> {
    const given = process.env['TEST_DATABASE_URL'];
    if (given) return given;
    // Tests care for what the server answers, not for what survives a power cut.
    // What is dead is swept up where tests take hours: where they take seconds that would only be in their way.
    const settings = { fsync: 'off', full_page_writes: 'off', autovacuum: process.env['VV_NIGHTLY'] === '1' ? 'on' : 'off', autovacuum_naptime: '10s', max_wal_size: '4GB', max_prepared_transactions: '0', max_connections: '400' };
    const server = await startEmbeddedPostgres({ dataDir: join(this.folder, 'postgres'), disposable: true, settings });
    this.stops.push(() => server.stop());
    return server.url;
  }

  private async startBroker(): Promise<Broker> {
    const broker = await startKafka(this.kafkaFound, join(this.folder, 'kafka'));
    this.stops.push(() => broker.stop());
    return broker;
  }

  private async startCache(): Promise<Cache> {
    const cache = await startRedisPart(this.redisFound, join(this.folder, 'redis'));
    this.stops.push(() => cache.stop());
    return cache;
  }

  /** A server that is not ours gets its databases back as they were. */
  private async dropDatabases(url: string): Promise<void> {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      const { rows } = await client.query<{ datname: string }>('SELECT datname FROM pg_database WHERE starts_with(datname, $1)', [`vv_${this.runId}_`]);
      for (const { datname } of rows) {
        const name = client.escapeIdentifier(datname);
        await client.query('ALTER DATABASE '.concat(name, ' IS_TEMPLATE false'));
        await client.query('DROP DATABASE '.concat(name, ' WITH (FORCE)'));
      }
    } finally {
      await client.end();
    }
  }

  private tellNotRun(): void {
    if (!existsSync(this.notRunFile)) return;
    const lines = readFileSync(this.notRunFile, 'utf8').split('\n').filter(Boolean);
    for (const line of lines) {
      const { name, reason } = JSON.parse(line) as { name: string; reason: string };
      process.stderr.write(`not run: ${name}: ${reason}\n`);
    }
  }
}

const KEY = Symbol.for('valueverse.test-parts');
/** Setup and teardown are loaded apart; they meet here. */
export const current = globalThis as { [KEY]?: TestParts };
export { KEY as currentKey };
