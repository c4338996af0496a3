import { ident, instruct, tableOf, type CommandContext, type Instruction, type Tx } from '@valueverse/event-log';
import { FILE_LISTS, withDefaults, type CatalogChange, type CatalogFile, type FileKind, type KnownItem } from './domain/catalog-file';
import { CREATED } from './domain/item-created';
import type { ItemCommand, ItemKind } from './domain/item.decider';
import type { FieldChange } from './domain/plan-diff';
import type { PlanCommand } from './domain/plan.decider';
import type { PlanSpec } from './domain/plan-shape';
import { itemDecider, itemsModel, type ItemRow } from './item.model';
import { itemSpec } from './items.controller';
import { itemReferences, planReferences, type Reference } from './references';
import { planDecider, plansModel, versionOf, type PlanRow } from './plan.model';

/** Everything that a tenant has in its catalogue, in the words of a file, by kind and key. */
export const knownCatalog = async (tx: Tx, tenant: string): Promise<readonly KnownItem[]> => {
  const items = await tx.query<{ row: ItemRow }>(`SELECT row FROM ${ident(tableOf(itemsModel))} WHERE tenant = $1 ORDER BY key`, [tenant]);
  const plans = await tx.query<{ row: PlanRow }>(`SELECT row FROM ${ident(tableOf(plansModel))} WHERE tenant = $1 ORDER BY key`, [tenant]);
  return [
    ...items.rows.map(({ row }): KnownItem => ({ kind: row.kind, key: row.key, spec: itemSpec(row), isArchived: row.archivedAt !== null })),
    ...plans.rows.map(({ row }): KnownItem => {
      const { version: _, createdAt: _at, ...spec } = versionOf(row)!;
      return { kind: 'plan', key: row.planKey, spec: { key: row.planKey, ...spec }, isArchived: row.archivedAt !== null };
    }),
  ];
};

/** Files are applied one after the other: the second of two sees what the first has made. */
export const holdCatalog = async (tx: Tx, tenant: string): Promise<void> => {
  await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`catalog ${tenant}`]);
};

/** A file of what is there and not archived; what is empty is not said. */
export const exportedCatalog = (known: readonly KnownItem[]): Readonly<Record<string, unknown>> => {
  const spoken = (spec: Readonly<Record<string, unknown>>): unknown => {
    const { metadata, ...rest } = spec;
    return Object.keys(metadata as object).length === 0 ? rest : spec;
  };
  const lists = FILE_LISTS.map(([name, kind]) => [name, known.filter((item) => item.kind === kind && !item.isArchived).map(({ spec }) => spoken(spec))] as const);
  return { version: 1, ...Object.fromEntries(lists.filter(([, all]) => all.length > 0)) };
};

const specAt = (file: CatalogFile, kind: FileKind, key: string): Readonly<Record<string, unknown>> & { readonly key: string } => {
  const [name] = FILE_LISTS.find(([, own]) => own === kind)!;
  return withDefaults(kind, file[name]!.find((spec: { key: string }) => spec.key === key)!);
};

/** What is named by what the file makes or changes, at its place in the file; what is restored or stays was looked at when it was made. */
export const fileReferences = (file: CatalogFile, changes: readonly CatalogChange[]): readonly Reference[] => changes.filter(({ action }) => action !== 'restore').flatMap(({ kind, key, pointer }) => {
  const spec = specAt(file, kind, key);
  return kind === 'plan' ? planReferences(spec as unknown as PlanSpec, pointer) : kind === 'add_on' || kind === 'feature' ? itemReferences(spec as Parameters<typeof itemReferences>[0], pointer) : [];
});

/** The metadata as a merge patch: what is not in the file goes. */
const patchOf = (spec: Readonly<Record<string, unknown>>, fields: readonly FieldChange[]): Pick<Extract<ItemCommand, { type: 'ChangeItem' }>, 'name' | 'description' | 'metadata'> => {
  const gone = fields.filter(({ field, new: now }) => field.startsWith('/metadata/') && now === undefined).map(({ field }) => field.slice('/metadata/'.length).replaceAll('~1', '/').replaceAll('~0', '~'));
  const { name, description = null, metadata } = spec as { name: string; description?: string | null; metadata: Record<string, string> };
  return { name, description, metadata: { ...metadata, ...Object.fromEntries(gone.map((entry) => [entry, null])) } };
};

const planCommand = (action: CatalogChange['action'], { key, ...spec }: PlanSpec & { readonly key: string }, at: string): PlanCommand => {
  if (action === 'restore') return { type: 'RestorePlan', planKey: key, at };
  return { ...spec, type: action === 'create' ? 'CreatePlan' : 'AddPlanVersion', planKey: key, at };
};
const itemCommand = (kind: ItemKind, { action, key, fields = [] }: CatalogChange, spec: Readonly<Record<string, unknown>> & { readonly key: string }, at: string): ItemCommand => {
  if (action === 'restore') return { type: 'RestoreItem', kind, key, at };
  if (action === 'change') return { ...patchOf(spec, fields), type: 'ChangeItem', kind, key, at };
  return { type: 'CreateItem', kind, key, created: CREATED[kind](spec as never, at), at };
};

/** What makes the catalogue as the file says: all in one append. */
export const instructionsOf = (file: CatalogFile, changes: readonly CatalogChange[], context: CommandContext): readonly Instruction[] => changes.map((change) => {
  const { kind, key, action } = change;
  const spec = specAt(file, kind, key);
  if (kind === 'plan') return instruct(planDecider, planCommand(action, spec as unknown as PlanSpec & { key: string }, context.at), context);
  return instruct(itemDecider, itemCommand(kind, change, spec, context.at), context);
});
