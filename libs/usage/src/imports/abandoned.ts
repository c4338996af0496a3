import { isTransient, Loop, type Database } from '@valueverse/event-log';
import type { Service, Worker } from '@valueverse/platform';

/** A file that was announced and has not come as a whole by then is given up: its bytes are kept for nobody. */
export const IMPORT_OPEN_DAYS_MAX = 7;
const LOOK_EVERY_MS = 3_600_000;
const ERROR_PAUSE_MS = 60_000;
const PER_LOOK_MAX = 100;

/** Gives up files that were announced so long ago and are still being received: their imports fail with `upload_abandoned`. Answers how many. */
export const abandonImports = (database: Database, now: string, days = IMPORT_OPEN_DAYS_MAX): Promise<number> => database.transaction({ role: 'worker' }, async (tx) => {
  const { rows } = await tx.query<{ tenant: string; id: string }>(
    `UPDATE usage_imports i SET status = 'failed', code = 'upload_abandoned', detail = $3, completed_at = $1 FROM (
       SELECT tenant, id FROM usage_imports WHERE status = 'receiving' AND created_at::timestamptz < $1::timestamptz - $2 * interval '1 day' ORDER BY tenant, id LIMIT $4 FOR UPDATE SKIP LOCKED) o
     WHERE i.tenant = o.tenant AND i.id = o.id RETURNING i.tenant, i.id`, [now, days, `it was not complete ${days} days after it was announced`, PER_LOOK_MAX]);
  await tx.query('DELETE FROM usage_import_pieces p USING unnest($1::text[], $2::text[]) g(tenant, id) WHERE p.tenant = g.tenant AND p.import = g.id', [rows.map(({ tenant }) => tenant), rows.map(({ id }) => id)]);
  return rows.length;
});

/** Looks for such files from time to time; any process may. */
export const abandonedImports = ({ database, clock, logger }: Service): Worker => new Loop(async () => (await abandonImports(database, clock.now()) === PER_LOOK_MAX ? 0 : LOOK_EVERY_MS), (error) => {
  if (!isTransient(error)) logger.error({ err: error }, 'files that were never completed could not be given up; it is tried again');
  return ERROR_PAUSE_MS;
});
