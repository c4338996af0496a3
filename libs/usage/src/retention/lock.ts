import type { Tx } from '@valueverse/event-log';

/** With the hash of the tenant: what is dropped, and from when on a version of a meter counts, are decided one after the other. */
const RETENTION_LOCK = 7_305_040;

/** Held to the end of the transaction, by whoever drops and, shared, by whoever decides what has to be there still. */
export const lockRetention = async (tx: Tx, tenant: string, shared: boolean): Promise<void> => {
  await tx.query(`SELECT ${shared ? 'pg_advisory_xact_lock_shared' : 'pg_advisory_xact_lock'}($1, hashtext($2))`, [RETENTION_LOCK, tenant]);
};
