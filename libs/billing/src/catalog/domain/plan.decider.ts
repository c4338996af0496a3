import { canonicalJson, dispatch, Refused, type Decider } from '@valueverse/kernel';
import type { PlanArchived, PlanCreated, PlanRestored, PlanVersionAdded } from '@valueverse/contracts';
import type { PlanSpec } from './plan-shape';

/** Makes a plan. What it says is checked before (`newPlan`): a decider only sees what is well formed. */
export interface CreatePlan extends PlanSpec { readonly type: 'CreatePlan'; readonly planKey: string; readonly at: string }
export interface AddPlanVersion extends PlanSpec { readonly type: 'AddPlanVersion'; readonly planKey: string; readonly at: string }
export interface ArchivePlan { readonly type: 'ArchivePlan'; readonly planKey: string; readonly at: string }
export interface RestorePlan { readonly type: 'RestorePlan'; readonly planKey: string; readonly at: string }
export type PlanCommand = CreatePlan | AddPlanVersion | ArchivePlan | RestorePlan;
export type PlanFact = PlanCreated | PlanVersionAdded | PlanArchived | PlanRestored;
/** `said` is what the latest version says, to tell whether another one says anything else. */
export interface Plan { readonly version: number; readonly currency: string; readonly said: string; readonly isArchived: boolean }

/** All versions of a plan are one row. */
export const PLAN_VERSIONS_MAX = 1_000;

const saidBy = (spec: PlanSpec): string => canonicalJson(spec);
const written = ({ type: _type, planKey: _key, version, createdAt: _at, ...spec }: PlanCreated | PlanVersionAdded, state: Plan): Plan => ({ ...state, version, currency: spec.currency, said: saidBy(spec) });
const refuseUnknown = ({ planKey }: { planKey: string }, { version }: Plan): void => {
  if (version === 0) throw new Refused('plan_not_found', `there is no plan ${planKey}`);
};

/**
 * Refuses with `plan_exists`: a plan's history goes on by new versions, never by a second plan of its key; `plan_not_found`; `plan_unchanged` for a version that says what the latest one says;
 * `currency_mismatch` for one in another currency, which would be another plan; `too_many_versions`.
 */
export const plan: Decider<PlanCommand, PlanFact, Plan> = {
  initial: { version: 0, currency: '', said: '', isArchived: false },
  decide: dispatch<PlanCommand, Plan, readonly PlanFact[]>({
    CreatePlan: ({ type: _, at, ...facts }, { version }) => {
      if (version > 0) throw new Refused('plan_exists', `there is a plan ${facts.planKey} already`, '/key');
      return [{ ...facts, type: 'PlanCreated', version: 1, createdAt: at }];
    },
    AddPlanVersion: (command, state) => {
      refuseUnknown(command, state);
      const { type: _, at, planKey, ...spec } = command;
      if (spec.currency !== state.currency) throw new Refused('currency_mismatch', `the plan is in ${state.currency}; another currency is said by currencyPrices, or is another plan`, '/currency');
      if (saidBy(spec) === state.said) throw new Refused('plan_unchanged', `version ${state.version} says the same`);
      if (state.version >= PLAN_VERSIONS_MAX) throw new Refused('too_many_versions', `a plan has ${PLAN_VERSIONS_MAX} versions at most: go on with another plan`);
      return [{ ...spec, type: 'PlanVersionAdded', planKey, version: state.version + 1, createdAt: at }];
    },
    ArchivePlan: (command, state) => {
      refuseUnknown(command, state);
      return state.isArchived ? [] : [{ type: 'PlanArchived', planKey: command.planKey, archivedAt: command.at }];
    },
    RestorePlan: (command, state) => {
      refuseUnknown(command, state);
      return state.isArchived ? [{ type: 'PlanRestored', planKey: command.planKey, restoredAt: command.at }] : [];
    },
  }),
  evolve: dispatch<PlanFact, Plan, Plan>({
    PlanCreated: written, PlanVersionAdded: written,
    PlanArchived: (_, state) => ({ ...state, isArchived: true }),
    PlanRestored: (_, state) => ({ ...state, isArchived: false }),
  }),
};
