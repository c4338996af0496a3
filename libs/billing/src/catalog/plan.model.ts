import type { PlanCreated, PlanVersionAdded } from '@valueverse/contracts';
import type { DeciderDefinition, ReadModel, Tx } from '@valueverse/event-log';
import { Problem, rowOf } from '@valueverse/platform';
import { plan, type Plan, type PlanCommand, type PlanFact } from './domain/plan.decider';

export type PlanVersion = Omit<PlanCreated, 'type' | 'planKey'>;
/** A plan with all its versions, oldest first. */
export interface PlanRow { readonly planKey: string; readonly versions: readonly PlanVersion[]; readonly archivedAt: string | null }

const withVersion = ({ type: _, planKey, ...version }: PlanCreated | PlanVersionAdded, { versions, archivedAt }: PlanRow): PlanRow => ({ planKey, versions: [...versions, version], archivedAt });

export const plansModel: ReadModel<PlanFact, PlanRow> = {
  table: 'plans', version: 2, key: ({ planKey }) => planKey, initial: { planKey: '', versions: [], archivedAt: null },
  on: {
    PlanCreated: withVersion, PlanVersionAdded: withVersion,
    PlanArchived: ({ archivedAt }, row) => ({ ...row, archivedAt }),
    PlanRestored: (_, row) => ({ ...row, archivedAt: null }),
  },
  columns: { archived: ({ archivedAt }) => String(archivedAt !== null) }, sortBy: ({ planKey }) => planKey,
};

export const planDecider: DeciderDefinition<PlanCommand, PlanFact, Plan> = { name: 'plan', decider: plan, stream: ({ planKey }) => `plan-${planKey}`, views: [plansModel] };

/** A version of a plan, the latest where none is named; `undefined` when there is none. */
export const versionOf = ({ versions }: PlanRow, wanted?: number): PlanVersion | undefined => (wanted === undefined ? versions.at(-1) : versions.find(({ version }) => version === wanted));

/** The plan of a key, of the tenant of the transaction. Refuses with 404 `plan_not_found`. */
export const wantedPlan = async (tx: Tx, key: string): Promise<PlanRow> => {
  const row = await rowOf<PlanRow>(tx, plansModel, key);
  if (row === undefined) throw new Problem(404, 'plan_not_found', `there is no plan ${key}`);
  return row;
};
/** A version of it, the latest where none is named. Refuses with 404 `plan_not_found`. */
export const wantedVersion = (row: PlanRow, version: number | undefined): PlanVersion => {
  const found = versionOf(row, version);
  if (found === undefined) throw new Problem(404, 'plan_not_found', `the plan ${row.planKey} has no version ${version}`);
  return found;
};
