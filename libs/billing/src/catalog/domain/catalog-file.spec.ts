import Ajv from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { parsePrice, pricingModels } from '@valueverse/rating';
import { runs } from '@valueverse/testing';
import { CATALOG_FILE_SCHEMA, catalogFile, compareCatalog, withDefaults, type CatalogFile, type KnownItem } from './catalog-file';
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

describe('the schema of the file', () => {
  const ajv = addFormats(new Ajv({ allErrors: true, strict: false }));
  const fits = ajv.compile(CATALOG_FILE_SCHEMA);
  const charged = (charge: object): unknown => ({ version: 1, plans: [{ key: 'p', name: 'P', currency: 'USD', interval: { unit: 'month', count: 1 }, charges: [{ key: 'c', name: 'C', type: 'usage', meterKey: 'm', ...charge }] }] });
  const bound = { upTo: '10' };
  const PRICES: readonly object[] = [
    { model: 'flat', amount: '1.00' }, { model: 'per_unit', unitAmount: '0.01' }, { model: 'graduated', tiers: [{ ...bound, unitAmount: '1' }, { upTo: null, flatAmount: '1.00' }] }, { model: 'volume', tiers: [{ unitAmount: '1', flatAmount: '1.00' }] },
    { model: 'stairstep', tiers: [{ ...bound, flatAmount: '1.00' }, { flatAmount: '2.00' }] }, { model: 'package', packageSize: '10', packageAmount: '1.00' },
    { model: 'percentage', rate: '2.9', fixedAmount: '0.30', freeEvents: 3, freeAmount: '10', minAmountPerEvent: '0.10', maxAmountPerEvent: '5' }, { model: 'graduated_percentage', tiers: [{ ...bound, rate: '1', flatAmount: '1.00' }, { rate: '2' }] },
    { model: 'dynamic', amountProperty: '$.cost', multiplier: '1.1' },
    { model: 'matrix', dimensions: ['region'], cells: [{ match: { region: 'eu' }, price: { model: 'per_unit', unitAmount: '1' } }], default: { model: 'flat', amount: '1.00' } },
  ];

  test('takes whatever the installation takes', () => fc.assert(fc.property(file, (written) => {
    expect([fits(JSON.parse(JSON.stringify(written))), fits.errors]).toEqual([true, null]);
  }), RUNS));
  test('says every pricing model with all its fields, as rating reads them', () => {
    expect(new Set(PRICES.map((one) => (one as { model: string }).model))).toEqual(new Set(Object.keys(pricingModels)));
    for (const one of PRICES) {
      expect([one, 'errors' in parsePrice(one, ''), fits(charged({ price: one })), fits.errors]).toEqual([one, false, true, null]);
      for (const name of Object.keys(one)) {
        const { [name as never]: _, ...without } = one as Record<string, unknown>;
        // What must be there must be there for both.
        expect([name, fits(charged({ price: without }))]).toEqual([name, !('errors' in parsePrice(without, ''))]);
      }
      expect(fits(charged({ price: { ...one, more: '1' } }))).toBe(false);
    }
  });
  test('says the terms around a price', () => {
    const schedule = { windows: [{ name: 'night', from: '22:00', to: '06:00', days: ['mon'], price: { ...PRICES[1], commitment: { amount: '4', overageFactor: '2' } } }], otherwise: PRICES[0] };
    const terms = { price: PRICES[0], freeUnits: '1', minimumAmount: '1.00', maximumAmount: '9.00', commitment: { amount: '5.00', trueUp: false }, chargeFlatAtZero: true, proration: { granularity: '30_360_actual', prorateBounds: true }, schedule };
    expect([readAll(catalogFile, charged(terms)), fits(charged(terms)), fits.errors]).toEqual([expect.objectContaining({ value: expect.anything() }), true, null]);
  });
  test.each<[string, unknown]>([
    ['an amount as a number', charged({ price: { model: 'flat', amount: 1 } })], ['another model', charged({ price: { model: 'free' } })], ['a field that is none', { version: 1, plan: [] }], ['no version', {}], ['another version', { version: 2 }],
    ['an unknown interval', { version: 1, plans: [{ ...(charged({ price: PRICES[0] }) as { plans: object[] }).plans[0], interval: { unit: 'hour', count: 1 } }] }], ['a key that is none', { version: 1, products: [{ key: 'a b', name: 'A' }] }],
  ])('refuses %s, as the installation does', (_, value) => expect([fits(value), 'errors' in readAll(catalogFile, value)]).toEqual([false, true]));
});
