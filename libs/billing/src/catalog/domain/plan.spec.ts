import type { Charge } from '@valueverse/contracts';
import { given } from '@valueverse/testing';
import { Refused } from '@valueverse/kernel';
import { item, type ItemCommand } from './item.decider';
import { plan, PLAN_VERSIONS_MAX, type AddPlanVersion, type CreatePlan } from './plan.decider';
import { fieldChanges, isEmptyDiff, planDiff } from './plan-diff';
import { newPlan, readVersion } from './plan-shape';
import { currenciesOf, overrides, planTerms, type PricedPlan, type WantedTerms } from './plan-terms';
import { readAll } from './shape';

const AT = '2026-06-15T12:00:00Z';
const MONTH = { unit: 'month' as const, count: 1 };
const flat = (amount: string) => ({ model: 'flat', amount });
const FEE: Charge = { key: 'platform', name: 'Platform', type: 'recurring', price: flat('49.00') };
const CALLS: Charge = { key: 'calls', name: 'Calls', type: 'usage', meterKey: 'calls', price: { model: 'per_unit', unitAmount: '0.01' } };
const PLAN = { key: 'payg', name: 'Pay as you go', currency: 'USD', interval: MONTH, charges: [FEE, CALLS] };
const faultsOf = (change: object): string[] => {
  const read = readAll(newPlan, { ...PLAN, ...change });
  return 'errors' in read ? read.errors.map(({ pointer, code }) => `${pointer} ${code}`) : [];
};

test('a plan is read with all that it may say', () => {
  const all = {
    ...PLAN, metadata: { tier: 'one' }, proration: { granularity: 'second' }, commitment: { amount: '100.00', overageFactor: '1.5' }, taxRateKeys: ['de'], features: { sso: true, support: 'mail' }, productKey: 'platform',
    phases: [{ key: 'trial', name: 'Trial', duration: { unit: 'day', count: 14 }, trial: true }, { key: 'ramp', name: 'First year', duration: { unit: 'year', count: 1 }, prices: { platform: flat('29.00') } }, { key: 'rest', name: 'From then on' }],
  };
  expect(readAll(newPlan, all)).toEqual({ value: { ...all, charges: [{ ...FEE, timing: 'in_advance' }, CALLS] } });
  expect(faultsOf({ trialDays: 14, metadata: null, phases: null })).toEqual([]);
});

const phases = (...all: object[]): object => ({ phases: all.map((phase, index) => ({ key: `p${index}`, name: 'Phase', ...phase })) });
test.each<[string, object, string[]]>([
  ['no phase', { phases: [] }, ['/phases too_few']], ['a last phase that ends', phases({ duration: MONTH }), ['/phases/0/duration last_phase_lasts']], ['a first phase that does not', phases({}, {}), ['/phases/0/duration missing_field']],
  ['two phases with one key', phases({ key: 'p', duration: MONTH }, { key: 'p' }), ['/phases/1/key duplicate_key']], ['a price of no charge', phases({ prices: { none: flat('1') } }), ['/phases/0/prices/none charge_not_found']],
  ['a price that is none', phases({ prices: { platform: { model: 'free' } } }), ['/phases/0/prices/platform/model unknown_pricing_model']], ['half a cent', phases({ prices: { platform: flat('0.005') } }), ['/phases/0/prices/platform/amount money_precision']],
  ['a fee that looks at usage', phases({ prices: { platform: { model: 'percentage', rate: '1' } } }), ['/phases/0/prices/platform/model unsupported_price']],
  ['half a yen', phases({ currencyPrices: { JPY: { platform: flat('0.5') } } }), ['/phases/0/currencyPrices/JPY/platform/amount money_precision']], ['a phase of nothing', phases({ duration: { unit: 'month', count: 0 } }, {}), ['/phases/0/duration/count below_minimum']],
  ['a trial twice', { trialDays: 14, ...phases({ duration: MONTH, trial: true }, {}) }, ['/trialDays trial_twice']], ['trial days without end', { trialDays: 1e6 }, ['/trialDays above_maximum']],
  ['a commitment of nothing', { commitment: {} }, ['/commitment/amount missing_field']], ['another proration', { proration: { granularity: 'hour' } }, ['/proration/granularity unknown_granularity']],
  ['a feature that is off', { features: { sso: false } }, ['/features/sso invalid_value']], ['a feature with a number', { features: { seats: 5 } }, ['/features/seats invalid_value']], ['a key that is none', { key: 'a b' }, ['/key invalid_key']],
  ['an unknown currency', { currency: 'usd' }, ['/currency unknown_currency']], ['no interval', { interval: { unit: 'hour', count: '1' } }, ['/interval/unit invalid_value', '/interval/count whole_number_expected']],
  ['a field that is none', { price: '1' }, ['/price unknown_field']], ['all that is wrong', { name: '', charges: [{ ...FEE, price: flat('x') }], trialDays: 0 }, ['/name too_short', '/charges/0/price/amount invalid_decimal', '/trialDays below_minimum']],
])('a plan with %s', (_, change, faults) => expect(faultsOf(change)).toEqual(faults));

test('a version that is longer than a row should be', () => {
  const wide = { model: 'graduated', tiers: Array.from({ length: 100 }, (_, nth) => ({ ...(nth === 99 ? {} : { upTo: String(10n ** 30n + BigInt(nth)) }), unitAmount: `0.${'1'.repeat(30)}`, flatAmount: '1000000000000000.00' })) };
  expect(faultsOf({ charges: Array.from({ length: 100 }, (_, nth) => ({ ...CALLS, key: `c${nth}`, price: wide })) })).toEqual([' too_long']);
});

test('a version says all of it but the key, and its currency is that of the plan', () => {
  const { key: _, currency: _currency, ...version } = PLAN;
  expect(readVersion(version, 'USD')).toMatchObject({ value: { currency: 'USD', name: 'Pay as you go' } });
  expect(readVersion(PLAN, 'USD')).toMatchObject({ errors: [{ pointer: '/key', code: 'unknown_field' }] });
  expect(readVersion('payg', 'USD')).toMatchObject({ errors: [{ pointer: '', code: 'object_expected' }] });
});

describe('the history of a plan', () => {
  const spec = { name: 'Pay as you go', currency: 'USD', interval: MONTH, charges: [FEE], metadata: {} };
  const create: CreatePlan = { ...spec, type: 'CreatePlan', planKey: 'payg', at: AT };
  const created = { ...spec, type: 'PlanCreated' as const, planKey: 'payg', version: 1, createdAt: AT };
  const add = (change: object = { name: 'New' }): AddPlanVersion => ({ ...spec, type: 'AddPlanVersion', planKey: 'payg', at: AT, ...change });
  const added = (version: number, name = 'New') => ({ ...spec, name, type: 'PlanVersionAdded' as const, planKey: 'payg', version, createdAt: AT });
  const archived = { type: 'PlanArchived' as const, planKey: 'payg', archivedAt: AT };
  const restored = { type: 'PlanRestored' as const, planKey: 'payg', restoredAt: AT };

  test('it is made once: its key is taken from then on', () => {
    given(plan).when(create).then(created);
    given(plan, created).when(create).thenRefused('plan_exists');
  });
  test('versions are counted', () => {
    given(plan, created).when(add()).then(added(2));
    given(plan, created, added(2)).when(add({ name: 'Newer' })).then(added(3, 'Newer'));
    given(plan, created, added(2)).when(add({ name: 'Pay as you go' })).then(added(3, 'Pay as you go'));
    given(plan, created, archived).when(add()).then(added(2));
  });
  test('what is no other version, or of another plan, is refused', () => {
    given(plan).when(add()).thenRefused('plan_not_found');
    given(plan, created).when(add({ name: 'Pay as you go' })).thenRefused('plan_unchanged');
    given(plan, created).when(add({ currency: 'EUR' })).thenRefused('currency_mismatch');
    given(plan, created, added(2), archived).when(create).thenRefused('plan_exists');
    given(plan, added(PLAN_VERSIONS_MAX)).when(add({ name: 'Newer' })).thenRefused('too_many_versions');
  });
  test('a plan is archived and restored, each once', () => {
    given(plan, created).when({ type: 'ArchivePlan', planKey: 'payg', at: AT }).then(archived);
    given(plan, created, archived).when({ type: 'ArchivePlan', planKey: 'payg', at: AT }).then();
    given(plan, created, archived).when({ type: 'RestorePlan', planKey: 'payg', at: AT }).then(restored);
    given(plan, created).when({ type: 'RestorePlan', planKey: 'payg', at: AT }).then();
    given(plan).when({ type: 'ArchivePlan', planKey: 'payg', at: AT }).thenRefused('plan_not_found');
  });
});

test('other things of the catalogue are made once, their name and metadata change', () => {
  const created = { type: 'ProductCreated' as const, productKey: 'p', name: 'Product', metadata: { a: '1', b: '2' }, createdAt: AT };
  const of = { kind: 'product' as const, key: 'p', at: AT };
  const create: ItemCommand = { ...of, type: 'CreateItem', created };
  given(item).when(create).then(created);
  given(item, created).when(create).thenRefused('product_exists');
  given(item, created).when({ ...of, type: 'ChangeItem', metadata: { a: null, c: '3' } }).then({ type: 'CatalogItemChanged', kind: 'product', key: 'p', name: 'Product', metadata: { b: '2', c: '3' }, changedAt: AT });
  given(item, created).when({ ...of, type: 'ChangeItem', name: 'Product', metadata: { c: null } }).then();
  given(item).when({ ...of, type: 'ChangeItem', name: 'New' }).thenRefused('product_not_found');
  const archived = { type: 'CatalogItemArchived' as const, kind: 'product', key: 'p', archivedAt: AT };
  given(item, created).when({ ...of, type: 'ArchiveItem' }).then(archived);
  given(item, created, archived).when({ ...of, type: 'ArchiveItem' }).then();
  given(item, created, archived).when({ ...of, type: 'RestoreItem' }).then({ type: 'CatalogItemRestored', kind: 'product', key: 'p', restoredAt: AT });
  given(item).when({ ...of, type: 'RestoreItem' }).thenRefused('product_not_found');
});

describe('terms in force', () => {
  const PRICED: PricedPlan = {
    currency: 'USD', charges: [{ ...FEE, currencyPrices: { EUR: flat('45.00'), JPY: flat('6500') } }, { ...CALLS, currencyPrices: { EUR: { model: 'per_unit', unitAmount: '0.009' } } }],
    phases: [{ key: 'ramp', name: 'Ramp', duration: MONTH, prices: { platform: flat('29.00') }, currencyPrices: { EUR: { platform: flat('27.00') } } }, { key: 'rest', name: 'Rest' }],
  };
  const prices = (wanted: WantedTerms, of = PRICED): unknown[] => planTerms(of, wanted).charges.map(({ price }) => (price as { amount?: string; unitAmount?: string }).amount ?? (price as { unitAmount: string }).unitAmount);
  const refusal = (wanted: WantedTerms, of = PRICED): string => {
    try {
      return prices(wanted, of).join();
    } catch (error) {
      if (error instanceof Refused) return error.code;
      throw error;
    }
  };

  test('the price is the subscription\'s own, else of its phase, else of its currency', () => {
    expect(prices({ currency: 'USD' })).toEqual(['49.00', '0.01']);
    expect(prices({ currency: 'USD', phaseKey: 'ramp' })).toEqual(['29.00', '0.01']);
    expect(prices({ currency: 'EUR' })).toEqual(['45.00', '0.009']);
    expect(prices({ currency: 'EUR', phaseKey: 'ramp' })).toEqual(['27.00', '0.009']);
    expect(prices({ currency: 'EUR', phaseKey: 'ramp', overrides: { platform: { price: flat('1.00') } } })).toEqual(['1.00', '0.009']);
    expect(planTerms(PRICED, { currency: 'EUR', overrides: { platform: { quantity: '5', name: 'Ours' } } }).charges[0]).toEqual({ key: 'platform', name: 'Ours', type: 'recurring', price: flat('45.00'), quantity: '5' });
  });
  test('a currency in which a charge has no price is refused', () => {
    expect(refusal({ currency: 'GBP' })).toBe('currency_mismatch');
    expect(refusal({ currency: 'JPY' })).toBe('currency_mismatch');
    expect(refusal({ currency: 'JPY', overrides: { calls: { price: { model: 'per_unit', unitAmount: '2' } } } })).toBe('6500,2');
    // The ramp is cheaper in dollars; what it is in yen nobody has said.
    expect(refusal({ currency: 'JPY', phaseKey: 'ramp', overrides: { calls: { price: flat('1') } } })).toBe('currency_mismatch');
    expect(refusal({ currency: 'EUR', overrides: {} }, { ...PRICED, charges: PRICED.charges.map((charge) => ({ ...charge, minimumAmount: '5.00' })) })).toBe('currency_mismatch');
    expect(currenciesOf(PRICED)).toEqual(['USD', 'EUR']);
    expect(currenciesOf({ currency: 'USD', charges: [FEE] })).toEqual(['USD']);
  });
  test('an add-on has prices in currencies too', () => {
    const setup = { key: 'setup', name: 'Set-up', type: 'one_off' as const, price: flat('100.00'), currencyPrices: { EUR: flat('90.00') } };
    expect(planTerms({ currency: 'USD', charges: [setup] }, { currency: 'EUR' }).charges).toEqual([{ key: 'setup', name: 'Set-up', type: 'one_off', price: flat('90.00') }]);
  });
  test('an unknown phase or charge is refused, a trial bills nothing', () => {
    expect(refusal({ currency: 'USD', phaseKey: 'none' })).toBe('phase_not_found');
    expect(refusal({ currency: 'USD', overrides: { none: {} } })).toBe('charge_not_found');
    const trial = { currency: 'USD', charges: [FEE], phases: [{ key: 'trial', name: 'Trial', trial: true, duration: MONTH }, { key: 'rest', name: 'Rest' }] };
    expect([planTerms(trial, { currency: 'USD', phaseKey: 'trial' }).isTrial, planTerms(trial, { currency: 'USD' }).isTrial, planTerms(PRICED, { currency: 'USD' }).phase?.key]).toEqual([true, false, 'rest']);
  });
  test.each<[string, unknown, string[]]>([
    ['what fits', { platform: { price: flat('1.00'), quantity: '3', name: 'Ours' }, calls: { freeUnits: '10', minimumAmount: '5.00', taxRateKeys: ['de'] } }, []],
    ['a charge that is none', { none: {} }, ['/overrides/none charge_not_found']], ['a list', [], ['/overrides object_expected']], ['a text', { platform: 'free' }, ['/overrides/platform object_expected']],
    ['another meter', { calls: { meterKey: 'other' } }, ['/overrides/calls/meterKey unknown_field']], ['half a cent', { platform: { price: flat('1.005') } }, ['/overrides/platform/price/amount money_precision']],
    ['a fee that looks at usage', { platform: { price: { model: 'percentage', rate: '1' } } }, ['/overrides/platform/price/model unsupported_price']], ['seats of usage', { calls: { quantity: '3' } }, ['/overrides/calls/quantity recurring_only']],
    ['fewer seats than none', { platform: { quantity: '-3' } }, ['/overrides/platform/quantity negative_amount']], ['seats as a number', { platform: { quantity: 3 } }, ['/overrides/platform/quantity decimal_string_expected']],
    ['a minimum of a fee', { platform: { minimumAmount: '1' } }, ['/overrides/platform/minimumAmount usage_only']],
  ])('overrides with %s', (_, value, faults) => {
    const read = readAll(overrides({ currency: 'USD', charges: [FEE, CALLS] }, 'USD'), value, '/overrides');
    expect('errors' in read ? read.errors.map(({ pointer, code }) => `${pointer} ${code}`) : []).toEqual(faults);
  });
  test('a price in tiers is kept as rating reads it, and in the currency of the subscription', () => {
    const tiers = { model: 'graduated', tiers: [{ upTo: '10', unitAmount: '5' }, { unitAmount: '4' }] };
    const read = readAll(overrides(PRICED, 'JPY'), { platform: { price: flat('5000') }, calls: { price: tiers } });
    expect(read).toEqual({ value: { platform: { price: flat('5000') }, calls: { price: { model: 'graduated', tiers: [{ upTo: '10', unitAmount: '5' }, { upTo: null, unitAmount: '4' }] } } } });
  });
});

test('two versions differ by charge and field, with old and new', () => {
  const tiers = (amount: string) => ({ model: 'graduated', tiers: [{ upTo: '10', unitAmount: amount }, { upTo: null, unitAmount: '1' }] });
  const before = { name: 'Old', charges: [FEE, { ...CALLS, price: tiers('3') }, { ...CALLS, key: 'gone' }], interval: MONTH };
  const after = { name: 'New', charges: [{ ...FEE, price: flat('59.00') }, { ...CALLS, price: tiers('2'), freeUnits: '5' }, { ...CALLS, key: 'come' }], interval: MONTH, trialDays: 14 };
  expect(planDiff(before, after)).toEqual({
    fields: [{ field: '/name', old: 'Old', new: 'New' }, { field: '/trialDays', new: 14 }],
    charges: {
      added: [after.charges[2]], removed: [before.charges[2]],
      changed: [{ key: 'platform', fields: [{ field: '/price/amount', old: '49.00', new: '59.00' }] }, { key: 'calls', fields: [{ field: '/price/tiers/0/unitAmount', old: '3', new: '2' }, { field: '/freeUnits', new: '5' }] }],
    },
    phases: { added: [], removed: [], changed: [] },
  });
  expect(isEmptyDiff(planDiff(before, before))).toBe(true);
  expect(fieldChanges({ price: flat('1') }, { price: { model: 'per_unit', unitAmount: '1' } })).toEqual([{ field: '/price', old: flat('1'), new: { model: 'per_unit', unitAmount: '1' } }]);
});
