import { addDuration, addMicros, derivedId, durationMicros, microsOf, Money } from '@valueverse/kernel';
import type { SubscriptionStarted } from '@valueverse/contracts';
import { follow, type NewJob, type Reaction, type Reactor, type Tx } from '@valueverse/event-log';
import { heldRow, rowOf, type Job, type JobHandler, type JobResult } from '@valueverse/platform';
import type { BillingHost } from '../billing-host';
import { nextDueAfter, type Catalogue } from '../subscriptions/domain/due-items';
import { loadCatalogue } from '../subscriptions/catalogue';
import { subscriptionDecider, subscriptionsModel, type SubscriptionRow } from '../subscriptions/subscription.model';
import { billSubscriptions, type Bill } from './bill-subscription';
import { closeJob } from './cycle-jobs';
import { invoiceDecider } from './invoice.model';
import { previewDraft } from './preview';

export const WATCH_THRESHOLD = 'billing.watch-threshold';
/** How often a subscription with a threshold is looked at. */
const LOOK_EVERY = 'PT1H';

interface WatchThreshold { readonly subscriptionId: string }
const watchJob = (tenant: string, subscriptionId: string, dueAt: string): NewJob =>
  ({ id: derivedId('job', WATCH_THRESHOLD, subscriptionId, dueAt), kind: WATCH_THRESHOLD, tenant, dueAt, payload: { subscriptionId } satisfies WatchThreshold });

/** The interim invoice of a subscription's usage so far; `undefined` where there is none to be charged. */
export const interimBill = async (tx: Tx, tenant: string, row: SubscriptionRow, catalogue: Catalogue, now: string, invoiceId: string): Promise<Bill | undefined> =>
  (await billSubscriptions(tx, tenant, [row], { at: now, now, kind: 'interim', invoiceIdOf: () => invoiceId }, catalogue)).bills[0];

/** What makes an interim bill an invoice, and a part of what the subscription was charged. */
export const interimReaction = (tenant: string, { draft, parts }: Bill, now: string): Required<Pick<Reaction, 'commands' | 'jobs'>> => ({
  commands: [...parts.map((part) => follow(subscriptionDecider, { type: 'BillSubscription', invoiceId: draft.invoiceId, at: now, ...part })), follow(invoiceDecider, { ...draft, type: 'DraftInvoice', at: now })],
  jobs: [closeJob(tenant, draft)],
});

/** Once something falls due again, it is looked at again. */
const again = ({ subscriptionId, at }: { readonly subscriptionId: string; readonly at: string }, { tenant }: { readonly tenant: string }): Reaction => ({ jobs: [watchJob(tenant, subscriptionId, at)] });

/** A subscription with a threshold is looked at from its start on, and again after a pause without an end, or when it lives again. */
export const watchThresholds: Reactor = {
  kind: 'reactor', name: 'watch-thresholds', topics: ['billing.subscriptions'],
  on: {
    SubscriptionStarted: ({ subscriptionId, startsAt, interimThreshold }: SubscriptionStarted, { tenant }) =>
      (interimThreshold === undefined ? {} : { jobs: [watchJob(tenant, subscriptionId, addDuration(startsAt, LOOK_EVERY))] }),
    SubscriptionResumed: again, SubscriptionReactivated: again,
  },
};

/** The next look: hours are counted from the start, so that looks which were begun twice become one. */
const nextLook = (startsAt: string, dueAt: string): string => {
  const every = durationMicros(LOOK_EVERY);
  return addMicros(startsAt, ((microsOf(dueAt) - microsOf(startsAt)) / every + 1n) * every);
};

export const thresholdJob = (host: BillingHost): JobHandler => ({ kind: WATCH_THRESHOLD, run: (job: Job<WatchThreshold>) => look(host, job) });

/** Whether the usage of the present period that is not charged yet has come to the threshold, before tax: then it is charged. Metering is asked outside of the transaction; what is billed comes by statements. */
const look = async (host: BillingHost, { id, tenant, payload: { subscriptionId }, dueAt, now }: Job<WatchThreshold>): Promise<JobResult> => {
  const invoiceId = derivedId('inv', id);
  const { row, catalogue, bill } = await host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
    const found = (await rowOf<SubscriptionRow>(tx, subscriptionsModel, subscriptionId))!;
    const loaded = await loadCatalogue(tx, tenant, [found]);
    return { row: found, catalogue: loaded, bill: await interimBill(tx, tenant, found, loaded, now, invoiceId) };
  });
  // Where nothing falls due any more its life is over.
  const { interimThreshold, currency, startsAt } = row.started;
  const jobs = interimThreshold === undefined || nextDueAfter(row, catalogue, now) === undefined ? [] : [watchJob(tenant, subscriptionId, nextLook(startsAt, dueAt))];
  if (interimThreshold === undefined || bill === undefined) return { outcome: 'done', reaction: { jobs } };
  const { money } = await previewDraft(host, tenant, bill.draft, now);
  if (money === undefined || Money.parse(money.subtotal, currency).compare(Money.parse(interimThreshold, currency)) < 0) return { outcome: 'done', reaction: { jobs } };
  return {
    outcome: 'done', reaction: { jobs },
    // It is looked at again while it is held: it may have been billed or changed meanwhile.
    write: async (tx) => {
      const held = (await heldRow<SubscriptionRow>(tx, tenant, subscriptionsModel, subscriptionId))!;
      if (held.revision !== row.revision) return {};
      const again = await interimBill(tx, tenant, held, await loadCatalogue(tx, tenant, [held]), now, invoiceId);
      return again === undefined ? {} : interimReaction(tenant, again, now);
    },
  };
};
