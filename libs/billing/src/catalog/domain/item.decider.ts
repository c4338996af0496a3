import { dispatch, Refused, type Decider } from '@valueverse/kernel';
import type { AddOnCreated, CatalogItemArchived, CatalogItemChanged, CatalogItemRestored, CouponCreated, FeatureCreated, ProductCreated, TaxRateCreated } from '@valueverse/contracts';

/** What the catalogue holds beside plans: made once, its name and metadata changed, archived and restored. */
export type ItemKind = 'product' | 'feature' | 'add_on' | 'coupon' | 'tax_rate';
export type ItemCreated = ProductCreated | FeatureCreated | AddOnCreated | CouponCreated | TaxRateCreated;
export type ItemFact = ItemCreated | CatalogItemChanged | CatalogItemArchived | CatalogItemRestored;

interface OfItem { readonly kind: ItemKind; readonly key: string; readonly at: string }
export interface CreateItem extends OfItem { readonly type: 'CreateItem'; readonly created: ItemCreated }
/** What is not given stays; a description and an entry of the metadata that are null go. */
export interface ChangeItem extends OfItem { readonly type: 'ChangeItem'; readonly name?: string; readonly description?: string | null; readonly metadata?: Readonly<Record<string, string | null>> }
export interface ArchiveItem extends OfItem { readonly type: 'ArchiveItem' }
export interface RestoreItem extends OfItem { readonly type: 'RestoreItem' }
export type ItemCommand = CreateItem | ChangeItem | ArchiveItem | RestoreItem;

export interface Item { readonly exists: boolean; readonly isArchived: boolean; readonly name: string; readonly description?: string | undefined; readonly metadata: Readonly<Record<string, string>> }

const wordsOf = (kind: ItemKind): string => kind.replace('_', ' ');
const refuseUnknown = ({ kind, key }: OfItem, { exists }: Item): void => {
  if (!exists) throw new Refused(`${kind}_not_found`, `there is no ${wordsOf(kind)} ${key}`);
};
const isSame = (left: Readonly<Record<string, string>>, right: Readonly<Record<string, string>>): boolean =>
  Object.keys(left).length === Object.keys(right).length && Object.entries(left).every(([name, value]) => right[name] === value);
const created = (fact: ItemCreated): Item => ({ exists: true, isArchived: false, name: fact.name, description: 'description' in fact ? fact.description : undefined, metadata: fact.metadata });

/** Refuses with `<kind>_exists` and `<kind>_not_found`. */
export const item: Decider<ItemCommand, ItemFact, Item> = {
  initial: { exists: false, isArchived: false, name: '', metadata: {} },
  decide: dispatch<ItemCommand, Item, readonly ItemFact[]>({
    CreateItem: ({ kind, key, created: fact }, { exists }) => {
      if (exists) throw new Refused(`${kind}_exists`, `the ${wordsOf(kind)} ${key} exists already`, '/key');
      return [fact];
    },
    ChangeItem: (command, state) => {
      refuseUnknown(command, state);
      const { kind, key, name = state.name, metadata: changes = {}, at } = command;
      const metadata = Object.fromEntries(Object.entries({ ...state.metadata, ...changes }).filter((entry): entry is [string, string] => entry[1] !== null));
      const description = command.description === undefined ? state.description : command.description ?? undefined;
      if (name === state.name && description === state.description && isSame(metadata, state.metadata)) return [];
      return [{ type: 'CatalogItemChanged', kind, key, name, ...(description === undefined ? {} : { description }), metadata, changedAt: at }];
    },
    ArchiveItem: (command, state) => {
      refuseUnknown(command, state);
      return state.isArchived ? [] : [{ type: 'CatalogItemArchived', kind: command.kind, key: command.key, archivedAt: command.at }];
    },
    RestoreItem: (command, state) => {
      refuseUnknown(command, state);
      return state.isArchived ? [{ type: 'CatalogItemRestored', kind: command.kind, key: command.key, restoredAt: command.at }] : [];
    },
  }),
  evolve: dispatch<ItemFact, Item, Item>({
    ProductCreated: created, FeatureCreated: created, AddOnCreated: created, CouponCreated: created, TaxRateCreated: created,
    CatalogItemChanged: ({ name, description, metadata }, state) => ({ ...state, name, description, metadata }),
    CatalogItemArchived: (_, state) => ({ ...state, isArchived: true }),
    CatalogItemRestored: (_, state) => ({ ...state, isArchived: false }),
  }),
};
