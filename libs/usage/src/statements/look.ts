import type { LookResult, Service } from '@valueverse/platform';
import { ENVELOPE_ALTERED } from '../metering/body';
import { USAGE_DROPPED } from './compute';

/** The first job that waits for a reason of this code, and how many do. */
const waitingFor = async (database: Service['database'], code: string): Promise<readonly { readonly tenant: string; readonly reason: string; readonly jobs: bigint }[]> =>
  (await database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ tenant: string; reason: string; jobs: bigint }>(
    'SELECT tenant, waits_for AS reason, count(*) OVER () AS jobs FROM jobs WHERE starts_with(waits_for, $1) ORDER BY due_at, id LIMIT 1', [code]))).rows;

/** What the doctor is told of statements that nobody can answer, because retention has dropped what they need: their invoices wait. */
export const lookAtDropped = async ({ database }: Pick<Service, 'database'>): Promise<LookResult> => {
  const [first] = await waitingFor(database, USAGE_DROPPED);
  if (first === undefined) return { ok: true, detail: 'no statement needs what was dropped' };
  return { ok: false, detail: `${first.jobs} jobs of statements wait for usage that retention has dropped; of ${first.tenant}: ${first.reason}`, next: 'npx vv usage retention; ask for whole quarters of an hour, by a meter that was there' };
};

/** The same of statements that need an envelope which was changed in the database. */
export const lookAtAltered = async ({ database }: Pick<Service, 'database'>): Promise<LookResult> => {
  const [first] = await waitingFor(database, ENVELOPE_ALTERED);
  if (first === undefined) return { ok: true, detail: 'no statement needs an envelope that was changed' };
  return { ok: false, detail: `${first.jobs} jobs of statements wait for envelopes that were changed; of ${first.tenant}: ${first.reason}`, next: 'restore these rows of usage_envelopes from a backup' };
};
