import { canonicalJson } from '@valueverse/kernel';
import { pointerTo, type Fault } from '@valueverse/rating';
import { coupon, type CouponSpec } from '../../coupons/domain/coupon-shape';
import { taxRate, type TaxRateSpec } from '../../taxes/domain/tax-rate-shape';
import type { ItemKind } from './item.decider';
import { addOn, feature, product, type AddOnSpec, type FeatureSpec, type ProductSpec } from './item-shapes';
import { fieldChanges, planDiff, type FieldChange, type PlanDiff } from './plan-diff';
import { newPlan, type PlanSpec } from './plan-shape';
import { PRICE_SCHEMA, WINDOW_PRICE_SCHEMA } from './price-schema';
import { PRICE_JSON, WINDOW_PRICE_JSON } from './prices';
import { list, object, optional, required, type Shape, whole } from './shape';

/** How many of a kind one file may hold. */
export const FILE_LIST_MAX = 10_000;

/** What the catalogue is, as a file. What is not in it stays as it is. */
export interface CatalogFile {
  readonly version: 1;
  readonly products?: readonly ProductSpec[]; readonly features?: readonly FeatureSpec[]; readonly taxRates?: readonly TaxRateSpec[]; readonly coupons?: readonly CouponSpec[]; readonly addOns?: readonly AddOnSpec[];
  readonly plans?: readonly (PlanSpec & { readonly key: string })[];
}
type Keyed = { readonly key: string };
export type FileList = Exclude<keyof CatalogFile, 'version'>;
export type FileKind = ItemKind | 'plan';
/** The lists of a file, in the order in which they are applied: what is named comes before what names it. */
export const FILE_LISTS: readonly (readonly [FileList, FileKind])[] = [['products', 'product'], ['features', 'feature'], ['taxRates', 'tax_rate'], ['coupons', 'coupon'], ['addOns', 'add_on'], ['plans', 'plan']];

/** A list in which a key is once. */
const keyed = <T extends Keyed>(item: Shape<T>): Shape<readonly T[]> => {
  const all = list(item, FILE_LIST_MAX);
  return {
    json: all.json,
    read: (value, pointer, faults) => {
      const read = all.read(value, pointer, faults);
      const seen = new Set<string>();
      for (const [index, { key }] of read.entries()) {
        if (typeof key === 'string' && seen.has(key)) faults.push({ pointer: pointerTo(pointerTo(pointer, index), 'key'), code: 'duplicate_key', detail: `${key} is in the list twice` });
        seen.add(key);
      }
      return read;
    },
  };
};
/** A file of the catalogue: every fault at its place in the file. */
export const catalogFile: Shape<CatalogFile> = object<CatalogFile>({
  version: required(whole(1, 1)), products: optional(keyed(product)), features: optional(keyed(feature)), taxRates: optional(keyed(taxRate)), coupons: optional(keyed(coupon)), addOns: optional(keyed(addOn)), plans: optional(keyed(newPlan)),
});
/** What is said once in the schema of the file, for all the places where it stands. */
const withDefinitions = (schema: unknown): object => JSON.parse(JSON.stringify(schema, (_, value: unknown) => {
  if (value === PRICE_JSON) return { $ref: '#/$defs/price' };
  return value === WINDOW_PRICE_JSON ? { $ref: '#/$defs/windowPrice' } : value;
})) as object;

/** The schema of the file, for editors. What a schema cannot say is said when the file is applied. */
export const CATALOG_FILE_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'A ValueVerse catalogue',
  description: 'Products, features, tax rates, coupons, add-ons and plans. Numbers are texts: "49.00". What is not in the file stays as it is.', ...withDefinitions(catalogFile.json),
  $defs: { price: PRICE_SCHEMA, windowPrice: WINDOW_PRICE_SCHEMA },
};

/** What a tenant has: `spec` in the words of a file, without defaults that a file need not say. */
export interface KnownItem { readonly kind: FileKind; readonly key: string; readonly spec: Readonly<Record<string, unknown>>; readonly isArchived: boolean }
/** One thing that applying a file does. `diff` is of a plan, `fields` of anything else. */
export interface CatalogChange {
  readonly action: 'create' | 'add_version' | 'change' | 'restore'; readonly kind: FileKind; readonly key: string;
  /** Where it stands in the file. */
  readonly pointer: string;
  readonly fields?: readonly FieldChange[]; readonly diff?: PlanDiff;
}
export interface CatalogComparison { readonly changes: readonly CatalogChange[]; readonly onlyHere: readonly { readonly kind: FileKind; readonly key: string }[]; readonly faults: readonly Fault[] }

/** What changes of a thing that is made once. */
const CHANGEABLE = ['name', 'description', 'metadata'];
/** What a file need not say, as it then is. */
const DEFAULTS: { readonly [K in FileKind]: (spec: Keyed) => Readonly<Record<string, unknown>> } = {
  plan: () => ({ metadata: {} }), product: () => ({ metadata: {} }), feature: () => ({ metadata: {} }), tax_rate: () => ({ metadata: {} }), add_on: () => ({ metadata: {} }),
  coupon: ({ key }) => ({ name: key, stackable: true, metadata: {} }),
};
export const withDefaults = (kind: FileKind, spec: Keyed): Readonly<Record<string, unknown>> & Keyed => ({ ...DEFAULTS[kind](spec), ...spec });

const planChange = (wanted: Keyed & Readonly<Record<string, unknown>>, { spec }: KnownItem, pointer: string): readonly CatalogChange[] => {
  if (canonicalJson(wanted) === canonicalJson(spec)) return [];
  return [{ action: 'add_version', kind: 'plan', key: wanted.key, pointer, diff: planDiff(spec as unknown as Parameters<typeof planDiff>[0], wanted as unknown as Parameters<typeof planDiff>[0]) }];
};
const itemChange = (kind: FileKind, wanted: Keyed & Readonly<Record<string, unknown>>, { spec }: KnownItem, pointer: string, faults: Fault[]): readonly CatalogChange[] => {
  const fields = fieldChanges(spec, wanted);
  const fixed = fields.filter(({ field }) => !CHANGEABLE.includes(field.split('/')[1]!));
  for (const { field } of fixed) faults.push({ pointer: pointer + field, code: 'never_changes', detail: `this of a ${kind.replace('_', ' ')} never changes: archive ${wanted.key} and make another one` });
  return fields.length === 0 || fixed.length > 0 ? [] : [{ action: 'change', kind, key: wanted.key, pointer, fields }];
};

/** What applying a file would do, what a tenant has that is not in it, and what cannot be done: `never_changes`, `currency_mismatch`. */
export const compareCatalog = (file: CatalogFile, known: readonly KnownItem[]): CatalogComparison => {
  const faults: Fault[] = [];
  const wanted = FILE_LISTS.flatMap(([name, kind]) => (file[name] ?? []).map((spec: Keyed, index: number) => ({ kind, spec: withDefaults(kind, spec), pointer: `/${name}/${index}` })));
  const byName = new Map(known.map((item) => [`${item.kind}/${item.key}`, item]));
  const changes = wanted.flatMap(({ kind, spec, pointer }): readonly CatalogChange[] => {
    const found = byName.get(`${kind}/${spec.key}`);
    if (found === undefined) return [{ action: 'create', kind, key: spec.key, pointer }];
    const restored: readonly CatalogChange[] = found.isArchived ? [{ action: 'restore', kind, key: spec.key, pointer }] : [];
    if (kind === 'plan' && spec['currency'] !== found.spec['currency']) {
      faults.push({ pointer: `${pointer}/currency`, code: 'currency_mismatch', detail: `the plan is in ${String(found.spec['currency'])}; another currency is said by currencyPrices, or is another plan` });
      return restored;
    }
    return [...restored, ...(kind === 'plan' ? planChange(spec, found, pointer) : itemChange(kind, spec, found, pointer, faults))];
  });
  const inFile = new Set(wanted.map(({ kind, spec }) => `${kind}/${spec.key}`));
  return { changes, faults, onlyHere: known.filter(({ kind, key, isArchived }) => !isArchived && !inFile.has(`${kind}/${key}`)).map(({ kind, key }) => ({ kind, key })) };
};
