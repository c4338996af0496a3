// Collections and webhooks of a whole edition, the sandbox beside it on its socket: from the moment at which there is something to charge until the money is recorded.
import { createHmac } from 'node:crypto';
import { parseArgs } from 'node:util';
import { startEmbedded } from './usage/end-to-end.mjs';

const FLOORS = { collectionsPerSecond: 100, webhooksPerSecond: 1_000, webhookP95Ms: 50 };
const CONNECTIONS = 24;
const WEBHOOK_CONNECTIONS = 32;
const INVOICES_PER_ACCOUNT = 50;
const STILL_SECONDS_MAX = 60;
const SECRET = 'whsec_of_the_bench_0123456789';
const P95 = 0.95;
const sleep = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

const askerOf = ({ url, secretKey }) => async function ask(path, body, method = body === undefined ? 'GET' : 'POST') {
  const response = await fetch(url + path, { method, headers: { authorization: `Bearer ${secretKey}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const answer = await response.json();
  if (response.status === 503 || response.status === 429) { await sleep(200); return ask(path, body, method); }
  if (response.status > 299) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
};
/** Calls `work` for 0 to count - 1, so many at a time. */
const each = async (count, connections, work) => {
  let next = 0;
  await Promise.all(Array.from({ length: connections }, async () => { while (next < count) await work(next++); }));
};
const metricOf = async ({ url }, pattern) => Number(pattern.exec(await (await fetch(`${url}/metrics`)).text())?.[1] ?? 0);
const SUCCEEDED = /payments_payments_total\{[^}]*status="succeeded"[^}]*\} (\d+)/;

const collections = async (edition, ask, count) => {
  const accounts = [];
  await each(Math.ceil(count / INVOICES_PER_ACCOUNT), CONNECTIONS, async (nth) => { accounts[nth] = (await ask('/api/v1/billing/accounts', { name: `Customer ${nth}`, currency: 'EUR', timezone: 'UTC' })).id; });
  await each(count, CONNECTIONS, (nth) => ask('/api/v1/billing/invoices', { accountId: accounts[nth % accounts.length], lines: [{ description: 'Work', amount: '10.00' }] }));
  // The invoices wait until there is a method; the one that comes last starts them all.
  await sleep(5_000);
  const began = performance.now();
  for (const accountId of accounts) await ask('/api/v1/payments/methods', { accountId, provider: 'sandbox', token: 'tok_ok' });
  for (let last = -1, still = 0; ;) {
    const now = await metricOf(edition, SUCCEEDED);
    if (now >= count) break;
    still = now === last ? still + 1 : 0;
    if (still > STILL_SECONDS_MAX * 2) throw new Error(`${now} of ${count} payments have succeeded and no further one for a minute`);
    last = now;
    await sleep(500);
  }
  return count / ((performance.now() - began) / 1_000);
};

/** The events that Stripe sends of each payment by card that succeeds at once. */
const EVENTS = [['payment_intent.created', 'pi'], ['charge.succeeded', 'ch'], ['payment_intent.succeeded', 'pi'], ['charge.updated', 'ch']];

const paymentsOf = async (ask) => {
  const all = [];
  for (let cursor; ;) {
    const { data, nextCursor } = await ask(`/api/v1/payments?limit=100${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
    all.push(...data.map(({ id }) => id));
    if (nextCursor == null) return all;
    cursor = nextCursor;
  }
};

const webhooks = async (edition, ask, count) => {
  const { webhookPath } = await ask('/api/v1/payments/providers/sandbox', { webhookSecrets: [SECRET] }, 'PUT');
  const payments = await paymentsOf(ask);
  const times = [];
  const began = performance.now();
  await each(count, WEBHOOK_CONNECTIONS, async (nth) => {
    const [type, prefix] = EVENTS[nth % EVENTS.length];
    const payment = payments[Math.floor(nth / EVENTS.length) % payments.length];
    const body = JSON.stringify({ id: `evt_bench_${nth}`, object: 'event', type, api_version: null, data: { object: { id: `${prefix}_${nth}`, amount: 1_000, currency: 'eur', metadata: { attempt: `pay:${payment}:att:1` } } } });
    const seconds = Math.floor(Date.now() / 1_000);
    const signature = createHmac('sha256', SECRET).update(`${seconds}.${body}`).digest('hex');
    const sent = performance.now();
    const answer = await fetch(edition.url + webhookPath, { method: 'POST', headers: { 'content-type': 'application/json', 'stripe-signature': `t=${seconds},v1=${signature}` }, body });
    await answer.arrayBuffer();
    if (answer.status !== 200) throw new Error(`a webhook was answered ${answer.status}`);
    times.push(performance.now() - sent);
  });
  const rate = count / ((performance.now() - began) / 1_000);
  return { rate, p95: times.sort((a, b) => a - b)[Math.floor(times.length * P95)] };
};

/** Collections a second, and webhooks a second with the time that 95 % of them were answered in; each has a floor. */
export async function benchPayments(options) {
  const { values } = parseArgs({ args: options, options: { payments: { type: 'string', default: '1000' }, webhooks: { type: 'string', default: '5000' } } });
  const edition = await startEmbedded();
  const ask = askerOf(edition);
  try {
    const collected = await collections(edition, ask, Number(values.payments));
    process.stdout.write(`collections, invoice paid and mail queued in the same process: ${Math.round(collected)}/s (has to be at least ${FLOORS.collectionsPerSecond})\n`);
    const { rate, p95 } = await webhooks(edition, ask, Number(values.webhooks));
    process.stdout.write(`webhooks kept, four of each payment: ${Math.round(rate)}/s (has to be at least ${FLOORS.webhooksPerSecond}), p95 ${p95.toFixed(1)} ms (at most ${FLOORS.webhookP95Ms})\n`);
    if (collected < FLOORS.collectionsPerSecond || rate < FLOORS.webhooksPerSecond || p95 > FLOORS.webhookP95Ms) process.exitCode = 1;
  } finally {
    await edition.stop();
  }
}
