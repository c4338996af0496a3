import { derivedId } from '@valueverse/kernel';
import type { PaymentSucceeded, StatementIssued, StatementsRequested, SubscriptionEvent } from '@valueverse/contracts';
import { follow, ident, tableOf, type DeciderDefinition, type NewJob, type Reaction, type Reactor, type Tx } from '@valueverse/event-log';
import type { Job, JobHandler, JobResult } from '@valueverse/platform';
import { accountsModel, type AccountRow } from '../accounts/account.model';
import type { BillingHost } from '../billing-host';
import { subscriptionDecider, subscriptionsModel, subscriptionsOf, type SubscriptionRow } from '../subscriptions/subscription.model';
import { billSubscriptions, nextRun, type Draft } from './bill-subscription';
import type { StateUsage } from './domain/invoice.decider';
import { statementRequests, type RequestStatements } from './domain/statement-request.decider';
import { finalizeIn, type OfInvoice } from './finalize-invoice';
import { invoiceDecider, invoicesModel, type InvoiceRow } from './invoice.model';

/** The kinds of jobs of a run. */
export const BILL_PERIOD = 'billing.bill-period';
export const CLOSE_INVOICE = 'billing.close-invoice';
export const FINALIZE_INVOICE = 'billing.finalize-invoice';

export interface BillPeriod { readonly subscriptionId: string }

export const statementRequestDecider: DeciderDefinition<RequestStatements, StatementsRequested, { isAsked: boolean }> = {
  name: 'statement-request', decider: statementRequests, stream: ({ chunkId }) => `statement-request-${chunkId}`,
};

/** A run of a subscription at an instant. What causes it, a change for example, tells it from the run that a boundary at the same instant causes. */
export const billJob = (tenant: string, subscriptionId: string, dueAt: string, cause = ''): NewJob =>
  ({ id: derivedId('job', BILL_PERIOD, subscriptionId, dueAt, cause), kind: BILL_PERIOD, tenant, dueAt, payload: { subscriptionId } satisfies BillPeriod });
export const closeJob = (tenant: string, { invoiceId, finalizeAt }: Pick<Draft, 'invoiceId' | 'finalizeAt'>): NewJob =>
  ({ id: derivedId('job', CLOSE_INVOICE, invoiceId), kind: CLOSE_INVOICE, tenant, dueAt: finalizeAt, payload: { invoiceId } satisfies OfInvoice });
export const finalizeJob = (tenant: string, invoiceId: string, dueAt: string): NewJob =>
  ({ id: derivedId('job', FINALIZE_INVOICE, invoiceId), kind: FINALIZE_INVOICE, tenant, dueAt, payload: { invoiceId } satisfies OfInvoice });

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

/** An answer as it is kept until the last one is there. */
type Answer = StateUsage & { readonly traceparent: string | undefined };

/**
 * Takes metering's answers into the invoices that asked for them. Answers come by partition, in any order: they are kept until the last one is there
 * and then stated in the order of the requests, so that the facts of an invoice do not depend on chance.
 */
export const takeStatements: Reactor = {
  kind: 'reactor', name: 'take-statements', topics: ['usage.statements'],
  on: {
    StatementIssued: async ({ requestId, chargeKey, statementId, quantities, asOf, evidence, issuedAt }: StatementIssued, { tenant, traceparent }, tx) => {
      const asked = await tx.query<{ invoice_id: string }>('SELECT invoice_id FROM invoice_requests WHERE tenant = $1 AND request_id = $2', [tenant, requestId]);
      const invoiceId = asked.rows[0]?.invoice_id;
      if (invoiceId === undefined) return {};
      // All requests of the invoice are held: of two last answers that come at once, the second sees the first.
      const { rows } = await tx.query<{ request_id: string; answer: string | null }>(
        'SELECT request_id, answer FROM invoice_requests WHERE tenant = $1 AND invoice_id = $2 ORDER BY nth FOR UPDATE', [tenant, invoiceId]);
      const command: StateUsage = { type: 'StateUsage', invoiceId, requestId, chargeKey, statement: { statementId, quantities, asOf, evidence }, at: issuedAt };
      const own: Answer = { ...command, traceparent };
      await tx.query('UPDATE invoice_requests SET answer = $3 WHERE tenant = $1 AND request_id = $2', [tenant, requestId, JSON.stringify(own)]);
      const answers = rows.map(({ request_id: id, answer }) => (id === requestId ? own : answer === null ? undefined : JSON.parse(answer) as Answer));
      if (answers.includes(undefined)) return {};
      // Each statement goes into the invoice as part of its own trace.
      return { commands: answers.map((answer) => { const { traceparent: trace, ...stated } = answer!; return { ...follow(invoiceDecider, stated), traceparent: trace }; }), jobs: [finalizeJob(tenant, invoiceId, issuedAt)] };
    },
  },
};

/** Money that was taken is applied to its invoice. */
export const applyPayments: Reactor = {
  kind: 'reactor', name: 'apply-payments', topics: ['payments.payments'],
  on: {
    PaymentSucceeded: ({ invoiceId, paymentId, amount, currency, succeededAt }: PaymentSucceeded) =>
      ({ commands: [follow(invoiceDecider, { type: 'ApplyPayment', invoiceId, paymentId, amount, currency, at: succeededAt })] }),
  },
};

/** The jobs of the billing cycle: a period begins, an invoice closes, an invoice is issued. */
export const billingCycleJobs = (host: BillingHost): JobHandler[] => {
  const faults = host.service.metrics.counter({ subsystem: 'billing', what: 'rating_errors', help: 'Tries to price and issue an invoice that failed; the invoice stays a draft and is tried again' });
  const failed = (): void => { faults.inc(); };
  return [
    { kind: BILL_PERIOD, run: (job: Job<BillPeriod>) => Promise.resolve({ outcome: 'done', write: (tx) => billIn(tx, job) }), failed },
    { kind: CLOSE_INVOICE, run: (job: Job<OfInvoice>) => closeInvoice(host, job), failed },
    { kind: FINALIZE_INVOICE, run: (job: Job<OfInvoice>) => Promise.resolve({ outcome: 'done', write: (tx) => finalizeIn(host, tx, job) }), failed },
  ];
};

/**
 * Bills a subscription, together with those of its account that go on one invoice with it, as of the instant for which the run was due. Their rows are held from the first look on, so that what is billed is what
 * they are.
 */
const billIn = async (tx: Tx, { id, tenant, payload: { subscriptionId }, dueAt, now, attempt }: Job<BillPeriod>): Promise<Reaction> => {
  const rows = await togetherWith(tx, tenant, subscriptionId);
  const own = rows.find(({ started }) => started.subscriptionId === subscriptionId)!;
  const { bills, catalogue } = await billSubscriptions(tx, tenant, rows, { at: dueAt, now, invoiceIdOf: (currency) => derivedId('inv', id, currency) });
  const next = rows.flatMap((row) => {
    const at = nextRun(row, catalogue, dueAt);
    return at === undefined ? [] : [billJob(tenant, row.started.subscriptionId, at)];
  });
  await noteRun(tx, tenant, { id, accountId: own.started.accountId, subscriptionId, dueAt, doneAt: now, attempt, invoiceIds: bills.map(({ draft }) => draft.invoiceId) });
  return {
    commands: bills.flatMap(({ draft, parts }) => [
      ...parts.map((part) => follow(subscriptionDecider, { type: 'BillSubscription', invoiceId: draft.invoiceId, at: now, ...part })),
      follow(invoiceDecider, { ...draft, type: 'DraftInvoice', at: now }),
    ]),
    jobs: [...next, ...bills.map(({ draft }) => closeJob(tenant, draft))],
  };
};

/** A subscription, and those of its account whose invoices are its own, in the order of their ids. */
const togetherWith = async (tx: Tx, tenant: string, subscriptionId: string): Promise<readonly SubscriptionRow[]> => {
  const held = async (ids: readonly string[]): Promise<SubscriptionRow[]> => {
    const { rows } = await tx.query<{ row: SubscriptionRow }>(`SELECT row FROM ${ident(tableOf(subscriptionsModel))} WHERE tenant = $1 AND key = ANY($2) ORDER BY key FOR UPDATE`, [tenant, ids]);
    return rows.map(({ row }) => row);
  };
  const { rows: [found] } = await tx.query<{ row: SubscriptionRow; account: AccountRow }>(
    `SELECT s.row, a.row AS account FROM ${ident(tableOf(subscriptionsModel))} s JOIN ${ident(tableOf(accountsModel))} a ON a.tenant = s.tenant AND a.key = s.account_id WHERE s.tenant = $1 AND s.key = $2`, [tenant, subscriptionId]);
  const { row: { started }, account: { consolidate = false } } = found!;
  if (started.invoiceTogether !== true && !consolidate) return held([subscriptionId]);
  const together = (await subscriptionsOf(tx, tenant, started.accountId)).filter((row) => consolidate || row.started.invoiceTogether === true);
  return held([...new Set([subscriptionId, ...together.map((row) => row.started.subscriptionId)])]);
};

interface Run { readonly id: string; readonly accountId: string; readonly subscriptionId: string; readonly dueAt: string; readonly doneAt: string; readonly attempt: number; readonly invoiceIds: readonly string[] }
const noteRun = (tx: Tx, tenant: string, { id, accountId, subscriptionId, dueAt, doneAt, attempt, invoiceIds }: Run): Promise<unknown> =>
  tx.query('INSERT INTO billing_cycles VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING', [tenant, id, accountId, subscriptionId, dueAt, doneAt, attempt, invoiceIds]);

/** The grace period is over: metering is asked for everything that was accepted, or there is nothing to ask and the invoice is issued. */
const closeInvoice = async (host: BillingHost, job: Job<OfInvoice>): Promise<JobResult> => {
  const { tenant, payload: { invoiceId }, now } = job;
  return {
    outcome: 'done',
    write: async (tx) => {
      const { rows } = await tx.query<{ row: InvoiceRow }>(`SELECT row FROM ${ident(tableOf(invoicesModel))} WHERE tenant = $1 AND key = $2`, [tenant, invoiceId]);
      const { status, drafted: { requests } } = rows[0]!.row;
      if (status !== 'draft') return {};
      if (requests.length === 0) return finalizeIn(host, tx, job);
      await tx.query('INSERT INTO invoice_requests (tenant, request_id, invoice_id, nth) SELECT $1, r.request_id, $2, r.nth FROM unnest($3::text[]) WITH ORDINALITY r(request_id, nth) ON CONFLICT DO NOTHING',
        [tenant, invoiceId, requests.map(({ requestId }) => requestId)]);
      return { commands: [follow(statementRequestDecider, { type: 'RequestStatements', chunkId: derivedId('chk', invoiceId), requests, at: now })] };
    },
  };
};
