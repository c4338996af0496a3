import { compareInstants, derivedId, Refused, type Instant } from '@valueverse/kernel';
import { ident, instruct, tableOf, type NewJob, type Tx } from '@valueverse/event-log';
import type { Job, JobHandler, JobResult } from '@valueverse/platform';
import { accountsModel } from '../accounts/account.model';
import type { BillingHost } from '../billing-host';
import { resolveChangeOf } from './change-subscription';
import { endOf } from './domain/subscription.decider';
import { heldSubscription } from './known-subscription';
import { subscriptionDecider, subscriptionsModel, type SubscriptionRow } from './subscription.model';

export const MOVE_SUBSCRIPTION = 'billing.move-subscription';
export interface Move { readonly planKey: string; readonly toVersion: number; readonly fromVersion?: number | undefined; readonly at: 'now' | 'period_end' }
interface MoveOne extends Move { readonly subscriptionId: string }
/** A subscription that would be moved, and the test clock of its account. */
export interface Movable { readonly row: SubscriptionRow; readonly clockId: string | undefined }
/** Subscriptions that are looked at together: a plan may have more than fit in memory. */
const BATCH = 500;

/** Whether the last terms of a subscription are of the plan and not of the version wanted, or of the one that is to be left. */
const isOn = ({ changes, started }: SubscriptionRow, { planKey, toVersion, fromVersion }: Omit<Move, 'at'>): boolean => {
  const terms = changes.at(-1)?.terms ?? started;
  return terms.planKey === planKey && terms.planVersion !== toVersion && (fromVersion === undefined || terms.planVersion === fromVersion);
};

/** The subscriptions on another version of a plan, or on one of its versions, in the order of their ids, some at a time; those that have ended by the wall clock are not among them. */
export async function *movable(tx: Tx, tenant: string, move: Omit<Move, 'at'>, now: Instant): AsyncGenerator<readonly Movable[]> {
  for (let after = ''; ;) {
    const { rows } = await tx.query<{ key: string; row: SubscriptionRow; clock_id: string | null }>(
      `SELECT s.key, s.row, a.row->>'testClockId' AS clock_id FROM ${ident(tableOf(subscriptionsModel))} s JOIN ${ident(tableOf(accountsModel))} a ON a.tenant = s.tenant AND a.key = s.account_id
       WHERE s.tenant = $1 AND s.plan_key = $2 AND s.key > $3 ORDER BY s.key LIMIT ${BATCH}`, [tenant, move.planKey, after]);
    yield rows.map(({ row, clock_id: clockId }) => ({ row, clockId: clockId ?? undefined })).filter(({ row, clockId }) => {
      const end = endOf(row);
      return isOn(row, move) && (clockId !== undefined || end === undefined || compareInstants(end.at, now) > 0);
    });
    if (rows.length < BATCH) return;
    after = rows.at(-1)!.key;
  }
}

/** The work of a move: one job for each subscription, so that one that cannot be moved holds up no other. Due when it was made, which is past on every clock. */
export const moveJobs = (tenant: string, moveId: string, move: Move, subscriptions: readonly Movable[]): NewJob[] => subscriptions.map(({ row: { started: { subscriptionId, startedAt } }, clockId }) => ({
  id: derivedId('job', MOVE_SUBSCRIPTION, moveId, subscriptionId), kind: MOVE_SUBSCRIPTION, tenant, dueAt: startedAt, payload: { subscriptionId, ...move } satisfies MoveOne, ...(clockId === undefined ? {} : { clockId }),
}));

export const moveHandler = (host: BillingHost): JobHandler => ({ kind: MOVE_SUBSCRIPTION, run: (job: Job<MoveOne>) => moveOne(host, job) });

/**
 * By the same function as a change by hand. What cannot be moved, because it has ended or has come to another plan or version since the move was asked for, is left as it is; the change has the job's id, so a second run
 * changes nothing.
 */
const moveOne = async (host: BillingHost, { id, tenant, payload: { subscriptionId, ...move } }: Job<MoveOne>): Promise<JobResult> => {
  const { log } = host.service;
  await log.transact({ role: 'api', tenant, repeatable: true }, async (tx) => {
    const { row, account, now } = await heldSubscription(host, tx, tenant, subscriptionId);
    if (!isOn(row, move)) return;
    try {
      const { command } = await resolveChangeOf(tx, tenant, { row, now, changeId: derivedId('chg', id) }, { planKey: move.planKey, planVersion: move.toVersion, at: move.at });
      await log.execute(tx, [instruct(subscriptionDecider, command, { tenant, at: now, actor: `job:${MOVE_SUBSCRIPTION}`, clockId: account.testClockId, commandId: derivedId('cmd', id) })]);
    } catch (error) {
      if (!(error instanceof Refused) || !['nothing_changes', 'after_cancellation', 'subscription_ended'].includes(error.code)) throw error;
    }
  });
  return { outcome: 'done' };
};
