import { BillingBed, faultsOf, type Tenant } from '../billing-bed.spec-kit';
import { discountsOf, giveBackDiscounts, useDiscounts } from './discounts';

const TIMEOUT_MS = 60_000;
const LATER = '2199-01-01T00:00:00Z';
const TENTH = { type: 'percent', value: '10' };
const FIVE = { type: 'amount', value: '5.00', currency: 'USD', currencyValues: { EUR: '4.50' } };
let bed: BillingBed;
beforeAll(async () => { bed = await BillingBed.make(); }, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

const redeem = (tenant: Tenant, accountId: string, couponKey: string): Promise<{ id: string }> => tenant.made(`accounts/${accountId}/coupons`, { couponKey });
const namesOf = (tenant: Tenant, accountId: string, currency = 'USD', at = LATER): Promise<string[]> =>
  tenant.transact(async (tx) => (await discountsOf(tx, tenant.name, { accountId, currency, at })).map(({ couponKey }) => couponKey));

test('B37, M26: of 20 that are redeemed at once exactly as many succeed as there are', async () => {
  const tenant = await bed.tenant();
  await tenant.made('coupons', { key: 'few', discount: TENTH, maxRedemptions: 7 });
  const accounts = await Promise.all(Array.from({ length: 20 }, () => tenant.account()));
  const answers = await Promise.all(accounts.map(({ id }) => tenant.post(`accounts/${id}/coupons`, { couponKey: 'few' })));
  expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(7).fill(201), ...Array<number>(13).fill(409)]);
  expect(new Set(answers.filter(({ status }) => status === 409).map(faultsOf))).toEqual(new Set(['409 | coupon_used_up | /couponKey coupon_used_up']));
  const lists = await Promise.all(accounts.map(({ id }) => tenant.get(`accounts/${id}/coupons`)));
  expect(lists.flatMap(({ body }) => body.data).length).toBe(7);
}, TIMEOUT_MS);

test('an account redeems a coupon once, or as often as it says, also when it tries at once', async () => {
  const tenant = await bed.tenant();
  await tenant.made('coupons', { key: 'once', discount: TENTH });
  await tenant.made('coupons', { key: 'thrice', discount: TENTH, maxRedemptionsPerAccount: 3 });
  const { id } = await tenant.account();
  const tried = async (couponKey: string): Promise<number> => (await Promise.all(Array.from({ length: 6 }, () => tenant.post(`accounts/${id}/coupons`, { couponKey })))).filter(({ status }) => status === 201).length;
  expect([await tried('once'), await tried('thrice')]).toEqual([1, 3]);
  expect(faultsOf(await tenant.post(`accounts/${id}/coupons`, { couponKey: 'once' }))).toBe('409 | coupon_redeemed | /couponKey coupon_redeemed');
}, TIMEOUT_MS);

test('what cannot be redeemed is refused, and counts for nothing', async () => {
  const tenant = await bed.tenant();
  for (const coupon of [
    { key: 'early', discount: TENTH, validFrom: '2199-01-01T00:00:00Z' }, { key: 'late', discount: TENTH, validTo: '2020-01-01T00:00:00Z' }, { key: 'yen', discount: { type: 'amount', value: '500', currency: 'JPY' } },
    { key: 'gone', discount: TENTH },
  ]) await tenant.made('coupons', coupon);
  await tenant.made('coupons/gone/archive', {});
  const { id } = await tenant.account();
  const refused = await Promise.all(['early', 'late', 'yen', 'gone', 'none'].map(async (couponKey) => faultsOf(await tenant.post(`accounts/${id}/coupons`, { couponKey }))));
  expect(refused).toEqual(['409 | coupon_not_valid', '409 | coupon_not_valid', '409 | currency_mismatch', '409 | coupon_archived', '404 | coupon_not_found'].map((text) => `${text} | /couponKey ${text.slice(6)}`));
  expect(faultsOf(await tenant.post('accounts/acc_none/coupons', { couponKey: 'early' }))).toBe('404 | account_not_found');
  expect((await tenant.get(`accounts/${id}/coupons`)).body.data).toEqual([]);
  // Another tenant does not see it.
  const stranger = await bed.tenant();
  expect(faultsOf(await stranger.post(`accounts/${(await stranger.account()).id}/coupons`, { couponKey: 'yen' }))).toBe('404 | coupon_not_found | /couponKey coupon_not_found');
}, TIMEOUT_MS);

test('coupons of charges come before those of plans and of the whole invoice, and of a kind the earlier one', async () => {
  const tenant = await bed.tenant();
  for (const coupon of [
    { key: 'whole-1', discount: TENTH }, { key: 'plan', discount: TENTH, appliesTo: { planKeys: ['payg'] } }, { key: 'whole-2', discount: FIVE }, { key: 'charge', discount: TENTH, appliesTo: { chargeKeys: ['calls'] } },
  ]) await tenant.made('coupons', coupon);
  const { id } = await tenant.account();
  for (const couponKey of ['whole-2', 'plan', 'whole-1', 'charge']) await redeem(tenant, id, couponKey);
  expect(await namesOf(tenant, id)).toEqual(['charge', 'plan', 'whole-2', 'whole-1']);
  expect(await namesOf(tenant, id, 'EUR')).toEqual(['charge', 'plan', 'whole-2', 'whole-1']);
  expect(await namesOf(tenant, id, 'JPY')).toEqual(['charge', 'plan', 'whole-1']);
  expect(await namesOf(tenant, id, 'USD', '2000-01-01T00:00:00Z')).toEqual([]);
  const amounts = await tenant.transact(async (tx) => (await discountsOf(tx, tenant.name, { accountId: id, currency: 'EUR', at: LATER })).map(({ discount }) => discount.value));
  expect(amounts).toEqual(['10', '10', '4.50', '10']);
}, TIMEOUT_MS);

test('a coupon lowers so many invoices, each once however often it is said, and is given back by one that is void', async () => {
  const tenant = await bed.tenant();
  await tenant.made('coupons', { key: 'two', discount: TENTH, periods: 2 });
  const { id } = await tenant.account();
  const redemption = await redeem(tenant, id, 'two');
  const use = (invoiceId: string): Promise<void> => tenant.transact((tx) => useDiscounts(tx, tenant.name, invoiceId, [redemption.id]));
  const state = async (): Promise<unknown> => {
    const { status, invoices, invoicesLeft } = (await tenant.get(`accounts/${id}/coupons/${redemption.id}`)).body;
    return [status, invoices, invoicesLeft, await namesOf(tenant, id)];
  };
  await use('inv_1');
  await use('inv_1');
  expect(await state()).toEqual(['active', 1, 1, ['two']]);
  await use('inv_2');
  expect(await state()).toEqual(['used_up', 2, 0, []]);
  await tenant.transact((tx) => giveBackDiscounts(tx, tenant.name, 'inv_1'));
  await tenant.transact((tx) => giveBackDiscounts(tx, tenant.name, 'inv_1'));
  expect(await state()).toEqual(['active', 1, 1, ['two']]);
}, TIMEOUT_MS);

test('of invoices that are issued at once a coupon for one lowers one', async () => {
  const tenant = await bed.tenant();
  await tenant.made('coupons', { key: 'one', discount: TENTH, periods: 1 });
  const { id } = await tenant.account();
  await redeem(tenant, id, 'one');
  const lowered = await Promise.all(Array.from({ length: 8 }, (_, nth) => tenant.transact(async (tx) => {
    const found = await discountsOf(tx, tenant.name, { accountId: id, currency: 'USD', at: LATER, isIssue: true });
    await useDiscounts(tx, tenant.name, `inv_${nth}`, found.map(({ redemptionId }) => redemptionId));
    return found.length;
  })));
  expect(lowered.sort()).toEqual([0, 0, 0, 0, 0, 0, 0, 1]);
}, TIMEOUT_MS);

test('what is removed lowers nothing any more, and still counts', async () => {
  const tenant = await bed.tenant();
  await tenant.made('coupons', { key: 'gone', discount: TENTH, maxRedemptions: 1 });
  const [{ id }, other] = [await tenant.account(), await tenant.account()];
  const redemption = await redeem(tenant, id, 'gone');
  expect(faultsOf(await tenant.ask('DELETE', `accounts/${other.id}/coupons/${redemption.id}`))).toBe('404 | redemption_not_found');
  expect((await tenant.ask('DELETE', `accounts/${id}/coupons/${redemption.id}`)).body).toMatchObject({ status: 'removed', couponKey: 'gone' });
  expect((await tenant.ask('DELETE', `accounts/${id}/coupons/${redemption.id}`)).status).toBe(200);
  expect(await namesOf(tenant, id)).toEqual([]);
  expect(faultsOf(await tenant.post(`accounts/${other.id}/coupons`, { couponKey: 'gone' }))).toContain('coupon_used_up');
}, TIMEOUT_MS);

test.each<[string, object, string]>([
  ['a part above the whole', { discount: { type: 'percent', value: '100.01' } }, '/discount/value above_maximum'], ['a part below nothing', { discount: { type: 'percent', value: '-1' } }, '/discount/value below_minimum'],
  ['a part in a currency', { discount: { ...TENTH, currency: 'USD' } }, '/discount/currency unknown_field'], ['an amount in none', { discount: { type: 'amount', value: '5' } }, '/discount/currency missing_field'],
  ['half a cent', { discount: { type: 'amount', value: '0.005', currency: 'USD' } }, '/discount/value money_precision'], ['a number', { discount: { type: 'percent', value: 10 } }, '/discount/value decimal_string_expected'],
  ['two amounts in one currency', { discount: { ...FIVE, currencyValues: { USD: '4.00' } } }, '/discount/currencyValues/USD duplicate_currency'], ['no redemption', { discount: TENTH, maxRedemptions: 0 }, '/maxRedemptions below_minimum'],
  ['an end before the start', { discount: TENTH, validFrom: '2026-02-01T00:00:00Z', validTo: '2026-02-01T00:00:00Z' }, '/validTo end_before_start'], ['no discount', {}, '/discount missing_field'],
  ['lines of no plan', { discount: TENTH, appliesTo: { planKeys: [] } }, '/appliesTo/planKeys too_few'], ['periods without end', { discount: TENTH, periods: 1e9 }, '/periods above_maximum'],
])('a coupon with %s is refused', async (_, coupon, fault) => expect(faultsOf(await (await bed.tenant()).post('coupons', { key: 'bad', ...coupon }))).toBe(`400 | invalid_request | ${fault}`));
