import type { BillingEntityDefined, InvoiceFinalized } from '@valueverse/contracts';
import { ident, tableOf, type DeciderDefinition, type ReadModel, type Tx } from '@valueverse/event-log';
import { entity, type DefineEntity, type Entity } from './domain/entity.decider';

export type EntityRow = Omit<BillingEntityDefined, 'type'>;

export const entitiesModel: ReadModel<BillingEntityDefined, EntityRow> = {
  table: 'billing_entities', version: 1, key: ({ entityKey }) => entityKey, initial: {} as EntityRow, on: { BillingEntityDefined: ({ type: _, ...row }) => row },
  columns: { is_default: ({ isDefault }) => String(isDefault) }, sortBy: ({ entityKey }) => entityKey,
};
export const entityDecider: DeciderDefinition<DefineEntity, BillingEntityDefined, Entity> = { name: 'billing-entity', decider: entity, stream: ({ entityKey }) => `billing-entity-${entityKey}`, views: [entitiesModel] };

/** The seller of a key; without one the tenant's default, the one that was defined last where several are; `undefined` where there is none. */
export const entityOf = async (tx: Tx, tenant: string, entityKey: string | undefined): Promise<EntityRow | undefined> => {
  const { rows } = await tx.query<{ row: EntityRow }>(
    `SELECT row FROM ${ident(tableOf(entitiesModel))} WHERE tenant = $1 AND (key = $2 OR ($2::text IS NULL AND is_default = 'true')) ORDER BY row->>'definedAt' DESC, key LIMIT 1`, [tenant, entityKey ?? null]);
  return rows[0]?.row;
};
export const sellerOf = ({ name, address, taxId, email, footer }: EntityRow): NonNullable<InvoiceFinalized['seller']> => ({
  name, ...(address === undefined ? {} : { address }), ...(taxId === undefined ? {} : { taxId }), ...(email === undefined ? {} : { email }), ...(footer === undefined ? {} : { footer }),
});
