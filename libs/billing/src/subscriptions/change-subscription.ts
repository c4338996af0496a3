import { compareInstants, isBefore, laterOf, type Instant } from '@valueverse/kernel';
import type { SubscriptionTerms } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import { rowOf } from '@valueverse/platform';
import { accountsModel, type AccountRow } from '../accounts/account.model';
import { loadCatalogue } from './catalogue';
import { instantMeant, resolveChange, termsAt, type WantedChange } from './domain/changes';
import { freeFrom, type OfAccount } from './domain/covered-usage';
import type { Catalogue } from './domain/due-items';
import { pauseAt, type SubscriptionCommand } from './domain/subscription.decider';
import { stretchesOf } from './domain/timeline';
import { readOverrides, refuseAddOns, wantedPlan } from './start-subscription';
import { coveringOf, subscriptionsOf, type SubscriptionRow } from './subscription.model';
import type { CancelSpec, ChangeSpec, PauseSpec, ResumeSpec } from './subscription-shapes';

/** A subscription, the account's time, and the id that a change will have. */
export interface Subject { readonly row: SubscriptionRow; readonly now: Instant; readonly changeId: string }
export interface Resolved { readonly command: SubscriptionCommand; readonly catalogue: Catalogue; readonly effectiveAt: Instant }

/** What a request changes, as the command that does it: the same for a preview and for the change. */
export const resolveChangeOf = async (tx: Tx, tenant: string, subject: Subject, spec: ChangeSpec): Promise<Resolved> => {
  const { row, now, changeId } = subject;
  const { subscriptionId, accountId, currency } = row.started;
  const { planKey, planVersion, addOns, overrides, proration, at, ...rest } = spec;
  const current = termsAt(row, laterOf(now, row.started.startsAt));
  const isOther = planKey !== undefined || planVersion !== undefined;
  const plan = isOther ? await wantedPlan(tx, planKey ?? current.planKey, planVersion) : undefined;
  if (addOns !== undefined) await refuseAddOns(tx, addOns, currency);
  const own = overrides === undefined ? undefined : readOverrides(plan ?? await wantedPlan(tx, current.planKey, current.planVersion), currency, overrides);
  const wanted: WantedChange = {
    ...rest, ...(plan === undefined ? {} : { plan: { planKey: planKey ?? current.planKey, planVersion: plan.version, interval: plan.interval } }), ...(addOns === undefined ? {} : { addOns }), ...(own === undefined ? {} : { overrides: own }),
    ...(proration === undefined ? {} : { proration }), ...(at === undefined ? {} : { at }),
  };
  const candidate: SubscriptionTerms = { ...current, ...(wanted.plan ?? {}), ...(addOns === undefined ? {} : { addOns }) };
  const catalogue = await loadCatalogue(tx, tenant, [row], [candidate]);
  const { effectiveAt, terms } = resolveChange(row, catalogue, wanted, now);
  const claims = await claimsOf(tx, tenant, row, catalogue, terms, effectiveAt, now, accountId);
  return {
    catalogue, effectiveAt,
    command: { type: 'ChangeSubscription', subscriptionId, changeId, effectiveAt, terms, ...(proration === undefined ? {} : { proration }), ...(claims === undefined ? {} : { ofAccount: claims }), at: now },
  };
};

/** Of its account's subjects it has the meters of its new charges as well, from the change on, and those of dropped charges until then; where another subscription has one already, from now on at the earliest. */
const claimsOf = async (tx: Tx, tenant: string, row: SubscriptionRow, catalogue: Catalogue, terms: SubscriptionTerms, effectiveAt: Instant, now: Instant, accountId: string): Promise<OfAccount | undefined> => {
  const account = (await rowOf<AccountRow>(tx, accountsModel, accountId))!;
  if (account.subjects === undefined) return undefined;
  const known = coveringOf(row).ofAccount ?? { subjects: account.subjects, meters: [] };
  const changed = { ...row, changes: [...row.changes, { changeId: '', at: effectiveAt, terms }] };
  const meterKeys = new Set(stretchesOf(changed, catalogue.courses).filter(({ from }) => compareInstants(from, effectiveAt) >= 0).flatMap((stretch) => catalogue.chargesOf(stretch).flatMap(({ charge: { meterKey } }) => meterKey ?? [])));
  const isOpen = ({ to }: OfAccount['meters'][number]): boolean => to === undefined;
  const fresh = [...meterKeys].filter((meterKey) => !known.meters.some((claim) => claim.meterKey === meterKey && isOpen(claim)));
  const isDropped = (claim: OfAccount['meters'][number]): boolean => isOpen(claim) && !meterKeys.has(claim.meterKey);
  if (fresh.length === 0 && !known.meters.some(isDropped)) return undefined;
  const others = (await subscriptionsOf(tx, tenant, accountId)).filter(({ started: { subscriptionId } }) => subscriptionId !== row.started.subscriptionId).map(coveringOf);
  const kept = known.meters.map((claim) => (isDropped(claim) ? { ...claim, to: effectiveAt } : claim)).filter(({ from, to }) => to === undefined || isBefore(from, to));
  return { subjects: known.subjects, meters: [...kept, ...fresh.map((meterKey) => ({ meterKey, from: freeFrom(meterKey, effectiveAt, now, others) }))] };
};

export const resolveCancelOf = async (tx: Tx, tenant: string, subject: Subject, { at = 'period_end', credit, reason }: CancelSpec): Promise<Resolved> => {
  const { row, now } = subject;
  const effectiveAt = instantMeant(row, at, now);
  return {
    catalogue: await loadCatalogue(tx, tenant, [row]), effectiveAt,
    command: { type: 'CancelSubscription', subscriptionId: row.started.subscriptionId, effectiveAt, credit: credit ?? (at === 'now' ? 'unused' : 'none'), ...(reason === undefined ? {} : { reason }), at: now },
  };
};

export const resolvePauseOf = async (tx: Tx, tenant: string, subject: Subject, { at = 'now', until, billing = 'stop' }: PauseSpec): Promise<Resolved> => {
  const effectiveAt = instantMeant(subject.row, at, subject.now);
  return {
    catalogue: await loadCatalogue(tx, tenant, [subject.row]), effectiveAt,
    command: { type: 'PauseSubscription', subscriptionId: subject.row.started.subscriptionId, effectiveAt, ...(until === undefined ? {} : { until }), billing, at: subject.now },
  };
};

export const resolveResumeOf = async (tx: Tx, tenant: string, subject: Subject, { at = 'now' }: ResumeSpec): Promise<Resolved> => {
  const effectiveAt = instantMeant(subject.row, at, subject.now);
  // Resumed from its very beginning a pause never was.
  const paused = pauseAt(subject.row, effectiveAt);
  return { catalogue: await loadCatalogue(tx, tenant, [subject.row]), effectiveAt: paused === undefined ? effectiveAt : laterOf(effectiveAt, paused.from), command: { type: 'ResumeSubscription', subscriptionId: subject.row.started.subscriptionId, effectiveAt, at: subject.now } };
};

export const resolveReactivateOf = async (tx: Tx, tenant: string, { row, now }: Subject): Promise<Resolved> =>
  ({ catalogue: await loadCatalogue(tx, tenant, [row]), effectiveAt: now, command: { type: 'ReactivateSubscription', subscriptionId: row.started.subscriptionId, at: now } });
