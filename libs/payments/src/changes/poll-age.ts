import type { LookResult, Service } from '@valueverse/platform';
import { type Poll, POLL_CHANGES, POLLS } from './poll-changes';

/** After so many hours in which a provider did not say what is new, somebody has to look. */
const HUMAN_AFTER_HOURS = 72;
interface Age { readonly tenant: string; readonly provider: string; readonly poll: Poll; readonly seconds: number; readonly says: string | null }

/** For how long what is new at providers was not looked at: of each tenant, longest first. A poll that is not through all of its pages counts from where it began. */
const agesOf = async (service: Service): Promise<Age[]> => {
  const { rows } = await service.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ tenant: string; provider: string; poll: Poll; seconds: string; says: string | null }>(
    `SELECT tenant, p->>'provider' AS provider, p->>'poll' AS poll, extract(epoch FROM $2::timestamptz - min((p->>'seen')::timestamptz)) AS seconds, min(waits_for) AS says
     FROM (SELECT tenant, payload::json AS p, waits_for FROM jobs WHERE kind = $1) j GROUP BY 1, 2, 3 ORDER BY seconds DESC`, [POLL_CHANGES, service.clock.now()]));
  return rows.map((row) => ({ ...row, seconds: Number(row.seconds) }));
};

/** Says in metrics for how long a provider was not looked at, by the tenant for whom it is longest. */
export const watchPolls = (service: Service): void => {
  const gauge = service.metrics.gauge({ subsystem: 'payments', what: 'provider_poll_age', unit: 'seconds', help: 'For how long what is new at a provider was not looked at, of the tenant for whom it is longest: since the last look that was done began', labels: ['provider', 'poll'] });
  service.metrics.beforeScrape(async () => {
    const ages = await agesOf(service);
    gauge.reset();
    for (const provider of new Set(ages.map((one) => one.provider))) {
      for (const poll of POLLS) {
        const longest = ages.find((one) => one.provider === provider && one.poll === poll);
        if (longest !== undefined) gauge.set({ provider, poll }, longest.seconds);
      }
    }
  });
};

/** Providers that have not said for days what is new. */
export const silentProviders = async (service: Service, hours = HUMAN_AFTER_HOURS): Promise<LookResult> => {
  const silent = (await agesOf(service)).filter(({ seconds, says }) => says !== null && seconds > hours * 3_600);
  const [first] = silent;
  if (first === undefined) return { ok: true, detail: 'what is new at providers is looked at' };
  return { ok: false, detail: `${first.provider} has not said for ${Math.floor(first.seconds / 3_600)} hours what is new (${first.tenant}): ${first.says ?? ''}${silent.length === 1 ? '' : `, and ${silent.length - 1} more`}`, next: 'GET /api/v1/payments/providers says whether there is a key; look whether the provider takes it' };
};
