// The usage service's database as it is in production, without the service: for the figures of metering alone.
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import pg from 'pg';
import { CUSTOMERS, METER, MODELS } from './traffic.mjs';
import { scratchFolder } from '../scratch-folder.mjs';

const require = createRequire(import.meta.url);
const log = require('@valueverse/event-log');
const { partitionOf } = require('@valueverse/kernel');
const { USAGE_PARTITIONS } = require('@valueverse/contracts');
const { startEmbeddedPostgres } = require('@valueverse/platform');
const { usageShape } = require('@valueverse/usage');
const { ENVELOPE_EVENTS_MAX } = require('../../../libs/usage/dist/ingest/envelopes.js');
const { meteringProjector } = require('../../../libs/usage/dist/metering/metering.projector.js');

export const TENANT = 'org_bench:live';
const SCHEMA = 'usage';
const LANES = 3;

export class UsageBed {
  static async start({ settings = {} } = {}) {
    const bed = new UsageBed();
    bed.folder = scratchFolder('bench');
    bed.server = await startEmbeddedPostgres({ dataDir: join(bed.folder, 'postgres'), settings });
    bed.database = new log.Database({ url: bed.server.url, schema: SCHEMA, connectionsMax: 12 });
    await log.ensureRoles(bed.database, [SCHEMA]);
    await bed.database.transaction({ role: 'owner' }, async (tx) => {
      for (const sql of [log.storeSchemaSql, log.consumerSchemaSql, log.deadLetterSchemaSql, ...usageShape.migrations.map((migration) => migration.sql)]) await tx.query(sql(SCHEMA));
    });
    const codec = new log.Codec('usage', usageShape.definitions);
    bed.store = new log.EventStore(bed.database, codec);
    await log.ensureStreamViews(bed.store, SCHEMA, usageShape.readModels);
    bed.log = new log.Log(bed.store, () => new Date().toISOString());
    bed.client = new pg.Client({ connectionString: bed.server.url });
    await bed.client.connect();
    await bed.client.query('SET search_path TO usage');
    const { key, ...rule } = METER;
    const row = JSON.stringify({ meterKey: key, archivedAt: null, versions: [{ meterKey: key, version: 1, filter: [], carryOver: false, ...rule }] });
    await bed.client.query(`INSERT INTO meters (tenant, key, stream_version, sort_by, row) VALUES ($1, $2, 1, $2, $3)`, [TENANT, key, row]);
    await bed.client.query(`INSERT INTO usage_meter_progress (tenant, meter, version, partition, position) SELECT $1, $2, 1, p, NULL FROM generate_series(0, $3::int - 1) p`, [TENANT, key, USAGE_PARTITIONS]);
    bed.projector = meteringProjector();
    return bed;
  }

  envelopes = 0;
  offsets = new Map();
  /** Records of the feed as the ingress makes them, for some events: envelopes for each partition that has any. */
  records(traffic, events) { return this.recordsOf(Array.from({ length: events }, () => traffic.event())); }

  recordsOf(texts, recordedAt = new Date().toISOString()) {
    const byPartition = new Map();
    for (const text of texts) {
      const { specversion, ...event } = JSON.parse(text);
      if (event.subject === '') continue;
      const partition = partitionOf(TENANT, event.subject, USAGE_PARTITIONS);
      if (!byPartition.has(partition)) byPartition.set(partition, []);
      byPartition.get(partition).push(event);
    }
    return [...byPartition].sort(([a], [b]) => a - b).flatMap(([partition, own]) => parts(own, ENVELOPE_EVENTS_MAX).map((events) => {
      const id = `env_${String(++this.envelopes).padStart(26, '0')}`;
      const offset = this.offsets.get(partition) ?? 0n;
      this.offsets.set(partition, offset + 1n);
      return { topic: 'usage.events', partition, offset, key: id, headers: { ce_tenant: TENANT, ce_id: id }, value: JSON.stringify({ id, tenant: TENANT, recordedAt, events }) };
    }));
  }

  /** Has every customer use every model once. */
  async meetAll(traffic, perRound = 20_000) {
    for (let customer = 0; customer < CUSTOMERS;) {
      const events = [];
      for (; events.length < perRound && customer < CUSTOMERS; customer++) for (const model of MODELS) events.push(traffic.of(customer, model));
      await this.meter(this.recordsOf(events));
    }
  }

  /** Takes batches of records in, as their reader does: some transactions at a time, each with the next records of a part of the partitions. No transaction waits for one that has more to do. */
  async meter(...batches) {
    const laneOf = lanesOf(batches.flat());
    await Promise.all(Array.from({ length: LANES }, async (_, lane) => {
      for (const records of batches) {
        const own = records.filter(({ partition }) => laneOf.get(partition) === lane);
        if (own.length > 0) await this.database.transaction({ role: 'worker' }, (tx) => this.projector.project(tx, own));
      }
    }));
  }

  async stop() {
    await this.client.end();
    await this.database.close();
    await this.server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const parts = (events, size) => Array.from({ length: Math.ceil(events.length / size) }, (_, nth) => events.slice(nth * size, (nth + 1) * size));

/** Gives each partition a lane, so that all of them have about as much to do: the partition with most first, to whoever has least. */
const lanesOf = (records) => {
  const weights = new Map();
  for (const { partition, value } of records) weights.set(partition, (weights.get(partition) ?? 0) + value.length);
  const taken = Array.from({ length: LANES }, () => 0);
  return new Map([...weights].sort(([, a], [, b]) => b - a).map(([partition, weight]) => {
    const lane = taken.indexOf(Math.min(...taken));
    taken[lane] += weight;
    return [partition, lane];
  }));
};
