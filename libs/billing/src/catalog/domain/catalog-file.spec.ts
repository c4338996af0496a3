import fc from 'fast-check';
import { runs } from '@valueverse/testing';
import { catalogFile, compareCatalog, withDefaults, type CatalogFile, type KnownItem } from './catalog-file';
import { CREATED } from './item-created';
import { fieldChanges, isEmptyDiff, planDiff } from './plan-diff';
import { newPlan } from './plan-shape';
import { readAll } from './shape';

const RUNS = runs(20_261_121, 300);
const keys = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/);
const cents = fc.integer({ min: 0, max: 1_000_000 }).map((minor) => `${Math.floor(minor / 100)}.${String(minor % 100).padStart(2, '0')}`);
const units = fc.bigInt({ min: 0n, max: 10n ** 12n }).map((digits) => `0.${String(digits).padStart(13, '0')}`);
const tiers = fc.uniqueArray(fc.integer({ min: 1, max: 100_000 }), { maxLength: 4 }).chain((bounds) => {
  const all = [...bounds].sort((left, right) => left - right);
  return fc.array(units, { minLength: all.length + 1, maxLength: all.length + 1 }).map((amounts) => amounts.map((unitAmount, nth) => ({ ...(nth < all.length ? { upTo: String(all[nth]) } : {}), unitAmount })));
});
const price = fc.oneof(cents.map((amount) => ({ model: 'flat', amount })), units.map((unitAmount) => ({ model: 'per_unit', unitAmount })), tiers.map((all) => ({ model: 'graduated', tiers: all })), tiers.map((all) => ({ model: 'volume', tiers: all })));
const metadata = fc.option(fc.dictionary(keys, fc.constantFrom('', 'a', 'b'), { maxKeys: 3 }), { nil: undefined });
const charge = (key: string) => fc.record({ type: fc.constantFrom('recurring', 'usage'), price, flag: fc.boolean(), other: fc.option(cents, { nil: undefined }) }).map(({ type, flag, other, ...rest }) => ({
  key, name: `Charge ${key}`, type, ...rest, ...(type === 'usage' ? { meterKey: 'calls', chargeFlatAtZero: flag } : { timing: flag ? 'in_arrears' : 'in_advance' }), ...(other === undefined ? {} : { currencyPrices: { EUR: { model: 'flat', amount: other } } }),
}));
const plan = keys.chain((key) => fc.record({ charges: fc.uniqueArray(keys, { minLength: 1, maxLength: 4 }).chain((all) => fc.tuple(...all.map(charge))), metadata, trialDays: fc.option(fc.integer({ min: 1, max: 90 }), { nil: undefined }) })
  .map((rest) => ({ key, name: `Plan ${key}`, currency: 'USD', interval: { unit: 'month', count: 1 }, ...rest })));
const coupon = fc.record({ key: keys, discount: fc.constantFrom({ type: 'percent', value: '10' }, { type: 'amount', value: '5.00', currency: 'USD' }), metadata, stackable: fc.option(fc.boolean(), { nil: undefined }) });
const product = fc.record({ key: keys, name: fc.constantFrom('One', 'Two'), description: fc.option(fc.constant('Text'), { nil: undefined }), metadata });
const byKey = { selector: ({ key }: { key: string }) => key, maxLength: 4 };
const file = fc.record({ version: fc.constant(1), products: fc.uniqueArray(product, byKey), coupons: fc.uniqueArray(coupon, byKey), plans: fc.uniqueArray(plan, byKey) });

const read = (value: unknown): CatalogFile => {
  const found = readAll(catalogFile, JSON.parse(JSON.stringify(value)));
  if ('errors' in found) throw new Error(JSON.stringify(found.errors));
  return found.value;
};
/** What a tenant has that has applied the file. */
const knownAfter = (applied: CatalogFile): readonly KnownItem[] => [
  ...(applied.products ?? []).map((spec): KnownItem => ({ kind: 'product', key: spec.key, spec: withDefaults('product', spec), isArchived: false })),
  ...(applied.coupons ?? []).map((spec): KnownItem => ({ kind: 'coupon', key: spec.key, spec: withDefaults('coupon', spec), isArchived: false })),
  ...(applied.plans ?? []).map((spec): KnownItem => ({ kind: 'plan', key: spec.key, spec: withDefaults('plan', spec), isArchived: false })),
];

test('whatever is in a file, what has been applied changes nothing when it is applied again, also from its own export', () => {
  fc.assert(fc.property(file, (written) => {
    const applied = read(written);
    const known = knownAfter(applied);
    expect(compareCatalog(applied, known)).toEqual({ changes: [], faults: [], onlyHere: [] });
    expect(compareCatalog(read({ version: 1, plans: known.filter(({ kind }) => kind === 'plan').map(({ spec }) => spec) }), known).changes).toEqual([]);
    expect(compareCatalog({ version: 1 }, known).onlyHere).toHaveLength(known.length);
  }), RUNS);
});

test('a plan that was read is read as itself', () => {
  fc.assert(fc.property(plan, (written) => {
    const once = readAll(newPlan, JSON.parse(JSON.stringify(written)));
    if ('errors' in once) throw new Error(JSON.stringify(once.errors));
    expect(readAll(newPlan, JSON.parse(JSON.stringify(once.value)))).toEqual(once);
  }), RUNS);
});

/** The changes carried out. */
const carriedOut = (before: unknown, changes: readonly { field: string; new?: unknown }[]): unknown => {
  let whole = structuredClone(before) as Record<string, unknown>;
  for (const change of changes) {
    const path = change.field.split('/').slice(1).map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
    if (path.length === 0) { whole = structuredClone(change.new) as Record<string, unknown>; continue; }
    const parent = path.slice(0, -1).reduce<Record<string, unknown>>((node, part) => node[part] as Record<string, unknown>, whole);
    if ('new' in change) parent[path.at(-1)!] = structuredClone(change.new);
    else delete parent[path.at(-1)!];
  }
  return whole;
};
test('what changes between two things makes the one of the other', () => {
  const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  fc.assert(fc.property(plan, plan, (left, right) => {
    const [before, after] = [json(left), json(right)];
    expect(carriedOut(before, fieldChanges(before, after))).toEqual(after);
    expect(fieldChanges(before, before)).toEqual([]);
    expect(isEmptyDiff(planDiff(left as never, left as never))).toBe(true);
    expect(isEmptyDiff(planDiff(left as never, right as never))).toBe(JSON.stringify(before) === JSON.stringify(after) || fieldChanges(before, after).length === 0);
  }), RUNS);
});

test('what a file need not say is what a fact says', () => {
  fc.assert(fc.property(coupon, (spec) => {
    const { type: _, couponKey, createdAt: _at, ...fact } = CREATED.coupon(json(spec) as never, '2026-06-15T12:00:00Z');
    expect({ key: couponKey, ...fact }).toEqual(withDefaults('coupon', json(spec) as { key: string }));
  }), RUNS);
});
const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
