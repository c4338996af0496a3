import type { Database, Tx } from '../database/database';
import { ident } from '../database/database';
import type { EventStore } from '../store/event-store';
import { STORE_PARTITIONS } from '../store/schema';
import { rebuildingAlone } from './rebuild-lock';
import type { RebuildOptions, Rebuilt } from './shadow';
import { foldInto, hashOfTable, readModelTableSql, readModelUniqueSql, readModelViewSql, tableOf, type AnyReadModel } from './read-model';

/** With the hash of the schema: one process at a time builds the views of a service. */
const BUILD_LOCK = 7_305_004;
const FACTS_PER_PAGE = 1_000;
/** Below this many facts the rest is folded while the heads are held. */
const CATCH_UP_BELOW = 2_000n;

/**
 * Makes the tables of the stream views of a service. A version that has no table is built beside the live one from the store, caught up,
 * and swapped in one transaction that holds the heads, so no fact is missed and readers see the old rows until then.
 */
export const ensureStreamViews = async (store: EventStore, schema: string, models: readonly AnyReadModel[]): Promise<void> => {
  await store.database.withOwner(async (client) => {
    await client.query('SELECT pg_advisory_lock($1, hashtext($2))', [BUILD_LOCK, schema]);
    try {
      for (const model of models) {
        const exists = await store.database.transaction({ role: 'owner' }, (tx) => tableExists(tx, schema, tableOf(model)));
        if (!exists) await buildAndSwap(store, schema, model, tableOf(model));
      }
    } finally {
      await client.query('SELECT pg_advisory_unlock($1, hashtext($2))', [BUILD_LOCK, schema]);
    }
  });
};

const SILENT: RebuildOptions = { cutover: false, progress: () => undefined };

/**
 * Builds a view anew in a table of another name while the live one is written on, and answers the hashes of both at one moment. With `cutover` the rows that were
 * built take the place of the live ones in the same transaction, which holds the heads.
 */
export const rebuildAndCompare = (store: EventStore, schema: string, model: AnyReadModel, options: RebuildOptions = SILENT): Promise<Rebuilt> => {
  const prefix = `${tableOf(model)}_shadow_`;
  return rebuildingAlone(store, `${schema}.${prefix}`, async (nth) => {
    const shadow = prefix + nth;
    await dropTables(store, schema, prefix);
    await createTable(store.database, schema, model, shadow);
    try {
      return await fillAndCompare(store, model, shadow, options);
    } finally {
      await dropTables(store, schema, shadow);
    }
  });
};

const fillAndCompare = async (store: EventStore, model: AnyReadModel, shadow: string, { cutover, progress }: RebuildOptions): Promise<Rebuilt> => {
  const live = tableOf(model);
  const from = await fill(store, model, shadow, (done, total) => progress({ phase: 'building', done, total }));
  return store.database.transaction({ role: 'owner' }, async (tx) => {
    // A writer holds rows before it asks for a head: where the rows are replaced it has to wait before it has any.
    if (cutover) await tx.query(`LOCK TABLE ${ident(live)} IN EXCLUSIVE MODE`);
    await lockHeads(tx);
    await fillTo(store, tx, model, shadow, from);
    const total = Number([...from.values()].reduce((sum, position) => sum + position, 0n));
    progress({ phase: 'comparing', done: total, total });
    const hashes = { live: await hashOfTable(tx, live), rebuilt: await hashOfTable(tx, shadow) };
    if (cutover) {
      progress({ phase: 'swapping', done: total, total });
      await tx.query(`DELETE FROM ${ident(live)}`);
      await tx.query(`INSERT INTO ${ident(live)} SELECT * FROM ${ident(shadow)}`);
    }
    return hashes;
  });
};

/** Also what a process left behind that ended while it built. */
const dropTables = (store: EventStore, schema: string, prefix: string): Promise<void> => store.database.transaction({ role: 'owner' }, async (tx) => {
  const { rows } = await tx.query<{ tablename: string }>('SELECT tablename FROM pg_tables WHERE schemaname = $1 AND starts_with(tablename, $2)', [schema, prefix]);
  for (const { tablename } of rows) await tx.query(`DROP TABLE IF EXISTS ${ident(schema)}.${ident(tablename)}`);
});

const tableExists = async (tx: Tx, schema: string, table: string): Promise<boolean> =>
  (await tx.query('SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = $2', [schema, table])).rowCount === 1;

const createTable = (database: Database, schema: string, model: AnyReadModel, name: string): Promise<void> => database.transaction({ role: 'owner' }, async (tx) => {
  await tx.query(readModelTableSql(schema, model, name));
});

const buildAndSwap = async (store: EventStore, schema: string, model: AnyReadModel, name: string): Promise<void> => {
  const building = `${name}_building`;
  await store.database.transaction({ role: 'owner' }, async (tx) => { await tx.query(`DROP TABLE IF EXISTS ${ident(schema)}.${ident(building)}`); });
  await createTable(store.database, schema, model, building);
  const from = await fill(store, model, building);
  await store.database.transaction({ role: 'owner' }, async (tx) => {
    await lockHeads(tx);
    await fillTo(store, tx, model, building, from);
    await tx.query(`ALTER TABLE ${ident(schema)}.${ident(building)} RENAME TO ${ident(name)}`);
    await tx.query(readModelUniqueSql(schema, model));
    await tx.query(readModelViewSql(schema, model, name));
  });
};

const lockHeads = async (tx: Tx): Promise<void> => { await tx.query('SELECT partition FROM heads ORDER BY partition FOR UPDATE'); };

/** Folds page by page, each in its own transaction, until little is left; answers how far each partition was read. */
const fill = async (store: EventStore, model: AnyReadModel, table: string, progress: (done: number, total: number) => void = () => undefined): Promise<Map<number, bigint>> => {
  const from = new Map<number, bigint>(Array.from({ length: STORE_PARTITIONS }, (_, partition) => [partition, 0n]));
  for (;;) {
    const left = await store.database.transaction({ role: 'worker' }, async (tx) => {
      for (const partition of from.keys()) await foldPage(store, tx, model, table, from, partition);
      const { rows } = await tx.query<{ partition: number; position: bigint }>('SELECT partition, position FROM heads');
      const missing = rows.reduce((sum, { partition, position }) => sum + position - from.get(partition)!, 0n);
      const done = [...from.values()].reduce((sum, position) => sum + position, 0n);
      progress(Number(done), Number(done + missing));
      return missing;
    });
    if (left < CATCH_UP_BELOW) return from;
  }
};

const fillTo = async (store: EventStore, tx: Tx, model: AnyReadModel, table: string, from: Map<number, bigint>): Promise<void> => {
  for (const partition of from.keys()) while (await foldPage(store, tx, model, table, from, partition));
};

const foldPage = async (store: EventStore, tx: Tx, model: AnyReadModel, table: string, from: Map<number, bigint>, partition: number): Promise<boolean> => {
  const { rows } = await tx.query<{ position: bigint; body: string }>(
    'SELECT position, body FROM events WHERE partition = $1 AND position > $2 ORDER BY position LIMIT $3', [partition, from.get(partition), FACTS_PER_PAGE]);
  if (rows.length === 0) return false;
  await foldInto(tx, model, await store.codec.decodeAll(tx, rows.map(({ body }) => body)), { table, ownStream: true });
  from.set(partition, rows.at(-1)!.position);
  return true;
};
