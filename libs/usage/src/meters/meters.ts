import type { DeciderDefinition, ReadModel, Tx } from '@valueverse/event-log';
import type { Meter } from '../metering/domain/measure';
import { type MeterCommand, meterDecider, type MeterFact, type MeterState } from './domain/meter';

const UNKNOWN: Meter = { meterKey: '', versions: [], archivedAt: null };

/** The meters of a tenant by key. Written with the fact, so whoever creates one can read it. */
export const metersView: ReadModel<MeterFact, Meter> = {
  table: 'meters', version: 2, key: ({ meterKey }) => meterKey, initial: UNKNOWN,
  on: {
    MeterCreated: ({ type: _type, ...first }) => ({ meterKey: first.meterKey, versions: [first], archivedAt: null }),
    MeterVersionAdded: ({ type: _type, ...next }, row) => ({ ...row, versions: [...row.versions, next] }),
    MeterArchived: ({ archivedAt }, row) => ({ ...row, archivedAt }),
    MeterRestored: (_, row) => ({ ...row, archivedAt: null }),
  },
  sortBy: ({ meterKey }) => meterKey,
};

export const meter: DeciderDefinition<MeterCommand, MeterFact, MeterState> = {
  name: 'meter', decider: meterDecider, stream: ({ meterKey }) => `meter-${meterKey}`, views: [metersView],
};

/** A tenant's meter; undefined where there is none of this key. */
export const meterOf = async (tx: Tx, tenant: string, key: string): Promise<Meter | undefined> => {
  const { rows } = await tx.query<{ row: Meter }>('SELECT row FROM meters WHERE tenant = $1 AND key = $2', [tenant, key]);
  return rows[0]?.row;
};

/** A page of a tenant's meters in the order of their keys, one more than `limit` where there are more. Archived ones only where they are wanted. */
export const metersAfter = async (tx: Tx, tenant: string, after: string, limit: number, withArchived: boolean): Promise<Meter[]> => {
  const { rows } = await tx.query<{ row: Meter }>(
    `SELECT row FROM meters WHERE tenant = $1 AND sort_by > $2 AND ($4 OR row->>'archivedAt' IS NULL) ORDER BY sort_by, key LIMIT $3`, [tenant, after, limit + 1, withArchived]);
  return rows.map(({ row }) => row);
};
