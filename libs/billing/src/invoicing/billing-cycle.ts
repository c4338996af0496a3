import { compareInstants, derivedId, type Instant } from '@valueverse/kernel';
import type { StatementsRequested, SubscriptionEvent } from '@valueverse/contracts';
import { follow, followIdempotent, ident, tableOf, type DeciderDefinition, type NewJob, type Reaction, type Reactor, type Tx } from '@valueverse/event-log';
import { heldRows, rowOf, type Job, type JobHandler, type JobResult } from '@valueverse/platform';
import { accountsModel, type AccountRow } from '../accounts/account.model';
import type { BillingHost } from '../billing-host';
import { subscriptionDecider, subscriptionsModel, type SubscriptionRow } from '../subscriptions/subscription.model';
import { loadCatalogue } from '../subscriptions/catalogue';
import type { Catalogue } from '../subscriptions/domain/due-items';
import { billSubscriptions, invoiceRows, isDue, nextRun, type Bill, type Draft } from './bill-subscription';
import { BILL_PERIOD, billJob, CLOSE_INVOICE, closeJob, FINALIZE_INVOICE, type BillPeriod, type OfInvoice } from './cycle-jobs';
import { statementRequests, type RequestStatements } from './domain/statement-request.decider';
import { draftsBehind, finalizeAll, finalizeIn, issueDrafts } from './finalize-invoice';
import { invoiceDecider, invoicesModel, type InvoiceRow } from './invoice.model';

export const statementRequestDecider: DeciderDefinition<RequestStatements, StatementsRequested, { isAsked: boolean }> = {
  name: 'statement-request', decider: statementRequests, stream: ({ chunkId }) => `statement-request-${chunkId}`,
};

/** When a subscription has to be looked at because of what happened to it. Each run makes the next one. */
const dueBy = (event: SubscriptionEvent): readonly string[] => {
  switch (event.type) {
    case 'SubscriptionStarted': return [event.startsAt];
    case 'SubscriptionPaused': return [event.at, ...(event.until === undefined ? [] : [event.until])];
    case 'SubscriptionChangeDropped': return [event.droppedAt];
    case 'SubscriptionBilled': return [];
    default: return [event.at];
  }
};

const onSubscription = (event: SubscriptionEvent, { tenant, id }: { readonly tenant: string; readonly id: string }): Reaction =>
  ({ jobs: dueBy(event).map((dueAt) => billJob(tenant, event.subscriptionId, dueAt, event.type === 'SubscriptionStarted' ? '' : id)) });

/** A subscription is billed from its start on, and where something changes: each boundary of its life is a run, which makes the next one. */
export const billingCycle: Reactor = {
  kind: 'reactor', name: 'billing-cycle', topics: ['billing.subscriptions'],
  on: {
    SubscriptionStarted: onSubscription, SubscriptionChanged: onSubscription, SubscriptionChangeDropped: onSubscription, SubscriptionCancelled: onSubscription, SubscriptionReactivated: onSubscription,
    SubscriptionPaused: onSubscription, SubscriptionResumed: onSubscription,
  },
};

/** The jobs of the billing cycle: a period begins, an invoice closes, an invoice is issued. */
export const billingCycleJobs = (host: BillingHost): JobHandler[] => {
  const faults = host.service.metrics.counter({ subsystem: 'billing', what: 'rating_errors', help: 'Tries to price and issue an invoice that failed; the invoice stays a draft and is tried again' });
  const failed = (): void => { faults.inc(); };
  return [
    { kind: BILL_PERIOD, run: (job: Job<BillPeriod>) => Promise.resolve({ outcome: 'done', write: (tx) => billIn(tx, job) }), together: (tx, jobs: readonly Job<BillPeriod>[]) => billAll(host, tx, jobs), failed },
    { kind: CLOSE_INVOICE, run: (job: Job<OfInvoice>) => onceKnown(host, job, async (tx) => (await askAll(tx, [job])).get(job.id) ?? finalizeIn(host, tx, job)), together: (tx, jobs: readonly Job<OfInvoice>[]) => closeAll(host, tx, jobs), failed },
    { kind: FINALIZE_INVOICE, run: (job: Job<OfInvoice>) => onceKnown(host, job, (tx) => finalizeIn(host, tx, job)), together: (tx, jobs: readonly Job<OfInvoice>[]) => finalizeAll(host, tx, jobs), failed },
  ];
};

/** How long what gives back a part of a draft waits before it looks again. */
const BEHIND_PAUSE_MS = 250;

/** What gives back a part of an invoice waits until that is issued. Where it waits for statements of metering, the instants of the two say nothing of the order in which they come. */
const onceKnown = async (host: BillingHost, { tenant, payload: { invoiceId } }: Job<OfInvoice>, write: (tx: Tx) => Promise<Reaction>): Promise<JobResult> => {
  const [behind] = await host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => draftsBehind(tx, tenant, (await rowOf<InvoiceRow>(tx, invoicesModel, invoiceId))!.drafted.items));
  return behind === undefined ? { outcome: 'done', write } : { outcome: 'wait', afterMs: BEHIND_PAUSE_MS, reason: `it gives back a part of ${behind.invoiceId}, which is not issued yet` };
};

/**
 * Bills a subscription, together with those of its account that close at the same moment and go on one invoice with it, as of the instant for which the run was due. Their rows are held from the first look on, so that
 * what is billed is what they are.
 */
const billIn = async (tx: Tx, job: Job<BillPeriod>): Promise<Reaction> => {
  const billed = await billRows(tx, job, await togetherWith(tx, job));
  await noteRuns(tx, job.tenant, [billed.run]);
  return reactionOf(billed, new Map());
};

/**
 * Several subscriptions at once, each on an invoice of its own. Those that share one with others of their account are left out, and so is what gives something back: they look at more than themselves. What waits for
 * nothing is issued at once; where that fails all are run alone, and a draft that cannot be issued stays one.
 */
const billAll = async (host: BillingHost, tx: Tx, jobs: readonly Job<BillPeriod>[]): Promise<Map<string, Reaction>> => {
  const { tenant } = jobs[0]!;
  const held = await heldRows<SubscriptionRow>(tx, tenant, subscriptionsModel, jobs.map(({ payload: { subscriptionId } }) => subscriptionId));
  const consolidating = await consolidatingAmong(tx, tenant, [...held.values()].map(({ started: { accountId } }) => accountId));
  const alone = new Map([...held].filter(([, { started }]) => started.invoiceTogether !== true && !consolidating.has(started.accountId)));
  const catalogue = await loadCatalogue(tx, tenant, [...alone.values()]);
  const billed: Billed[] = [];
  const seen = new Set<string>();
  for (const job of jobs) {
    const { subscriptionId } = job.payload;
    const row = alone.get(subscriptionId);
    // A second run of one subscription is to see what the first has billed.
    if (row === undefined || seen.has(subscriptionId)) continue;
    seen.add(subscriptionId);
    const one = await billRows(tx, job, [row], catalogue);
    if (!one.bills.some(({ draft }) => draft.items.some(({ kind }) => kind === 'credit'))) billed.push(one);
  }
  await noteRuns(tx, tenant, billed.map(({ run }) => run));
  const issued = await issueDrafts(host, tx, tenant, billed.flatMap(({ job: { clockId, now }, bills }) => bills.filter(({ draft }) => waitsForNothing(draft, now)).map(({ draft }) => ({ draft, clockId, now }))));
  return new Map(billed.map((one) => [one.job.id, reactionOf(one, issued)]));
};

/** Accounts of which everything that closes at one moment goes on one invoice. */
const consolidatingAmong = async (tx: Tx, tenant: string, accountIds: readonly string[]): Promise<ReadonlySet<string>> => {
  const { rows } = await tx.query<{ key: string; consolidates: string | null }>(`SELECT key, row->>'consolidate' AS consolidates FROM ${ident(tableOf(accountsModel))} WHERE tenant = $1 AND key = ANY($2)`, [tenant, [...new Set(accountIds)]]);
  return new Set(rows.filter(({ consolidates }) => consolidates === 'true').map(({ key }) => key));
};

const waitsForNothing = ({ requests, items, finalizeAt }: Draft, now: Instant): boolean =>
  requests.length === 0 && compareInstants(finalizeAt, now) <= 0 && items.every(({ credits, interimInvoices }) => credits === undefined && interimInvoices === undefined);

/** What the run of a subscription comes to. */
interface Billed { readonly job: Job<BillPeriod>; readonly bills: readonly Bill[]; readonly next: readonly NewJob[]; readonly run: Run }

const billRows = async (tx: Tx, job: Job<BillPeriod>, rows: readonly SubscriptionRow[], loaded?: Catalogue): Promise<Billed> => {
  const { id, tenant, payload: { subscriptionId }, dueAt, now, attempt } = job;
  const own = rows.find(({ started }) => started.subscriptionId === subscriptionId)!;
  const { bills, catalogue } = await billSubscriptions(tx, tenant, rows, { at: dueAt, now, invoiceIdOf: (currency) => derivedId('inv', id, currency) }, loaded);
  // The others have runs of their own at this moment, which make their next ones.
  const at = nextRun(own, catalogue, dueAt);
  const next = at === undefined ? [] : [billJob(tenant, subscriptionId, at)];
  return { job, bills, next, run: { id, accountId: own.started.accountId, subscriptionId, dueAt, doneAt: now, attempt, invoiceIds: bills.map(({ draft }) => draft.invoiceId) } };
};

/** Its facts and its jobs: invoices that are issued already have nothing to be closed. */
const reactionOf = ({ job: { tenant, now }, bills, next }: Billed, issued: ReadonlyMap<string, Reaction>): Reaction => ({
  commands: bills.flatMap(({ draft, parts }) => [
    ...parts.map((part) => follow(subscriptionDecider, { type: 'BillSubscription', invoiceId: draft.invoiceId, at: now, ...part })),
    followIdempotent(invoiceDecider, { ...draft, type: 'DraftInvoice', at: now }), ...(issued.get(draft.invoiceId)?.commands ?? []),
  ]),
  jobs: [...next, ...bills.filter(({ draft }) => !issued.has(draft.invoiceId)).map(({ draft }) => closeJob(tenant, draft))],
});

/** So many subscriptions go on one invoice; those that are left begin another one by their own runs. */
const TOGETHER_MAX = 500;
/** Subscriptions of an account that are looked at in one go. */
const LOOKED_AT = 1_000;

/** A subscription, and those of its account that have a run at the same moment and are not billed yet, where they share invoices; itself first. One of which nothing is due any more needs no others: their own runs bill them. */
const togetherWith = async (tx: Tx, { tenant, payload: { subscriptionId }, dueAt: at }: Job<BillPeriod>): Promise<readonly SubscriptionRow[]> => {
  const { rows: [found] } = await tx.query<{ row: SubscriptionRow; account: AccountRow }>(
    `SELECT s.row, a.row AS account FROM ${ident(tableOf(subscriptionsModel))} s JOIN ${ident(tableOf(accountsModel))} a ON a.tenant = s.tenant AND a.key = s.account_id WHERE s.tenant = $1 AND s.key = $2`, [tenant, subscriptionId]);
  const { row, account: { accountId, consolidate = false } } = found!;
  const isShared = row.started.invoiceTogether === true || consolidate;
  const others = isShared && isDue(row, await loadCatalogue(tx, tenant, [row]), at) ? await closingWith(tx, tenant, subscriptionId, { accountId, consolidate, at }) : [];
  const held = await heldRows<SubscriptionRow>(tx, tenant, subscriptionsModel, [subscriptionId, ...others]);
  return [subscriptionId, ...others].map((id) => held.get(id)!);
};

/** The ids of the others that close at an instant: each has a run that is due then, which has not come yet. */
const closingWith = async (tx: Tx, tenant: string, own: string, { accountId, consolidate, at }: { accountId: string; consolidate: boolean; at: Instant }): Promise<readonly string[]> => {
  const closing: string[] = [];
  for (let after = ''; closing.length < TOGETHER_MAX - 1;) {
    const { rows } = await tx.query<{ key: string }>(
      `SELECT key FROM ${ident(tableOf(subscriptionsModel))} WHERE tenant = $1 AND account_id = $2 AND key > $3 AND key <> $4 AND ($5 OR row->'started'->>'invoiceTogether' = 'true')
         AND (row->>'billedTo' IS NULL OR (row->>'billedTo')::timestamptz < $6) ORDER BY key LIMIT $7`, [tenant, accountId, after, own, consolidate, at, LOOKED_AT]);
    const runs = new Map(rows.map(({ key }) => [billJob(tenant, key, at).id, key]));
    const { rows: due } = await tx.query<{ id: string }>('SELECT id FROM jobs WHERE tenant = $1 AND id = ANY($2)', [tenant, [...runs.keys()]]);
    closing.push(...due.map(({ id }) => runs.get(id)!).sort());
    if (rows.length < LOOKED_AT) break;
    after = rows.at(-1)!.key;
  }
  return closing.slice(0, TOGETHER_MAX - 1);
};

interface Run { readonly id: string; readonly accountId: string; readonly subscriptionId: string; readonly dueAt: string; readonly doneAt: string; readonly attempt: number; readonly invoiceIds: readonly string[] }
const noteRuns = async (tx: Tx, tenant: string, runs: readonly Run[]): Promise<void> => {
  if (runs.length === 0) return;
  await tx.query(
    `INSERT INTO billing_cycles SELECT $1, r.id, r.account_id, r.subscription_id, r.due_at, r.done_at, r.attempts, CASE WHEN r.invoices = '' THEN '{}'::text[] ELSE string_to_array(r.invoices, ' ') END
     FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::text[]) r(id, account_id, subscription_id, due_at, done_at, attempts, invoices) ON CONFLICT DO NOTHING`,
    [tenant, runs.map(({ id }) => id), runs.map(({ accountId }) => accountId), runs.map(({ subscriptionId }) => subscriptionId), runs.map(({ dueAt }) => dueAt), runs.map(({ doneAt }) => doneAt), runs.map(({ attempt }) => attempt),
      runs.map(({ invoiceIds }) => invoiceIds.join(' '))]);
};

/** Requests that go to metering in one chunk. */
const REQUESTS_PER_CHUNK = 500;

/** The grace period is over: metering is asked for everything that was accepted, or there is nothing to ask and the invoice is issued. */
const closeAll = async (host: BillingHost, tx: Tx, jobs: readonly Job<OfInvoice>[]): Promise<Map<string, Reaction>> => {
  const reactions = await askAll(tx, jobs);
  const waiting = jobs.filter(({ id }) => !reactions.has(id));
  return waiting.length === 0 ? reactions : new Map([...reactions, ...await finalizeAll(host, tx, waiting)]);
};

/** Asks metering for the usage of drafts. What is asked for several goes in chunks, each the work of one job. A draft that asks nothing is not among the answers. */
const askAll = async (tx: Tx, jobs: readonly Job<OfInvoice>[]): Promise<Map<string, Reaction>> => {
  const { tenant } = jobs[0]!;
  const rows = await invoiceRows(tx, tenant, jobs.map(({ payload: { invoiceId } }) => invoiceId));
  const drafts = new Map(rows.filter(({ status }) => status === 'draft').map(({ invoiceId, drafted }) => [invoiceId, drafted]));
  const reactions = new Map<string, Reaction>(jobs.filter(({ payload: { invoiceId } }) => !drafts.has(invoiceId)).map(({ id }) => [id, {}]));
  const asking = jobs.filter(({ payload: { invoiceId } }) => (drafts.get(invoiceId)?.requests.length ?? 0) > 0);
  if (asking.length > 0) {
    const asked = asking.flatMap(({ payload: { invoiceId } }) => drafts.get(invoiceId)!.requests.map(({ requestId }, nth) => ({ requestId, invoiceId, nth: nth + 1 })));
    await tx.query('INSERT INTO invoice_requests (tenant, request_id, invoice_id, nth) SELECT $1, r.* FROM unnest($2::text[], $3::text[], $4::int[]) r ON CONFLICT DO NOTHING',
      [tenant, asked.map(({ requestId }) => requestId), asked.map(({ invoiceId }) => invoiceId), asked.map(({ nth }) => nth)]);
  }
  for (let from = 0; from < asking.length;) {
    const chunk: Job<OfInvoice>[] = [];
    let size = 0;
    while (from < asking.length && (chunk.length === 0 || size + drafts.get(asking[from]!.payload.invoiceId)!.requests.length <= REQUESTS_PER_CHUNK)) {
      size += drafts.get(asking[from]!.payload.invoiceId)!.requests.length;
      chunk.push(asking[from++]!);
    }
    const [first] = chunk as [Job<OfInvoice>];
    const requests = chunk.flatMap(({ payload: { invoiceId } }) => drafts.get(invoiceId)!.requests);
    for (const { id } of chunk) reactions.set(id, {});
    reactions.set(first.id, { commands: [follow(statementRequestDecider, { type: 'RequestStatements', chunkId: derivedId('chk', ...chunk.map(({ payload: { invoiceId } }) => invoiceId)), requests, at: first.now })] });
  }
  return reactions;
};
