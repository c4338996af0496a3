import { anchorAt, calendarAnchor, isBefore, Money, periodContaining, Refused, type BillingAnchor, type Instant } from '@valueverse/kernel';
import type { SubscriptionStarted, SubscriptionTerms } from '@valueverse/contracts';
import { ident, tableOf, type Tx } from '@valueverse/event-log';
import { invalidRequest, Problem, rowOf } from '@valueverse/platform';
import { accountsModel, type AccountRow } from '../accounts/account.model';
import { overrides, type Overrides } from '../catalog/domain/plan-terms';
import type { Fault } from '@valueverse/rating';
import { itemId, itemsModel, type ItemRow } from '../catalog/item.model';
import { plansModel, versionOf, type PlanRow, type PlanVersion } from '../catalog/plan.model';
import { loadCatalogue } from './catalogue';
import { claimedOfAccount, type OfAccount } from './domain/covered-usage';
import type { Catalogue } from './domain/due-items';
import { NEW_SUBSCRIPTION } from './domain/subscription.decider';
import { stretchesOf } from './domain/timeline';
import { coveringOf, subscriptionsOf } from './subscription.model';
import type { StartSpec } from './subscription-shapes';

export const refuse = (status: number, code: string, pointer: string, detail: string): Problem => new Problem(status, code, detail, { errors: [{ pointer, code, detail }] });

/** A version of a plan that a subscription can be on. Refuses with 404 `plan_not_found`, 409 `plan_archived`. */
export const wantedPlan = async (tx: Tx, planKey: string, version: number | undefined): Promise<PlanVersion> => {
  const found = await rowOf<PlanRow>(tx, plansModel, planKey);
  const plan = found === undefined ? undefined : versionOf(found, version);
  if (plan === undefined) throw refuse(404, 'plan_not_found', '/planKey', `there is no plan ${planKey}${version === undefined ? '' : ` version ${version}`}`);
  if (found!.archivedAt !== null) throw refuse(409, 'plan_archived', '/planKey', `the plan ${planKey} is archived: nothing new may use it`);
  return plan;
};

/** Refuses with 404 `add_on_not_found`, 409 `add_on_archived` and `currency_mismatch`, 400 `duplicate_key`. */
export const refuseAddOns = async (tx: Tx, addOns: readonly { readonly key: string }[], currency: string): Promise<void> => {
  for (const [nth, { key }] of addOns.entries()) {
    const pointer = `/addOns/${nth}/key`;
    if (addOns.findIndex((one) => one.key === key) !== nth) throw refuse(400, 'duplicate_key', pointer, `the add-on ${key} is named twice`);
    const row = await rowOf<ItemRow>(tx, itemsModel, itemId('add_on', key));
    if (row === undefined) throw refuse(404, 'add_on_not_found', pointer, `there is no add-on ${key}`);
    if (row.archivedAt !== null) throw refuse(409, 'add_on_archived', pointer, `the add-on ${key} is archived`);
    if ((row.said as { currency?: string }).currency !== currency) throw refuse(409, 'currency_mismatch', pointer, `the add-on is in ${(row.said as { currency?: string }).currency}, the subscription in ${currency}`);
  }
};

/** What a subscription has otherwise than its plan, read by the plan's charges. Refuses with every fault at its place. */
export const readOverrides = (plan: PlanVersion, currency: string, given: Readonly<Record<string, unknown>> | undefined): Overrides | undefined => {
  if (given === undefined) return undefined;
  const faults: Fault[] = [];
  const read = overrides(plan, currency).read(given, '/overrides', faults);
  if (faults.length > 0) throw invalidRequest(faults);
  return read;
};

/** An anchor that is no date, or a period that ends after the last year, would be found only when the first period is billed. */
const refuseWithoutPeriods = (anchor: BillingAnchor, plan: PlanVersion, startsAt: Instant): void => {
  try {
    periodContaining(anchor, plan.interval, startsAt);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    throw refuse(400, error.code, error.code === 'invalid_local_time' ? '/anchor' : '/startsAt', error.message);
  }
};

export type Started = Omit<SubscriptionStarted, 'type' | 'startedAt'>;

/** What a new subscription is, from what was asked for: checked, with its currency, its anchor and what it has of its account's subjects. Its own subjects are not taken yet. */
export const resolveStart = async (tx: Tx, tenant: string, spec: StartSpec, { subscriptionId, account, now }: { subscriptionId: string; account: AccountRow; now: Instant }): Promise<{ started: Started; catalogue: Catalogue }> => {
  const plan = await wantedPlan(tx, spec.planKey, spec.planVersion);
  const currency = spec.currency ?? account.currency;
  if (spec.countFrom !== undefined && isBefore(spec.startsAt, spec.countFrom)) throw refuse(400, 'count_from_after_start', '/countFrom', 'usage counts from the start at the latest');
  if (isBefore(spec.startsAt, account.openedAt)) throw refuse(400, 'start_before_account', '/startsAt', `the account was opened at ${account.openedAt}`);
  await refuseAddOns(tx, spec.addOns ?? [], currency);
  const own = readOverrides(plan, currency, spec.overrides);
  const zone = account.timezone;
  const terms = (anchor: BillingAnchor): SubscriptionTerms => ({
    planKey: spec.planKey, planVersion: plan.version, currency, interval: plan.interval, anchor, ...(spec.quantity === undefined ? {} : { quantity: spec.quantity }), ...(spec.addOns === undefined || spec.addOns.length === 0 ? {} : { addOns: spec.addOns }),
    ...(own === undefined || Object.keys(own).length === 0 ? {} : { overrides: own }),
  });
  const startedWith = (anchor: BillingAnchor): Started => ({
    subscriptionId, accountId: account.accountId, ...terms(anchor), startsAt: spec.startsAt, subjects: [...new Set(spec.subjects ?? [])], metadata: spec.metadata ?? {}, ...(spec.countFrom === undefined ? {} : { countFrom: spec.countFrom }),
    ...(spec.trialDays === undefined ? {} : { trialDays: spec.trialDays }), ...(spec.invoiceTogether === undefined ? {} : { invoiceTogether: spec.invoiceTogether }), ...(spec.externalId === undefined ? {} : { externalId: spec.externalId }),
    ...(spec.interimThreshold === undefined ? {} : { interimThreshold: Money.parse(spec.interimThreshold, currency).toString() }),
  });
  const tentative = startedWith(anchorAt(spec.startsAt, zone));
  const catalogue = await loadCatalogue(tx, tenant, [{ ...NEW_SUBSCRIPTION, started: { ...tentative, startedAt: now } }]);
  const anchor = anchorOf(spec, plan, zone, firstBilled(tentative, catalogue, now));
  refuseWithoutPeriods(anchor, plan, spec.startsAt);
  const started = startedWith(anchor);
  const charges = pricesOf(started, catalogue, now, spec.currency);
  return { started: { ...started, ...await ofAccount(tx, tenant, account, charges, spec.countFrom ?? spec.startsAt, now) }, catalogue };
};

/** Where it is first billed: the start, or the end of a trial. */
const firstBilled = (started: Started, catalogue: Catalogue, now: Instant): Instant =>
  stretchesOf({ ...NEW_SUBSCRIPTION, started: { ...started, startedAt: now } }, catalogue.courses).find(({ isBilled }) => isBilled)?.from ?? started.startsAt;

/** Periods are counted from where it is first billed, from the calendar, or from what was asked for. */
const anchorOf = ({ alignment = 'anniversary', anchor, startsAt }: StartSpec, { interval }: PlanVersion, zone: string, from: Instant): BillingAnchor => {
  if (anchor !== undefined) return { local: anchor, zone };
  return alignment === 'calendar' ? calendarAnchor(interval.unit, startsAt, zone) : anchorAt(from, zone);
};

/** The meters of its charges in all phases. A price that is missing in the currency is found here, not when it is billed. */
const pricesOf = (started: Started, catalogue: Catalogue, now: Instant, given: string | undefined): string[] => {
  try {
    return stretchesOf({ ...NEW_SUBSCRIPTION, started: { ...started, startedAt: now } }, catalogue.courses).flatMap((stretch) => catalogue.chargesOf(stretch).flatMap(({ charge: { meterKey } }) => meterKey ?? []));
  } catch (error) {
    if (error instanceof Refused && error.code === 'currency_mismatch') throw refuse(409, error.code, given === undefined ? '/planKey' : '/currency', error.message);
    throw error;
  }
};

/** Holds an account until the end of the transaction. */
export const heldAccount = async (tx: Tx, tenant: string, accountId: string): Promise<void> => { await tx.query(`SELECT FROM ${ident(tableOf(accountsModel))} WHERE tenant = $1 AND key = $2 FOR UPDATE`, [tenant, accountId]); };

/** What it has of its account's subjects. The account is held: of two subscriptions that start at once, the second sees the first. */
const ofAccount = async (tx: Tx, tenant: string, { accountId, subjects }: AccountRow, meterKeys: readonly string[], from: Instant, now: Instant): Promise<{ ofAccount?: OfAccount }> => {
  if (subjects === undefined || meterKeys.length === 0) return {};
  await heldAccount(tx, tenant, accountId);
  return { ofAccount: claimedOfAccount(subjects, meterKeys, from, now, (await subscriptionsOf(tx, tenant, accountId)).map(coveringOf)) };
};
