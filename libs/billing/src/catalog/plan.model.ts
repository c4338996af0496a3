import type { PlanCreated } from '@valueverse/contracts';
import type { DeciderDefinition, ReadModel } from '@valueverse/event-log';
import { plan, type CreatePlan, type Plan } from './domain/plan.decider';

export type PlanVersion = Omit<PlanCreated, 'type' | 'planKey'>;
export interface PlanRow { readonly planKey: string; readonly versions: readonly PlanVersion[] }

export const plansModel: ReadModel<PlanCreated, PlanRow> = {
  table: 'plans', version: 1, key: ({ planKey }) => planKey, initial: { planKey: '', versions: [] },
  on: { PlanCreated: ({ type: _, planKey, ...version }, { versions }) => ({ planKey, versions: [...versions, version] }) },
  sortBy: ({ planKey }) => planKey,
};

export const planDecider: DeciderDefinition<CreatePlan, PlanCreated, Plan> = { name: 'plan', decider: plan, stream: ({ planKey }) => `plan-${planKey}`, views: [plansModel] };

/** A version of a plan, the latest where none is named; `undefined` when there is none. */
export const versionOf = ({ versions }: PlanRow, wanted?: number): PlanVersion | undefined => (wanted === undefined ? versions.at(-1) : versions.find(({ version }) => version === wanted));
