import { ident, tableOf, type AnyReadModel, type Tx } from '@valueverse/event-log';
import type { Cursors, Page } from '../http/pagination';

/** One row of a read model by its key; `undefined` when the tenant of the transaction has none. */
export const rowOf = async <Row>(tx: Tx, model: AnyReadModel, key: string): Promise<Row | undefined> => {
  const { rows } = await tx.query<{ row: Row }>(`SELECT row FROM ${ident(model.table)} WHERE tenant = $1 AND key = $2`, [tx.tenant, key]);
  return rows[0]?.row;
};

/** Rows of a tenant in a read model by their keys, held until the transaction ends. They are taken in the order of the keys, so that two who hold several wait for each other and never for ever. */
export const heldRows = async <Row>(tx: Tx, tenant: string, model: AnyReadModel, keys: readonly string[]): Promise<ReadonlyMap<string, Row>> => {
  const { rows } = await tx.query<{ key: string; row: Row }>(`SELECT key, row FROM ${ident(tableOf(model))} WHERE tenant = $1 AND key = ANY($2) ORDER BY key FOR UPDATE`, [tenant, keys]);
  return new Map(rows.map(({ key, row }) => [key, row]));
};

/** One of them. */
export const heldRow = async <Row>(tx: Tx, tenant: string, model: AnyReadModel, key: string): Promise<Row | undefined> => (await heldRows<Row>(tx, tenant, model, [key])).get(key);

interface ListOptions<Row, T> {
  readonly model: AnyReadModel;
  readonly query: { limit: number; cursor?: string };
  readonly cursors: Cursors;
  /** Column -> value that rows must have; `undefined` values do not filter. */
  readonly filters?: Readonly<Record<string, string | undefined>>;
  readonly toApi: (row: Row, key: string) => T;
  /** Newest first is the default. */
  readonly order?: 'newest' | 'oldest';
}

/** A page of a read model, by keyset over (sort_by, key), so it is stable while rows are added. */
export const listRows = async <Row, T>(tx: Tx, options: ListOptions<Row, T>): Promise<Page<T>> => {
  const { model, query, cursors, toApi } = options;
  const oldest = options.order === 'oldest';
  const filters = Object.entries(options.filters ?? {}).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const unknown = filters.find(([name]) => !(name in (model.columns ?? {})));
  if (unknown !== undefined) throw new Error(`${model.table} has no column ${unknown[0]}`);
  const list = JSON.stringify([model.table, tx.tenant, filters, oldest]);
  const after = cursors.read(query.cursor, list);
  const { rows } = await tx.query<{ row: Row; key: string; sort_by: string }>(
    `SELECT row, key, sort_by FROM ${ident(model.table)} WHERE tenant = $1 ${filters.map(([name], index) => `AND ${ident(name)} = $${index + 5}`).join(' ')}
     ${after === undefined ? 'AND $3::text IS NULL AND $4::text IS NULL' : oldest ? 'AND (sort_by, key) > ($3, $4)' : 'AND (sort_by, key) < ($3, $4)'}
     ORDER BY ${oldest ? 'sort_by ASC, key ASC' : 'sort_by DESC, key DESC'} LIMIT $2`,
    [tx.tenant, query.limit + 1, after?.[0] ?? null, after?.[1] ?? null, ...filters.map(([, value]) => value)]);
  return cursors.page(rows, query, list, ({ sort_by: sortBy, key }) => [sortBy, key], ({ row, key }) => toApi(row, key));
};
