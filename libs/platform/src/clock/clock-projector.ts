import type { ClockCreated, ClockStepped } from '@valueverse/contracts';
import type { Projector, Tx } from '@valueverse/event-log';

/** Keeps the time of each test clock in a service; jobs of a clock fall due by it. */
export const clockProjector = (wakeJobs: () => void): Projector => ({
  kind: 'projector', name: 'clocks', version: 1, topics: ['platform.clocks'], events: ['ClockCreated', 'ClockStepped'], tables: ['clocks'],
  project: async (tx, facts) => {
    for (const { tenant, event } of facts) {
      const { clockId, now } = event as ClockCreated | ClockStepped;
      await tx.query(
        'INSERT INTO clocks AS c (tenant, clock, now) VALUES ($1, $2, $3) ON CONFLICT (tenant, clock) DO UPDATE SET now = excluded.now WHERE c.now < excluded.now', [tenant, clockId, now]);
    }
    tx.afterCommit(wakeJobs);
  },
});

/** The time of a test clock as this service knows it; `undefined` while it has not heard of the clock. */
export const clockNow = async (tx: Tx, tenant: string, clockId: string): Promise<string | undefined> => {
  const { rows } = await tx.query<{ now: string }>(`SELECT to_char(now, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now FROM clocks WHERE tenant = $1 AND clock = $2`, [tenant, clockId]);
  return rows[0]?.now;
};
