import type { Readable } from 'node:stream';
import type { IdSource } from '@valueverse/kernel';
import type { Caller } from '@valueverse/auth';
import type { Tx } from '@valueverse/event-log';
import { Problem, type Service } from '@valueverse/platform';
import type { Delimiter } from './domain/csv-cells';
import { readMapping, type Mapping } from './domain/mapping';
import { rejectedHeader, rejectedLine, rejectedRow } from './domain/rejected-text';
import { REJECTION_COLUMN } from './domain/row-event';
import { findImport, insertImport, lockImport, rejectionsAfter, type FileFormat, type ImportRow, type ImportStatus } from './import-table';
import { readJobFor } from './read.job';
import { receive } from './receive';

/** What is said of a file before it comes. */
export interface Announced {
  readonly format: FileFormat;
  readonly name?: string | undefined;
  readonly delimiter?: Delimiter | undefined;
  readonly mapping?: unknown;
  readonly size?: number | undefined;
  readonly sha256?: string | undefined;
}
/** An import as its owner sees it. */
export interface Import {
  readonly id: string; readonly name: string | null; readonly format: FileFormat; readonly delimiter: Delimiter | null; readonly mapping: Mapping | null; readonly status: ImportStatus;
  readonly code: string | null; readonly detail: string | null; readonly size: number | null; readonly sha256: string | null; readonly bytesReceived: number; readonly bytesRead: number;
  readonly rowsRead: number; readonly accepted: number; readonly rejected: number; readonly createdAt: string; readonly completedAt: string | null;
}

const REJECTIONS_PER_READ = 500;
export const IMPORTS_PATH = '/api/v1/usage/imports';

export const toApi = (row: ImportRow): Import => ({
  id: row.id, name: row.name, format: row.format, delimiter: row.format === 'csv' ? row.delimiter : null, mapping: row.mapping === null ? null : JSON.parse(row.mapping) as Mapping, status: row.status,
  code: row.code, detail: row.detail, size: row.size === null ? null : Number(row.size), sha256: row.hash ?? row.sha256, bytesReceived: Number(row.received), bytesRead: Number(row.bytes_read),
  rowsRead: Number(row.rows_read), accepted: Number(row.accepted), rejected: Number(row.rejected), createdAt: row.created_at, completedAt: row.completed_at,
});

const notFound = (id: string): Problem => new Problem(404, 'import_not_found', `there is no import ${id}`);
export const wantedImport = async (tx: Tx, tenant: string, id: string): Promise<ImportRow> => {
  const row = await findImport(tx, tenant, id);
  if (row === undefined) throw notFound(id);
  return row;
};

/** Files of usage of one service: announced, received in one body or in chunks, completed, and then read by a job. */
export class Imports {
  constructor(readonly service: Service, private readonly ids: IdSource) {}

  /** Announces a file. Refuses with `invalid_mapping`. */
  async announce(tx: Tx, { tenant, environment, kind, subjects }: Caller, { format, name, delimiter = 'comma', mapping, size, sha256 }: Announced): Promise<ImportRow> {
    const id = this.ids.next('imp');
    await insertImport(tx, tenant, {
      id, environment, subjects: kind === 'publishable' ? subjects ?? [] : null, name: name ?? null, format, delimiter, mapping: mapping === undefined || mapping === null ? null : JSON.stringify(readMapping(mapping)),
      size: size === undefined ? null : BigInt(size), sha256: sha256 ?? null, created_at: this.service.clock.now(),
    });
    return wantedImport(tx, tenant, id);
  }

  /**
   * Takes the next bytes of a file. A chunk that ends where the file ends already, or before, was taken before and changes nothing; one that begins elsewhere is
   * refused with 409 `wrong_offset`. Also refused: 404 `import_not_found`, 409 `import_closed`, and what `receive` refuses.
   */
  async take(tenant: string, id: string, offset: number, open: () => Readable): Promise<ImportRow> {
    const row = await this.read(tenant, (tx) => wantedImport(tx, tenant, id));
    if (row.status !== 'receiving') throw new Problem(409, 'import_closed', `the import is ${row.status}: it takes no more bytes`);
    if (Number(row.received) !== offset) throw new Problem(409, 'wrong_offset', `the next chunk begins at byte ${row.received}`);
    await receive(this.service, tenant, id, offset, open);
    return this.read(tenant, (tx) => wantedImport(tx, tenant, id));
  }

  /**
   * Says that a file has come as a whole: it is read from now on. A second time is the same. Refuses with 404 `import_not_found`, 400 `empty_file`, and 409
   * `import_incomplete` where it is not as long as was said. A file with another hash than was said fails with `content_mismatch`.
   */
  async complete(tenant: string, id: string, { size, sha256 }: Pick<Announced, 'size' | 'sha256'> = {}): Promise<ImportRow> {
    return this.service.database.transaction({ role: 'api', tenant }, async (tx) => {
      const row = await lockImport(tx, tenant, id);
      if (row === undefined) throw notFound(id);
      if (row.status !== 'receiving') return row;
      if (row.received === 0n) throw new Problem(400, 'empty_file', 'nothing has been received of the file');
      const wanted = size ?? row.size;
      if (wanted !== null && BigInt(wanted) !== row.received) throw new Problem(409, 'import_incomplete', `${row.received} of ${wanted} bytes have been received`);
      await tx.query(`UPDATE usage_imports SET status = 'reading', sha256 = coalesce($3, sha256) WHERE tenant = $1 AND id = $2`, [tenant, id, sha256 ?? null]);
      await this.service.jobs.schedule(tx, [readJobFor(tenant, id, this.service.clock.now())]);
      return wantedImport(tx, tenant, id);
    });
  }

  read<T>(tenant: string, work: (tx: Tx) => Promise<T>): Promise<T> { return this.service.database.transaction({ role: 'api', tenant, readOnly: true }, work); }

  /** The rows that were rejected up to now, as a file of the same format with the reason in one more column, to be mended and sent again. */
  async *rejectedFile(tenant: string, { id, format, delimiter, columns }: ImportRow): AsyncGenerator<Buffer> {
    const header = JSON.parse(columns ?? '[]') as string[];
    if (format === 'csv') yield Buffer.from(rejectedHeader(header, delimiter));
    for (let after = 0n; ;) {
      const rejections = await this.read(tenant, (tx) => rejectionsAfter(tx, tenant, id, after, REJECTIONS_PER_READ));
      if (rejections.length > 0) yield Buffer.concat(rejections.map((rejection) => (format === 'csv' ? rejectedRow(rejection, delimiter, header[0] === REJECTION_COLUMN) : Buffer.from(rejectedLine(rejection)))));
      if (rejections.length < REJECTIONS_PER_READ) return;
      after = rejections.at(-1)!.nth;
    }
  }
}
