// An edition whose subscriptions all close at one instant, made through its interface, with a database of its own that can be looked into.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { rmSync } from 'node:fs';
import { cpuSecondsOf } from './cpu.mjs';
import { ownMbOf } from './edition.mjs';
import { scratchFolder } from './scratch-folder.mjs';
import { startEmbedded } from './usage/end-to-end.mjs';

const require = createRequire(import.meta.url);
const pg = require('pg');
const { startEmbeddedPostgres } = require('@valueverse/platform');

const CREATED_PER_SECOND_AT_LEAST = 90;
const CONNECTIONS = 24;
const SUBSCRIPTIONS_PER_ACCOUNT = 10;
const LINES = 5;
/** So many go on one invoice of several subscriptions. */
const LINES_TOGETHER = 2_500;
const LOOK_EVERY_MS = 500;
const LOOKS_WITHOUT_MAX = 120;
/** To look at the memory of all processes takes a twentieth of a core, where it is done at each look. */
const LOOKS_PER_SAMPLE = 4;
export const sleep = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

export const CHARGES = {
  usage: [
    { key: 'base', name: 'Base', type: 'recurring', timing: 'in_advance', price: { model: 'flat', amount: '9.00' } },
    { key: 'seats', name: 'Seats', type: 'recurring', timing: 'in_advance', price: { model: 'per_unit', unitAmount: '4.99' }, quantity: '3' },
    { key: 'calls', name: 'Calls', type: 'usage', meterKey: 'calls', price: { model: 'graduated', tiers: [{ upTo: '100', unitAmount: '0.01' }, { unitAmount: '0.005' }] } },
    { key: 'bytes', name: 'Bytes', type: 'usage', meterKey: 'bytes', price: { model: 'volume', tiers: [{ upTo: '1000', unitAmount: '0.001' }, { unitAmount: '0.0005' }] } },
    { key: 'jobs', name: 'Jobs', type: 'usage', meterKey: 'jobs', price: { model: 'package', packageSize: '10', packageAmount: '0.50' } },
  ],
  fees: ['base', 'seats', 'support', 'storage', 'line'].map((key, nth) => ({ key, name: key, type: 'recurring', timing: 'in_arrears', price: { model: 'per_unit', unitAmount: `${nth + 1}.99` }, quantity: String(nth + 1) })),
};

class Client {
  constructor({ url, secretKey }) { this.url = url; this.key = secretKey; }
  async ask(path, body, method = body === undefined ? 'GET' : 'POST') {
    const response = await fetch(this.url + path, { method, headers: { authorization: `Bearer ${this.key}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const answer = await response.json();
    if (response.status === 503 || response.status === 429) { await sleep(200); return this.ask(path, body, method); }
    if (response.status > 299) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  }
}

/** Calls `work` for 0 to count - 1, so many at a time. */
export const each = async (count, work) => {
  let next = 0;
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => { while (next < count) await work(next++); }));
};

/** A meter for each kind of usage, a plan of a day, tax, and subscriptions of accounts: so many as `giant` says belong to the same one, which has them together on invoices where it `consolidates`. Answers when they close. */
const prepare = async (client, { count, charges, giant = 0, consolidates = false }) => {
  await client.ask('/api/v1/billing/settings', { gracePeriod: 'PT0S' }, 'PUT');
  await client.ask('/api/v1/billing/tax-rates', { key: 'vat', name: 'VAT', rate: '19', jurisdiction: { country: 'DE' } });
  for (const key of ['calls', 'bytes', 'jobs']) await client.ask('/api/v1/usage/meters', { key, eventType: key, aggregation: 'count' });
  await client.ask('/api/v1/billing/plans', { key: 'bench', name: 'Bench', currency: 'EUR', interval: { unit: 'day', count: 1 }, charges });
  const closesAt = new Date(Math.ceil((Date.now() + (count / CREATED_PER_SECOND_AT_LEAST) * 1_000 + 15_000) / 1_000) * 1_000);
  const startsAt = new Date(closesAt.getTime() - 86_400_000).toISOString();
  const accounts = [];
  await each(Math.ceil((count - giant) / SUBSCRIPTIONS_PER_ACCOUNT) + 1, async (nth) => {
    accounts[nth] = (await client.ask('/api/v1/billing/accounts', { name: `Customer ${nth}`, currency: 'EUR', timezone: 'UTC', address: { country: 'DE' }, openedAt: startsAt, ...(nth === 0 ? { consolidate: consolidates } : {}) })).id;
  });
  const [largest, ...others] = accounts;
  // In turns, so that neither is in front.
  const began = performance.now();
  await each(count, async (nth) => {
    const accountId = nth < giant * 2 && nth % 2 === 0 ? largest : others[nth % others.length];
    await client.ask('/api/v1/billing/subscriptions', { accountId, planKey: 'bench', startsAt, subjects: [`s-${nth}`] });
  });
  process.stderr.write(`      ${count} subscriptions made, ${Math.round(count / ((performance.now() - began) / 1_000))}/s\n`);
  // The others have the odd ones alone where there is a giant.
  return { closesAt, largest, other: others[1] };
};

/** How many invoices have a number. To ask for the metrics would cost as much as a dozen invoices. */
const numbered = async (database) => Number((await database.query('SELECT coalesce(sum(last), 0) AS count FROM billing.number_series')).rows[0].count);

const until = async (database, wanted, onLook = () => undefined) => {
  for (let last = -1, still = 0; ;) {
    const now = await numbered(database);
    onLook(now);
    if (now >= wanted) return;
    still = now === last ? still + 1 : 0;
    if (still > LOOKS_WITHOUT_MAX) throw new Error(`${now} of ${wanted} invoices are issued and no further one for a minute`);
    last = now;
    await sleep(LOOK_EVERY_MS);
  }
};

const SERVICES = ['usage', 'billing', 'payments', 'notifications'];
/** In how many partitions facts of billing are not passed on yet, or not read by each of its readers. */
const UNTOLD_SQL = `SELECT (SELECT count(*) FROM billing.heads h JOIN billing.relay_partitions r USING (partition) WHERE r.position < h.position)
  + (SELECT count(*) FROM feed.ends e JOIN (${SERVICES.map((name) => `SELECT topic, partition, next_offset FROM ${name}.checkpoints`).join(' UNION ALL ')}) c USING (topic, partition) WHERE e.topic LIKE 'billing.%' AND c.next_offset < e.next_offset) AS count`;
const told = async (database) => {
  while (Number((await database.query(UNTOLD_SQL)).rows[0].count) > 0) await sleep(LOOK_EVERY_MS / 5);
};

/** A whole edition on a PostgreSQL of its own, for as long as `work` takes. `preload` is a module that its process loads first. */
export async function withEdition(work, preload) {
  const folder = scratchFolder('bench');
  const server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') });
  // The edition has the environment of this process.
  Object.assign(process.env, { DATABASE_URL: server.url, ...(preload === undefined ? {} : { NODE_OPTIONS: `--require ${preload}` }) });
  const edition = await startEmbedded().finally(() => { delete process.env.DATABASE_URL; delete process.env.NODE_OPTIONS; });
  const database = new pg.Client({ connectionString: server.url });
  await database.connect();
  const pids = [...edition.pids(), server.pid];
  const megabytes = () => pids.reduce((sum, pid) => sum + ownMbOf(pid), 0);
  try {
    return await work({ edition: { ...edition, databaseUrl: server.url }, database, client: new Client(edition), cpu: () => cpuSecondsOf(pids), megabytes });
  } finally {
    await database.end();
    await edition.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One run from the closing until the last invoice is numbered, or was told to all services; `samples` are how many there were, and how much memory was had. */
export async function runOf({ client, database, cpu, megabytes }, { count, of, giant = 0, consolidates = false, isTold = false }) {
  const { closesAt, largest, other } = await prepare(client, { count, giant, consolidates, charges: CHARGES[of] });
  const issued = consolidates ? count - giant + Math.ceil((giant * LINES) / LINES_TOGETHER) : count;
  // Fees in advance are billed at the start.
  const before = of === 'usage' ? count : 0;
  await until(database, before);
  if (Date.now() > closesAt.getTime()) throw new Error('the first invoices took longer than was thought: the run would not be of the closing alone');
  await sleep(closesAt.getTime() - Date.now());
  const [cpuBefore, began, samples] = [cpu(), performance.now(), []];
  let looks = 0;
  const sample = (now) => samples.push({ invoices: now - before, megabytes: megabytes() });
  await until(database, before + issued, (now) => { if (looks++ % LOOKS_PER_SAMPLE === 0) sample(now); });
  if (isTold) await told(database);
  const seconds = (performance.now() - began) / 1_000;
  const cpuMs = ((cpu() - cpuBefore) * 1_000) / count;
  sample(before + count);
  const { data: [invoice] } = await client.ask(`/api/v1/billing/invoices?status=finalized&limit=1&accountId=${other}`);
  if (invoice.lines.length !== LINES || Number(invoice.taxTotal) <= 0) throw new Error(`an invoice of five lines with tax was expected, not of ${invoice.lines.length} with ${invoice.taxTotal}`);
  return { seconds, perSecond: count / seconds, cpuMs, samples, closesAt, largest };
}
