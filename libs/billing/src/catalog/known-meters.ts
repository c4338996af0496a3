import type { MeterArchived, MeterCreated, MeterRestored, MeterVersionAdded } from '@valueverse/contracts';
import type { Projector, Tx } from '@valueverse/event-log';

type MeterFact = MeterCreated | MeterVersionAdded | MeterArchived | MeterRestored;

/** What billing knows of meters: their keys and versions, how they count, and whether new plans may use them. */
export const knownMeters: Projector = {
  kind: 'projector', name: 'known-meters', version: 1, topics: ['usage.meters'], events: ['MeterCreated', 'MeterVersionAdded', 'MeterArchived', 'MeterRestored'], tables: ['known_meters'],
  project: async (tx, facts) => {
    for (const { tenant, event } of facts) {
      const fact = event as MeterFact;
      if (fact.type === 'MeterCreated' || fact.type === 'MeterVersionAdded') {
        await tx.query('INSERT INTO known_meters AS m (tenant, meter_key, version, aggregation) VALUES ($1, $2, $3, $4) ON CONFLICT (tenant, meter_key) DO UPDATE SET version = greatest(m.version, excluded.version), aggregation = excluded.aggregation',
          [tenant, fact.meterKey, fact.version, fact.aggregation]);
      } else {
        await tx.query('UPDATE known_meters SET archived = $3 WHERE tenant = $1 AND meter_key = $2', [tenant, fact.meterKey, fact.type === 'MeterArchived']);
      }
    }
  },
};

/** A meter as billing knows it. `version` is the one that a new statement is asked for. */
export interface KnownMeter { readonly version: number; readonly archived: boolean; readonly aggregation: string | null }

/** Those of these keys; a meter that billing has not heard of is not among them. */
export const knownMetersOf = async (tx: Tx, tenant: string, meterKeys: readonly string[]): Promise<ReadonlyMap<string, KnownMeter>> => {
  if (meterKeys.length === 0) return new Map();
  const { rows } = await tx.query<KnownMeter & { meter_key: string }>('SELECT meter_key, version, archived, aggregation FROM known_meters WHERE tenant = $1 AND meter_key = ANY($2)', [tenant, meterKeys]);
  return new Map(rows.map(({ meter_key: key, ...meter }) => [key, meter]));
};
