import { addDuration, derivedId, type Instant } from '@valueverse/kernel';
import { ident, type NewJob, type Tx } from '@valueverse/event-log';
import type { Job, JobHandler, JobResult, Migration, Service } from '@valueverse/platform';
import { attemptOfKey } from '../collection/domain/payment';
import { type Owner, type Owners, ownersOf } from '../collection/owners';
import type { DisputeRow } from '../collection/payments';
import type { WentBack } from '../collection/taken-before';
import { disputeIdOf, type DisputePayload, LOOK_AT_DISPUTE } from '../disputes/dispute-jobs';
import type { MadeOrder, NoAnswer, PaymentProvider, ProviderDispute, ProviderRefund, Providers } from '../providers/provider';
import { LOOK_AT_REFUNDS, type RefundsLook } from '../refunds/refund-looks';

export const POLL_CHANGES = 'payments.poll-changes';
/**
 * What is asked for: disputes and refunds that are new; how disputes stand that are open here, or were lost in the last months; and refunds of the last weeks, because one may fail after it had succeeded.
 */
export const POLLS = ['disputes', 'refunds', 'open_disputes', 'old_refunds'] as const;
export type Poll = (typeof POLLS)[number];
/** `nth` counts the polls of a kind; `seen`: what there was before this instant has been looked at; `since` and `after` are of a page that is not the first. */
export interface ChangesPayload { readonly provider: string; readonly poll: Poll; readonly nth: number; readonly seen: Instant; readonly since?: Instant; readonly after?: string }

const EVERY: Readonly<Record<Poll, string>> = { disputes: 'PT1H', refunds: 'PT1H', open_disputes: 'PT24H', old_refunds: 'PT24H' };
/** What is new is asked for from so much before the last poll on: clocks differ, and a provider may list a thing a little after it was made. */
const OVERLAP = 'PT1H';
/** The first poll of a provider goes back so far. */
const FIRST_BACK = 'PT720H';
/** Banks return what was given back within 30 days (https://docs.stripe.com/refunds#failed-refunds), and then it fails. */
const REFUNDS_FAIL_WITHIN = 'PT840H';
/** A bank that has decided against us may let go of the money after all: for so long it is asked whether it has. */
const DECIDED_AGAIN_WITHIN = 'PT2160H';
const AWAY_PAUSE_MS = 600_000;
/** Looks at what is found are due at once. */
const AT_ONCE = '1970-01-01T00:00:00Z';
/** Open disputes of which looks are written in one transaction. */
const OPEN_TOGETHER_MAX = 500;

/** Providers that were set up before what is new there was asked for. */
export const POLLED_CHANGES: Migration = {
  number: 121, name: 'what is new at providers is polled', sql: (schema) => `
INSERT INTO ${ident(schema)}.jobs (tenant, id, kind, due_at, payload)
  SELECT tenant, 'poll ' || poll || ' of ' || provider, '${POLL_CHANGES}', clock_timestamp(), json_build_object('provider', provider, 'poll', poll, 'nth', 0, 'seen', to_char(clock_timestamp() AT TIME ZONE 'UTC' - interval '30 days', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))::text
  FROM ${ident(schema)}.provider_settings CROSS JOIN unnest(ARRAY['${POLLS.join("', '")}']) AS p(poll);`,
};

const before = (instant: Instant, duration: string): Instant => addDuration(instant, `-${duration}`);
/** The nth poll of a kind: however often it is asked for, it is one, and each is followed by one other. */
const pollOf = (tenant: string, dueAt: Instant, payload: ChangesPayload): NewJob =>
  ({ id: derivedId('job', POLL_CHANGES, tenant, payload.provider, payload.poll, String(payload.nth)), kind: POLL_CHANGES, tenant, dueAt, payload });
/** The first polls of a provider that was set up now. */
export const changePolls = (tenant: string, provider: string, now: Instant): NewJob[] => POLLS.map((poll) => pollOf(tenant, now, { provider, poll, nth: 0, seen: before(now, FIRST_BACK) }));

/**
 * Asks a provider, time and again, for what only webhooks would tell, because webhooks may be lost: page by page, without an end. What is new, or stands otherwise than here, is looked at as a webhook would have it looked at, so that it does not matter which
 * of both comes first, or that both come. Each poll begins where the one before it began; one that finds the provider away is tried again from there, however long that takes.
 */
export const changesJob = (service: Service, providers: Providers): JobHandler => ({
  kind: POLL_CHANGES,
  run: async (job: Job<ChangesPayload>): Promise<JobResult> => {
    const { tenant, now, payload } = job;
    const { provider: name, poll, nth, after } = payload;
    const provider = providers.find(name);
    const page = provider === undefined ? { status: 'unavailable', reason: 'it is not set up here' } as const : await pageOf(service, provider, job);
    if (page.status !== 'page') return { outcome: 'wait', afterMs: AWAY_PAUSE_MS, reason: `the provider ${name} does not say what is new: ${page.status === 'refused' ? page.detail : page.reason}` };
    const following = after === undefined ? [pollOf(tenant, addDuration(now, EVERY[poll]), { provider: name, poll, nth: nth + 1, seen: now })] : [];
    const next = page.next === undefined ? [] : [{ id: derivedId('job', job.id, page.next), kind: POLL_CHANGES, tenant, dueAt: now, payload: { ...payload, since: sinceOf(job), after: page.next } satisfies ChangesPayload }];
    const looks = await read(service, tenant, (tx) => looksOf(tx, job, page.made));
    return { outcome: 'done', reaction: { jobs: [...looks, ...next, ...following] } };
  },
});

/** A thing that may have to be looked at, whoever has told of it. */
type Made = { readonly kind: 'refund'; readonly refund: ProviderRefund } | { readonly kind: 'dispute'; readonly dispute: ProviderDispute } | { readonly kind: 'open'; readonly dispute: Pick<DisputeRow, 'paymentId' | 'providerReference'> };
interface Page { readonly status: 'page'; readonly made: readonly Made[]; readonly next?: string | undefined }

/** What failed since the last poll was made no longer before it than a refund takes to fail. */
const sinceOf = ({ payload: { poll, seen, since } }: Job<ChangesPayload>): Instant => since ?? before(seen, poll === 'old_refunds' ? REFUNDS_FAIL_WITHIN : OVERLAP);
const pageOf = async (service: Service, provider: PaymentProvider, job: Job<ChangesPayload>): Promise<Page | NoAnswer> => {
  const { tenant, now, payload: { poll, after } } = job;
  const { signal } = new AbortController();
  const order: MadeOrder = { tenant, now, since: sinceOf(job), ...(after === undefined ? {} : { after }) };
  if (poll === 'open_disputes') return read(service, tenant, (tx) => openDisputes(tx, tenant, provider.name, before(now, DECIDED_AGAIN_WITHIN), after));
  if (poll === 'disputes') {
    const page = await provider.disputes(order, signal);
    return page.status === 'page' ? { status: 'page', next: page.next, made: page.disputes.map((dispute) => ({ kind: 'dispute', dispute })) } : page;
  }
  const page = await provider.refunds(order, signal);
  return page.status === 'page' ? { status: 'page', next: page.next, made: page.refunds.map((refund) => ({ kind: 'refund', refund })) } : page;
};

const read = <T>(service: Service, tenant: string, work: (tx: Tx) => Promise<T>): Promise<T> => service.database.transaction({ role: 'api', tenant, readOnly: true }, work);
/** Disputes and inquiries that are not over here, and those that were lost since an instant. Which provider one is of follows from its id. */
const openDisputes = async (tx: Tx, tenant: string, provider: string, lostSince: Instant, after = ''): Promise<Page> => {
  const { rows } = await tx.query<{ key: string; row: DisputeRow }>(`SELECT key, row FROM payment_disputes WHERE tenant = $1 AND (status IN ('open', 'inquiry') OR (status = 'lost' AND (row->>'closedAt')::timestamptz >= $4)) AND key > $2 ORDER BY key LIMIT $3`, [tenant, after, OPEN_TOGETHER_MAX, lostSince]);
  const made = rows.filter(({ key, row }) => key === disputeIdOf(tenant, provider, row.providerReference)).map(({ row }) => ({ kind: 'open' as const, dispute: row }));
  return { status: 'page', made, ...(rows.length < OPEN_TOGETHER_MAX ? {} : { next: rows.at(-1)!.key }) };
};

/** Looks at what stands otherwise at the provider than here. What no payment of ours is, is none of ours. */
const looksOf = async (tx: Tx, job: Job<ChangesPayload>, made: readonly Made[]): Promise<NewJob[]> => {
  const { tenant, payload: { provider } } = job;
  const told = made.flatMap((one): WentBack[] => (one.kind === 'refund' ? [one.refund] : one.kind === 'dispute' ? [one.dispute] : []));
  const owners = await ownersOf(tx, tenant, {
    keys: [...told.flatMap(({ attemptKey }) => attemptOfKey(attemptKey ?? '')?.paymentId ?? []), ...made.flatMap((one) => (one.kind === 'open' ? [one.dispute.paymentId] : []))], references: told.map(({ chargeReference }) => chargeReference),
  });
  const standing = await standingOf(tx, tenant, made.flatMap((one) => (one.kind === 'dispute' ? [disputeIdOf(tenant, provider, one.dispute.reference)] : [])));
  const look = ({ key: paymentId, clock }: Owner, kind: string, name: string, payload: object): NewJob => ({ id: derivedId('job', kind, job.id, name), kind, tenant, clockId: clock ?? undefined, dueAt: AT_ONCE, payload: { paymentId, provider, ...payload } });
  const looks = made.flatMap((one): NewJob[] => {
    const owner = one.kind === 'open' ? owners.byKey.get(one.dispute.paymentId) : ownerOf(owners, one.kind === 'refund' ? one.refund : one.dispute);
    if (owner === undefined) return [];
    if (one.kind === 'open') return [look(owner, LOOK_AT_DISPUTE, one.dispute.providerReference, { reference: one.dispute.providerReference } satisfies Partial<DisputePayload>)];
    if (one.kind === 'refund') return isKnown(owner, one.refund) ? [] : [look(owner, LOOK_AT_REFUNDS, one.refund.chargeReference, { chargeReference: one.refund.chargeReference } satisfies Partial<RefundsLook>)];
    const { reference, status } = one.dispute;
    return standing.get(disputeIdOf(tenant, provider, reference)) === STANDS[status] ? [] : [look(owner, LOOK_AT_DISPUTE, reference, { reference } satisfies Partial<DisputePayload>)];
  });
  // Several refunds of one charge are one look.
  return [...new Map(looks.map((one) => [one.id, one])).values()];
};

/** By what the provider calls the charge; where its answer was lost here, by the key that it was ordered by. */
const ownerOf = ({ byKey, byReference }: Owners, { chargeReference, attemptKey }: WentBack): Owner | undefined =>
  byReference.get(chargeReference) ?? byKey.get(attemptOfKey(attemptKey ?? '')?.paymentId ?? '');
/** One that failed is recorded where it was known to have gone; what failed stays so. */
const isKnown = ({ row }: Owner, { reference, key, state }: ProviderRefund): boolean => {
  const own = row.refunds.find(({ providerReference, providerKey }) => providerReference === reference || providerKey === key);
  return own === undefined ? state === 'failed' : own.status === state || own.status === 'failed';
};
const STANDS: Readonly<Record<ProviderDispute['status'], DisputeRow['status']>> = { inquiry: 'inquiry', inquiry_closed: 'inquiry_closed', needs_response: 'open', under_review: 'open', won: 'won', lost: 'lost' };
const standingOf = async (tx: Tx, tenant: string, disputeIds: readonly string[]): Promise<ReadonlyMap<string, string>> => {
  const { rows } = await tx.query<{ key: string; status: string }>('SELECT key, status FROM payment_disputes WHERE tenant = $1 AND key = ANY($2)', [tenant, disputeIds]);
  return new Map(rows.map(({ key, status }) => [key, status]));
};
