import { createHash } from 'node:crypto';
import type { Message, Projection } from '@valueverse/kernel';
import { canonicalJson } from '@valueverse/kernel';
import type { Tx } from '../database/database';
import { textArray } from '../database/binary-array';
import { ident, roleName } from '../database/database';
import { schemaOwner, tenantPolicySql } from '../database/roles';
import type { Fact } from '../codec/codec';

/** A projection with the columns that its queries filter and sort by. The row itself is kept as JSON. */
export interface ReadModel<E extends Message, Row> extends Projection<E, Row> {
  /** Columns beside the row, for filters: name in snake_case -> value of a row. */
  readonly columns?: Readonly<Record<string, (row: Row) => string | null>>;
  /** What lists are sorted by, before the key: an instant, or a text that sorts as it stands. */
  readonly sortBy: (row: Row) => string;
  /** Fields that two rows of a tenant may not share; null values are not compared. */
  readonly unique?: readonly string[];
}
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a list of models of different events has no common type
export type AnyReadModel = ReadModel<any, any>;

export interface StoredRow<Row = unknown> { readonly tenant: string; readonly key: string; readonly streamVersion: number; readonly row: Row }

export const tableOf = (model: AnyReadModel): string => `${model.table}_v${model.version}`;

/** SQL of the table of a model's version. `name` differs from `tableOf` while a rebuild is under way. */
export const readModelTableSql = (schema: string, model: AnyReadModel, name = tableOf(model)): string => {
  const owner = schemaOwner(schema);
  const table = `${ident(schema)}.${ident(name)}`;
  const columns = Object.keys(model.columns ?? {});
  return `CREATE TABLE ${table} (tenant text NOT NULL, key text NOT NULL, stream_version int NOT NULL, sort_by text NOT NULL,
    ${columns.map((column) => `${ident(column)} text,`).join(' ')} row json NOT NULL, PRIMARY KEY (tenant, key));
CREATE INDEX ON ${table} (tenant, sort_by, key);
${columns.map((column) => `CREATE INDEX ON ${table} (tenant, ${ident(column)}, sort_by, key);`).join('\n')}
${tenantPolicySql(schema, name)}
GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO ${ident(roleName(owner, 'worker'))}, ${ident(roleName(owner, 'api'))};`;
};

/**
 * SQL of the constraints of a model's version. Made when its rows are complete: while they are built partition by partition, a value may
 * stand in the row that gave it up and in the row that has it now.
 */
export const readModelUniqueSql = (schema: string, model: AnyReadModel): string => (model.unique ?? [])
  .map((column) => `CREATE UNIQUE INDEX ${ident(`${tableOf(model)}_${column}`)} ON ${ident(schema)}.${ident(tableOf(model))} (tenant, ${ident(column)});`).join('\n');

/** SQL that points the model's public name at one of its tables. */
export const readModelViewSql = (schema: string, model: AnyReadModel, name = tableOf(model)): string => {
  const owner = schemaOwner(schema);
  const view = `${ident(schema)}.${ident(model.table)}`;
  return `DROP VIEW IF EXISTS ${view};
CREATE VIEW ${view} WITH (security_invoker = true) AS SELECT * FROM ${ident(schema)}.${ident(name)};
GRANT SELECT ON ${view} TO ${ident(roleName(owner, 'worker'))}, ${ident(roleName(owner, 'api'))};`;
};

const rowKey = (tenant: string, key: string): string => `${tenant}\n${key}`;

/**
 * Folds facts into the rows of a model, in the order given, inside the caller's transaction. A row remembers the version of
 * its stream, so a fact that it holds already changes nothing. `ownStream` says that a row's facts are all of one stream.
 */
export const foldInto = async (tx: Tx, model: AnyReadModel, facts: readonly Fact[], options: { table?: string; ownStream: boolean }): Promise<void> => {
  const handlers = model.on as Record<string, ((event: unknown, row: unknown) => unknown) | undefined>;
  const relevant = facts.filter(({ event }) => handlers[event.type] !== undefined);
  if (relevant.length === 0) return;
  const table = options.table ?? tableOf(model);
  if (!options.ownStream) await oneAtATime(tx, table, relevant);
  const rows = await lockRows(tx, model, table, relevant);
  for (const fact of relevant) {
    const key = rowKey(fact.tenant, model.key(fact.event as never));
    const current = rows.get(key)!;
    if (options.ownStream && fact.version <= current.streamVersion) continue;
    const row = handlers[fact.event.type]!(fact.event, current.row);
    rows.set(key, { ...current, row, streamVersion: options.ownStream ? fact.version : current.streamVersion + 1 });
  }
  await upsertRows(tx, model, table, [...rows.values()]);
};

/**
 * Writes the rows of streams, folded from all their facts: nothing has to be read, and what processes of an older release have not written is there again. For streams that are short, whose rows belong to them alone; that
 * nobody else writes them at the same time is for the append to say.
 */
export const writeRowsOf = async (tx: Tx, model: AnyReadModel, streams: readonly { readonly facts: readonly Fact[]; readonly fresh: readonly Fact[] }[]): Promise<void> => {
  const handlers = model.on as Record<string, ((event: unknown, row: unknown) => unknown) | undefined>;
  const rows = new Map<string, StoredRow>();
  for (const { tenant, version: streamVersion, event } of streams.flatMap(({ facts, fresh }) => [...facts, ...fresh])) {
    const fold = handlers[event.type];
    if (fold === undefined) continue;
    const key = model.key(event as never);
    const name = rowKey(tenant, key);
    rows.set(name, { tenant, key, streamVersion, row: fold(event, rows.get(name)?.row ?? model.initial) });
  }
  if (rows.size > 0) await upsertRows(tx, model, tableOf(model), [...rows.values()]);
};

/**
 * Partitions are read side by side, and a row that folds many streams is fed from several of them: a row that is not there yet cannot be
 * locked, so folds of one tenant into one table follow each other.
 */
const oneAtATime = async (tx: Tx, table: string, facts: readonly Fact[]): Promise<void> => {
  await tx.query('SELECT pg_advisory_xact_lock(hashtextextended(k.name, 0)) FROM (SELECT DISTINCT n AS name FROM unnest($1::text[]) n ORDER BY 1) k', [facts.map(({ tenant }) => `${table} ${tenant}`)]);
};

const lockRows = async (tx: Tx, model: AnyReadModel, table: string, facts: readonly Fact[]): Promise<Map<string, StoredRow>> => {
  const rows = new Map<string, StoredRow>();
  for (const fact of facts) {
    const key = model.key(fact.event as never);
    rows.set(rowKey(fact.tenant, key), { tenant: fact.tenant, key, streamVersion: 0, row: model.initial });
  }
  const wanted = [...rows.values()];
  const stored = await tx.query<{ tenant: string; key: string; stream_version: number; row: unknown }>(
    `SELECT t.tenant, t.key, t.stream_version, t.row FROM ${ident(table)} t
     JOIN unnest($1::text[], $2::text[]) k(tenant, key) ON t.tenant = k.tenant AND t.key = k.key ORDER BY t.tenant, t.key FOR UPDATE OF t`,
    [wanted.map(({ tenant }) => tenant), wanted.map(({ key }) => key)]);
  for (const row of stored.rows) rows.set(rowKey(row.tenant, row.key), { tenant: row.tenant, key: row.key, streamVersion: row.stream_version, row: row.row });
  return rows;
};

const INSTANT = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?Z$/;
/** Instants leave out a fraction that is zero; with all six digits they sort as texts. */
const sortable = (value: string): string => {
  const [, seconds, fraction = ''] = INSTANT.exec(value) ?? [];
  return seconds === undefined ? value : `${seconds}.${fraction.padEnd(6, '0')}Z`;
};

/** In the order in which rows are held too: of two that write the same rows none waits for the other. */
const upsertRows = async (tx: Tx, model: AnyReadModel, table: string, rows: readonly StoredRow[]): Promise<void> => {
  const columns = Object.entries(model.columns ?? {});
  const updated = ['stream_version', 'sort_by', 'row', ...columns.map(([name]) => name)];
  await tx.query(
    `INSERT INTO ${ident(table)} (tenant, key, stream_version, sort_by, row${columns.map(([name]) => `, ${ident(name)}`).join('')})
     SELECT r.tenant, r.key, r.stream_version, r.sort_by, r.row::json${columns.map(([name]) => `, r.${ident(name)}`).join('')} FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[]${columns.map((_, index) => `, $${index + 6}::text[]`).join('')})
       AS r(tenant, key, stream_version, sort_by, row${columns.map(([name]) => `, ${ident(name)}`).join('')})
     ORDER BY r.tenant, r.key ON CONFLICT (tenant, key) DO UPDATE SET ${updated.map((name) => `${ident(name)} = excluded.${ident(name)}`).join(', ')}`,
    [rows.map(({ tenant }) => tenant), rows.map(({ key }) => key), rows.map(({ streamVersion }) => streamVersion), rows.map(({ row }) => sortable(model.sortBy(row))),
      textArray(rows.map(({ row }) => JSON.stringify(row))), ...columns.map(([, value]) => rows.map(({ row }) => value(row)))]);
};

/** SHA-256 over every row and column of a table, in key order: equal hashes are equal bytes. */
export const hashOfTable = async (tx: Tx, table: string): Promise<string> => {
  const { rows } = await tx.query<Record<string, unknown>>(`SELECT * FROM ${ident(table)} ORDER BY tenant, key`);
  const hash = createHash('sha256');
  for (const row of rows) hash.update(canonicalJson(row)).update('\n');
  return hash.digest('hex');
};
