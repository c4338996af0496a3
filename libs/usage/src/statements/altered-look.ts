import type { LookResult, Service } from '@valueverse/platform';
import { ENVELOPE_ALTERED } from '../metering/body';

/** What the doctor is told of statements that nobody can answer, because an envelope behind them was changed in the database: their invoices wait. */
export const lookAtAltered = async ({ database }: Pick<Service, 'database'>): Promise<LookResult> => {
  const { rows: [first] } = await database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ tenant: string; reason: string; jobs: bigint }>(
    'SELECT tenant, waits_for AS reason, count(*) OVER () AS jobs FROM jobs WHERE starts_with(waits_for, $1) ORDER BY due_at, id LIMIT 1', [ENVELOPE_ALTERED]));
  if (first === undefined) return { ok: true, detail: 'no statement needs an envelope that was changed' };
  return { ok: false, detail: `${first.jobs} jobs of statements wait for envelopes that were changed; of ${first.tenant}: ${first.reason}`, next: 'restore these rows of usage_envelopes from a backup' };
};
