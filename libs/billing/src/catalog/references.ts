import { Decimal } from '@valueverse/kernel';
import { pointerTo, type Fault } from '@valueverse/rating';
import { ident, tableOf, type Tx } from '@valueverse/event-log';
import { awaitKnown, Problem, type Service } from '@valueverse/platform';
import type { AddOnCharge, FeatureCreated } from '@valueverse/contracts';
import type { ItemKind } from './domain/item.decider';
import type { PlanSpec } from './domain/plan-shape';
import { itemId, itemsModel, type ItemRow } from './item.model';
import { knownMetersOf, type KnownMeter } from './known-meters';

/** A key of something else in what is being made, and where it stands. A feature also has the value that the plan gives it. */
export interface Reference { readonly kind: ItemKind | 'meter'; readonly key: string; readonly pointer: string; readonly value?: unknown }

const taxRates = (keys: readonly string[] = [], pointer: string): Reference[] => keys.map((key, index) => ({ kind: 'tax_rate', key, pointer: pointerTo(pointerTo(pointer, 'taxRateKeys'), index) }));
const product = (key: string | undefined, pointer: string): Reference[] => (key === undefined ? [] : [{ kind: 'product', key, pointer: pointerTo(pointer, 'productKey') }]);
const meter = (key: string | undefined, pointer: string): Reference[] => (key === undefined ? [] : [{ kind: 'meter', key, pointer: pointerTo(pointer, 'meterKey') }]);

const chargeReferences = (charges: readonly AddOnCharge[], pointer: string): Reference[] => charges.flatMap(({ meterKey, productKey, taxRateKeys }, index) => {
  const at = pointerTo(pointerTo(pointer, 'charges'), index);
  return [...meter(meterKey, at), ...product(productKey, at), ...taxRates(taxRateKeys, at)];
});

/** What a plan names. */
export const planReferences = ({ charges, features = {}, productKey, taxRateKeys }: PlanSpec, pointer = ''): readonly Reference[] => [
  ...chargeReferences(charges, pointer), ...product(productKey, pointer), ...taxRates(taxRateKeys, pointer),
  ...Object.entries(features).map(([key, value]): Reference => ({ kind: 'feature', key, pointer: pointerTo(pointerTo(pointer, 'features'), key), value })),
];
/** What an add-on or a feature names. */
export const itemReferences = ({ charges = [], productKey, meterKey }: { charges?: readonly AddOnCharge[]; productKey?: string; meterKey?: string }, pointer = ''): readonly Reference[] =>
  [...chargeReferences(charges, pointer), ...product(productKey, pointer), ...meter(meterKey, pointer)];

/** More would help nobody. */
const FAULTS_MAX = 100;
/** How many meters the word that some are not known yet names. */
const NAMED_MAX = 5;
type FoundFault = Fault & { readonly status: number };
const wordsOf = (kind: string): string => kind.replace('_', ' ');
const notFound = ({ kind, key, pointer }: Reference): FoundFault => ({ status: 404, pointer, code: `${kind}_not_found`, detail: `there is no ${wordsOf(kind)} ${key}` });
const archived = ({ kind, key, pointer }: Reference): FoundFault => ({ status: 409, pointer, code: `${kind}_archived`, detail: `the ${wordsOf(kind)} ${key} is archived: restore it, or take another one` });

/** What a plan may say of a feature: true of one that is on or off, a text of a static one, and of a metered one a quantity, or true for no end. */
const FEATURE_VALUES: { readonly [T in FeatureCreated['featureType']]: readonly [fits: (value: unknown) => boolean, detail: string] } = {
  boolean: [(value) => value === true, 'the feature is on or off: true'], static: [(value) => typeof value === 'string', 'the feature has a text'],
  metered: [(value) => value === true || (typeof value === 'string' && Decimal.tryParse(value)?.isNegative() === false), 'the feature has a quantity, such as "100", or true for no end'],
};

const valueFault = ({ pointer, value }: Reference, type: FeatureCreated['featureType']): FoundFault | undefined => {
  const [fits, detail] = FEATURE_VALUES[type];
  return value === undefined || fits(value) ? undefined : { status: 400, pointer, code: 'invalid_feature_value', detail };
};

const itemFault = (reference: Reference, row: ItemRow | undefined): FoundFault | undefined => {
  if (row === undefined) return notFound(reference);
  if (row.archivedAt !== null) return archived(reference);
  return row.said.type === 'FeatureCreated' ? valueFault(reference, row.said.featureType) : undefined;
};

/** The same of features that are being made in the same breath. */
export const valueFaults = (references: readonly Reference[], types: ReadonlyMap<string, FeatureCreated['featureType']>): readonly Fault[] => references.flatMap((reference) => {
  const type = reference.kind === 'feature' ? types.get(reference.key) : undefined;
  const found = type === undefined ? undefined : valueFault(reference, type);
  return found === undefined ? [] : [{ pointer: found.pointer, code: found.code, detail: found.detail }];
});

/** All at once: however many are named, news of them is waited for once. */
const awaitMeters = async (service: Service, tenant: string, keys: readonly string[]): Promise<ReadonlyMap<string, KnownMeter>> => {
  if (keys.length === 0) return new Map();
  const all = await awaitKnown(service, 'usage', tenant, `a meter among ${keys.slice(0, NAMED_MAX).join(', ')}`, async (tx) => {
    const found = await knownMetersOf(tx, tenant, keys);
    return found.size === keys.length ? found : undefined;
  });
  return all ?? service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => knownMetersOf(tx, tenant, keys));
};

const itemsOf = async (tx: Tx, tenant: string, ids: readonly string[]): Promise<ReadonlyMap<string, ItemRow>> => {
  const { rows } = await tx.query<{ key: string; row: ItemRow }>(`SELECT key, row FROM ${ident(tableOf(itemsModel))} WHERE tenant = $1 AND key = ANY($2)`, [tenant, ids]);
  return new Map(rows.map(({ key, row }) => [key, row]));
};

/**
 * Everything that is named and is not there, or is archived: `<kind>_not_found`, `<kind>_archived`, `invalid_feature_value`. `made` are items that are being made in the same breath. News of a meter
 * may still be on its way: it is waited for. Refuses with 503 `not_yet_known` while that cannot be said.
 */
export const unknownReferences = async (service: Service, tenant: string, references: readonly Reference[], made: ReadonlySet<string> = new Set()): Promise<readonly FoundFault[]> => {
  const meters = await awaitMeters(service, tenant, [...new Set(references.filter(({ kind }) => kind === 'meter').map(({ key }) => key))]);
  const ids = [...new Set(references.filter(({ kind }) => kind !== 'meter').map(({ kind, key }) => itemId(kind as ItemKind, key)))].filter((id) => !made.has(id));
  const items = ids.length === 0 ? new Map<string, ItemRow>() : await service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => itemsOf(tx, tenant, ids));
  return references.flatMap((reference) => {
    const { kind, key } = reference;
    if (kind === 'meter') return meters.get(key)?.archived === false ? [] : [meters.has(key) ? archived(reference) : notFound(reference)];
    const id = itemId(kind, key);
    return (made.has(id) ? undefined : itemFault(reference, items.get(id))) ?? [];
  });
};

/** Refuses with everything that is named and cannot be used; the first one decides the status. */
export const refuseUnknownReferences = async (service: Service, tenant: string, references: readonly Reference[]): Promise<void> => {
  const [first, ...more] = await unknownReferences(service, tenant, references);
  if (first === undefined) return;
  throw new Problem(first.status, first.code, first.detail, { errors: [first, ...more].slice(0, FAULTS_MAX).map(({ pointer, code, detail }) => ({ pointer, code, detail })) });
};
