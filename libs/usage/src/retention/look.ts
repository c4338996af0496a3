import type { LookResult, Service } from '@valueverse/platform';
import { USAGE_DROPPED } from '../statements/compute';

/** What the doctor is told of statements that nobody can answer, because retention has dropped what they need: their invoices wait. */
export const lookAtDropped = async ({ database }: Pick<Service, 'database'>): Promise<LookResult> => {
  const { rows } = await database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ tenant: string; reason: string }>(
    'SELECT tenant, waits_for AS reason FROM jobs WHERE starts_with(waits_for, $1) ORDER BY due_at, id', [USAGE_DROPPED]));
  const [first] = rows;
  if (first === undefined) return { ok: true, detail: 'no statement needs what was dropped' };
  return { ok: false, detail: `${rows.length} jobs of statements wait for usage that retention has dropped; of ${first.tenant}: ${first.reason}`, next: 'npx vv usage retention; ask for whole quarters of an hour, by a meter that was there' };
};
