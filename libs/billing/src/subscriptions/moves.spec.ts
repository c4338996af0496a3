import { BillingBed, type Tenant } from '../billing-bed.spec-kit';

const TIMEOUT_MS = 60_000;
const DAY_MS = 86_400_000;
let bed: BillingBed;
let tenant: Tenant;
beforeAll(async () => {
  bed = await BillingBed.make();
  tenant = await bed.tenant();
}, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

test('the preview of a move says of each subscription what it comes to, or why it cannot be moved', async () => {
  const base = { key: 'base', name: 'Base', type: 'recurring', timing: 'in_advance' };
  const plan = { name: 'Base', currency: 'USD', interval: { unit: 'month', count: 1 } };
  await tenant.made('plans', { ...plan, key: 'base', charges: [{ ...base, price: { model: 'flat', amount: '10.00' }, currencyPrices: { EUR: { model: 'flat', amount: '9.00' } } }] });
  await tenant.made('plans/base/versions', { ...plan, charges: [{ ...base, price: { model: 'flat', amount: '12.00' } }], commitment: { amount: '100.00' } });
  const { id: accountId } = await tenant.account();
  const start = async (currency: string): Promise<string> => (await tenant.made('subscriptions', { accountId, planKey: 'base', planVersion: 1, currency, startsAt: new Date(Date.now() + DAY_MS).toISOString() })).id;
  const [dollars, euros, ending] = [await start('USD'), await start('EUR'), await start('USD')];
  await tenant.made(`subscriptions/${ending}/cancel`, {});
  const { subscriptions, shown } = await tenant.made('plans/base/moves/preview', { toVersion: 2 });
  const of = (id: string): unknown => shown.find((one: { subscriptionId: string }) => one.subscriptionId === id);
  expect(subscriptions).toBe(3);
  expect(of(dollars)).toMatchObject({ currency: 'USD', yearlyBefore: '120', yearlyAfter: '144' });
  expect(of(euros)).toMatchObject({ currency: 'EUR', refused: { code: 'currency_mismatch' } });
  expect(of(ending)).toMatchObject({ refused: { code: 'after_cancellation' } });
}, TIMEOUT_MS);
