import { addDuration, derivedId } from '@valueverse/kernel';
import type { AccountOpened, PaymentSucceeded, StatementIssued, StatementsRequested, SubscriptionStarted } from '@valueverse/contracts';
import { ERASED, follow, ident, tableOf, type DeciderDefinition, type NewJob, type Reaction, type Reactor, type Tx } from '@valueverse/event-log';
import { rowOf, type Job, type JobHandler, type JobResult } from '@valueverse/platform';
import { accountStream } from '../accounts/account.model';
import type { BillingHost } from '../billing-host';
import { plansModel, versionOf, type PlanRow } from '../catalog/plan.model';
import { knownMeter } from '../catalog/known-meters';
import { cyclePeriod } from '../subscriptions/domain/billing-cycle';
import { siblingsOf, subscriptionsModel, type SubscriptionRow } from '../subscriptions/subscription.model';
import type { StateUsage } from './domain/invoice.decider';
import { statementRequests, type RequestStatements } from './domain/statement-request.decider';
import { draftOf, GRACE_PERIOD } from './draft';
import { invoiceDecider, invoicesModel, unstated, type InvoiceRow } from './invoice.model';
import { nextNumber } from './number-series';

const BILL_PERIOD = 'billing.bill-period';
const CLOSE_INVOICE = 'billing.close-invoice';
const FINALIZE_INVOICE = 'billing.finalize-invoice';

interface BillPeriod { readonly subscriptionId: string; readonly nth: number }
interface OfInvoice { readonly invoiceId: string }

export const statementRequestDecider: DeciderDefinition<RequestStatements, StatementsRequested, { isAsked: boolean }> = {
  name: 'statement-request', decider: statementRequests, stream: ({ chunkId }) => `statement-request-${chunkId}`,
};

const billPeriodJob = (tenant: string, subscriptionId: string, nth: number, dueAt: string): NewJob =>
  ({ id: derivedId('job', BILL_PERIOD, subscriptionId, String(nth)), kind: BILL_PERIOD, tenant, dueAt, payload: { subscriptionId, nth } satisfies BillPeriod });

/** A subscription is billed from its start on: each period's start is a job, which makes the next one. */
export const billingCycle: Reactor = {
  kind: 'reactor', name: 'billing-cycle', topics: ['billing.subscriptions'],
  on: { SubscriptionStarted: ({ subscriptionId, startsAt }: SubscriptionStarted, { tenant }) => ({ jobs: [billPeriodJob(tenant, subscriptionId, 0, startsAt)] }) },
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

const finalizeJob = (tenant: string, invoiceId: string, dueAt: string): NewJob =>
  ({ id: derivedId('job', FINALIZE_INVOICE, invoiceId), kind: FINALIZE_INVOICE, tenant, dueAt, payload: { invoiceId } satisfies OfInvoice });

/** The jobs of the billing cycle: a period begins, an invoice closes, an invoice is issued. */
export const billingCycleJobs = (host: BillingHost): JobHandler[] => {
  const faults = host.service.metrics.counter({ subsystem: 'billing', what: 'rating_errors', help: 'Tries to price and issue an invoice that failed; the invoice stays a draft and is tried again' });
  const failed = (): void => { faults.inc(); };
  return [
    { kind: BILL_PERIOD, run: (job: Job<BillPeriod>) => billPeriod(host, job) },
    { kind: CLOSE_INVOICE, run: (job: Job<OfInvoice>) => closeInvoice(host, job), failed },
    { kind: FINALIZE_INVOICE, run: (job: Job<OfInvoice>) => Promise.resolve({ outcome: 'done', write: (tx) => finalizeIn(host, tx, job) }), failed },
  ];
};

const billPeriod = async (host: BillingHost, { tenant, payload: { subscriptionId, nth }, now }: Job<BillPeriod>): Promise<JobResult> => {
  const { subscription, draft } = await host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
    const found = (await rowOf<SubscriptionRow>(tx, subscriptionsModel, subscriptionId))!;
    const plan = versionOf((await rowOf<PlanRow>(tx, plansModel, found.planKey))!, found.planVersion)!;
    const meters = new Map<string, number>();
    for (const { meterKey } of plan.charges) if (meterKey !== undefined) meters.set(meterKey, (await knownMeter(tx, tenant, meterKey))?.version ?? 1);
    return { subscription: found, draft: draftOf(found, plan, nth, { meterVersions: meters, siblings: await siblingsOf(tx, tenant, found) }) };
  });
  const next = billPeriodJob(tenant, subscriptionId, nth + 1, cyclePeriod(subscription, nth).aligned.to);
  if (draft === undefined) return { outcome: 'done', reaction: { jobs: [next] } };
  const { invoiceId } = draft;
  // Fees alone wait for nothing; usage has a time for events that come late.
  const finalizeAt = draft.requests.length === 0 ? now : addDuration(draft.advance.period.from, GRACE_PERIOD);
  return { outcome: 'done', reaction: {
    commands: [follow(invoiceDecider, { ...draft, type: 'DraftInvoice', finalizeAt, at: now })],
    jobs: [next, { id: derivedId('job', CLOSE_INVOICE, invoiceId), kind: CLOSE_INVOICE, tenant, dueAt: finalizeAt, payload: { invoiceId } satisfies OfInvoice }],
  } };
};

/** The grace period is over: metering is asked for everything that was accepted, or there is nothing to ask and the invoice is issued. */
const closeInvoice = async (host: BillingHost, job: Job<OfInvoice>): Promise<JobResult> => {
  const { tenant, payload: { invoiceId }, now } = job;
  const row = await host.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => rowOf<InvoiceRow>(tx, invoicesModel, invoiceId));
  const requests = row!.drafted.requests;
  if (requests.length === 0) return { outcome: 'done', write: (tx) => finalizeIn(host, tx, job) };
  return {
    outcome: 'done',
    reaction: { commands: [follow(statementRequestDecider, { type: 'RequestStatements', chunkId: derivedId('chk', invoiceId), requests, at: now })] },
    write: async (tx) => {
      await tx.query('INSERT INTO invoice_requests (tenant, request_id, invoice_id, nth) SELECT $1, r.request_id, $2, r.nth FROM unnest($3::text[]) WITH ORDINALITY r(request_id, nth) ON CONFLICT DO NOTHING',
        [tenant, invoiceId, requests.map(({ requestId }) => requestId)]);
    },
  };
};

/**
 * Issues an invoice once all its usage is stated. The number is taken in the same transaction, so a failure gives it back. The row is held
 * from the first look on: two runs of this job that overlap would otherwise each take a number.
 */
const finalizeIn = async (host: BillingHost, tx: Tx, { tenant, payload: { invoiceId }, clockId, now }: Job<OfInvoice>): Promise<Reaction> => {
  const { rows } = await tx.query<{ row: InvoiceRow }>(`SELECT row FROM ${ident(tableOf(invoicesModel))} WHERE tenant = $1 AND key = $2 FOR UPDATE`, [tenant, invoiceId]);
  const row = rows[0]!.row;
  if (row.status === 'finalized' || unstated(row).length > 0) return {};
  const [opened] = await host.service.log.store.read<AccountOpened>(tx, tenant, accountStream(row.accountId));
  const { name, email, address } = opened!.event;
  // Who was erased is billed without a name; what is owed stays.
  const billTo = name === ERASED ? { name } : { name, ...(email === undefined ? {} : { email }), ...(address === undefined ? {} : { address }) };
  const number = await nextNumber(tx, tenant, clockId);
  return { commands: [follow(invoiceDecider, { type: 'FinalizeInvoice', invoiceId, number, billTo, at: now })] };
};
