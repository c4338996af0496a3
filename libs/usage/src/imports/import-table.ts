import { ident, roleName, tenantPolicySql, type Tx } from '@valueverse/event-log';
import type { Migration } from '@valueverse/platform';
import type { Environment } from '../ingest/ingest';
import type { Delimiter } from './domain/csv-cells';

/** Files of usage: what was said of each, how far it is, its bytes until it is read, and the rows that were rejected. Requests receive files, jobs read them. */
export const IMPORTS: Migration = {
  number: 111, name: 'usage imports', sql: (schema) => {
    const [s, worker, api] = [ident(schema), ident(roleName(schema, 'worker')), ident(roleName(schema, 'api'))];
    return `
CREATE TABLE ${s}.usage_imports (
  tenant text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, environment text NOT NULL, subjects text[], name text, format text NOT NULL, delimiter text NOT NULL, mapping text,
  status text NOT NULL, code text, detail text, size bigint, sha256 text, hash text, columns text,
  received bigint NOT NULL DEFAULT 0, bytes_read bigint NOT NULL DEFAULT 0, is_passing boolean NOT NULL DEFAULT false,
  rows_read bigint NOT NULL DEFAULT 0, accepted bigint NOT NULL DEFAULT 0, rejected bigint NOT NULL DEFAULT 0,
  created_at text NOT NULL, completed_at text, PRIMARY KEY (tenant, id));
CREATE INDEX usage_imports_newest ON ${s}.usage_imports (tenant, created_at, id);
CREATE TABLE ${s}.usage_import_pieces (
  tenant text COLLATE "C" NOT NULL, import text COLLATE "C" NOT NULL, start bigint NOT NULL, bytes bytea NOT NULL, PRIMARY KEY (tenant, import, start));
CREATE TABLE ${s}.usage_import_rejections (
  tenant text COLLATE "C" NOT NULL, import text COLLATE "C" NOT NULL, nth bigint NOT NULL, code text NOT NULL, detail text NOT NULL, raw bytea NOT NULL, PRIMARY KEY (tenant, import, nth));
${['usage_imports', 'usage_import_pieces', 'usage_import_rejections'].map((table) => tenantPolicySql(schema, table)).join('\n')}
GRANT SELECT, INSERT, UPDATE ON ${s}.usage_imports TO ${worker}, ${api};
GRANT SELECT, INSERT, DELETE ON ${s}.usage_import_pieces TO ${worker};
GRANT INSERT ON ${s}.usage_import_pieces TO ${api};
GRANT SELECT, INSERT ON ${s}.usage_import_rejections TO ${worker};
GRANT SELECT ON ${s}.usage_import_rejections TO ${api};`;
  },
};

export const FORMATS = ['csv', 'ndjson'] as const;
export type FileFormat = (typeof FORMATS)[number];
export type ImportStatus = 'receiving' | 'reading' | 'done' | 'failed';

/** An import as it is stored. Counts of bytes and rows are below 2^53. */
export interface ImportRow {
  readonly id: string; readonly environment: Environment; readonly subjects: readonly string[] | null; readonly name: string | null; readonly format: FileFormat; readonly delimiter: Delimiter;
  readonly mapping: string | null; readonly status: ImportStatus; readonly code: string | null; readonly detail: string | null; readonly size: bigint | null; readonly sha256: string | null;
  readonly hash: string | null; readonly columns: string | null; readonly received: bigint; readonly bytes_read: bigint; readonly is_passing: boolean;
  readonly rows_read: bigint; readonly accepted: bigint; readonly rejected: bigint; readonly created_at: string; readonly completed_at: string | null;
}
export type NewImport = Pick<ImportRow, 'id' | 'environment' | 'subjects' | 'name' | 'format' | 'delimiter' | 'mapping' | 'size' | 'sha256' | 'created_at'>;

export const insertImport = async (tx: Tx, tenant: string, row: NewImport): Promise<void> => {
  await tx.query(
    `INSERT INTO usage_imports (tenant, id, environment, subjects, name, format, delimiter, mapping, status, size, sha256, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'receiving', $9, $10, $11)`,
    [tenant, row.id, row.environment, row.subjects, row.name, row.format, row.delimiter, row.mapping, row.size, row.sha256, row.created_at]);
};

export const findImport = async (tx: Tx, tenant: string, id: string): Promise<ImportRow | undefined> => (await tx.query<ImportRow>('SELECT * FROM usage_imports WHERE tenant = $1 AND id = $2', [tenant, id])).rows[0];
/** The same, held until the end of the transaction: who holds it is the only one that moves it on. */
export const lockImport = async (tx: Tx, tenant: string, id: string): Promise<ImportRow | undefined> => (await tx.query<ImportRow>('SELECT * FROM usage_imports WHERE tenant = $1 AND id = $2 FOR UPDATE', [tenant, id])).rows[0];

/** The newest first, after a place in that order. */
export const listImports = async (tx: Tx, tenant: string, { status, after, limit }: { status?: ImportStatus | undefined; after?: readonly string[] | undefined; limit: number }): Promise<ImportRow[]> => {
  const { rows } = await tx.query<ImportRow>(
    `SELECT * FROM usage_imports WHERE tenant = $1 AND ($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR (created_at, id) < ($3, $4)) ORDER BY created_at DESC, id DESC LIMIT $5`,
    [tenant, status ?? null, after?.[0] ?? null, after?.[1] ?? null, limit]);
  return rows;
};

/** Stores the next bytes of a file that is being received. Answers false where the file does not end at `start` any more, or is received no more. */
export const storePiece = async (tx: Tx, tenant: string, id: string, start: number, bytes: Buffer): Promise<boolean> => {
  const { rowCount } = await tx.query(`UPDATE usage_imports SET received = $4 WHERE tenant = $1 AND id = $2 AND received = $3 AND status = 'receiving'`, [tenant, id, start, start + bytes.length]);
  if (rowCount !== 1) return false;
  await tx.query('INSERT INTO usage_import_pieces (tenant, import, start, bytes) VALUES ($1, $2, $3, $4)', [tenant, id, start, bytes]);
  return true;
};

/** Bytes of a file from `from` on: `length` of them, fewer at its end. */
export const readBytes = async (tx: Tx, tenant: string, id: string, from: number, length: number, pieceBytesMax: number): Promise<Buffer> => {
  const { rows } = await tx.query<{ start: bigint; bytes: Buffer }>('SELECT start, bytes FROM usage_import_pieces WHERE tenant = $1 AND import = $2 AND start > $3 AND start < $4 ORDER BY start', [tenant, id, from - pieceBytesMax, from + length]);
  const parts = rows.map(({ start, bytes }) => bytes.subarray(Math.max(0, from - Number(start)), from + length - Number(start)));
  return Buffer.concat(parts);
};

export interface StoredRejection { readonly nth: bigint; readonly code: string; readonly detail: string; readonly raw: Buffer }
export const rejectionsAfter = async (tx: Tx, tenant: string, id: string, after: bigint, limit: number): Promise<StoredRejection[]> =>
  (await tx.query<StoredRejection>('SELECT nth, code, detail, raw FROM usage_import_rejections WHERE tenant = $1 AND import = $2 AND nth > $3 ORDER BY nth LIMIT $4', [tenant, id, after, limit])).rows;
