import { rebuildAndCompare } from '@valueverse/event-log';
import { eventually } from '@valueverse/testing';
import { BillingBed, faultsOf, type Tenant } from '../billing-bed.spec-kit';
import { itemsModel } from './item.model';
import { plansModel } from './plan.model';

const TIMEOUT_MS = 60_000;
const MONTH = { unit: 'month', count: 1 };
const flat = (amount: string): object => ({ model: 'flat', amount });
const FILE = {
  version: 1,
  products: [{ key: 'platform', name: 'Platform', description: 'All of it', metadata: { team: 'core' } }],
  features: [{ key: 'seats', name: 'Seats', type: 'metered', meterKey: 'calls' }, { key: 'sso', name: 'Single sign-on', type: 'boolean' }],
  taxRates: [{ key: 'de', name: 'MwSt', rate: '19', jurisdiction: { country: 'DE' }, validFrom: '2021-01-01T00:00:00+01:00' }],
  coupons: [{ key: 'tenth', discount: { type: 'percent', value: '10' }, periods: 3 }],
  addOns: [{ key: 'support', name: 'Support', currency: 'USD', charges: [{ key: 'setup', name: 'Set-up', type: 'one_off', price: flat('100.00') }], productKey: 'platform' }],
  plans: [{
    key: 'payg', name: 'Pay as you go', currency: 'USD', interval: MONTH, productKey: 'platform', taxRateKeys: ['de'], features: { seats: '5', sso: true },
    charges: [{ key: 'platform', name: 'Platform', type: 'recurring', price: flat('49.00') }, { key: 'calls', name: 'Calls', type: 'usage', meterKey: 'calls', price: { model: 'graduated', tiers: [{ upTo: '1000', unitAmount: '0' }, { unitAmount: '0.01' }] } }],
    phases: [{ key: 'ramp', name: 'Ramp', duration: MONTH, prices: { platform: flat('29.00') } }, { key: 'rest', name: 'Rest', trial: null }],
  }],
};
let bed: BillingBed;
beforeAll(async () => { bed = await BillingBed.make(); }, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

const apply = (tenant: Tenant, file: unknown, query = '') => tenant.post(`catalog/apply${query}`, file);
const done = ({ body }: { body: { changes: { action: string; kind: string; key: string }[] } }): string[] => body.changes.map(({ action, kind, key }) => `${action} ${kind} ${key}`);
const tenantWithMeter = async (): Promise<Tenant> => {
  const tenant = await bed.tenant();
  await tenant.meter('calls');
  return tenant;
};
const ALL = ['create product platform', 'create feature seats', 'create feature sso', 'create tax_rate de', 'create coupon tenth', 'create add_on support', 'create plan payg'];

test('a file makes a catalogue, and applied again it changes nothing', async () => {
  const tenant = await tenantWithMeter();
  const tried = await apply(tenant, FILE, '?dryRun=true');
  expect([tried.status, tried.body.applied, done(tried), (await tenant.get('plans')).body.data]).toEqual([200, false, ALL, []]);
  const first = await apply(tenant, FILE);
  expect([first.status, first.body.applied, done(first), first.body.onlyHere]).toEqual([200, true, ALL, []]);
  expect((await tenant.get('plans/payg')).body).toMatchObject({ version: 1, features: { seats: '5', sso: true }, charges: [{ key: 'platform', timing: 'in_advance' }, { key: 'calls' }] });
  expect((await apply(tenant, FILE)).body).toEqual({ applied: true, changes: [], onlyHere: [] });
  expect((await tenant.get('plans/payg')).body.version).toBe(1);
}, TIMEOUT_MS);

test('what is exported and applied to another tenant makes the same there, and is exported again as it was', async () => {
  const [tenant, other] = [await tenantWithMeter(), await tenantWithMeter()];
  await apply(tenant, FILE);
  const exported = (await tenant.get('catalog')).body;
  expect((await apply(tenant, exported)).body.changes).toEqual([]);
  expect(done(await apply(other, exported))).toEqual(ALL);
  expect((await other.get('catalog')).body).toEqual(exported);
  expect((await (await bed.tenant()).get('catalog')).body).toEqual({ version: 1 });
}, TIMEOUT_MS);

test('changed plans get a version, names and metadata are changed, what is archived comes back, and what is only here stays and is named', async () => {
  const tenant = await tenantWithMeter();
  await apply(tenant, FILE);
  await tenant.made('products', { key: 'by-hand', name: 'By hand' });
  await tenant.made('features/sso/archive', {});
  await tenant.made('plans/payg/archive', {});
  const [plan] = FILE.plans;
  const changed = {
    version: 1, products: [{ key: 'platform', name: 'The platform', metadata: { owner: 'core' } }], features: FILE.features, taxRates: FILE.taxRates, addOns: FILE.addOns,
    plans: [{ ...plan, charges: [{ ...plan!.charges[0], price: flat('59.00') }, plan!.charges[1]] }],
  };
  const answer = await apply(tenant, changed);
  expect(done(answer)).toEqual(['change product platform', 'restore feature sso', 'restore plan payg', 'add_version plan payg']);
  expect(answer.body.changes[3].diff.charges.changed).toEqual([{ key: 'platform', fields: [{ field: '/price/amount', old: '49.00', new: '59.00' }] }]);
  expect(answer.body.onlyHere).toEqual([{ kind: 'coupon', key: 'tenth' }, { kind: 'product', key: 'by-hand' }]);
  const product = (await tenant.get('products/platform')).body;
  expect([product.name, product.description, product.metadata]).toEqual(['The platform', undefined, { owner: 'core' }]);
  expect((await tenant.get('plans/payg')).body).toMatchObject({ version: 2, archivedAt: null, charges: [{ price: flat('59.00') }, {}] });
  expect((await tenant.get('coupons/tenth')).body.archivedAt).toBeNull();
  expect((await apply(tenant, changed)).body.changes).toEqual([]);
}, TIMEOUT_MS);

test('of a file with faults nothing is applied, and every fault has its place', async () => {
  const tenant = await tenantWithMeter();
  await apply(tenant, FILE);
  const [plan] = FILE.plans;
  const before = (await tenant.get('catalog')).body;
  expect(faultsOf(await apply(tenant, { ...FILE, plans: [{ ...plan, charges: [{ key: 'x', name: '', type: 'recurring', price: { model: 'flat', amount: 49 } }] }, plan], addOns: [{ key: 'a' }], more: 1 }))).toBe([
    '400 | invalid_request', '/addOns/0/name missing_field', '/addOns/0/currency missing_field', '/addOns/0/charges missing_field', '/plans/0/charges/0/name too_short', '/plans/0/charges/0/price/amount decimal_string_expected',
    '/plans/1/key duplicate_key', '/more unknown_field'].join(' | '));
  expect(faultsOf(await apply(tenant, {
    version: 1, products: [{ key: 'new', name: 'New' }], features: [{ key: 'sso', name: 'Single sign-on', type: 'static' }, { key: 'level', name: 'Level', type: 'static' }], coupons: [{ key: 'tenth', discount: { type: 'percent', value: '20' }, periods: 3 }],
    plans: [{ ...plan, currency: 'EUR' }, { ...plan, key: 'other', features: { level: true, none: true }, productKey: 'new', charges: [{ ...plan!.charges[1], meterKey: 'none' }], phases: null, taxRateKeys: ['de', 'at'] }],
  }))).toBe(['400 | invalid_request', '/features/0/type never_changes', '/coupons/0/discount/value never_changes', '/plans/0/currency currency_mismatch',
    '/plans/1/charges/0/meterKey meter_not_found', '/plans/1/taxRateKeys/1 tax_rate_not_found', '/plans/1/features/none feature_not_found', '/plans/1/features/level invalid_feature_value'].join(' | '));
  expect((await tenant.get('catalog')).body).toEqual(before);
  for (const [file, fault] of [[[], ' object_expected'], ['plans', ' object_expected'], [{}, '/version missing_field'], [{ version: 2 }, '/version above_maximum'], [{ version: 1, plans: {} }, '/plans list_expected']] as const)
    expect(faultsOf(await apply(tenant, file))).toBe(`400 | invalid_request | ${fault}`);
}, TIMEOUT_MS);

test('two that apply one file at once make it once', async () => {
  const tenant = await tenantWithMeter();
  await eventually('the meter to be known', async (saw) => { const { body } = await apply(tenant, FILE, '?dryRun=true'); saw(body); return body.applied === false ? true : undefined; });
  const answers = await Promise.all([1, 2, 3, 4, 5, 6].map(() => apply(tenant, FILE)));
  expect(answers.map(({ status, body }) => [status, body.changes?.length ?? body]).sort()).toEqual([...Array<unknown>(5).fill([200, 0]), [200, ALL.length]]);
  expect((await tenant.get('plans/payg')).body.version).toBe(1);
}, TIMEOUT_MS);

test('rows that are built again from the facts are those that are there', async () => {
  const tenant = await tenantWithMeter();
  await apply(tenant, FILE);
  await tenant.ask('PATCH', 'products/platform', { description: null, metadata: { team: null } });
  await tenant.made('plans/payg/archive', {});
  for (const model of [itemsModel, plansModel]) {
    const { live, rebuilt } = await rebuildAndCompare(bed.service.log.store, 'billing', model);
    expect(rebuilt).toBe(live);
  }
}, TIMEOUT_MS);
