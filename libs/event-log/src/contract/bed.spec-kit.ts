import { randomBytes } from 'node:crypto';
import { createTestDatabase, eventually, type TestDatabase } from '@valueverse/testing';
import { Codec } from '../codec/codec';
import type { Consumer, JobSink } from '../consume/consumers';
import { consumerSchemaSql, deadLetterSchemaSql } from '../consume/schema';
import { Subscription, type SubscriptionOptions } from '../consume/subscription';
import { Database, ident, roleName } from '../database/database';
import { ensureRoles } from '../database/roles';
import { partitionsOf, type Topic, TOPICS } from '@valueverse/contracts';
import type { Feed, NewRecord } from '../feed/feed';
import { Log } from '../log';
import { ensureStreamViews } from '../project/build';
import { Relay } from '../relay/relay';
import { EventStore } from '../store/event-store';
import { storeSchemaSql } from '../store/schema';
import { PARCEL_EVENTS, parcelView, scan, parcel } from './parcels.spec-kit';

const SCHEMA = 'billing';
export const TENANT = 'org_1:test';
export const NOW = '2026-01-01T00:00:00Z';
export const wallClock = (): string => NOW;
export const noJobs: JobSink = { schedule: async () => undefined };

const prepare = async (url: string): Promise<void> => {
  const database = new Database({ url, schema: SCHEMA });
  await ensureRoles(database, [SCHEMA]);
  await database.transaction({ role: 'owner' }, async (tx) => {
    await tx.query(storeSchemaSql(SCHEMA));
    await tx.query(consumerSchemaSql(SCHEMA));
    await tx.query(deadLetterSchemaSql(SCHEMA));
    await tx.query(`CREATE TABLE effects (consumer text NOT NULL, stream text NOT NULL, version int NOT NULL, nth bigserial)`);
    await tx.query(`GRANT ALL ON effects, effects_nth_seq TO ${ident(roleName(SCHEMA, 'worker'))}`);
  });
  const store = new EventStore(database, codecOf());
  await store.checkSettings();
  await ensureStreamViews(store, SCHEMA, [parcelView]);
  await database.close();
};
export const codecOf = (): Codec => new Codec('billing', [...PARCEL_EVENTS]);

/** A service with its own database, as often opened as a test wants processes. */
export class Bed {
  readonly alarms: string[] = [];
  readonly errors: unknown[] = [];
  private readonly closing: (() => Promise<void>)[] = [];
  private constructor(private readonly test: TestDatabase, readonly group: string) {}

  static async make(): Promise<Bed> {
    return new Bed(await createTestDatabase(prepare, 'event-log contract'), `g${randomBytes(4).toString('hex')}`);
  }
  get url(): string { return this.test.url; }

  open(beforeStatement?: (text: string) => void): Log {
    const database = new Database({ url: this.test.url, schema: SCHEMA, connectionsMax: 30, ...(beforeStatement === undefined ? {} : { beforeStatement }) });
    this.closing.push(() => database.close());
    return new Log(new EventStore(database, codecOf()), wallClock);
  }
  relay(log: Log, feed: Feed): Relay {
    const relay = new Relay(log.store, feed, this.reports());
    this.closing.push(() => relay.stop());
    return relay;
  }
  subscription(log: Log, feed: Feed, ...given: (Consumer | Partial<SubscriptionOptions>)[]): Subscription {
    const consumers = given.filter((one): one is Consumer => 'kind' in one);
    const options = given.filter((one): one is Partial<SubscriptionOptions> => !('kind' in one));
    const subscription = new Subscription(Object.assign({ group: this.group, store: log.store, feed, consumers, jobs: noJobs, wallClock, reports: this.reports() }, ...options) as SubscriptionOptions);
    this.closing.push(() => subscription.stop());
    return subscription;
  }
  reports(): { error(message: string, cause: unknown): void; alarm(message: string): void } {
    return { error: (_, cause) => { this.errors.push(cause); }, alarm: (message) => { this.alarms.push(message); } };
  }
  scan(log: Log, parcelId: string, commandId?: string): Promise<unknown> {
    return log.executeOne(parcel, scan(parcelId), { tenant: TENANT, at: NOW, actor: 'test', commandId });
  }
  /** Writes a record past the checks that PostgreSQL's own append makes, as somebody with another program would. */
  async smuggle(log: Log, feed: Feed, topic: Topic, partition: number, record: NewRecord): Promise<void> {
    if (feed.kind === 'kafka') { await feed.append(topic, partition, [record]); return; }
    const { ce_position: position, ce_previous: previous } = record.headers;
    await log.database.withOwner((client) => client.query(
      `WITH e AS (UPDATE feed.ends SET next_offset = next_offset + 1 WHERE topic = $1 AND partition = $2 RETURNING next_offset - 1 AS at)
       INSERT INTO feed.records (topic, partition, record_offset, position, previous, key, headers, value) SELECT $1, $2, at, $3, $4, $5, $6, $7 FROM e`,
      [topic, partition, /^\d+$/.test(position ?? '') ? position : null, /^\d+$/.test(previous ?? '') ? previous : null, record.key, JSON.stringify(record.headers),
        // This feed cannot hold such a text.
        record.value.replaceAll('\0', '?')]));
  }
  /** What a consumer wrote down, in the order in which it did. */
  async effects(log: Log, consumer = 'recorder'): Promise<{ stream: string; version: number }[]> {
    const { rows } = await log.database.transaction({ role: 'worker' }, (tx) => tx.query<{ stream: string; version: number }>('SELECT stream, version FROM effects WHERE consumer = $1 ORDER BY nth', [consumer]));
    return rows;
  }
  async facts(log: Log): Promise<number> {
    const { rows } = await log.database.transaction({ role: 'worker' }, (tx) => tx.query<{ count: bigint }>('SELECT count(*) FROM events'));
    return Number(rows[0]!.count);
  }
  async unpublished(log: Log): Promise<number> {
    const { rows } = await log.database.transaction({ role: 'worker' }, (tx) => tx.query<{ count: bigint }>('SELECT coalesce(sum(h.position - r.position), 0)::bigint AS count FROM heads h JOIN relay_partitions r USING (partition)'));
    return Number(rows[0]!.count);
  }
  async close(): Promise<void> {
    for (const close of this.closing.reverse()) await close().catch(() => undefined);
    await this.test.drop();
  }
}

const BED_TIMEOUT_MS = 60_000;
/** The topics of a feed, each partition with a leader that knows it: who appends by itself, and not in a loop that tries again, would else meet one that does not yet. */
export const readyTopics = async (feed: Feed): Promise<void> => {
  await feed.ensureTopics();
  const partitions = (Object.keys(TOPICS) as Topic[]).flatMap((topic) => Array.from({ length: partitionsOf(topic) }, (_, partition) => ({ topic, partition })));
  await eventually('each partition to have a leader', async () => ((await feed.ends(partitions)).size > 0 || undefined));
};
/** Before each test a bed of its own, an open log and a feed with its topics; after it, all of it is gone. */
export const eachOnABed = <F extends Feed>(makeFeed: (bed: Bed) => F, give: (made: { bed: Bed; log: Log; feed: F }) => void): void => {
  let bed: Bed;
  let feed: F;
  beforeEach(async () => {
    bed = await Bed.make();
    feed = makeFeed(bed);
    await readyTopics(feed);
    give({ bed, log: bed.open(), feed });
  }, BED_TIMEOUT_MS);
  afterEach(async () => { await bed.close(); await feed.close(); }, BED_TIMEOUT_MS);
};

/** Writes down what it is given; `hook` runs before, inside the transaction. */
export const recorder = (hook: (streams: readonly string[]) => Promise<void> | void = () => undefined): Consumer => ({
  kind: 'projector', name: 'recorder', version: 1, topics: ['billing.plans'], events: ['ParcelScanned'],
  project: async (tx, facts) => {
    await hook(facts.map(({ stream }) => stream));
    for (const { stream, version } of facts) await tx.query(`INSERT INTO effects (consumer, stream, version) VALUES ('recorder', $1, $2)`, [stream, version]);
  },
});
/** Every fact once, and those of a stream in their order. */
export const isExactlyOnceInOrder = (effects: readonly { stream: string; version: number }[]): boolean => {
  const last = new Map<string, number>();
  return effects.every(({ stream, version }) => {
    const follows = version === (last.get(stream) ?? 0) + 1;
    last.set(stream, version);
    return follows;
  });
};
