import { ident, type AnyReadModel, type Tx } from '@valueverse/event-log';
import type { Cursors, Page } from '../http/pagination';

const columnOf = (model: AnyReadModel, name: string): string => {
  if (!(name in (model.columns ?? {}))) throw new Error(`${model.table} has no column ${name}`);
  return ident(name);
};

/** One row of a read model by its key; `undefined` when the tenant of the transaction has none. */
export const rowOf = async <Row>(tx: Tx, model: AnyReadModel, key: string): Promise<Row | undefined> => {
  const { rows } = await tx.query<{ row: Row }>(`SELECT row FROM ${ident(model.table)} WHERE tenant = $1 AND key = $2`, [tx.tenant, key]);
  return rows[0]?.row;
};

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
  const list = JSON.stringify([model.table, tx.tenant, filters, oldest]);
  const after = cursors.read(query.cursor, list);
  const values: unknown[] = [tx.tenant, query.limit + 1, ...filters.map(([, value]) => value), ...(after ?? [])];
  const conditions = ['tenant = $1', ...filters.map(([name], index) => `${columnOf(model, name)} = $${index + 3}`)];
  if (after !== undefined) conditions.push(`(sort_by, key) ${oldest ? '>' : '<'} ($${filters.length + 3}, $${filters.length + 4})`);
  const { rows } = await tx.query<{ row: Row; key: string; sort_by: string }>(
    `SELECT row, key, sort_by FROM ${ident(model.table)} WHERE ${conditions.join(' AND ')} ORDER BY sort_by ${oldest ? 'ASC' : 'DESC'}, key ${oldest ? 'ASC' : 'DESC'} LIMIT $2`, values);
  return cursors.page(rows, query, list, ({ sort_by: sortBy, key }) => [sortBy, key], ({ row, key }) => toApi(row, key));
};
