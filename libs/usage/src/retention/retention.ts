import type { DeciderDefinition, ReadModel, Tx } from '@valueverse/event-log';
import type { RetentionChanged } from '@valueverse/contracts';
import { type ChangeRetention, retentionDecider, type RetentionState } from './domain/retention';

/** There is one per tenant. */
const KEY = 'retention';

/** How long a tenant keeps its envelopes. */
export const retentionView: ReadModel<RetentionChanged, RetentionState> = {
  table: 'usage_retention', version: 1, key: () => KEY, initial: { days: null },
  on: { RetentionChanged: ({ days }) => ({ days: days ?? null }) },
  sortBy: () => KEY,
};

export const retention: DeciderDefinition<ChangeRetention, RetentionChanged, RetentionState> = {
  name: 'usage-retention', decider: retentionDecider, stream: () => 'retention', views: [retentionView],
};

/** The days for which a tenant keeps its envelopes; null for ever, which is so until it says otherwise. */
export const retentionDaysOf = async (tx: Tx, tenant: string): Promise<number | null> => {
  const { rows } = await tx.query<{ row: RetentionState }>('SELECT row FROM usage_retention WHERE tenant = $1 AND key = $2', [tenant, KEY]);
  return rows[0]?.row.days ?? null;
};

/** The tenants that do not keep theirs for ever. */
export const tenantsWithRetention = async (tx: Tx): Promise<{ tenant: string; days: number }[]> => {
  const { rows } = await tx.query<{ tenant: string; row: RetentionState }>('SELECT tenant, row FROM usage_retention WHERE key = $1 ORDER BY tenant', [KEY]);
  return rows.flatMap(({ tenant, row }) => (row.days === null ? [] : [{ tenant, days: row.days }]));
};
