// An invoice run of many subscriptions that is killed with -9 in its middle, again and again: nothing is billed twice, nothing is missing, and the numbers have no gap.
import { rmSync } from 'node:fs';
import { freePort, scratchFolder } from '@valueverse/platform';
import { eventually } from '@valueverse/testing';
import { jsonOf, run, type Running } from './process.spec-kit';
import type { Json } from './edition.spec-kit';

const TIMEOUT_MS = 240_000;
const [SUBSCRIPTIONS, KILLS, DAYS] = [40, 4, 3];
const folder = scratchFolder('invoice-run');
let running: Running | undefined;
let url = '';
let key = '';

const start = async (): Promise<void> => {
  const process_ = run('apps/valueverse/dist/main.js', ['--data', folder, '--port', String(await freePort()), '--json'], { LOG_LEVEL: 'error' });
  running = process_;
  const ready = await eventually('the edition to serve', (saw) => {
    saw(process_.output());
    return process_.output().includes('secretKey') ? jsonOf<{ url: string; secretKey: string }>(process_) : undefined;
  }, { timeoutMs: TIMEOUT_MS });
  ({ url, secretKey: key } = ready);
};
const ask = async (path: string, body?: unknown): Promise<Json> => {
  const response = await fetch(url + path, { headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }) });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
};
const all = async (path: string): Promise<Json[]> => {
  const data: Json[] = [];
  for (let cursor = ''; ;) {
    const page = await ask(`${path}${path.includes('?') ? '&' : '?'}limit=100${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
    data.push(...page.data);
    if (!page.hasMore) return data;
    cursor = page.nextCursor;
  }
};

beforeAll(start, TIMEOUT_MS);
afterAll(async () => {
  await running?.kill();
  rmSync(folder, { recursive: true, force: true });
}, TIMEOUT_MS);

test(`${SUBSCRIPTIONS} subscriptions that are three days behind are billed while the process is killed ${KILLS} times`, async () => {
  const now = Date.now();
  const startsAt = new Date(now - DAYS * 86_400_000 - 3_600_000).toISOString();
  await ask('/api/v1/usage/meters', { key: 'calls', eventType: 'call', aggregation: 'count' });
  const { id: account } = await ask('/api/v1/billing/accounts', { name: 'Acme', currency: 'USD', timezone: 'UTC', openedAt: startsAt });
  await eventually('the plan', async () => (await ask('/api/v1/billing/plans', {
    key: 'daily', name: 'Daily', currency: 'USD', interval: { unit: 'day', count: 1 },
    charges: [{ key: 'base', name: 'Base', type: 'recurring', price: { model: 'flat', amount: '1.00' } }, { key: 'calls', name: 'Calls', type: 'usage', meterKey: 'calls', price: { model: 'per_unit', unitAmount: '0.5' } }],
  }).then(() => true, () => undefined)), { timeoutMs: TIMEOUT_MS });
  await Promise.all(Array.from({ length: SUBSCRIPTIONS }, (_, nth) => ask('/api/v1/billing/subscriptions', { accountId: account, planKey: 'daily', startsAt, subjects: [`run-${nth}`] })));
  // Each has an invoice for its start and one for each boundary since. The last boundary is an hour ago, which is the grace period.
  const wanted = SUBSCRIPTIONS * (DAYS + 1);
  const finalized = async (): Promise<Json[]> => all('/api/v1/billing/invoices?status=finalized');
  for (let nth = 1; nth <= KILLS; nth++) {
    await eventually(`a part of the run, before kill ${nth}`, async (saw) => {
      const { length } = await finalized();
      saw(length);
      return length >= (wanted * nth) / (KILLS + 2) ? true : undefined;
    }, { timeoutMs: TIMEOUT_MS, everyMs: 5 });
    await running!.kill();
    await start();
  }
  const invoices = await eventually('all invoices', async (saw) => {
    const found = await finalized();
    saw(found.length);
    return found.length >= wanted ? found : undefined;
  }, { timeoutMs: TIMEOUT_MS, everyMs: 200 });
  expect(invoices).toHaveLength(wanted);
  expect(invoices.map(({ number }) => number).sort()).toEqual(Array.from({ length: wanted }, (_, nth) => `INV-${String(nth + 1).padStart(6, '0')}`));
  // Of each subscription every day's fee once.
  const billed = invoices.flatMap(({ lines }) => lines as Json[]).filter(({ chargeKey }) => chargeKey === 'base').map(({ subscriptionId, servicePeriod: { from } }) => `${subscriptionId} ${from}`);
  expect(new Set(billed).size).toBe(billed.length);
  expect(billed).toHaveLength(wanted);
  expect((await all('/api/v1/billing/cycles?status=failed')).concat(await all('/api/v1/billing/cycles?status=parked'))).toEqual([]);
}, TIMEOUT_MS);
