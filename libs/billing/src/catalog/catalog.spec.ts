import { eventually } from '@valueverse/testing';
import { BillingBed, faultsOf, type Tenant } from '../billing-bed.spec-kit';

const TIMEOUT_MS = 60_000;
const MONTH = { unit: 'month', count: 1 };
const flat = (amount: string): object => ({ model: 'flat', amount });
const FEE = { key: 'platform', name: 'Platform', type: 'recurring', price: flat('49.00') };
const CALLS = { key: 'calls', name: 'Calls', type: 'usage', meterKey: 'calls', price: { model: 'graduated', tiers: [{ upTo: '1000', unitAmount: '0.01' }, { unitAmount: '0.005' }] } };
const PLAN = { key: 'payg', name: 'Pay as you go', currency: 'USD', interval: MONTH, charges: [FEE] };
let bed: BillingBed;
beforeAll(async () => { bed = await BillingBed.make(); }, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

/** A tenant with something to name. */
const stocked = async (): Promise<Tenant> => {
  const tenant = await bed.tenant();
  await tenant.meter('calls');
  await tenant.made('products', { key: 'platform', name: 'Platform' });
  for (const feature of [{ key: 'sso', name: 'Single sign-on', type: 'boolean' }, { key: 'support', name: 'Support', type: 'static' }, { key: 'seats', name: 'Seats', type: 'metered', meterKey: 'calls' }]) await tenant.made('features', feature);
  await tenant.made('tax-rates', { key: 'de', name: 'MwSt', rate: '19', jurisdiction: { country: 'DE' } });
  return tenant;
};

test('a plan has versions that never change, and a diff between any two', async () => {
  const tenant = await stocked();
  const first = await tenant.made('plans', { ...PLAN, charges: [FEE, CALLS], features: { sso: true, support: 'mail', seats: '5' }, productKey: 'platform', taxRateKeys: ['de'], trialDays: 14 });
  expect(first).toMatchObject({ key: 'payg', version: 1, isLatest: true, trialDays: 14, features: { seats: '5' }, currencies: ['USD'], archivedAt: null });
  const second = await tenant.post('plans/payg/versions', { name: 'Pay as you go', interval: MONTH, charges: [{ ...FEE, price: flat('59.00') }, CALLS], metadata: { since: 'June' } });
  expect([second.status, second.body.version, second.body.currency, second.headers.get('location')]).toEqual([201, 2, 'USD', '/api/v1/billing/plans/payg?version=2']);
  expect((await tenant.get('plans/payg')).body).toEqual(second.body);
  expect((await tenant.get('plans/payg?version=1')).body).toEqual({ ...first, isLatest: false });
  expect((await tenant.get('plans/payg/versions')).body.data.map(({ version, isLatest }: { version: number; isLatest: boolean }) => [version, isLatest])).toEqual([[1, false], [2, true]]);
  expect((await tenant.get('plans/payg/diff?from=1&to=2')).body).toMatchObject({
    key: 'payg', from: 1, to: 2, fields: expect.arrayContaining([{ field: '/trialDays', old: 14 }, { field: '/metadata/since', new: 'June' }]),
    charges: { added: [], removed: [], changed: [{ key: 'platform', fields: [{ field: '/price/amount', old: '49.00', new: '59.00' }] }] },
  });
  const page = (await tenant.get('plans/payg/versions?limit=1')).body;
  expect([page.hasMore, (await tenant.get(`plans/payg/versions?limit=1&cursor=${page.nextCursor}`)).body]).toEqual([true, { data: [second.body], hasMore: false, nextCursor: null }]);
  expect(faultsOf(await tenant.get('plans/payg?version=3'))).toBe('404 | plan_not_found');
  expect(faultsOf(await tenant.get('plans/payg/diff?from=1'))).toBe('400 | invalid_request | /to missing_field');
  expect(faultsOf(await tenant.post('plans/none/versions', PLAN))).toBe('404 | plan_not_found');
  expect(faultsOf(await tenant.post('plans/payg/versions', { name: 'Pay as you go', interval: MONTH, charges: [{ ...FEE, price: flat('59.00') }, CALLS], metadata: { since: 'June' } }))).toBe('409 | plan_unchanged');
}, TIMEOUT_MS);

test('versions that are added at once are both added, one after the other', async () => {
  const tenant = await bed.tenant();
  await tenant.made('plans', PLAN);
  const { key: _, ...version } = PLAN;
  const added = await Promise.all(['One', 'Two', 'Three', 'Four'].map((name) => tenant.post('plans/payg/versions', { ...version, name })));
  expect(added.map(({ status, body }) => `${status} ${body.version}`).sort()).toEqual(['201 2', '201 3', '201 4', '201 5']);
}, TIMEOUT_MS);

test('an archived plan is on no list and takes no subscription until it is restored', async () => {
  const tenant = await bed.tenant();
  await tenant.made('plans', PLAN);
  await tenant.made('plans', { ...PLAN, key: 'other' });
  const { id: accountId } = await tenant.account();
  const subscribe = async (): Promise<string> => faultsOf(await tenant.post('subscriptions', { accountId, planKey: 'payg', startsAt: '2199-01-01T00:00:00Z' }));
  const keys = async (query = ''): Promise<string[]> => (await tenant.get(`plans${query}`)).body.data.map(({ key }: { key: string }) => key);
  expect((await tenant.post('plans/payg/archive')).body.archivedAt).toMatch(/^20/);
  expect([await keys(), await keys('?archived=true'), await subscribe()]).toEqual([['other'], ['other', 'payg'], '409 | plan_archived | /planKey plan_archived']);
  expect((await tenant.post('plans/payg/restore')).body.archivedAt).toBeNull();
  expect([await keys(), await subscribe()]).toEqual([['other', 'payg'], '201 | ']);
  expect(faultsOf(await tenant.post('plans/none/archive'))).toBe('404 | plan_not_found');
}, TIMEOUT_MS);

test('everything that a plan names and cannot have is told at once', async () => {
  const tenant = await stocked();
  await tenant.meter('old');
  await tenant.archiveMeter('old');
  await tenant.made('products', { key: 'gone', name: 'Gone' });
  await tenant.made('products/gone/archive', {});
  const tried = (change: object): Promise<string> => tenant.post('plans', { ...PLAN, ...change }).then(faultsOf);
  expect(await tried({ charges: [FEE, { ...CALLS, productKey: 'gone', taxRateKeys: ['de', 'at'] }], productKey: 'none', features: { none: true, sso: 'on', support: true, seats: '-5' } })).toBe([
    '409 | product_archived', '/charges/1/productKey product_archived', '/charges/1/taxRateKeys/1 tax_rate_not_found', '/productKey product_not_found', '/features/none feature_not_found', '/features/sso invalid_feature_value',
    '/features/support invalid_feature_value', '/features/seats invalid_feature_value'].join(' | '));
  await eventually('billing to know that the meter is archived', async (saw) => {
    const told = await tried({ charges: [{ ...CALLS, meterKey: 'none' }, { ...CALLS, key: 'old', meterKey: 'old' }] });
    saw(told);
    return told === '404 | meter_not_found | /charges/0/meterKey meter_not_found | /charges/1/meterKey meter_archived' ? true : undefined;
  });
  expect((await tenant.get('plans?archived=true')).body.data).toEqual([]);
  expect(await tried({ features: { sso: true, support: 'mail', seats: true } })).toBe('201 | ');
  // A version names them as well.
  expect(faultsOf(await tenant.post('plans/payg/versions', { name: 'New', interval: MONTH, charges: [FEE], productKey: 'gone' }))).toBe('409 | product_archived | /productKey product_archived');
}, TIMEOUT_MS);

test('products, features and add-ons are made, listed, changed by merge patch, archived and restored', async () => {
  const tenant = await stocked();
  const addOn = { key: 'support', name: 'Support', currency: 'USD', interval: MONTH, charges: [{ ...FEE, key: 'hours' }, { key: 'setup', name: 'Set-up', type: 'one_off', price: flat('100.00') }], productKey: 'platform' };
  expect(await tenant.made('add-ons', addOn)).toMatchObject({ ...addOn, charges: [{ key: 'hours', timing: 'in_advance' }, { key: 'setup', type: 'one_off' }], metadata: {}, archivedAt: null });
  expect((await tenant.get('features/seats')).body).toEqual({ key: 'seats', name: 'Seats', type: 'metered', meterKey: 'calls', metadata: {}, createdAt: expect.any(String), archivedAt: null });
  expect((await tenant.get('features?limit=2')).body).toMatchObject({ data: [{ key: 'seats' }, { key: 'sso' }], hasMore: true });
  const patch = (body: object) => tenant.ask('PATCH', 'products/platform', body);
  expect((await patch({ name: 'The platform', metadata: { a: '1', b: '2' } })).body).toMatchObject({ name: 'The platform', metadata: { a: '1', b: '2' } });
  expect((await patch({ metadata: { a: null, c: '3' } })).body).toMatchObject({ name: 'The platform', metadata: { b: '2', c: '3' } });
  expect([faultsOf(await patch({ name: null })), faultsOf(await patch({ key: 'other' })), faultsOf(await patch({ metadata: { a: 1 } }))]).toEqual(
    ['/name missing_field', '/key unknown_field', '/metadata/a string_expected'].map((fault) => `400 | invalid_request | ${fault}`));
  expect(faultsOf(await tenant.ask('PATCH', 'products/none', { name: 'New' }))).toBe('404 | product_not_found');
  await tenant.made('products/platform/archive', {});
  expect([(await tenant.get('products')).body.data, (await tenant.get('products?archived=true')).body.data.length]).toEqual([[], 1]);
  expect((await tenant.post('products/platform/restore')).body.archivedAt).toBeNull();
  expect((await (await bed.tenant()).get('products?archived=true')).body.data).toEqual([]);
}, TIMEOUT_MS);

test.each<[string, string, object, string]>([
  ['a product without a name', 'products', { key: 'p' }, '400 | invalid_request | /name missing_field'], ['a product that exists', 'products', { key: 'platform', name: 'Again' }, '409 | product_exists | /key product_exists'],
  ['a feature of another type', 'features', { key: 'f', name: 'F', type: 'config' }, '400 | invalid_request | /type invalid_value'], ['a metered feature without a meter', 'features', { key: 'f', name: 'F', type: 'metered' }, '400 | invalid_request | /meterKey missing_field'],
  ['a feature with a meter that is none', 'features', { key: 'f', name: 'F', type: 'metered', meterKey: 'none' }, '404 | meter_not_found | /meterKey meter_not_found'],
  ['an add-on without charges', 'add-ons', { key: 'a', name: 'A', currency: 'USD', charges: [] }, '400 | invalid_request | /charges too_few'],
  ['an add-on of no product', 'add-ons', { key: 'a', name: 'A', currency: 'USD', charges: [FEE], productKey: 'none' }, '404 | product_not_found | /productKey product_not_found'],
  ['what is billed once, with a timing', 'add-ons', { key: 'a', name: 'A', currency: 'USD', charges: [{ key: 'once', name: 'Once', type: 'one_off', timing: 'in_advance', price: flat('1.00') }] }, '400 | invalid_request | /charges/0/timing unknown_field'],
  ['a plan with what is billed once', 'plans', { ...PLAN, charges: [{ key: 'once', name: 'Once', type: 'one_off', price: flat('1.00') }] }, '400 | invalid_request | /charges/0/type invalid_value'],
])('%s is refused', async (_, path, body, fault) => expect(faultsOf(await (await stocked()).post(path, body))).toBe(fault));

test('of faults without end a hundred are told', async () => {
  const tenant = await bed.tenant();
  const { status, body } = await tenant.post('plans', { ...PLAN, ...Object.fromEntries(Array.from({ length: 50_000 }, (_, nth) => [`f${nth}`, 1])) });
  expect([status, body.errors.length]).toEqual([400, 100]);
  // A name that JavaScript takes for something else is a name.
  expect(faultsOf(await tenant.ask('POST', 'products', JSON.parse('{"key":"p","name":"P","__proto__":{"admin":true}}')))).toBe('400 | invalid_request | /__proto__ unknown_field');
});

describe('simulation', () => {
  let tenant: Tenant;
  beforeAll(async () => {
    tenant = await stocked();
    const fees = { key: 'paid', name: 'Payments', type: 'usage', meterKey: 'calls', price: { model: 'percentage', rate: '2.9', fixedAmount: '0.30' } };
    const night = { ...CALLS, key: 'night', price: { model: 'per_unit', unitAmount: '3' }, schedule: { windows: [{ name: 'night', from: '00:00', to: '06:00', price: { model: 'per_unit', unitAmount: '1', commitment: { amount: '4', overageFactor: '2' } } }] } };
    await tenant.made('plans', { ...PLAN, charges: [{ ...FEE, currencyPrices: { EUR: flat('45.00') } }, { ...CALLS, currencyPrices: { EUR: { model: 'per_unit', unitAmount: '0.009' } } }] });
    await tenant.made('plans', { ...PLAN, key: 'events', charges: [fees] });
    await tenant.made('plans', { ...PLAN, key: 'windows', charges: [night] });
    await tenant.made('plans', { ...PLAN, key: 'promised', charges: [FEE, CALLS], commitment: { amount: '100.00' } });
  }, TIMEOUT_MS);
  const asked = (body: object, key = 'payg') => tenant.post(`plans/${key}/simulate`, body);
  const amounts = async (body: object, key?: string): Promise<string[]> => {
    const { body: { lines, total } } = await asked(body, key);
    return [...lines.map(({ amount }: { amount: string }) => amount), total];
  };

  // 1,000 x 0.01 + 234.5 x 0.005 = 11.1725; with 49.00 together 60.17.
  test('prices a quantity with its steps and the total', async () => {
    const { status, body } = await asked({ quantities: { calls: '1234.5' } });
    expect([status, body.total, body.currency, body.version, body.rounding]).toEqual([200, '60.17', 'USD', 1, 'half_up']);
    expect(body.lines[1]).toMatchObject({ chargeKey: 'calls', type: 'usage', quantity: '1234.5', amount: '11.17', steps: [{ kind: 'tier', amount: '10' }, { kind: 'tier', amount: '1.1725' }, { kind: 'rounding', amount: '-0.0025' }] });
  });
  test('in another currency, with overrides, and for a part of a period', async () => {
    expect(await amounts({ quantities: { calls: '1000' }, currency: 'EUR' })).toEqual(['45.00', '9.00', '54.00']);
    expect(await amounts({ quantities: { calls: '1000' }, overrides: { platform: { price: flat('1.00') } } })).toEqual(['1.00', '10.00', '11.00']);
    // 15 of the 30 days of June.
    expect(await amounts({ quantities: {}, period: { from: '2026-06-01T00:00:00Z', to: '2026-06-16T00:00:00Z' } })).toEqual(['24.50', '0.00', '24.50']);
  });
  // 2.9 % of 100.00 and 0.30, of 50.00 and 0.30: 3.20 + 1.75.
  test('of single events, where the price looks at them', async () => {
    expect(await amounts({ quantities: { paid: [{ quantity: '150', events: ['100.00', '50.00'] }] } }, 'events')).toEqual(['4.95', '4.95']);
    expect(await amounts({ quantities: {} }, 'events')).toEqual(['0.00', '0.00']);
    expect(faultsOf(await asked({ quantities: { paid: '150' } }, 'events'))).toBe('400 | invalid_request | /quantities/paid events_expected');
  });
  // C30 of the worked examples: 4 x 1 + 6 x 2 at night, 5 x 3 by day.
  test('of windows, each at its price', async () => {
    expect(await amounts({ quantities: { night: [{ window: 'night', quantity: '10' }, { quantity: '5' }] } }, 'windows')).toEqual(['16.00', '15.00', '31.00']);
  });
  // 14 of 28 days: half of the greatest, but all of what was counted.
  test('of a part of a period as its meter counts', async () => {
    await tenant.meter('peak', 'max');
    await eventually('the meter to be known', async (saw) => { const { status, body } = await tenant.post('plans', { ...PLAN, key: 'peaks', charges: [{ ...CALLS, key: 'peak', meterKey: 'peak' }, CALLS] }); saw(body); return status === 201 ? true : undefined; });
    expect(await amounts({ quantities: { peak: '1000', calls: '1000' }, period: { from: '2026-02-01T00:00:00Z', to: '2026-02-15T00:00:00Z' } }, 'peaks')).toEqual(['5.00', '10.00', '15.00']);
  });
  test('with what is missing to a commitment of the plan', async () => {
    expect(await amounts({ quantities: { calls: '1000' } }, 'promised')).toEqual(['49.00', '10.00', '41.00', '100.00']);
  });
  test.each<[string, object, string]>([
    ['an unknown version', { version: 9, quantities: {} }, '404 | plan_not_found'], ['a charge that is none', { quantities: { none: '1' } }, '400 | invalid_request | /quantities/none charge_not_found'],
    ['a quantity as a number', { quantities: { calls: 5 } }, '400 | invalid_request | /quantities/calls decimal_string_expected'], ['a quantity beyond facts', { quantities: { calls: '9'.repeat(33) } }, '400 | invalid_request | /quantities/calls too_long'],
    ['groups of a fee', { quantities: { platform: [] } }, '400 | invalid_request | /quantities/platform recurring_quantity'], ['a window that is none', { quantities: { calls: [{ window: 'night', quantity: '1' }] } }, '400 | invalid_request | /quantities/calls/0/window window_not_found'],
    ['a currency without prices', { quantities: {}, currency: 'JPY' }, '409 | currency_mismatch'], ['a phase that is none', { quantities: {}, phaseKey: 'none' }, '404 | phase_not_found'],
    ['an end before the start', { quantities: {}, period: { from: '2026-06-16T00:00:00Z', to: '2026-06-16T00:00:00Z' } }, '400 | end_before_start | /period/to end_before_start'],
    ['more than a period', { quantities: {}, period: { from: '2026-06-16T00:00:00Z', to: '2026-07-01T00:00:01Z' } }, '400 | period_too_long | /period/to period_too_long'],
    ['a zone that is none', { quantities: {}, timezone: 'Mars/Olympus' }, '400 | invalid_request | /timezone unknown_zone'], ['overrides that are none', { quantities: {}, overrides: { none: {} } }, '400 | invalid_request | /overrides/none charge_not_found'],
    ['nothing', {}, '400 | invalid_request | /quantities missing_field'],
  ])('with %s is refused', async (_, body, fault) => expect(faultsOf(await asked(body))).toBe(fault));
});
