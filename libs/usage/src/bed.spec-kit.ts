import { createTestDatabase, eventually, type TestDatabase } from '@valueverse/testing';
import { partitionsOf, StatementsRequested, USAGE_PARTITIONS, type StatementRequest } from '@valueverse/contracts';
import {
  Codec, consumerSchemaSql, Database, deadLetterSchemaSql, ensureRoles, ensureStreamViews, EventStore, Log, PostgresFeed, recordOf, Relay, storeSchemaSql, Subscription,
  type Consumer, type FeedRecord, type JobSink, type NewJob, type Tx,
} from '@valueverse/event-log';
import { instantFromMicros, microsNumberOfText, newIdFrom, partitionOf } from '@valueverse/kernel';
import type { JobHandler } from '@valueverse/platform';
import { Ingest } from './ingest/ingest';
import type { UsageEvent } from './ingest/domain/usage-event';
import { meteringProjector } from './metering/metering.projector';
import type { CreateMeter } from './meters/domain/meter';
import { meter } from './meters/meters';
import { CopyUsageReader } from './query/usage-reader';
import { statementOf, statementIdOf } from './statements/statements';
import type { StatementData } from './statements/domain/statement';
import { usageParts, usageShape } from './usage.context';

const SCHEMA = 'usage';
export const TENANT = 'org_1:test';
export const NOW = '2026-03-01T00:00:00Z';
export const AT = (micros: number): string => instantFromMicros(microsNumberOfText('2026-02-10T10:00:00Z') + micros);
export const SECOND = 1_000_000;
export const QUARTER = 900 * SECOND;

const codecOf = (): Codec => new Codec('usage', usageShape.definitions);

const prepare = async (url: string): Promise<void> => {
  const database = new Database({ url, schema: SCHEMA });
  await ensureRoles(database, [SCHEMA]);
  await database.transaction({ role: 'owner' }, async (tx) => {
    await tx.query(storeSchemaSql(SCHEMA));
    await tx.query(consumerSchemaSql(SCHEMA));
    await tx.query(deadLetterSchemaSql(SCHEMA));
    for (const { sql } of usageShape.migrations) await tx.query(sql(SCHEMA));
  });
  const store = new EventStore(database, codecOf());
  await ensureStreamViews(store, SCHEMA, usageShape.readModels);
  const feed = new PostgresFeed(url);
  await feed.ensureTopics();
  await feed.close();
  await database.close();
};

/** Jobs in memory, run one after the other; a transaction that fails leaves none. */
class MemoryJobs implements JobSink {
  readonly waiting: NewJob[] = [];
  readonly reasons: string[] = [];
  private readonly seen = new Set<string>();
  private stopped = false;
  private loop = Promise.resolve();

  constructor(private readonly database: Database, private readonly handlers: () => readonly JobHandler[]) {}

  async schedule(tx: Tx, jobs: readonly NewJob[]): Promise<void> {
    tx.afterCommit(() => { for (const job of jobs) if (!this.seen.has(job.id)) { this.seen.add(job.id); this.waiting.push(job); } });
  }
  start(): void {
    this.loop = (async () => {
      while (!this.stopped) {
        const job = this.waiting.shift();
        if (job !== undefined && !(await this.run(job))) this.waiting.push(job);
        await new Promise((resolve) => { setTimeout(resolve, job === undefined ? 5 : 1); });
      }
    })();
  }
  /** Answers whether it is done. */
  private async run(job: NewJob): Promise<boolean> {
    const result = await this.handlers().find(({ kind }) => kind === job.kind)!.run({ ...job, attempt: 1, now: NOW });
    if (result.outcome === 'wait') { this.reasons.push(result.reason); return false; }
    await this.database.transaction({ role: 'worker' }, async (tx) => {
      await result.write?.(tx);
      await this.schedule(tx, result.reaction?.jobs ?? []);
    });
    return true;
  }
  async stop(): Promise<void> { this.stopped = true; await this.loop; }
}

/** The usage service with its own database, without a host. */
export class Bed {
  readonly alarms: string[] = [];
  readonly errors: unknown[] = [];
  readonly jobs: MemoryJobs;
  readonly ingest: Ingest;
  readonly reader: CopyUsageReader;
  private readonly relay: Relay;
  private subscription: Subscription | undefined;
  private ids = 0;
  private requested = 0n;
  private readonly lastRequest = new Map<number, bigint>();
  private readonly offsets = new Map<number, bigint>();

  private constructor(private readonly test: TestDatabase, readonly database: Database, readonly log: Log, readonly feed: PostgresFeed) {
    const reports = { error: (_: string, cause: unknown): void => { this.errors.push(cause); }, alarm: (message: string): void => { this.alarms.push(message); } };
    this.jobs = new MemoryJobs(database, () => usageParts({ log, feed }).jobs);
    this.ingest = new Ingest(feed, { next: (prefix) => newIdFrom(prefix, ++this.ids, new Uint8Array(10)) });
    this.reader = new CopyUsageReader(database, feed, () => NOW);
    this.relay = new Relay(log.store, feed, reports);
  }

  static async make(): Promise<Bed> {
    const test = await createTestDatabase(prepare, 'usage bed');
    const database = new Database({ url: test.url, schema: SCHEMA, connectionsMax: 12 });
    return new Bed(test, database, new Log(new EventStore(database, codecOf()), () => NOW), new PostgresFeed(test.url));
  }

  /** Starts relay, jobs and the consumers of the context; `pick` leaves some out. */
  start(pick: (consumer: Consumer) => boolean = () => true): void {
    this.relay.start();
    this.jobs.start();
    this.subscribe(pick);
  }
  subscribe(pick: (consumer: Consumer) => boolean = () => true): void {
    const reports = { error: (_: string, cause: unknown): void => { this.errors.push(cause); }, alarm: (message: string): void => { this.alarms.push(message); } };
    this.subscription = new Subscription({ group: 'usage', store: this.log.store, feed: this.feed, consumers: usageParts(this).consumers.filter(pick), jobs: this.jobs, wallClock: () => NOW, reports });
    this.subscription.start();
  }
  async unsubscribe(): Promise<void> { await this.subscription?.stop(); }

  createMeter(key: string, more: Partial<CreateMeter> = {}, tenant = TENANT): Promise<unknown> {
    const command: CreateMeter = { type: 'CreateMeter', meterKey: key, name: key, eventType: 'call', aggregation: 'sum', valueProperty: '$.tokens', groupBy: { model: '$.model' }, metadata: {}, createdAt: NOW, ...more };
    return this.log.executeOne(meter, command, { tenant, at: NOW, actor: 'test' });
  }
  /** Until every version of each meter of the tenant follows the head. */
  async metersFollow(tenant = TENANT): Promise<void> {
    await eventually('meters that follow', async (saw) => {
      const [row] = await this.rows<{ versions: bigint; following: bigint }>(
        `SELECT (SELECT count(*) FROM meters m, json_array_elements((m.row->'versions')::json) WHERE m.tenant = $1) AS versions, (SELECT count(*) FROM usage_meter_progress WHERE tenant = $1 AND position IS NULL) AS following`, [tenant]);
      saw(row);
      return row!.versions * BigInt(USAGE_PARTITIONS) === row!.following ? true : undefined;
    });
  }
  async send(events: readonly Partial<UsageEvent>[], tenant = TENANT): Promise<void> {
    const items = events.map((event) => ({ value: { specversion: '1.0', source: 'gateway', type: 'call', subject: 'acme', time: AT(0), ...event } }));
    const { rejected } = await this.ingest.accept(tenant, 'test', items, NOW);
    if (rejected.length > 0) throw new Error(JSON.stringify(rejected));
  }
  /** Until metering has passed what is in the feed now. */
  async metered(): Promise<void> {
    await eventually('metering at the end of the feed', async (saw) => {
      const [row] = await this.rows<{ behind: bigint }>(
        `SELECT count(*) AS behind FROM feed.ends e LEFT JOIN checkpoints c ON c.consumer = 'metering@1' AND c.topic = e.topic AND c.partition = e.partition
         WHERE e.topic = 'usage.events' AND coalesce(c.next_offset, 0) < e.next_offset`, [], true);
      saw(row);
      return row!.behind === 0n ? true : undefined;
    });
  }
  /** Gives envelopes to the projector directly, as the feed would. */
  async project(envelopes: readonly (readonly Partial<UsageEvent>[])[], tenant = TENANT, projector = meteringProjector()): Promise<void> {
    for (const events of envelopes) {
      const byPartition = new Map<number, UsageEvent[]>();
      for (const event of events) {
        const full = { source: 'gateway', type: 'call', subject: 'acme', time: AT(0), id: '', ...event };
        const partition = partitionOf(tenant, full.subject, USAGE_PARTITIONS);
        byPartition.set(partition, [...(byPartition.get(partition) ?? []), full]);
      }
      for (const [partition, own] of byPartition) {
        const id = newIdFrom('env', ++this.ids, new Uint8Array(10));
        await this.projectRecords([this.recordOf(partition, id, tenant, own)], projector);
      }
    }
  }
  recordOf(partition: number, id: string, tenant: string, events: readonly UsageEvent[]): FeedRecord {
    const offset = this.offsets.get(partition) ?? 0n;
    this.offsets.set(partition, offset + 1n);
    return { topic: 'usage.events', partition, offset, key: id, value: JSON.stringify({ id, tenant, recordedAt: NOW, events }), headers: { ce_tenant: tenant } };
  }
  projectRecords(records: readonly FeedRecord[], projector = meteringProjector()): Promise<void> {
    return this.database.transaction({ role: 'worker' }, (tx) => projector.project(tx, records));
  }

  /** Puts a fact of billing on its topic, as billing's relay would. The same `fact` again is a redelivery under another offset. */
  async request(requests: readonly Partial<StatementRequest>[], fact = `evt_${this.requested + 1n}`, tenant = TENANT): Promise<void> {
    const full = requests.map((request) => ({ requestId: 'r1', subscriptionId: 'sub_1', chargeKey: 'prompt', meterKey: 'tokens', meterVersion: 1, usage: [], groupBy: [], ...request }));
    const partition = partitionOf(tenant, 'chunk-1', partitionsOf('billing.statement-requests'));
    const previous = this.lastRequest.get(partition) ?? 0n;
    this.requested += 1n;
    this.lastRequest.set(partition, this.requested);
    const value = JSON.stringify({
      specversion: '1.0', id: fact, source: '/valueverse/billing', type: StatementsRequested.type, subject: 'chunk-1', time: NOW, datacontenttype: 'application/json', tenant, streamversion: Number(this.requested),
      actor: 'test', correlationid: fact, recordedtime: NOW, data: { chunkId: 'chunk-1', requests: full, requestedAt: NOW },
    });
    const record = { id: fact, tenant, type: StatementsRequested.type, stream: 'chunk-1', body: value, partition, position: this.requested };
    await this.feed.append('billing.statement-requests', partition, [recordOf(record, previous)]);
  }
  statement(requestId = 'r1', tenant = TENANT): Promise<StatementData> {
    return eventually(`a statement for ${requestId}`, async (saw) => {
      saw({ reason: this.jobs.reasons.at(-1), errors: this.errors, alarms: this.alarms });
      return this.database.transaction({ role: 'worker' }, (tx) => statementOf(tx, tenant, statementIdOf(tenant, requestId)));
    });
  }
  async rows<R extends object>(sql: string, values: readonly unknown[] = [], asOwner = false): Promise<R[]> {
    if (asOwner) return this.database.withOwner(async (client) => (await client.query(`SET search_path TO usage`), (await client.query(sql, [...values])).rows as R[]));
    return this.database.transaction({ role: 'worker' }, async (tx) => (await tx.query(sql, values)).rows as R[]);
  }
  /** The buckets of a tenant as plain values, in order. */
  async buckets(tenant = TENANT): Promise<{ meter: string; subject: string; bucket: string; groups: string; total: string; events: string }[]> {
    return this.rows(`SELECT s.meter, s.subject, b.bucket::text, s.groups, b.total::text, b.events::text FROM usage_buckets b JOIN usage_series s USING (series) WHERE b.tenant = $1 AND s.subject <> '' ORDER BY 1, 2, 3, 4`, [tenant]);
  }
  async exceptions(tenant = TENANT): Promise<{ code: string; subject: string; id: string; meter: string }[]> {
    return this.rows('SELECT code, subject, id, meter FROM usage_exceptions WHERE tenant = $1 ORDER BY log_time, partition, position, nth, code, meter', [tenant]);
  }
  async close(): Promise<void> {
    await this.subscription?.stop();
    await this.jobs.stop();
    await this.relay.stop();
    await this.feed.close();
    await this.database.close();
    await this.test.drop();
  }
}
