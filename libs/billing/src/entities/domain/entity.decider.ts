import { canonicalJson, dispatch, type Decider } from '@valueverse/kernel';
import type { BillingEntityDefined } from '@valueverse/contracts';

export type DefineEntity = { readonly type: 'DefineEntity'; readonly at: string } & Omit<BillingEntityDefined, 'type' | 'definedAt'>;
export interface Entity { readonly said?: string }
const saidOf = ({ definedAt: _, ...said }: BillingEntityDefined): string => canonicalJson(said);

/** A seller, defined anew as often as it changes. */
export const entity: Decider<DefineEntity, BillingEntityDefined, Entity> = {
  initial: {},
  decide: dispatch<DefineEntity, Entity, readonly BillingEntityDefined[]>({
    DefineEntity: ({ at, type: _, ...facts }, { said }) => {
      const defined: BillingEntityDefined = { ...facts, type: 'BillingEntityDefined', definedAt: at };
      return saidOf(defined) === said ? [] : [defined];
    },
  }),
  evolve: dispatch<BillingEntityDefined, Entity, Entity>({ BillingEntityDefined: (defined) => ({ said: saidOf(defined) }) }),
};
