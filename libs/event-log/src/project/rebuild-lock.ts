import type { EventStore } from '../store/event-store';

/** With the hash of its name: one process at a time builds a read model anew. */
const REBUILD_LOCK = 7_305_006;

/** The same read model is being rebuilt by another process, whatever was last heard of it. */
export class RebuildRunning extends Error {
  readonly code = 'rebuild_running';
}

/**
 * Does `work` while no other process does the same. `nth` is a number that no other run has at this time: a run whose lock was lost with its connection
 * finds its tables gone, and never those of the run after it.
 */
export const rebuildingAlone = <T>(store: EventStore, name: string, work: (nth: number) => Promise<T>): Promise<T> => store.database.withOwner(async (client) => {
  const { rows } = await client.query<{ mine: boolean; nth: number }>('SELECT pg_try_advisory_lock($1, hashtext($2)) AS mine, pg_backend_pid() AS nth', [REBUILD_LOCK, name]);
  if (!rows[0]!.mine) throw new RebuildRunning('it is being rebuilt already');
  try {
    return await work(rows[0]!.nth);
  } finally {
    await client.query('SELECT pg_advisory_unlock($1, hashtext($2))', [REBUILD_LOCK, name]).catch(() => undefined);
  }
});
