import { ident, roleName, type EventStore, type Tx } from '@valueverse/event-log';
import { KEY_SLOTS } from '../metering/key-days';

/** What metering derives from its copy, and so what is made again from it. */
export const REBUILT_TABLES = ['usage_series', 'usage_buckets', 'usage_bucket_values', 'usage_bucket_envelopes', 'usage_exceptions', 'usage_superseded', 'usage_corrections', 'usage_keys'] as const;
/** All that is written while envelopes are taken in; nothing of it may be looked for among the live tables. */
const WRITTEN_TABLES = [...REBUILT_TABLES, 'usage_partitions', 'usage_envelopes', 'usage_key_days', 'usage_meter_progress'] as const;
const KEY_TABLES = Array.from({ length: KEY_SLOTS }, (_, slot) => `usage_keys_${slot}`);
const SLOTS_SQL = KEY_TABLES.map((_, slot) => String(slot));

/** The schema of a service and the one beside it in which its tables are made again. */
export interface Schemas { readonly live: string; readonly shadow: string }

/** Also what a process left behind that ended while it built. */
export const dropShadows = (store: EventStore, prefix: string): Promise<void> => store.database.transaction({ role: 'owner' }, async (tx) => {
  const { rows } = await tx.query<{ nspname: string }>('SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1)', [prefix]);
  for (const { nspname } of rows) await tx.query(`DROP SCHEMA IF EXISTS ${ident(nspname)} CASCADE`);
});

/** The owner of a service's tables may not make schemas; the user of the connection may. */
export const makeShadow = async (store: EventStore, { live, shadow }: Schemas): Promise<void> => {
  await store.database.withOwner(async (client) => { await client.query(`CREATE SCHEMA ${ident(shadow)} AUTHORIZATION ${ident(roleName(live, 'owner'))}`); });
  await store.database.transaction({ role: 'owner' }, async (tx) => {
    const worker = ident(roleName(live, 'worker'));
    await tx.query(`GRANT USAGE ON SCHEMA ${ident(shadow)} TO ${worker}`);
    for (const table of WRITTEN_TABLES) if (table !== 'usage_keys') await tx.query(`CREATE TABLE ${ident(shadow)}.${ident(table)} (LIKE ${ident(live)}.${ident(table)} INCLUDING ALL)`);
    await tx.query(`CREATE TABLE ${ident(shadow)}.usage_keys (LIKE ${ident(live)}.usage_keys INCLUDING ALL) PARTITION BY LIST (slot)`);
    for (const [slot, table] of KEY_TABLES.entries()) await tx.query(`CREATE TABLE ${ident(shadow)}.${ident(table)} PARTITION OF ${ident(shadow)}.usage_keys FOR VALUES IN (${SLOTS_SQL[slot]})`);
    await tx.query(`GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA ${ident(shadow)} TO ${worker}`);
  });
};

/** Empties all tables of the shadow. */
export const emptyShadow = async (tx: Tx, { shadow }: Schemas): Promise<void> => {
  await tx.query(`TRUNCATE ${WRITTEN_TABLES.map((table) => `${ident(shadow)}.${ident(table)}`).join(', ')}`);
};

/** Works with the tables of the shadow in the place of the live ones. A table that is gone from it would be found among the live ones, so all are held. */
export const inShadow = async <T>(tx: Tx, { live, shadow }: Schemas, work: () => Promise<T>): Promise<T> => {
  await tx.query(`LOCK TABLE ${[...WRITTEN_TABLES, ...KEY_TABLES].map((table) => `${ident(shadow)}.${ident(table)}`).join(', ')} IN ROW EXCLUSIVE MODE`);
  await tx.query(`SET LOCAL search_path TO ${ident(shadow)}, ${ident(live)}`);
  const result = await work();
  await tx.query(`SET LOCAL search_path TO ${ident(live)}`);
  return result;
};
