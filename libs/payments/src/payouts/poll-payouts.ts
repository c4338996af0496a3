import { addDuration, derivedId, type Instant, isBefore, laterOf } from '@valueverse/kernel';
import { ident, type NewJob, type Tx } from '@valueverse/event-log';
import type { Job, JobHandler, JobResult, Migration, Service } from '@valueverse/platform';
import type { Providers } from '../providers/provider';
import { LOOK_AT_PAYOUT, type PayoutPayload } from './payout-jobs';

const POLL_PAYOUTS = 'payments.poll-payouts';
/** `nth` counts the polls of a provider; `since` and `after` are of a page that is not the first. */
interface PollPayload { readonly provider: string; readonly nth: number; readonly since?: string; readonly after?: string }
const EVERY = 'PT24H';
/** Where no payout is known yet they are asked for from here on; no poll goes further back. */
const BACK_DAYS_MAX = 30;
/** Banks return payouts days after they were paid: https://docs.stripe.com/payouts#payout-failures. */
const BACK_DAYS = 7;
const DAY_HOURS = 24;
const AWAY_PAUSE_MS = 600_000;

/** Providers that were set up before payouts were polled. */
export const POLLED_PAYOUTS: Migration = {
  number: 119, name: 'payouts are polled', sql: (schema) => `
INSERT INTO ${ident(schema)}.jobs (tenant, id, kind, due_at, payload)
  SELECT tenant, 'poll payouts of ' || provider, '${POLL_PAYOUTS}', clock_timestamp(), json_build_object('provider', provider, 'nth', 0)::text FROM ${ident(schema)}.provider_settings;`,
};

/** The nth poll of a provider: however often it is asked for, it is one, and each is followed by one other. */
export const payoutPoll = (tenant: string, provider: string, dueAt: Instant, nth = 0): NewJob =>
  ({ id: derivedId('job', POLL_PAYOUTS, tenant, provider, String(nth)), kind: POLL_PAYOUTS, tenant, dueAt, payload: { provider, nth } satisfies PollPayload });

const daysBefore = (instant: Instant, days: number): Instant => addDuration(instant, `-PT${days * DAY_HOURS}H`);

/**
 * Asks a provider once a day which payouts there are, because webhooks may be lost: page by page, from a week before the last one that is known, or from the oldest one that is still on its way. What is new, or stands
 * otherwise than here, is looked at as a webhook would have it looked at.
 */
export const payoutPollJob = (service: Service, providers: Providers): JobHandler => ({
  kind: POLL_PAYOUTS,
  run: async (job: Job<PollPayload>): Promise<JobResult> => {
    const { tenant, now, payload: { provider: name, nth, after } } = job;
    const tomorrow = after === undefined ? [payoutPoll(tenant, name, addDuration(now, EVERY), nth + 1)] : [];
    const provider = providers.find(name);
    if (provider === undefined) return { outcome: 'done', reaction: { jobs: tomorrow } };
    const since = job.payload.since ?? await sinceOf(service, tenant, name, now);
    const page = await provider.payouts({ tenant, now, since, ...(after === undefined ? {} : { after }) }, new AbortController().signal);
    if (page.status !== 'page') return { outcome: 'wait', afterMs: AWAY_PAUSE_MS, reason: `the provider ${name} does not say which payouts there are: ${page.status === 'refused' ? page.detail : page.reason}` };
    const known = await knownOf(service, tenant, name, page.payouts.map(({ reference }) => reference));
    const looks = page.payouts.filter(({ reference, state }) => known.get(reference) !== state)
      .map(({ reference }): NewJob => ({ id: derivedId('job', LOOK_AT_PAYOUT, job.id, reference), kind: LOOK_AT_PAYOUT, tenant, dueAt: now, payload: { provider: name, reference } satisfies PayoutPayload }));
    const next = page.next === undefined ? [] : [{ id: derivedId('job', job.id, page.next), kind: POLL_PAYOUTS, tenant, dueAt: now, payload: { provider: name, nth, since, after: page.next } satisfies PollPayload }];
    return { outcome: 'done', reaction: { jobs: [...looks, ...next, ...tomorrow] } };
  },
});

const read = <T>(service: Service, tenant: string, work: (tx: Tx) => Promise<T>): Promise<T> => service.database.transaction({ role: 'api', tenant, readOnly: true }, work);
const sinceOf = async (service: Service, tenant: string, provider: string, now: Instant): Promise<Instant> => {
  const { last, open } = await read(service, tenant, async (tx) => (await tx.query<{ last: string | null; open: string | null }>(
    `SELECT max(row->>'createdAt') AS last, min(row->>'createdAt') FILTER (WHERE status IN ('pending', 'in_transit')) AS open FROM payouts WHERE tenant = $1 AND provider = $2`, [tenant, provider])).rows[0]!);
  const first = daysBefore(now, BACK_DAYS_MAX);
  if (last === null) return first;
  const from = daysBefore(last, BACK_DAYS);
  return laterOf(first, open !== null && isBefore(open, from) ? open : from);
};
const knownOf = (service: Service, tenant: string, provider: string, references: readonly string[]): Promise<ReadonlyMap<string, string>> => read(service, tenant, async (tx) => {
  const { rows } = await tx.query<{ reference: string; status: string }>('SELECT reference, status FROM payouts WHERE tenant = $1 AND provider = $2 AND reference = ANY($3)', [tenant, provider, references]);
  return new Map(rows.map(({ reference, status }) => [reference, status]));
});
