import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from '@valueverse/platform';
import { Edition } from './edition.spec-kit';
import { runVv } from './process.spec-kit';

const TIMEOUT_MS = 120_000;
const BILLING = '/api/v1/billing';
/** A catalogue as somebody would keep it beside code. */
const FILE = `version: 1
products:
  - { key: gateway, name: Gateway }
features:
  - { key: sso, name: Single sign-on, type: boolean }
  - { key: requests, name: Requests, type: metered, meterKey: requests }
taxRates:
  - { key: de, name: MwSt, rate: "19", jurisdiction: { country: DE } }
coupons:
  - { key: launch, discount: { type: percent, value: "50" }, periods: 3, maxRedemptions: 3 }
addOns:
  - key: setup
    name: Set-up
    currency: USD
    charges:
      - { key: setup, name: Set-up, type: one_off, price: { model: flat, amount: "250.00" } }
plans:
  - key: team
    name: Team
    currency: USD
    interval: { unit: month, count: 1 }
    productKey: gateway
    taxRateKeys: [de]
    features: { sso: true, requests: "1000000" }
    charges:
      - key: seats
        name: Seats
        type: recurring
        quantity: "5"
        price: { model: per_unit, unitAmount: "9.00" }
      - key: requests
        name: Requests
        type: usage
        meterKey: requests
        freeUnits: "1000000"
        price: { model: package, packageSize: "1000000", packageAmount: "2.00" }
    phases:
      - { key: start, name: The first quarter, duration: { unit: month, count: 3 }, prices: { seats: { model: per_unit, unitAmount: "4.50" } } }
      - { key: rest, name: From then on }
`;
let folder: string;
let edition: Edition;
const vv = async (...args: string[]): Promise<{ code: number | null; output: string }> => {
  const process_ = runVv(['catalog', ...args], { VV_URL: edition.url, VV_KEY: edition.secretKey });
  return { code: await process_.ended, output: process_.output() };
};
const fileOf = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
beforeAll(async () => {
  folder = scratchFolder('catalog');
  edition = await Edition.start();
  await edition.post('/api/v1/usage/meters', { key: 'requests', eventType: 'request', aggregation: 'count' });
}, TIMEOUT_MS);
afterAll(async () => {
  await edition.stop();
  rmSync(folder, { recursive: true, force: true });
}, TIMEOUT_MS);

test('a catalogue goes from a file in git into an installation and back, and a change of the file is a new version', async () => {
  const file = fileOf('catalog.yaml', FILE);
  expect(await vv('diff', file)).toMatchObject({ code: 0, output: expect.stringMatching(/\+ product gateway\n(?:\+ .*\n)+\+ plan team\n7 changes, not applied\n$/) });
  expect((await edition.get(`${BILLING}/plans`)).data).toEqual([]);
  expect(await vv('apply', file)).toMatchObject({ code: 0, output: expect.stringContaining('7 changes applied') });
  const exported = join(folder, 'exported.yaml');
  expect((await vv('export', '--out', exported)).code).toBe(0);
  expect(await vv('diff', exported)).toEqual({ code: 0, output: 'nothing changes\n' });

  const changed = fileOf('changed.yaml', FILE.replace('unitAmount: "9.00"', 'unitAmount: "11.00"').replace(/coupons:\n.*\n/, ''));
  const { output } = await vv('apply', changed, '--dry-run');
  expect(output).toBe('~ plan team, a new version\n    charge seats /price/unitAmount: "9.00" -> "11.00"\n  coupon launch is not in the file, and stays\n1 change, not applied\n');
  expect((await vv('apply', changed)).code).toBe(0);
  expect(await edition.get(`${BILLING}/plans/team`)).toMatchObject({ version: 2, charges: [{ price: { unitAmount: '11.00' } }, { freeUnits: '1000000' }] });
  expect((await edition.get(`${BILLING}/plans/team?version=1`)).charges[0].price.unitAmount).toBe('9.00');
}, TIMEOUT_MS);

test('what is wrong with a file is told by line and column, and nothing of it is applied', async () => {
  const before = await edition.get(`${BILLING}/catalog`);
  const elsewhere = FILE.replace('meterKey: requests\n        freeUnits', 'meterKey: nothing\n        freeUnits').replace('key: gateway', 'key: new');
  const files = [fileOf('wrong.yaml', FILE.replace('amount: "250.00"', 'amount: 250.00')), fileOf('unknown.yaml', elsewhere), fileOf('broken.yaml', 'version: 1\nplans: [\n'), join(folder, 'none.yaml')];
  const [wrong, unknown, broken, none] = await Promise.all(files.map((file) => vv('apply', file)));
  expect(wrong).toEqual({ code: 1, output: expect.stringMatching(/wrong\.yaml:16:\d+ \/addOns\/0\/charges\/0\/price\/amount: .*decimal_string_expected[^]*next: .*vv catalog diff/) });
  expect(unknown!.output.split('\n').filter((line) => line.includes('.yaml:')).map((line) => line.replace(/^.*unknown\.yaml:(\d+):\d+ (\S+): .*\((\w+)\)$/, '$1 $2 $3'))).toEqual(['34 /plans/0/charges/1/meterKey meter_not_found']);
  expect(broken!.output).toMatch(/broken\.yaml:3:1 /);
  expect(none!.output).toMatch(/cannot be read[^]*next: vv catalog export/);
  expect([wrong, unknown, broken, none].map((ended) => ended!.code)).toEqual([1, 1, 1, 1]);
  expect(await edition.get(`${BILLING}/catalog`)).toEqual(before);
}, TIMEOUT_MS);

// 5 x 4.50 in the first quarter, half of it by the coupon, for three invoices: 11.25 and 19 %, 2.1375. Then 5 x 9.00 and 19 %.
test('what the catalogue says is what is billed: phases, the coupon for its three invoices, the tax of the plan', async () => {
  const clock = await edition.post(`${BILLING}/clocks`, { name: 'catalogue', now: '2024-01-01T00:00:00Z' });
  const account = await edition.post(`${BILLING}/accounts`, { name: 'Acme', currency: 'USD', timezone: 'UTC', testClockId: clock.id });
  const redemption = await edition.post(`${BILLING}/accounts/${account.id}/coupons`, { couponKey: 'launch' });
  const { id: subscriptionId } = await edition.post(`${BILLING}/subscriptions`, { accountId: account.id, planKey: 'team', planVersion: 1, startsAt: '2024-01-01T00:00:00Z', subjects: ['acme'] });
  await edition.advance(clock.id, '2024-04-02T00:00:00Z');
  const { data } = await edition.get(`${BILLING}/invoices?accountId=${account.id}`);
  const money = data.map((invoice: Record<string, unknown>) => ['subtotal', 'discountTotal', 'taxTotal', 'total'].map((name) => invoice[name]).join(' ')).reverse();
  expect(money).toEqual(['22.50 11.25 2.14 13.39', '22.50 11.25 2.14 13.39', '22.50 11.25 2.14 13.39', '45.00 0.00 8.55 53.55']);
  expect(await edition.get(`${BILLING}/accounts/${account.id}/coupons/${redemption.id}`)).toMatchObject({ status: 'used_up', invoices: 3, invoicesLeft: 0 });
  const upcoming = await edition.get(`${BILLING}/subscriptions/${subscriptionId}/upcoming-invoice`);
  const simulated = await edition.post(`${BILLING}/plans/team/simulate`, { version: 1, phaseKey: 'rest', quantities: {} });
  expect([upcoming.subtotal, upcoming.taxTotal]).toEqual([simulated.total, '8.55']);
}, TIMEOUT_MS);

test('what the catalogue says is what is simulated, redeemed and subscribed to', async () => {
  const simulated = await edition.post(`${BILLING}/plans/team/simulate`, { version: 1, quantities: { requests: '3500000', seats: '7' } });
  // 7 x 9.00; 2.5 million above what is free are three packages of 2.00.
  expect([simulated.lines.map(({ chargeKey, amount }: { chargeKey: string; amount: string }) => `${chargeKey} ${amount}`), simulated.total]).toEqual([['seats 63.00', 'requests 6.00'], '69.00']);
  expect((await edition.post(`${BILLING}/plans/team/simulate`, { version: 1, phaseKey: 'start', quantities: {} })).total).toBe('22.50');
  // One of three was redeemed above.
  const accounts = await Promise.all([1, 2, 3].map(() => edition.post(`${BILLING}/accounts`, { name: 'Acme', currency: 'USD', timezone: 'UTC' })));
  const redeemed = await Promise.all(accounts.map(({ id }) => edition.ask(`${BILLING}/accounts/${id}/coupons`, { body: { couponKey: 'launch' } })));
  expect(redeemed.map(({ status, body }) => body.code ?? status).sort()).toEqual([201, 201, 'coupon_used_up']);
  await edition.post(`${BILLING}/plans/team/archive`, {});
  const refused = await edition.ask(`${BILLING}/subscriptions`, { body: { accountId: accounts[0].id, planKey: 'team', startsAt: '2199-01-01T00:00:00Z' } });
  expect([refused.status, refused.body.code]).toEqual([409, 'plan_archived']);
  expect((await edition.get(`${BILLING}/plans/team/diff?from=1&to=2`)).charges.changed).toEqual([{ key: 'seats', fields: [{ field: '/price/unitAmount', old: '9.00', new: '11.00' }] }]);
}, TIMEOUT_MS);
