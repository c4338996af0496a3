import type { AddOnChoice, AddOnCreated, Charge, SubscriptionTerms } from '@valueverse/contracts';
import { ident, tableOf, type Tx } from '@valueverse/event-log';
import { Refused } from '@valueverse/kernel';
import { planTerms, type Overrides } from '../catalog/domain/plan-terms';
import { itemId, itemsModel, type ItemRow } from '../catalog/item.model';
import { plansModel, versionOf, type PlanRow, type PlanVersion } from '../catalog/plan.model';
import type { Catalogue, ChargeInForce } from './domain/due-items';
import type { Subscription } from './domain/subscription.decider';
import { termsOf, type Stretch } from './domain/timeline';

/** The plans and add-ons that subscriptions are on, as they were read. */
export interface Loaded { readonly plans: ReadonlyMap<string, PlanRow>; readonly addOns: ReadonlyMap<string, AddOnCreated> }

const rowsOf = async <Row>(tx: Tx, table: string, tenant: string, keys: readonly string[]): Promise<ReadonlyMap<string, Row>> => {
  if (keys.length === 0) return new Map();
  const { rows } = await tx.query<{ key: string; row: Row }>(`SELECT key, row FROM ${ident(table)} WHERE tenant = $1 AND key = ANY($2)`, [tenant, keys]);
  return new Map(rows.map(({ key, row }) => [key, row]));
};

/** Reads what the catalogue says of subscriptions, and of further terms that one of them may come to be on. */
export const loadCatalogue = async (tx: Tx, tenant: string, subscriptions: readonly Subscription[], more: readonly SubscriptionTerms[] = []): Promise<Catalogue & Loaded> => {
  const all = [...subscriptions.flatMap((one) => termsOf(one).map(({ terms }) => terms)), ...more];
  const plans = await rowsOf<PlanRow>(tx, tableOf(plansModel), tenant, [...new Set(all.map(({ planKey }) => planKey))]);
  const keys = [...new Set(all.flatMap(({ addOns = [] }) => addOns.map(({ key }) => key)))];
  const items = await rowsOf<ItemRow<AddOnCreated>>(tx, tableOf(itemsModel), tenant, keys.map((key) => itemId('add_on', key)));
  const addOns = new Map(keys.flatMap((key) => { const row = items.get(itemId('add_on', key)); return row === undefined ? [] : [[key, row.said] as const]; }));
  return catalogueOf({ plans, addOns });
};

const versionIn = ({ plans }: Loaded, { planKey, planVersion }: Pick<SubscriptionTerms, 'planKey' | 'planVersion'>): PlanVersion => versionOf(plans.get(planKey)!, planVersion)!;

export const catalogueOf = (loaded: Loaded): Catalogue & Loaded => ({
  ...loaded,
  courses: (terms) => versionIn(loaded, terms),
  chargesOf: (stretch) => chargesIn(loaded, stretch),
});

/** The charges of a stretch: of its plan in its phase, then of its add-ons, each with its price and how many it counts. Refuses with `currency_mismatch` where one has no price in the currency. */
const chargesIn = (loaded: Loaded, { terms, phase, addOnsSince }: Pick<Stretch, 'terms' | 'phase' | 'addOnsSince'>): readonly ChargeInForce[] => {
  const { currency, overrides = {}, quantity } = terms;
  const plan = versionIn(loaded, terms);
  if (plan.commitment !== undefined && currency !== plan.currency) throw new Refused('currency_mismatch', `the plan ${terms.planKey} says its commitment in ${plan.currency} alone`);
  const ofPlan = planTerms(plan, { currency, overrides: overrides as Overrides, ...(phase === undefined ? {} : { phaseKey: phase.key }) });
  return [
    ...ofPlan.charges.map((charge): ChargeInForce => ({ charge, quantity: counted(charge, (overrides[charge.key] as { quantity?: string } | undefined)?.quantity ?? quantity) })),
    ...(terms.addOns ?? []).flatMap((choice) => ofAddOn(loaded, choice, currency, addOnsSince)),
  ];
};

/** A flat price does not look at how many there are, so nothing about it changes with them. */
const counted = ({ price, quantity }: Pick<Charge, 'price' | 'quantity'>, said: string | undefined): string => ((price as { model?: string }).model === 'flat' ? '1' : said ?? quantity ?? '1');

const ofAddOn = ({ addOns }: Loaded, { key, quantity }: AddOnChoice, currency: string, since: Stretch['addOnsSince']): ChargeInForce[] => {
  const addOn = addOns.get(key)!;
  // An add-on is priced as a plan without phases is.
  const { charges } = planTerms(addOn as Parameters<typeof planTerms>[0], { currency });
  return charges.map((charge) => ({ charge, quantity: counted(charge, quantity), addOnKey: key, interval: addOn.interval, since: since.get(key) }));
};
