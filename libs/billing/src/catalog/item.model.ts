import type { DeciderDefinition, ReadModel } from '@valueverse/event-log';
import { item, type Item, type ItemCommand, type ItemCreated, type ItemFact, type ItemKind } from './domain/item.decider';

/** A product, feature, add-on, coupon or tax rate as it is now. `said` is what it was made with. */
export interface ItemRow<C extends ItemCreated = ItemCreated> {
  readonly kind: ItemKind; readonly key: string; readonly name: string; readonly description?: string; readonly metadata: Readonly<Record<string, string>>; readonly said: C; readonly createdAt: string; readonly archivedAt: string | null;
}

/** Where the row of an item is. */
export const itemId = (kind: ItemKind, key: string): string => `${kind}/${key}`;

const KEY_OF: { readonly [T in ItemCreated['type']]: (fact: Extract<ItemCreated, { type: T }>) => readonly [ItemKind, string] } = {
  ProductCreated: ({ productKey }) => ['product', productKey], FeatureCreated: ({ featureKey }) => ['feature', featureKey], AddOnCreated: ({ addOnKey }) => ['add_on', addOnKey],
  CouponCreated: ({ couponKey }) => ['coupon', couponKey], TaxRateCreated: ({ taxRateKey }) => ['tax_rate', taxRateKey],
};
const nameOf = (fact: ItemFact): readonly [ItemKind, string] => ('kind' in fact ? [fact.kind as ItemKind, fact.key] : KEY_OF[fact.type](fact as never));

const describedAs = (fact: object): { description?: string } => ('description' in fact && fact.description !== undefined ? { description: fact.description as string } : {});

const made = (fact: ItemCreated): ItemRow => {
  const [kind, key] = nameOf(fact);
  return { kind, key, name: fact.name, ...describedAs(fact), metadata: fact.metadata, said: fact, createdAt: fact.createdAt, archivedAt: null };
};

export const itemsModel: ReadModel<ItemFact, ItemRow> = {
  table: 'catalog_items', version: 2, key: (fact) => itemId(...nameOf(fact)), initial: {} as ItemRow,
  on: {
    ProductCreated: made, FeatureCreated: made, AddOnCreated: made, CouponCreated: made, TaxRateCreated: made,
    CatalogItemChanged: ({ name, metadata, ...fact }, { description: _, ...row }) => ({ ...row, name, ...describedAs(fact), metadata }),
    CatalogItemArchived: ({ archivedAt }, row) => ({ ...row, archivedAt }),
    CatalogItemRestored: (_, row) => ({ ...row, archivedAt: null }),
  },
  columns: {
    kind: ({ kind }) => kind, archived: ({ archivedAt }) => String(archivedAt !== null),
    /** Where a tax rate is found by address. */
    country: ({ said }) => (said.type === 'TaxRateCreated' ? said.jurisdiction?.country ?? null : null),
  },
  sortBy: ({ key }) => key,
};

export const itemDecider: DeciderDefinition<ItemCommand, ItemFact, Item> = {
  name: 'catalog-item', decider: item, stream: ({ kind, key }) => `${kind.replace('_', '-')}-${key}`, views: [itemsModel],
};
