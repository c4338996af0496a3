import { dispatch, Refused, type Decider } from '@valueverse/kernel';
import type { Charge, PlanCreated } from '@valueverse/contracts';

/** Makes a plan. Its charges are checked before (`readCharges`): a decider only sees what is well formed. */
export interface CreatePlan {
  readonly type: 'CreatePlan';
  readonly planKey: string;
  readonly name: string;
  readonly currency: string;
  readonly interval: PlanCreated['interval'];
  readonly charges: readonly Charge[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly at: string;
}
export interface Plan { readonly version: number }

/** Refuses with `plan_exists`: a plan's history goes on by new versions, never by a second plan of its key. */
export const plan: Decider<CreatePlan, PlanCreated, Plan> = {
  initial: { version: 0 },
  decide: dispatch<CreatePlan, Plan, readonly PlanCreated[]>({
    CreatePlan: ({ at, ...facts }, { version }) => {
      if (version > 0) throw new Refused('plan_exists', `there is a plan ${facts.planKey} already`, '/key');
      return [{ ...facts, type: 'PlanCreated', version: 1, createdAt: at }];
    },
  }),
  evolve: dispatch<PlanCreated, Plan, Plan>({ PlanCreated: ({ version }) => ({ version }) }),
};
