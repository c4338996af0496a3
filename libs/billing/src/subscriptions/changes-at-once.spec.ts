import { BillingBed } from '../billing-bed.spec-kit';

const TIMEOUT_MS = 30_000;
let bed: BillingBed;
beforeAll(async () => { bed = await BillingBed.make(); }, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

test('of changes that come at once each changes what it names and keeps what the others have changed', async () => {
  const tenant = await bed.tenant();
  const month = { unit: 'month', count: 1 };
  const flat = (amount: string): object => ({ model: 'flat', amount });
  await tenant.made('plans', { key: 'base', name: 'Base', currency: 'USD', interval: month, charges: [{ key: 'fee', name: 'Fee', type: 'recurring', timing: 'in_advance', price: flat('10.00') }, { key: 'seats', name: 'Seats', type: 'recurring', timing: 'in_advance', price: { model: 'per_unit', unitAmount: '5.00' } }] });
  await tenant.made('add-ons', { key: 'support', name: 'Support', currency: 'USD', interval: month, charges: [{ key: 'hours', name: 'Hours', type: 'recurring', timing: 'in_advance', price: flat('20.00') }] });
  const { id: accountId } = await tenant.account({ openedAt: '2024-01-01T00:00:00Z' });
  const { id } = await tenant.made('subscriptions', { accountId, planKey: 'base', startsAt: new Date().toISOString(), quantity: '1' });
  const wanted = { quantity: '5', addOns: [{ key: 'support' }], overrides: { fee: { price: flat('8.00') } }, timezone: 'Europe/Berlin' };
  const answers = await Promise.all(Object.entries(wanted).map(([name, value]) => tenant.post(`subscriptions/${id}/change`, { [name]: value, at: 'now' })));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  const { body } = await tenant.get(`subscriptions/${id}`);
  expect(body).toMatchObject({ quantity: '5', addOns: [{ key: 'support' }], overrides: { fee: { price: flat('8.00') } }, anchor: { zone: 'Europe/Berlin' } });
}, TIMEOUT_MS);
