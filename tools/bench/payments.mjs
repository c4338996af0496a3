// Collections and webhooks of a whole edition, the sandbox beside it on its socket: from the moment at which there is something to charge until the money is recorded.
import { createHmac } from 'node:crypto';
import { Agent, request } from 'node:http';
import { parseArgs } from 'node:util';
import { cpuSecondsOf } from './cpu.mjs';
import { startEmbedded } from './usage/end-to-end.mjs';

const FLOORS = { collectionsPerSecond: 100, webhooksPerSecond: 1_000, webhookP95Ms: 50 };
const CONNECTIONS = 24;
const WEBHOOK_CONNECTIONS = 64;
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
  const [began, cpuBefore] = [performance.now(), cpuSecondsOf(edition.pids())];
  for (const accountId of accounts) await ask('/api/v1/payments/methods', { accountId, provider: 'sandbox', token: 'tok_ok' });
  for (let last = -1, still = 0; ;) {
    const now = await metricOf(edition, SUCCEEDED);
    if (now >= count) break;
    still = now === last ? still + 1 : 0;
    if (still > STILL_SECONDS_MAX * 2) throw new Error(`${now} of ${count} payments have succeeded and no further one for a minute`);
    last = now;
    await sleep(500);
  }
  return { perSecond: count / ((performance.now() - began) / 1_000), cpuMs: (cpuSecondsOf(edition.pids()) - cpuBefore) / count * 1_000 };
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

/** A webhook of one of the payments, signed. */
const webhookOf = (payments, nth) => {
  const [type, prefix] = EVENTS[nth % EVENTS.length];
  const payment = payments[Math.floor(nth / EVENTS.length) % payments.length];
  const body = Buffer.from(JSON.stringify({ id: `evt_bench_${nth}`, object: 'event', type, api_version: null, data: { object: { id: `${prefix}_${nth}`, amount: 1_000, currency: 'eur', metadata: { attempt: `pay:${payment}:att:1` } } } }));
  const seconds = Math.floor(Date.now() / 1_000);
  return { body, signature: `t=${seconds},v1=${createHmac('sha256', SECRET).update(`${seconds}.`).update(body).digest('hex')}` };
};

const post = (url, agent, { body, signature }) => new Promise((resolve, reject) => {
  const sent = request(url, { method: 'POST', agent, headers: { 'content-type': 'application/json', 'content-length': body.length, 'stripe-signature': signature } }, (answer) => {
    answer.resume();
    answer.on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`a webhook was answered ${answer.statusCode}`))));
  });
  sent.on('error', reject);
  sent.end(body);
});

/** Webhooks come when they come: each is due at its time, whether those before it were answered or not, and its time counts from there. They are signed beforehand: only sending and answering them is measured. */
const webhooks = async (edition, ask, count) => {
  const { webhookPath } = await ask('/api/v1/payments/providers/sandbox', { webhookSecrets: [SECRET] }, 'PUT');
  const payments = await paymentsOf(ask);
  const ready = Array.from({ length: count }, (_, nth) => webhookOf(payments, nth));
  const agent = new Agent({ keepAlive: true, maxSockets: WEBHOOK_CONNECTIONS });
  const times = [];
  const began = performance.now();
  const underWay = [];
  for (let nth = 0; nth < count; nth++) {
    const due = began + nth / FLOORS.webhooksPerSecond * 1_000;
    if (due - performance.now() > 1) await sleep(due - performance.now());
    underWay.push(post(edition.url + webhookPath, agent, ready[nth]).then(() => { times.push(performance.now() - due); }));
  }
  await Promise.all(underWay);
  const rate = count / ((performance.now() - began) / 1_000);
  agent.destroy();
  times.sort((a, b) => a - b);
  return { rate, p50: times[Math.floor(count / 2)], p95: times[Math.floor(count * P95)] };
};

/** Collections a second, and webhooks a second with the time that 95 % of them were answered in; each has a floor. */
export async function benchPayments(options) {
  const { values } = parseArgs({ args: options, options: { payments: { type: 'string', default: '1000' }, webhooks: { type: 'string', default: '10000' } } });
  const edition = await startEmbedded();
  const ask = askerOf(edition);
  try {
    const { perSecond: collected, cpuMs } = await collections(edition, ask, Number(values.payments));
    process.stdout.write(`collections, invoice paid and mail queued in the same process: ${Math.round(collected)}/s, ${cpuMs.toFixed(1)} ms of CPU each (has to be at least ${FLOORS.collectionsPerSecond})\n`);
    const { rate, p50, p95 } = await webhooks(edition, ask, Number(values.webhooks));
    process.stdout.write(`webhooks kept, four of each payment, ${FLOORS.webhooksPerSecond} a second: all answered at ${Math.round(rate)}/s, p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms (at most ${FLOORS.webhookP95Ms})\n`);
    // What falls behind is answered later and later: so the rate is in the times, too.
    if (collected < FLOORS.collectionsPerSecond || p95 > FLOORS.webhookP95Ms) process.exitCode = 1;
  } finally {
    await edition.stop();
  }
}
