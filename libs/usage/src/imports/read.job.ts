import { createHash } from 'node:crypto';
import { derivedId, type IdSource } from '@valueverse/kernel';
import type { NewJob, Tx } from '@valueverse/event-log';
import type { JobHandler, JobResult, Service } from '@valueverse/platform';
import { ItemFault } from '../ingest/domain/usage-event';
import { planEvents } from '../ingest/ingest';
import { outboxEnvelopes, type UsageOutbox } from '../ingest/outbox';
import type { UsageMeter } from '../usage-meter';
import { passLine, ROW_BYTES_MAX } from './domain/framing';
import { columnsIn, type Mapping } from './domain/mapping';
import { findImport, lockImport, readBytes, type ImportRow } from './import-table';
import { PIECE_BYTES_MAX } from './receive';
import { csvRows, lineRows, readHeader, type Row, type Rows, type Stretch } from './rows';

export const READ_JOB = 'usage.read-import';
interface ReadPayload { readonly importId: string }
interface ReadDeps { readonly service: Service; readonly ids: IdSource; readonly outbox: UsageOutbox; readonly meter: UsageMeter | undefined }

/** What is read at a time: more than the longest row, so that each step gets on. */
const STRETCH_BYTES = 4 * ROW_BYTES_MAX;
const ROWS_PER_STEP = 5_000;
/** After this time a run makes way for other jobs. */
const RUN_MS = 2_000;
/** How long what was read last takes to the feed, mostly. */
const HANDED_ON_AFTER_MS = 50;
const AGAIN_AFTER_MS = 250;
const MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const OTHER_MARKS: readonly Buffer[] = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];

export const readJobFor = (tenant: string, importId: string, dueAt: string): NewJob => ({ id: derivedId('job', READ_JOB, tenant, importId), kind: READ_JOB, tenant, dueAt, payload: { importId } satisfies ReadPayload });

/** SHA-256 of a file, read piece by piece. */
const hashOf = async (service: Service, tenant: string, { id, received }: ImportRow): Promise<string> => {
  const hash = createHash('sha256');
  for (let from = 0; from < Number(received); from += PIECE_BYTES_MAX) {
    hash.update(await service.database.transaction({ role: 'worker', readOnly: true }, (tx) => readBytes(tx, tenant, id, from, PIECE_BYTES_MAX, PIECE_BYTES_MAX)));
  }
  return hash.digest('hex');
};

/** The place behind a mark of UTF-8; a fault of a file in another encoding. */
const beginning = (bytes: Buffer): number | ItemFault => {
  if (OTHER_MARKS.some((mark) => bytes.subarray(0, mark.length).equals(mark))) return new ItemFault('invalid_encoding', 'the file is in UTF-16: save it in UTF-8');
  return bytes.subarray(0, MARK.length).equals(MARK) ? MARK.length : 0;
};

/** What one step has found: rows, or only how to read them, or that the file cannot be read at all. */
type Step = (Rows & { readonly columns?: readonly string[] | undefined }) | ItemFault;

const begin = ({ format, delimiter, mapping }: ImportRow, bytes: Buffer, isEnd: boolean): Step => {
  const start = beginning(bytes);
  if (start instanceof ItemFault) return start;
  if (format === 'ndjson') return { rows: [], next: start, isPassing: false, columns: [] };
  const header = readHeader(bytes.subarray(start), isEnd, delimiter);
  if (header === undefined || header instanceof ItemFault) return header ?? new ItemFault('no_header', `the first row names the columns, and has at most ${ROW_BYTES_MAX} bytes`);
  const missing = mapping === null ? undefined : columnsIn(JSON.parse(mapping) as Mapping).find((column) => !header.columns.includes(column));
  if (missing !== undefined) return new ItemFault('unknown_column', `there is no column "${missing}"; there are ${header.columns.map((column) => `"${column}"`).join(', ')}`);
  return { rows: [], next: start + header.next, isPassing: false, columns: header.columns };
};

const stepOf = (row: ImportRow, bytes: Buffer): Step => {
  const isEnd = Number(row.bytes_read) + bytes.length === Number(row.received);
  if (row.columns === null) return begin(row, bytes, isEnd);
  if (row.is_passing) return { rows: [], ...passLine(bytes) };
  const format = { format: row.format, delimiter: row.delimiter, mapping: row.mapping === null ? undefined : JSON.parse(row.mapping) as Mapping };
  const stretch: Stretch = { bytes, isEnd, most: ROWS_PER_STEP, derivedId: (nth) => derivedId('row', row.hash!, String(Number(row.rows_read) + nth + 1)) };
  return (format.format === 'csv' ? csvRows(format, JSON.parse(row.columns) as string[]) : lineRows(format))(stretch);
};

/** Writes what a step has found in one transaction with how far the file is read: envelopes to the outbox, rejected rows to their table. */
const write = async ({ service, ids, outbox, meter }: ReadDeps, tx: Tx, tenant: string, row: ImportRow, step: Exclude<Step, ItemFault>): Promise<void> => {
  const plan = planEvents(tenant, row.environment, step.rows, service.clock.now(), { subjects: row.subjects ?? undefined });
  await outbox.put(tx, { name: originOf(row.id), firstOffset: row.rows_read }, outboxEnvelopes(plan.parcels, ids));
  const { rejected } = plan;
  if (rejected.length > 0) {
    await tx.query('INSERT INTO usage_import_rejections (tenant, import, nth, code, detail, raw) SELECT $1, $2, nth, code, detail, raw FROM unnest($3::bigint[], $4::text[], $5::text[], $6::bytea[]) r(nth, code, detail, raw)',
      [tenant, row.id, rejected.map(({ index }) => Number(row.rows_read) + index + 1), rejected.map(({ code }) => code), rejected.map(({ detail }) => detail.replaceAll('\0', '\uFFFD')), rejected.map(({ index }) => (step.rows[index] as Row).raw)]);
  }
  await tx.query(
    `UPDATE usage_imports SET bytes_read = $3, is_passing = $4, rows_read = rows_read + $5, accepted = accepted + $6, rejected = rejected + $7, columns = coalesce(columns, $8) WHERE tenant = $1 AND id = $2`,
    [tenant, row.id, Number(row.bytes_read) + step.next, step.isPassing, step.rows.length, plan.accepted, rejected.length, step.columns === undefined ? null : JSON.stringify(step.columns)]);
  tx.afterCommit(() => meter?.ingested(plan.accepted, rejected.length));
};
const originOf = (importId: string): string => `import ${importId}`;

/** An import is done when its rows are in the feed: a statement that is asked for after that has them. */
const finish = async (service: Service, tx: Tx, tenant: string, id: string): Promise<boolean> => {
  const { rowCount } = await tx.query('SELECT FROM usage_outbox WHERE tenant = $1 AND origin = $2 LIMIT 1', [tenant, originOf(id)]);
  if (rowCount !== 0) return false;
  await tx.query(`UPDATE usage_imports SET status = 'done', completed_at = $3 WHERE tenant = $1 AND id = $2`, [tenant, id, service.clock.now()]);
  await forgetBytes(tx, tenant, id);
  return true;
};

const fail = async (service: Service, tx: Tx, tenant: string, id: string, { code, detail }: ItemFault): Promise<void> => {
  await tx.query(`UPDATE usage_imports SET status = 'failed', code = $3, detail = $4, completed_at = $5 WHERE tenant = $1 AND id = $2`, [tenant, id, code, detail.replaceAll('\0', '\uFFFD'), service.clock.now()]);
};
/** The bytes of a file that is read, or cannot be, are needed no more. */
const forgetBytes = async (tx: Tx, tenant: string, id: string): Promise<void> => { await tx.query('DELETE FROM usage_import_pieces WHERE tenant = $1 AND import = $2', [tenant, id]); };

/** What is left of an import: nothing, rows to be read, or rows on their way to the feed. */
type Left = 'nothing' | 'rows' | 'envelopes';
/** Reads the next rows of an import. Answers what is left. */
const readOn = (deps: ReadDeps, tenant: string, importId: string): Promise<Left> => deps.service.database.transaction({ role: 'worker' }, async (tx) => {
  const row = await lockImport(tx, tenant, importId);
  if (row?.status !== 'reading') return 'nothing';
  const at = Number(row.bytes_read);
  if (at > 0 && at === Number(row.received)) return await finish(deps.service, tx, tenant, importId) ? 'nothing' : 'envelopes';
  const bytes = await readBytes(tx, tenant, importId, at, STRETCH_BYTES, PIECE_BYTES_MAX);
  const step = row.sha256 !== null && row.sha256 !== row.hash ? new ItemFault('content_mismatch', `the file has the SHA-256 ${row.hash}, ${row.sha256} was announced`) : stepOf(row, bytes);
  if (!(step instanceof ItemFault)) {
    await write(deps, tx, tenant, row, step);
    return 'rows';
  }
  await fail(deps.service, tx, tenant, importId, step);
  await forgetBytes(tx, tenant, importId);
  return 'nothing';
});

const keepHash = async (service: Service, tenant: string, importId: string): Promise<void> => {
  const row = await service.database.transaction({ role: 'worker', readOnly: true }, (tx) => findImport(tx, tenant, importId));
  if (row === undefined || row.hash !== null) return;
  const hash = await hashOf(service, tenant, row);
  await service.database.transaction({ role: 'worker' }, (tx) => tx.query('UPDATE usage_imports SET hash = $3 WHERE tenant = $1 AND id = $2', [tenant, importId, hash]));
};

/**
 * Reads an import that was received, some rows a transaction, from where it stands: a process that ends leaves rows that were read whole, and none half. While the
 * outbox is full it waits.
 */
export const readImportJob = (deps: ReadDeps): JobHandler => ({
  kind: READ_JOB,
  run: async ({ tenant, payload }): Promise<JobResult> => {
    const { importId } = payload as ReadPayload;
    await keepHash(deps.service, tenant, importId);
    const until = performance.now() + RUN_MS;
    while (performance.now() < until) {
      if (await deps.outbox.isFull()) return { outcome: 'wait', afterMs: AGAIN_AFTER_MS, reason: 'the feed is slower than the file is read' };
      const left = await readOn(deps, tenant, importId);
      if (left === 'nothing') return { outcome: 'done' };
      if (left === 'envelopes') return { outcome: 'wait', afterMs: HANDED_ON_AFTER_MS, reason: 'its rows are on their way to the feed' };
    }
    return { outcome: 'wait', afterMs: 0, reason: 'other jobs have their turn' };
  },
});
