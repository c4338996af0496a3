import { createHash } from 'node:crypto';
import { canonicalJson } from '@valueverse/kernel';
import { partitionsOf, TOPICS, type Topic } from '@valueverse/contracts';
import { followChain, hasFollower, type Following } from '../consume/chain';
import { consumerName, type Projector, type RecordProjector } from '../consume/consumers';
import { ident, roleName, type Tx } from '../database/database';
import { partitionName, type Feed, type FeedRecord, type TopicPartition } from '../feed/feed';
import type { EventStore } from '../store/event-store';
import { rebuildingAlone } from './rebuild-lock';

const RECORDS_PER_PAGE = 1_000;

/** How far a rebuild is. `done` and `total` count facts or records. */
export interface RebuildProgress { readonly phase: 'building' | 'comparing' | 'swapping'; readonly done: number; readonly total: number }
export interface Rebuilt { readonly live: string; readonly rebuilt: string }
export interface RebuildOptions {
  /** Puts what was built into the place of what is live, in the transaction that compares. */
  readonly cutover: boolean;
  readonly progress: (progress: RebuildProgress) => void;
}

interface Place { nextOffset: bigint; position: bigint }

/**
 * Builds the tables of a projector again from the feed, in a schema of their own, while the live ones are written on. In the end, while its checkpoints
 * are held, both are at the same place and are compared by the SHA-256 of all their rows. Streams that are parked are left out, as in the live tables.
 */
export const rebuildProjector = (store: EventStore, feed: Feed, schema: string, consumer: Projector | RecordProjector, options: RebuildOptions): Promise<Rebuilt> => {
  const prefix = `${schema}_shadow_${consumerName(consumer).replace(/[^a-z0-9]/g, '_')}_`;
  return rebuildingAlone(store, prefix, async (nth) => {
    const shadow: Shadow = { schema, shadow: prefix + nth, consumer, tables: consumer.tables ?? [] };
    await dropShadows(store, prefix);
    await makeShadow(store, shadow);
    try {
      return await buildShadow(store, feed, shadow, options);
    } finally {
      await dropShadows(store, shadow.shadow);
    }
  });
};

/** The tables that are built, of which projector, and the schemas of both. */
interface Shadow { readonly schema: string; readonly shadow: string; readonly consumer: Projector | RecordProjector; readonly tables: readonly string[] }

const buildShadow = async (store: EventStore, feed: Feed, shadow: Shadow, { cutover, progress }: RebuildOptions): Promise<Rebuilt> => {
  const { schema, consumer, tables } = shadow;
  const partitions = consumer.topics.flatMap((topic) => Array.from({ length: partitionsOf(topic) }, (_, partition) => ({ topic, partition })));
  const places = new Map<string, Place>(partitions.map((partition) => [partitionName(partition), { nextOffset: 0n, position: 0n }]));
  // Not further than the live reader is: what it has not handled yet it would handle again on top of what was built.
  const ends = await store.database.transaction({ role: 'worker', readOnly: true }, (tx) => checkpointsOf(tx, consumer));
  const total = Number([...ends.values()].reduce((sum, end) => sum + end, 0n));
  const done = (): number => Number([...places.values()].reduce((sum, { nextOffset }) => sum + nextOffset, 0n));
  for (const partition of partitions) {
    const fold = (records: readonly FeedRecord[]): Promise<void> => store.database.transaction({ role: 'worker' }, (tx) => foldRecords(store, feed, tx, shadow, partition, places, records));
    await readUntil(feed, partition, places, ends.get(partitionName(partition)) ?? 0n, async (records) => { await fold(records); progress({ phase: 'building', done: done(), total }); });
  }
  progress({ phase: 'comparing', done: done(), total });
  return store.database.transaction({ role: 'owner' }, async (tx) => {
    // A reader holds rows before it asks for its checkpoint: where the rows are replaced it has to wait before it has any.
    if (cutover) for (const table of tables) await tx.query(`LOCK TABLE ${ident(schema)}.${ident(table)} IN EXCLUSIVE MODE`);
    const live = await heldCheckpoints(tx, consumer);
    for (const partition of partitions) {
      await readUntil(feed, partition, places, live.get(partitionName(partition)) ?? 0n, (records) => foldRecords(store, feed, tx, shadow, partition, places, records));
    }
    const hashes = { live: await hashOfTables(tx, schema, tables), rebuilt: await hashOfTables(tx, shadow.shadow, tables) };
    if (cutover) {
      progress({ phase: 'swapping', done: done(), total });
      for (const table of tables) {
        await tx.query(`DELETE FROM ${ident(schema)}.${ident(table)}`);
        await tx.query(`INSERT INTO ${ident(schema)}.${ident(table)} SELECT * FROM ${ident(shadow.shadow)}.${ident(table)}`);
      }
    }
    return hashes;
  });
};

/** Also what a process left behind that ended while it built. */
const dropShadows = (store: EventStore, prefix: string): Promise<void> => store.database.transaction({ role: 'owner' }, async (tx) => {
  const { rows } = await tx.query<{ nspname: string }>('SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1)', [prefix]);
  for (const { nspname } of rows) await tx.query(`DROP SCHEMA IF EXISTS ${ident(nspname)} CASCADE`);
});

/** The owner of a service's tables may not make schemas; the user of the connection may. */
const makeShadow = async (store: EventStore, { schema, shadow, tables }: Shadow): Promise<void> => {
  await store.database.withOwner(async (client) => { await client.query(`CREATE SCHEMA ${ident(shadow)} AUTHORIZATION ${ident(roleName(schema, 'owner'))}`); });
  await store.database.transaction({ role: 'owner' }, async (tx) => {
    const worker = ident(roleName(schema, 'worker'));
    await tx.query(`GRANT USAGE ON SCHEMA ${ident(shadow)} TO ${worker}`);
    for (const table of tables) {
      await tx.query(`CREATE TABLE ${ident(shadow)}.${ident(table)} (LIKE ${ident(schema)}.${ident(table)} INCLUDING ALL)`);
      await tx.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${ident(shadow)}.${ident(table)} TO ${worker}`);
    }
  });
};

const CHECKPOINTS = 'SELECT topic, partition, next_offset FROM checkpoints WHERE consumer = $1 ORDER BY topic, partition';
const checkpointsOf = async (tx: Tx, consumer: Projector | RecordProjector, sql = CHECKPOINTS): Promise<Map<string, bigint>> => {
  const { rows } = await tx.query<{ topic: Topic; partition: number; next_offset: bigint }>(sql, [consumerName(consumer)]);
  return new Map(rows.map((row) => [partitionName(row), row.next_offset]));
};
const heldCheckpoints = (tx: Tx, consumer: Projector | RecordProjector): Promise<Map<string, bigint>> => checkpointsOf(tx, consumer, `${CHECKPOINTS} FOR UPDATE`);

const readUntil = async (feed: Feed, partition: TopicPartition, places: Map<string, Place>, until: bigint, fold: (records: readonly FeedRecord[]) => Promise<void>): Promise<void> => {
  for (;;) {
    const { nextOffset } = places.get(partitionName(partition))!;
    if (nextOffset >= until) return;
    const records = (await feed.read(partition, nextOffset, RECORDS_PER_PAGE)).filter(({ offset }) => offset < until);
    if (records.length === 0) return;
    await fold(records);
  }
};

/** Folds as the live reader does, with the tables of the shadow in the place of the live ones. */
const foldRecords = async (store: EventStore, feed: Feed, tx: Tx, { schema, shadow, consumer, tables }: Shadow, partition: TopicPartition, places: Map<string, Place>, records: readonly FeedRecord[]): Promise<void> => {
  const rejected = await rejectedOf(tx, consumer, partition);
  const { fresh, after } = await followOurs(feed, partition, places.get(partitionName(partition))!, records, rejected);
  const set = await tx.query<{ tenant: string; stream: string }>('SELECT tenant, stream FROM parked_streams WHERE consumer = $1', [consumerName(consumer)]);
  const parked = new Set(set.rows.map(({ tenant, stream }) => `${tenant}\n${stream}`));
  const live = fresh.filter((record) => !parked.has(`${record.headers['ce_tenant'] ?? ''}\n${record.key}`) && !rejected.has(record.offset));
  // A table that is gone from the shadow would be looked for, and found, among the live ones.
  for (const table of tables) await tx.query(`LOCK TABLE ${ident(shadow)}.${ident(table)} IN ROW EXCLUSIVE MODE`);
  await tx.query(`SET LOCAL search_path TO ${ident(shadow)}, ${ident(schema)}`);
  // What was told once, when the live rows changed, is not told again.
  const silent: Tx = { ...tx, afterCommit: () => undefined };
  if (consumer.kind === 'records') await consumer.project(silent, live);
  else {
    const names = new Set(consumer.events);
    const facts = await store.codec.decodeAll(tx, live.filter(({ headers }) => store.codec.knows(headers['ce_type'] ?? '') && names.has(store.codec.nameOf(headers['ce_type']!))).map(({ value }) => value));
    if (facts.length > 0) await consumer.project(silent, facts);
  }
  await tx.query(`SET LOCAL search_path TO ${ident(schema)}`);
  places.set(partitionName(partition), { position: after.position, nextOffset: records.at(-1)!.offset + 1n });
};

/** By offset, why the live reader rejected a record. */
const rejectedOf = async (tx: Tx, consumer: Projector | RecordProjector, { topic, partition }: TopicPartition): Promise<Map<bigint, string>> => {
  const { rows } = await tx.query<{ record_offset: bigint; code: string }>('SELECT record_offset, code FROM rejected_records WHERE consumer = $1 AND topic = $2 AND partition = $3', [consumerName(consumer), topic, partition]);
  return new Map(rows.map(({ record_offset: offset, code }) => [offset, code]));
};

/** Follows the chain as the live reader did: what it rejected is no link, unless only its type was unknown. What was given up since is told by what follows it. */
const followOurs = async (feed: Feed, partition: TopicPartition, place: Place, records: readonly FeedRecord[], rejected: ReadonlyMap<bigint, string>): Promise<Following> => {
  const isFacts = TOPICS[partition.topic].kind === 'facts';
  let ours = isFacts ? records.filter(({ offset }) => (rejected.get(offset) ?? 'unknown_type') === 'unknown_type') : records;
  for (;;) {
    const following = followChain({ topic: partition.topic, ...place }, ours, () => true);
    const { missing, after } = following;
    if (missing === undefined) return following;
    const isIntruder = isFacts && (hasFollower(after, ours.filter(({ offset }) => offset > missing.offset)) || hasFollower(after, await feed.read(partition, records.at(-1)!.offset + 1n, RECORDS_PER_PAGE)));
    if (!isIntruder) throw new Error(`${partitionName(partition)} has a gap before offset ${missing.offset}`);
    ours = ours.filter((record) => record !== missing);
  }
};

/** SHA-256 over every row of tables, in an order that their contents give. */
const hashOfTables = async (tx: Tx, schema: string, tables: readonly string[]): Promise<string> => {
  const hash = createHash('sha256');
  for (const table of tables) {
    const { rows } = await tx.query<{ row: string }>(`SELECT to_json(t)::text AS row FROM ${ident(schema)}.${ident(table)} t ORDER BY 1`);
    hash.update(canonicalJson(table)).update('\n');
    for (const { row } of rows) hash.update(row).update('\n');
  }
  return hash.digest('hex');
};
