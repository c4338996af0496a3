import type { MeterCreated } from '@valueverse/contracts';
import type { Projector, Tx } from '@valueverse/event-log';

/** What billing knows of meters: their keys and versions. */
export const knownMeters: Projector = {
  kind: 'projector', name: 'known-meters', version: 1, topics: ['usage.meters'], events: ['MeterCreated'], tables: ['known_meters'],
  project: async (tx, facts) => {
    for (const { tenant, event } of facts) {
      const { meterKey, version } = event as MeterCreated;
      await tx.query('INSERT INTO known_meters AS m VALUES ($1, $2, $3) ON CONFLICT (tenant, meter_key) DO UPDATE SET version = greatest(m.version, excluded.version)', [tenant, meterKey, version]);
    }
  },
};

/** The version of a meter that a new statement is asked for; `undefined` when billing has not heard of the meter. */
export const meterVersionOf = async (tx: Tx, tenant: string, meterKey: string): Promise<number | undefined> => {
  const { rows } = await tx.query<{ version: number }>('SELECT version FROM known_meters WHERE tenant = $1 AND meter_key = $2', [tenant, meterKey]);
  return rows[0]?.version;
};
