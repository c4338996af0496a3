import type { LookResult, Service } from '@valueverse/platform';

/** After this time somebody has to look: a provider that has not said for so long what became of an order may never. */
const HUMAN_AFTER_HOURS = 24;

/** Payments of which nobody has known for a day what became of them. */
export const doubtfulPayments = async (service: Service, hours = HUMAN_AFTER_HOURS): Promise<LookResult> => {
  const { rows } = await service.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ tenant: string; key: string }>(
    `SELECT tenant, key FROM payments p WHERE status = 'unknown' AND (row->'attempts'->-1->>'startedAt')::timestamptz < clock_timestamp() - $1 * interval '1 hour'
       AND NOT EXISTS (SELECT FROM known_accounts a WHERE a.tenant = p.tenant AND a.account_id = p.account_id AND a.clock IS NOT NULL) ORDER BY tenant, key LIMIT 100`, [hours]));
  if (rows.length === 0) return { ok: true, detail: 'none is unknown for more than a day' };
  return { ok: false, detail: `${rows.length} are unknown for more than ${hours} hours, ${rows.slice(0, 3).map(({ key }) => key).join(', ')}`, next: 'look each one up at the provider by its key, pay:<payment>:att:<n>; vv reconcile payments shows what it took' };
};
