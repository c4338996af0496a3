// A service's store, feed and consumers as they are in production, without the service: for the figures of the log.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import pg from 'pg';
import { scratchFolder } from './scratch-folder.mjs';

const require = createRequire(import.meta.url);
const log = require('@valueverse/event-log');
const { defineEvent, object, text } = require('@valueverse/contracts');
const { startEmbeddedPostgres } = require('@valueverse/platform');

const SCHEMA = 'billing';
export const TENANT = 'org_bench:live';
const AT = '2026-01-01T00:00:00Z';
const noReports = { error: (message, cause) => process.stderr.write(`${message}: ${cause}\n`), alarm: (message) => process.stderr.write(`ALARM ${message}\n`) };

/** A fact of ordinary size: about 800 bytes of text. */
const MEASURED = defineEvent({ name: 'ThingMeasured', topic: 'billing.plans', fact: 'thing.measured', data: object({ thingId: text(), amount: text(), currency: text(), description: text() }) });
const eventOf = (thingId) => ({ type: 'ThingMeasured', thingId, amount: '1234.56', currency: 'EUR', description: 'API requests, 1 October to 1 November 2026, '.repeat(5) });

export class LogBed {
  static async start() {
    const bed = new LogBed();
    bed.folder = scratchFolder('bench');
    bed.server = await startEmbeddedPostgres({ dataDir: join(bed.folder, 'postgres'), disposable: true });
    bed.database = new log.Database({ url: bed.server.url, schema: SCHEMA, connectionsMax: 12 });
    await log.ensureRoles(bed.database, [SCHEMA]);
    await bed.database.transaction({ role: 'owner' }, async (tx) => {
      await tx.query(log.storeSchemaSql(SCHEMA));
      await tx.query(log.consumerSchemaSql(SCHEMA));
      await tx.query(log.deadLetterSchemaSql(SCHEMA));
      await tx.query('CREATE TABLE effects (consumer text NOT NULL, stream text NOT NULL, version int NOT NULL, amount numeric NOT NULL, PRIMARY KEY (consumer, stream, version))');
      await tx.query('GRANT ALL ON effects TO vv_billing_worker');
      for (const [name, keys] of [['copy_keyed', ', PRIMARY KEY (partition, position), UNIQUE (tenant, stream, version)'], ['copy_bare', '']]) {
        await tx.query(`CREATE TABLE ${name} (partition int NOT NULL, position bigint NOT NULL, tenant text NOT NULL, stream text NOT NULL, version int NOT NULL,
          topic text NOT NULL, type text NOT NULL, id text NOT NULL, clock text, body text NOT NULL, hash bytea NOT NULL${keys})`);
      }
    });
    bed.codec = new log.Codec('billing', [MEASURED]);
    bed.store = new log.EventStore(bed.database, bed.codec);
    await bed.store.checkSettings();
    bed.client = new pg.Client({ connectionString: bed.server.url });
    await bed.client.connect();
    await bed.client.query('SET search_path TO billing');
    return bed;
  }

  streams = 0;
  /** Encoded facts, each the first of a stream of its own. */
  facts(count) {
    const context = { tenant: TENANT, at: AT, actor: 'key_bench', correlationId: 'req_bench', traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' };
    return Array.from({ length: count }, () => { const id = `thing-${++this.streams}`; return this.codec.encode(eventOf(id), id, 1, context, AT); });
  }
  append(facts) { return this.database.transaction({ role: 'worker' }, (tx) => this.store.append(tx, facts)); }
  relay(feed) { return new log.Relay(this.store, feed, noReports); }
  async appended() { return Number((await this.client.query('SELECT sum(position) AS n FROM heads')).rows[0].n); }
  async effects(consumer) { return Number((await this.client.query('SELECT count(*) AS n FROM effects WHERE consumer = $1', [consumer])).rows[0].n); }

  /** A projector that reads every fact and writes a row for each. */
  subscription(feed, name) {
    const consumer = {
      kind: 'projector', name, version: 1, topics: ['billing.plans'], events: ['ThingMeasured'],
      project: (tx, facts) => tx.query('INSERT INTO effects SELECT $1, * FROM unnest($2::text[], $3::int[], $4::numeric[])',
        [name, facts.map(({ stream }) => stream), facts.map(({ version }) => version), facts.map(({ event }) => event.amount)]),
    };
    return new log.Subscription({ group: name, store: this.store, feed, consumers: [consumer], jobs: { schedule: async () => undefined }, wallClock: () => AT, reports: noReports });
  }

  async stop() {
    await this.client.end();
    await this.database.close();
    await this.server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
