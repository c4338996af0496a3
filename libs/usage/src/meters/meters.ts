import type { MeterCreated } from '@valueverse/contracts';
import type { DeciderDefinition, ReadModel, Tx } from '@valueverse/event-log';
import type { MeterDefinition } from '../metering/domain/measure';
import { type CreateMeter, meterDecider, type MeterState } from './domain/meter';

const UNKNOWN: MeterDefinition = { meterKey: '', version: 0, name: '', eventType: '', aggregation: 'count', groupBy: {}, metadata: {}, createdAt: '' };

/** The meters of a tenant by key. Written with the fact, so whoever creates one can read it. */
export const metersView: ReadModel<MeterCreated, MeterDefinition> = {
  table: 'meters', version: 1, key: ({ meterKey }) => meterKey, initial: UNKNOWN,
  on: { MeterCreated: ({ type: _type, ...definition }) => definition },
  sortBy: ({ meterKey }) => meterKey,
};

export const meter: DeciderDefinition<CreateMeter, MeterCreated, MeterState> = {
  name: 'meter', decider: meterDecider, stream: ({ meterKey }) => `meter-${meterKey}`, views: [metersView],
};

/** A tenant's meter; undefined where there is none of this key. */
export const meterOf = async (tx: Tx, tenant: string, key: string): Promise<MeterDefinition | undefined> => {
  const { rows } = await tx.query<{ row: MeterDefinition }>('SELECT row FROM meters WHERE tenant = $1 AND key = $2', [tenant, key]);
  return rows[0]?.row;
};

/** A page of a tenant's meters in the order of their keys, one more than `limit` where there are more. */
export const metersAfter = async (tx: Tx, tenant: string, after: string, limit: number): Promise<MeterDefinition[]> => {
  const { rows } = await tx.query<{ row: MeterDefinition }>('SELECT row FROM meters WHERE tenant = $1 AND sort_by > $2 ORDER BY sort_by, key LIMIT $3', [tenant, after, limit + 1]);
  return rows.map(({ row }) => row);
};
