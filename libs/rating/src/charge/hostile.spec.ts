import { Decimal } from '@valueverse/kernel';
import * as fc from 'fast-check';
import { runs } from '@valueverse/testing';
import { eventTermsOf } from '../event-terms';
import { readChargeTerms } from './charge-terms';
import { rateUsage } from './rate-usage';

const seeded = runs(66, 1_500);
const ONE = { model: 'per_unit', unitAmount: '1' };
const TIERS = { model: 'graduated', tiers: [{ upTo: '5', unitAmount: '2', flatAmount: '1' }, { upTo: '10', unitAmount: '1' }, { unitAmount: '0.5' }] };
const WHOLE = {
  type: 'usage', price: { model: 'matrix', dimensions: ['region'], cells: [{ match: { region: 'eu' }, price: TIERS }, { match: { region: 'us' }, price: { model: 'package', packageSize: '10', packageAmount: '3' } }], default: ONE },
  chargeFlatAtZero: true, freeUnits: '2', minimumAmount: '5', maximumAmount: '500', commitment: { amount: '20', overageFactor: '2', trueUp: true }, proration: { granularity: 'day', prorateBounds: true },
  schedule: { windows: [{ name: 'night', from: '22:00', to: '06:00', days: ['mon'], price: { ...TIERS, commitment: { amount: '3' } } }, { name: 'sale', from: '10:00', to: '12:00', price: { model: 'percentage', rate: '2' } }], otherwise: ONE },
};

/** What somebody writes in the place of a value. */
const values = fc.oneof(
  fc.constantFrom<unknown>(null, '', '0', '-1', '-0', '+1', '1e3', '1.', '.5', ' 1', 'NaN', '0x10', '1'.repeat(33), 1, -1, 0.5, NaN, true, [], {}, [null], [[]], '__proto__', '24:00', 'matrix', 'dynamic', { model: 'matrix' }, { toString: 1, valueOf: 1 }),
  fc.anything({ maxDepth: 2 }),
);

const placesOf = (value: unknown, path: readonly string[] = []): readonly (readonly string[])[] =>
  (typeof value !== 'object' || value === null ? [path] : [path, ...Object.entries(value).flatMap(([name, inner]) => placesOf(inner, [...path, name]))]);
const PLACES = placesOf(WHOLE).filter((path) => path.length > 0);

/** The charge with another value at one place, or with one more field there. */
const changed = (path: readonly string[], value: unknown, isAdded: boolean): unknown => {
  const copy = structuredClone(WHOLE) as never;
  let holder: Record<string, unknown> = copy;
  for (const name of path.slice(0, -1)) holder = holder[name] as Record<string, unknown>;
  holder[isAdded ? `${path.at(-1)}x` : path.at(-1)!] = value;
  return copy;
};

test('whatever is written at any place is told with a pointer, or can be rated', () =>
  fc.assert(fc.property(fc.constantFrom(...PLACES), values, fc.boolean(), (path, value, isAdded) => {
    const read = readChargeTerms(changed(path, value, isAdded), '/charges/0', 'USD');
    if ('errors' in read) {
      expect(read.errors.length).toBeGreaterThan(0);
      for (const { pointer, code, detail } of read.errors) expect([pointer.startsWith('/charges/0'), /^[a-z_]+$/.test(code), detail.length > 0]).toEqual([true, true, true]);
      return;
    }
    const groups = ['eu', 'us', '', '__proto__'].flatMap((region) => [undefined, ...(read.terms.schedule?.windows ?? []).map(({ name }) => name)]
      .map((window) => ({ dimensions: { region }, window, quantity: Decimal.of(7), billed: Decimal.of(7), priced: { amount: '1', paidValue: '1', freeEvents: 0, paidEvents: 1 } })));
    expect(rateUsage({ charge: read.terms, groups, currency: 'USD', rounding: 'half_up' }).length).toBeGreaterThan(0);
  }), seeded));

test('anything at all is told, and nothing is thrown', () =>
  fc.assert(fc.property(fc.anything(), (value) => {
    const read = readChargeTerms(value, '', 'USD');
    if ('terms' in read) expect(eventTermsOf(read.terms.price)).toBeUndefined();
    else expect(read.errors.length).toBeGreaterThan(0);
  }), seeded));
