import { eventually } from '@valueverse/testing';
import { BillingBed, type Tenant } from '../billing-bed.spec-kit';
import { moveJobs } from './moves';
import type { SubscriptionRow } from './subscription.model';

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

test('what has come to another plan or version after a move was asked for is left there', async () => {
  const plan = { currency: 'USD', interval: { unit: 'month', count: 1 } };
  const charge = (amount: string): object => ({ key: 'fee', name: 'Fee', type: 'recurring', timing: 'in_advance', price: { model: 'flat', amount } });
  for (const key of ['left', 'other']) await tenant.made('plans', { ...plan, key, name: key, charges: [charge('10.00')] });
  for (const amount of ['12.00', '14.00']) await tenant.made('plans/left/versions', { ...plan, name: 'left', charges: [charge(amount)] });
  const { id: accountId } = await tenant.account();
  const start = async (): Promise<string> => (await tenant.made('subscriptions', { accountId, planKey: 'left', planVersion: 1, startsAt: new Date().toISOString() })).id;
  const [upgraded, ahead, staying] = [await start(), await start(), await start()];
  const movables = [upgraded, ahead, staying].map((subscriptionId) => ({ row: { started: { subscriptionId, startedAt: '2026-01-01T00:00:00Z' } } as SubscriptionRow, clockId: undefined }));
  await tenant.made(`subscriptions/${upgraded}/change`, { planKey: 'other', at: 'now' });
  await tenant.made(`subscriptions/${ahead}/change`, { planKey: 'left', planVersion: 3, at: 'now' });
  await tenant.transact((tx) => bed.service.jobs.schedule(tx, moveJobs(tenant.name, 'mov_before', { planKey: 'left', toVersion: 2, fromVersion: 1, at: 'now' }, movables)));
  await eventually('the jobs of the move to be done', async (saw) => {
    const { rows } = await tenant.transact((tx) => tx.query<{ id: string }>(`SELECT id FROM jobs WHERE tenant = $1 AND kind = 'billing.move-subscription'`, [tenant.name]));
    saw(rows);
    return rows.length === 0 ? true : undefined;
  });
  const planOf = async (id: string): Promise<unknown> => { const { body } = await tenant.get(`subscriptions/${id}`); return [body.planKey, body.planVersion]; };
  expect(await planOf(upgraded)).toEqual(['other', 1]);
  expect(await planOf(ahead)).toEqual(['left', 3]);
  expect(await planOf(staying)).toEqual(['left', 2]);
}, TIMEOUT_MS);
