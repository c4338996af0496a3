// What is wrong with a change is said before anything is written, with the same words by the preview and by the change.
import { BillingBed, faultsOf, type Tenant } from '../billing-bed.spec-kit';

const TIMEOUT_MS = 60_000;
const FAR = '2199-12-31T00:00:00Z';
const DAY_MS = 86_400_000;
const inDays = (days: number): string => new Date(Date.now() + days * DAY_MS).toISOString();
const fee = (key: string, price: object): object => ({ key, name: key, type: 'recurring', timing: 'in_advance', price });
const flat = (amount: string): object => ({ model: 'flat', amount });
const BASE = [fee('base', flat('31.00')), fee('seats', { model: 'per_unit', unitAmount: '10' })];

let bed: BillingBed;
let tenant: Tenant;
let accountId: string;
beforeAll(async () => {
  bed = await BillingBed.make();
  tenant = await bed.tenant();
  const plan = (key: string, currency: string, charges: readonly object[], more: object = {}): Promise<unknown> => tenant.made('plans', { key, name: key, currency, interval: { unit: 'month', count: 1 }, charges, ...more });
  await plan('base', 'USD', BASE);
  await plan('euro', 'EUR', BASE);
  await plan('old', 'USD', BASE);
  await tenant.made('plans/old/archive', {});
  await tenant.made('add-ons', { key: 'yen', name: 'Yen', currency: 'JPY', charges: [fee('x', flat('100'))] });
  ({ id: accountId } = await tenant.account({ openedAt: '2020-01-01T00:00:00Z' }));
}, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

const start = async (more: object = {}): Promise<string> => (await tenant.made('subscriptions', { accountId, planKey: 'base', startsAt: inDays(1), quantity: '1', ...more })).id;
const factsOf = async (id: string): Promise<unknown> => (await tenant.transact((tx) => tx.query('SELECT row FROM subscriptions_v3 WHERE tenant = $1 AND key = $2', [tenant.name, id]))).rows;

type Bad = readonly [what: string, verb: 'change' | 'cancel' | 'pause' | 'resume', body: object, fault: string];
const OF_ONE_THAT_STARTS_TOMORROW: readonly Bad[] = [
  ['a change before the start', 'change', { quantity: '2', at: '2024-01-01T00:00:00Z' }, '400 | before_start | /at before_start'],
  ['a change that comes in a hundred years', 'change', { quantity: '2', at: FAR }, '400 | too_far_ahead | /at too_far_ahead'],
  ['a change at no time', 'change', { quantity: '2', at: '2024-02-30T00:00:00Z' }, '400 | invalid_request | /at invalid_time'],
  ['a plan in another currency', 'change', { planKey: 'euro' }, '409 | currency_mismatch | /planKey currency_mismatch'],
  ['an add-on in another currency', 'change', { addOns: [{ key: 'yen' }] }, '409 | currency_mismatch | /addOns/0/key currency_mismatch'],
  ['a plan that is none', 'change', { planKey: 'none' }, '404 | plan_not_found | /planKey plan_not_found'],
  ['a plan that is archived', 'change', { planKey: 'old' }, '409 | plan_archived | /planKey plan_archived'],
  ['a version that is none', 'change', { planVersion: 2 }, '404 | plan_not_found | /planKey plan_not_found'],
  ['a zone that is none', 'change', { timezone: 'Mars/Olympus' }, '400 | invalid_request | /timezone unknown_zone'],
  ['less than none', 'change', { quantity: '-1' }, '400 | invalid_request | /quantity below_minimum'],
  ['a quantity without end', 'change', { quantity: '9'.repeat(60) }, '400 | invalid_request | /quantity too_long'],
  ['a quantity that is no decimal', 'change', { quantity: '1e5' }, '400 | invalid_request | /quantity invalid_decimal'],
  ['a quantity as a number', 'change', { quantity: 5 }, '400 | invalid_request | /quantity decimal_string_expected'],
  ['a price with more digits than the currency', 'change', { overrides: { base: { price: flat('1.001') } } }, '400 | invalid_request | /overrides/base/price/amount money_precision'],
  ['tiers that go down', 'change', { overrides: { seats: { price: { model: 'graduated', tiers: [{ upTo: '10', unitAmount: '1' }, { upTo: '5', unitAmount: '1' }, { unitAmount: '1' }] } } } }, '400 | invalid_request | /overrides/seats/price/tiers/1/upTo tier_bounds_not_ascending'],
  ['tiers without an open one', 'change', { overrides: { seats: { price: { model: 'graduated', tiers: [{ upTo: '10', unitAmount: '1' }] } } } }, '400 | invalid_request | /overrides/seats/price/tiers/0/upTo tier_open_end_missing'],
  ['a charge that is none', 'change', { overrides: { none: { price: flat('1.00') } } }, '400 | invalid_request | /overrides/none charge_not_found'],
  ['a granularity that is none', 'change', { quantity: '2', proration: { granularity: 'hour' } }, '400 | invalid_request | /proration/granularity invalid_value'],
  ['what changes nothing', 'change', {}, '409 | nothing_changes'],
  ['an end before the start', 'cancel', { at: '2024-01-01T00:00:00Z' }, '400 | before_start | /at before_start'],
  ['an end in a hundred years', 'cancel', { at: FAR }, '400 | too_far_ahead | /at too_far_ahead'],
  ['a pause before the start', 'pause', { at: '2024-01-01T00:00:00Z' }, '400 | before_start | /at before_start'],
  ['a pause that ends before it begins', 'pause', { at: inDays(5), until: inDays(4) }, '400 | end_before_start | /until end_before_start'],
  ['the end of no pause', 'resume', {}, '409 | not_paused | /at not_paused'],
];
const OF_ONE_THAT_ENDS: readonly Bad[] = [
  ['a change behind its end', 'change', { quantity: '2', at: inDays(40) }, '409 | after_cancellation | /at after_cancellation'],
  ['a plan behind its end, at the end of the period', 'change', { quantity: '2', at: 'period_end' }, '409 | after_cancellation | /at after_cancellation'],
  ['a pause behind its end', 'pause', { at: inDays(40) }, '409 | after_cancellation | /at after_cancellation'],
];

const refuses = async (id: string, bad: readonly Bad[]): Promise<void> => {
  const before = await factsOf(id);
  for (const [what, verb, body, fault] of bad) {
    expect([what, faultsOf(await tenant.post(`subscriptions/${id}/${verb}/preview`, body))]).toEqual([what, fault]);
    expect([what, faultsOf(await tenant.post(`subscriptions/${id}/${verb}`, body))]).toEqual([what, fault]);
  }
  expect(await factsOf(id)).toEqual(before);
};

test('each is refused twice and leaves nothing, and what is right is done beside it', async () => {
  const id = await start();
  await refuses(id, OF_ONE_THAT_STARTS_TOMORROW);
  expect(await tenant.made(`subscriptions/${id}/change`, { quantity: '2', at: 'now' })).toMatchObject({ changes: [{ quantity: '2' }] });
}, TIMEOUT_MS);

test('nothing is scheduled behind a cancellation', async () => {
  const id = await start();
  await tenant.made(`subscriptions/${id}/cancel`, { at: inDays(20) });
  await refuses(id, OF_ONE_THAT_ENDS);
}, TIMEOUT_MS);

test('a start that cannot be is refused', async () => {
  const bad: readonly (readonly [what: string, body: object, fault: string])[] = [
    ['before its account', { startsAt: '2019-12-31T23:59:59Z' }, '400 | start_before_account | /startsAt start_before_account'], ['after the last year', { startsAt: '2200-12-31T23:59:59Z' }, '400 | invalid_time | /startsAt invalid_time'],
    ['in a currency without prices', { currency: 'EUR' }, '409 | currency_mismatch | /currency currency_mismatch'], ['at an anchor that is no date', { anchor: '2024-02-30T00:00:00' }, '400 | invalid_local_time | /anchor invalid_local_time'],
    ['with a trial of ten years and a day', { trialDays: 3_651 }, '400 | invalid_request | /trialDays above_maximum'], ['with less than none', { quantity: '-1' }, '400 | invalid_request | /quantity below_minimum'],
    ['with a threshold below zero', { interimThreshold: '-1' }, '400 | invalid_request | /interimThreshold below_minimum'], ['counting usage from after it', { countFrom: inDays(2) }, '400 | count_from_after_start | /countFrom count_from_after_start'],
  ];
  const count = async (): Promise<number> => (await tenant.get('subscriptions?limit=100')).body.data.length;
  const before = await count();
  for (const [what, body, fault] of bad) expect([what, faultsOf(await tenant.post('subscriptions', { accountId, planKey: 'base', startsAt: inDays(1), ...body }))]).toEqual([what, fault]);
  expect(await count()).toBe(before);
}, TIMEOUT_MS);
