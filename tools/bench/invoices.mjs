// An invoice run of a whole edition: every subscription closes at one instant; five lines each, tax, lineage, facts out. From the closing until the last one is numbered: of usage, three lines have statements of metering; of
// fees alone nothing has to be asked for.
import { parseArgs } from 'node:util';
import { startEmbedded } from './usage/end-to-end.mjs';
import { family } from './cpu.mjs';
import { readFileSync } from 'node:fs';
import { pssMbOf } from './edition.mjs';

const FLOORS = { usage: 300, fees: 500 };
const CREATED_PER_SECOND_AT_LEAST = 90;
const CONNECTIONS = 24;
const SUBSCRIPTIONS_PER_ACCOUNT = 10;
const TICKS_PER_SECOND = 100;
const sleep = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

const CHARGES = {
  usage: [
    { key: 'base', name: 'Base', type: 'recurring', timing: 'in_advance', price: { model: 'flat', amount: '9.00' } },
    { key: 'seats', name: 'Seats', type: 'recurring', timing: 'in_advance', price: { model: 'per_unit', unitAmount: '4.99' }, quantity: '3' },
    { key: 'calls', name: 'Calls', type: 'usage', meterKey: 'calls', price: { model: 'graduated', tiers: [{ upTo: '100', unitAmount: '0.01' }, { unitAmount: '0.005' }] } },
    { key: 'bytes', name: 'Bytes', type: 'usage', meterKey: 'bytes', price: { model: 'volume', tiers: [{ upTo: '1000', unitAmount: '0.001' }, { unitAmount: '0.0005' }] } },
    { key: 'jobs', name: 'Jobs', type: 'usage', meterKey: 'jobs', price: { model: 'package', packageSize: '10', packageAmount: '0.50' } },
  ],
  fees: ['base', 'seats', 'support', 'storage', 'line'].map((key, nth) => ({ key, name: key, type: 'recurring', timing: 'in_arrears', price: { model: 'per_unit', unitAmount: `${nth + 1}.99` }, quantity: String(nth + 1) })),
};

const cpuOf = (pid) => family(pid).reduce((sum, one) => {
  try { const stat = readFileSync(`/proc/${one}/stat`, 'utf8').split(') ')[1].split(' '); return sum + (Number(stat[11]) + Number(stat[12])) / TICKS_PER_SECOND; } catch { return sum; }
}, 0);

class Client {
  constructor({ url, secretKey }) { this.url = url; this.key = secretKey; }
  async ask(path, body, method = body === undefined ? 'GET' : 'POST') {
    const response = await fetch(this.url + path, { method, headers: { authorization: `Bearer ${this.key}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const answer = await response.json();
    if (response.status === 503 || response.status === 429) { await sleep(200); return this.ask(path, body, method); }
    if (response.status > 299) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  }
  async finalized() {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return Number(/billing_invoices_total\{[^}]*status="finalized"[^}]*\} (\d+)/.exec(text)?.[1] ?? 0);
  }
}

/** Calls `work` for 0 to count - 1, so many at a time. */
const each = async (count, work) => {
  let next = 0;
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => { while (next < count) await work(next++); }));
};

const prepare = async (client, count, charges) => {
  await client.ask('/api/v1/billing/settings', { gracePeriod: 'PT0S' }, 'PUT');
  await client.ask('/api/v1/billing/tax-rates', { key: 'vat', name: 'VAT', rate: '19', jurisdiction: { country: 'DE' } });
  for (const key of ['calls', 'bytes', 'jobs']) await client.ask('/api/v1/usage/meters', { key, eventType: key, aggregation: 'count' });
  await client.ask('/api/v1/billing/plans', { key: 'bench', name: 'Bench', currency: 'EUR', interval: { unit: 'day', count: 1 }, charges });
  const closesAt = new Date(Math.ceil((Date.now() + (count / CREATED_PER_SECOND_AT_LEAST) * 1_000 + 15_000) / 1_000) * 1_000);
  const startsAt = new Date(closesAt.getTime() - 86_400_000).toISOString();
  const accounts = [];
  await each(Math.ceil(count / SUBSCRIPTIONS_PER_ACCOUNT), async (nth) => {
    accounts[nth] = (await client.ask('/api/v1/billing/accounts', { name: `Customer ${nth}`, currency: 'EUR', timezone: 'UTC', address: { country: 'DE' }, openedAt: startsAt })).id;
  });
  const began = performance.now();
  await each(count, (nth) => client.ask('/api/v1/billing/subscriptions', { accountId: accounts[nth % accounts.length], planKey: 'bench', startsAt, subjects: [`s-${nth}`] }));
  process.stdout.write(`  ${count} subscriptions made, ${Math.round(count / ((performance.now() - began) / 1_000))}/s\n`);
  return closesAt;
};

const until = async (client, wanted, onLook = () => undefined) => {
  for (let last = -1, still = 0; ;) {
    const now = await client.finalized();
    if (now >= wanted) return;
    still = now === last ? still + 1 : 0;
    if (still > 120) throw new Error(`${now} of ${wanted} invoices are finalized and no further one for a minute`);
    last = now;
    onLook(now);
    await sleep(500);
  }
};

/** Invoices a second from the closing of their periods; has to be at least the floor. */
export async function benchInvoices(options) {
  const { values } = parseArgs({ args: options, options: { subscriptions: { type: 'string', default: '2000' }, of: { type: 'string', default: 'usage' } } });
  const count = Number(values.subscriptions);
  const [charges, floor] = [CHARGES[values.of], FLOORS[values.of]];
  if (charges === undefined) throw new Error(`--of is one of ${Object.keys(CHARGES).join(', ')}`);
  const edition = await startEmbedded();
  const client = new Client(edition);
  try {
    const closesAt = await prepare(client, count, charges);
    // Fees in advance are billed at the start.
    const before = values.of === 'usage' ? count : 0;
    await until(client, before);
    if (Date.now() > closesAt.getTime()) throw new Error('the first invoices took longer than was thought: the run would not be of the closing alone');
    await sleep(closesAt.getTime() - Date.now());
    const [pid] = edition.pids();
    const [cpu, began] = [cpuOf(pid), performance.now()];
    await until(client, before + count);
    const seconds = (performance.now() - began) / 1_000;
    const { data: [invoice] } = await client.ask('/api/v1/billing/invoices?status=finalized&limit=1');
    const rate = count / seconds;
    process.stdout.write(`invoices of five lines of ${values.of}, from the closing: ${Math.round(rate)}/s (has to be at least ${floor}); ${count} in ${seconds.toFixed(1)} s, ${((cpuOf(pid) - cpu) * 1_000 / count).toFixed(2)} ms of CPU each, memory ${Math.round(pssMbOf(pid))} MB; lines ${invoice.lines.length}, taxed ${invoice.taxTotal}\n`);
    if (rate < floor) process.exitCode = 1;
  } finally {
    await edition.stop();
  }
}
