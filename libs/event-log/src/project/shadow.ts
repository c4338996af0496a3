import { createHash } from 'node:crypto';
import { canonicalJson } from '@valueverse/kernel';
import { partitionsOf, TOPICS, type Topic } from '@valueverse/contracts';
import { followChain } from '../consume/chain';
import { consumerName, type Projector, type RecordProjector } from '../consume/consumers';
import { ident, roleName, type Tx } from '../database/database';
import { partitionName, type Feed, type FeedRecord, type TopicPartition } from '../feed/feed';
import type { EventStore } from '../store/event-store';

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
export const rebuildProjector = async (store: EventStore, feed: Feed, schema: string, consumer: Projector | RecordProjector, { cutover, progress }: RebuildOptions): Promise<Rebuilt> => {
  const shadow = `${schema}_shadow`;
  const tables = consumer.tables ?? [];
  await makeShadow(store, schema, shadow, tables);
  try {
    const partitions = consumer.topics.flatMap((topic) => Array.from({ length: partitionsOf(topic) }, (_, partition) => ({ topic, partition })));
    const places = new Map<string, Place>(partitions.map((partition) => [partitionName(partition), { nextOffset: 0n, position: 0n }]));
    const ends = await feed.ends(partitions);
    const total = Number([...ends.values()].reduce((sum, end) => sum + end, 0n));
    const done = (): number => Number([...places.values()].reduce((sum, { nextOffset }) => sum + nextOffset, 0n));
    for (const partition of partitions) {
      const until = ends.get(partitionName(partition)) ?? 0n;
      while (places.get(partitionName(partition))!.nextOffset < until) {
        const records = await feed.read(partition, places.get(partitionName(partition))!.nextOffset, RECORDS_PER_PAGE);
        if (records.length === 0) break;
        await store.database.transaction({ role: 'worker' }, (tx) => foldRecords(store, tx, consumer, schema, partition, places, records));
        progress({ phase: 'building', done: done(), total });
      }
    }
    progress({ phase: 'comparing', done: done(), total });
    return await store.database.transaction({ role: 'owner' }, async (tx) => {
      const live = await heldCheckpoints(tx, consumer);
      for (const partition of partitions) await catchUp(store, feed, tx, consumer, schema, partition, places, live.get(partitionName(partition)) ?? 0n);
      const hashes = { live: await hashOfTables(tx, schema, tables), rebuilt: await hashOfTables(tx, shadow, tables) };
      if (cutover) {
        progress({ phase: 'swapping', done: done(), total });
        for (const table of tables) {
          await tx.query(`DELETE FROM ${ident(schema)}.${ident(table)}`);
          await tx.query(`INSERT INTO ${ident(schema)}.${ident(table)} SELECT * FROM ${ident(shadow)}.${ident(table)}`);
        }
      }
      return hashes;
    });
  } finally {
    await store.database.transaction({ role: 'owner' }, async (tx) => { await tx.query(`DROP SCHEMA IF EXISTS ${ident(shadow)} CASCADE`); });
  }
};

/** The owner of a service's tables may not make schemas; the user of the connection may. */
const makeShadow = async (store: EventStore, schema: string, shadow: string, tables: readonly string[]): Promise<void> => {
  await store.database.withOwner(async (client) => {
    await client.query(`DROP SCHEMA IF EXISTS ${ident(shadow)} CASCADE`);
    await client.query(`CREATE SCHEMA ${ident(shadow)} AUTHORIZATION ${ident(roleName(schema, 'owner'))}`);
  });
  await store.database.transaction({ role: 'owner' }, async (tx) => {
    const worker = ident(roleName(schema, 'worker'));
    await tx.query(`GRANT USAGE ON SCHEMA ${ident(shadow)} TO ${worker}`);
    for (const table of tables) {
      await tx.query(`CREATE TABLE ${ident(shadow)}.${ident(table)} (LIKE ${ident(schema)}.${ident(table)} INCLUDING ALL)`);
      await tx.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${ident(shadow)}.${ident(table)} TO ${worker}`);
    }
  });
};

const heldCheckpoints = async (tx: Tx, consumer: Projector | RecordProjector): Promise<Map<string, bigint>> => {
  const { rows } = await tx.query<{ topic: Topic; partition: number; next_offset: bigint }>(
    'SELECT topic, partition, next_offset FROM checkpoints WHERE consumer = $1 ORDER BY topic, partition FOR UPDATE', [consumerName(consumer)]);
  return new Map(rows.map((row) => [partitionName(row), row.next_offset]));
};

const catchUp = async (store: EventStore, feed: Feed, tx: Tx, consumer: Projector | RecordProjector, schema: string, partition: TopicPartition, places: Map<string, Place>, until: bigint): Promise<void> => {
  for (;;) {
    const { nextOffset } = places.get(partitionName(partition))!;
    if (nextOffset >= until) return;
    const records = (await feed.read(partition, nextOffset, RECORDS_PER_PAGE)).filter(({ offset }) => offset < until);
    if (records.length === 0) return;
    await foldRecords(store, tx, consumer, schema, partition, places, records);
  }
};

/** Folds as the live reader does, with the tables of the shadow in the place of the live ones. */
const foldRecords = async (store: EventStore, tx: Tx, consumer: Projector | RecordProjector, schema: string, partition: TopicPartition, places: Map<string, Place>, records: readonly FeedRecord[]): Promise<void> => {
  const place = places.get(partitionName(partition))!;
  const { fresh, missing, after } = followChain({ topic: partition.topic, ...place }, records, () => true);
  if (missing !== undefined && TOPICS[partition.topic].kind === 'facts') throw new Error(`${partitionName(partition)} has a gap before offset ${missing.offset}`);
  const set = await tx.query<{ tenant: string; stream: string }>('SELECT tenant, stream FROM parked_streams WHERE consumer = $1', [consumerName(consumer)]);
  const parked = new Set(set.rows.map(({ tenant, stream }) => `${tenant}\n${stream}`));
  const rejected = await tx.query<{ record_offset: bigint }>('SELECT record_offset FROM rejected_records WHERE consumer = $1 AND topic = $2 AND partition = $3', [consumerName(consumer), partition.topic, partition.partition]);
  const passedOver = new Set(rejected.rows.map(({ record_offset: offset }) => offset));
  const live = fresh.filter((record) => !parked.has(`${record.headers['ce_tenant'] ?? ''}\n${record.key}`) && !passedOver.has(record.offset));
  await tx.query(`SET LOCAL search_path TO ${ident(`${schema}_shadow`)}, ${ident(schema)}`);
  if (consumer.kind === 'records') await consumer.project(tx, live);
  else {
    const names = new Set(consumer.events);
    const facts = await store.codec.decodeAll(tx, live.filter(({ headers }) => store.codec.knows(headers['ce_type'] ?? '') && names.has(store.codec.nameOf(headers['ce_type']!))).map(({ value }) => value));
    if (facts.length > 0) await consumer.project(tx, facts);
  }
  await tx.query(`SET LOCAL search_path TO ${ident(schema)}`);
  const last = records.at(-1)!.offset + 1n;
  places.set(partitionName(partition), { position: after.position, nextOffset: missing === undefined ? last : after.nextOffset });
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
