import { isTransient, Loop, type Database } from '@valueverse/event-log';
import type { Service, Worker } from '@valueverse/platform';
import { dropChunk, PASS_EVERY_MICROS } from './drop';
import { tenantsWithRetention } from './retention';

const LOOK_EVERY_MS = 60_000;
const ERROR_PAUSE_MS = 60_000;
const DAY_MICROS = 86_400_000_000;

/** The partitions in which a tenant has envelopes that are old enough, and that were not looked through lately; by their own log time. */
const partitionsDue = (database: Database, tenant: string, days: number): Promise<number[]> => database.transaction({ role: 'worker', readOnly: true }, async (tx) => {
  const { rows } = await tx.query<{ partition: number }>(
    `SELECT p.partition FROM usage_partitions p LEFT JOIN usage_retention_progress r ON r.tenant = $1 AND r.partition = p.partition
     WHERE (r.through_at IS NULL OR r.days <> $2 OR p.log_time >= r.through_at + $3)
       AND EXISTS (SELECT FROM usage_envelopes e WHERE e.tenant = $1 AND e.log_time < p.log_time - $2::bigint * $4 AND e.partition = p.partition) ORDER BY 1`, [tenant, days, PASS_EVERY_MICROS, DAY_MICROS]);
  return rows.map(({ partition }) => partition);
});

/** Drops what is old enough and free, tenant by tenant and partition by partition, a chunk a transaction. Answers how many bodies went. Any process may, and several at once. */
export const dropDue = async (database: Database, goesOn: () => boolean = () => true): Promise<number> => {
  let dropped = 0;
  for (const { tenant, days } of await database.transaction({ role: 'worker', readOnly: true }, tenantsWithRetention)) {
    for (const partition of await partitionsDue(database, tenant, days)) {
      while (goesOn()) {
        const chunk = await database.transaction({ role: 'worker' }, (tx) => dropChunk(tx, tenant, partition, days));
        dropped += chunk.dropped;
        if (chunk.isThrough) break;
      }
    }
  }
  return dropped;
};

/** Looks for what may be dropped from time to time. */
export const retentionWorker = ({ database, logger }: Pick<Service, 'database' | 'logger'>): Worker => {
  const loop: Loop = new Loop(async () => { await dropDue(database, () => loop.isRunning); return LOOK_EVERY_MS; }, (error) => {
    if (!isTransient(error)) logger.error({ err: error }, 'envelopes could not be dropped by their retention: they are kept; see GET /api/v1/usage/retention; it is tried again');
    return ERROR_PAUSE_MS;
  });
  return loop;
};
