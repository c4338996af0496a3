import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClockStepped, InvoicePaid } from '@valueverse/contracts';
import { Database } from '@valueverse/event-log';
import { freePorts, systemClock } from '@valueverse/platform';
import { eventually } from '@valueverse/testing';
import { MASTER_KEY, PaymentsBed } from '../payments-bed.spec-kit';
import { chanceOf, type Fault } from '../providers/sandbox/sandbox-faults';
import { tokenOf } from '../providers/sandbox/sandbox-tokens';
import { Sandbox } from '../providers/sandbox/sandbox';
import { bookFaults, type Books } from './oracle.spec-kit';

const ROOT = join(__dirname, '../../../..');
const MAIN = 'apps/payment-service/dist/main.js';
const WORKERS = 2;
const CONNECTIONS = 4;
const CONVERGE_MS = 180_000;
/** More for each payment: they take their turns. */
const CONVERGE_MS_EACH = 60;
/** A look at all payments takes the database some microseconds for each of them. */
const LOOK_EVERY_MS = 200;
const PAYMENTS_PER_LOOK_MS = 10;
const PLANTED_CONVERGE_MS = 20_000;
const READY_MS = 60_000;
const PAUSE_MS = { min: 300, spread: 900 };
const REFUNDS_AT_ONCE = 20;
/** So many payments are given back by many at once while workers are killed, and a part of as many others at the provider's own page. */
const GIVEN_BACK = 3;
/** Every so many an invoice is paid in another way while its order is under way. */
const PAID_ELSEWHERE_EVERY = 10;
/** So many invoices later. */
const PAID_ELSEWHERE_LATER = 2;
const DAY_MS = 86_400_000;
const SECRET = 'whsec_of_the_storm_0123456789';
/** A customer whose bank asks for a confirmation, and who may never give one: the account is on a test clock, because that takes days. */
const ON_A_CLOCK = 'tok_requires_action';
const TOKENS = ['tok_ok', 'tok_ok', 'tok_dispute_after_1_day', 'tok_lost_reply', 'tok_ok_after_2', 'tok_pending_3_days', 'tok_declined_expired_card', 'tok_declined_insufficient_funds', ON_A_CLOCK];
const chance = (fault: Fault['fault'], part: number, more: Partial<Fault> = {}): Fault => ({ fault, chance: part, ...more });
/** For so many payments there is an account of each. */
const PAYMENTS_PER_ROUND = 1_000;
/** What goes wrong with the news of what happened; these go on until the end. */
const NEWS: readonly Fault[] = [
  chance('webhook_late', 0.1, { milliseconds: 400 }), chance('webhook_twice', 0.1), chance('webhook_permuted', 0.2), chance('webhook_dropped', 0.2), chance('webhook_other_account', 0.02), chance('webhook_other_version', 0.02), chance('webhook_unknown_type', 0.02),
  chance('webhook_wrong_secret', 0.03), chance('webhook_changed', 0.05),
];
/** Everything at once. */
const MIX: readonly Fault[] = [
  chance('fail_before', 0.04, { operation: 'charge' }), chance('fail_after', 0.04, { operation: 'any' }), chance('lose_request', 0.04, { operation: 'any' }), chance('lose_reply', 0.06, { operation: 'charge' }), chance('rate_limit', 0.04, { operation: 'any' }),
  chance('hang_after', 0.04, { operation: 'charge', milliseconds: 500 }), { fault: 'hang_before', operation: 'charge', times: 1 }, chance('decline', 0.04, { operation: 'charge', code: 'insufficient_funds' }), chance('processing', 0.04, { operation: 'charge', days: 2 }),
  chance('arrive_late', 0.06, { operation: 'charge', milliseconds: 1_000 }), chance('arrive_late', 0.1, { operation: 'refund', milliseconds: 1_000 }), chance('requires_action', 0.04, { operation: 'charge' }), chance('dispute', 0.06, { operation: 'charge', days: 1 }),
  chance('fail_after', 0.2, { operation: 'refund' }), chance('refund_fails_later', 0.05, { operation: 'refund', days: 1 }), ...NEWS,
];
class Refusal extends Error {}
const SERVER_FAULT = 500;
interface Account { readonly id: string; readonly clockId: string | undefined }
export interface StormOptions { readonly seed: number; readonly payments: number; readonly kills: number; readonly planted?: string }

/** Two payment services that are killed with -9 again and again, a provider with every fault, and both books in the end. */
export class PaymentStorm {
  private readonly workers: (ChildProcess | undefined)[] = [];
  private readonly folder = mkdtempSync(join(tmpdir(), 'vv-payment-storm-'));
  private said = '';
  private readonly began = performance.now();
  private sandboxUrl = '';
  /** What nobody confirms, and what was decided of the others. */
  private readonly unconfirmed = new Set<string>();
  /** Invoices that were paid in another way: they may have a payment or none. */
  private readonly elsewhere = new Set<string>();
  /** Test clocks, and how many days they have gone. */
  private readonly clocks: string[] = [];
  private readonly startedAt = systemClock.now();
  private days = 0;
  private constructor(private readonly options: StormOptions, private readonly bed: PaymentsBed, private readonly database: Database, private readonly sandbox: Sandbox, private readonly ports: readonly number[], private readonly who: { tenant: string; key: string }) {}

  /** Answers what is wrong in the end; nothing when all is well. */
  static async run(options: StormOptions): Promise<string[]> {
    const bed = await PaymentsBed.make();
    const database = new Database({ url: bed.url, schema: 'payments', connectionsMax: CONNECTIONS });
    const sandbox = new Sandbox(database, systemClock);
    sandbox.start();
    const storm = new PaymentStorm(options, bed, database, sandbox, await freePorts(WORKERS), await bed.tenantIn(database));
    try {
      return await storm.blow();
    } finally {
      await storm.end();
    }
  }

  private async blow(): Promise<string[]> {
    const { payments, kills, seed } = this.options;
    const { tenant } = this.who;
    this.sandboxUrl = await this.sandbox.url;
    for (let nth = 0; nth < WORKERS; nth++) this.startWorker(nth);
    await eventually('a worker to be ready', () => fetch(`http://127.0.0.1:${this.ports[0]!}/health/ready`).then(({ ok }) => ok || undefined, () => undefined), { timeoutMs: READY_MS });
    const accounts = await this.accounts();
    for (const fault of MIX) await this.sandbox.control(tenant, 'faults', { ...fault, seed });
    const now = this.startedAt;
    const amounts = Array.from({ length: payments }, (_, nth) => `${1 + Math.floor(chanceOf(seed, 'amount', nth) * 200)}.${String(nth % 100).padStart(2, '0')}`);
    const killing = this.killWorkers(0, Math.ceil(kills / 2));
    const invoices: string[] = [];
    for (const [nth, total] of amounts.entries()) {
      const account = accounts[nth % accounts.length]!;
      invoices.push(await this.bed.finalize(tenant, account.id, { total, at: now, times: nth % 10 === 0 ? 2 : 1, ...(account.clockId === undefined ? {} : { clockId: account.clockId }) }));
      if (nth % PAID_ELSEWHERE_EVERY === PAID_ELSEWHERE_LATER) await this.payElsewhere(invoices[nth - PAID_ELSEWHERE_LATER]!, accounts[(nth - PAID_ELSEWHERE_LATER) % accounts.length]!);
    }
    this.tell('all invoices are told');
    await killing;
    const wanted = invoices.length - this.elsewhere.size;
    // What is given back is given back while workers are killed.
    const asked = this.refundAtOnce();
    await Promise.all([this.killWorkers(Math.ceil(kills / 2), kills), asked]);
    await this.everyOrderIsSent(wanted);
    await eventually('what is late to have arrived', async () => (this.sandbox.late === 0 || undefined));
    await this.sandbox.control(tenant, 'faults/none', {});
    for (const fault of NEWS) await this.sandbox.control(tenant, 'faults', { ...fault, seed });
    this.tell('every order was sent, faults are over but for webhooks');
    await this.customersAct(true);
    const late = [...await this.converge(wanted)];
    this.tell('payments came to their ends, or their time is over');
    if (late.length === 0) late.push(...await this.disputesEnd(wanted));
    this.tell('disputes have ended, and were asked for');
    return [...late, ...bookFaults(await this.books(), await asked)];
  }

  /** Somebody else pays what is being collected: of that no order is sent again, and what arrives late is found. */
  private async payElsewhere(invoiceId: string, { clockId }: Account): Promise<void> {
    const paid: InvoicePaid = { type: 'InvoicePaid', invoiceId, paidAt: this.startedAt };
    this.elsewhere.add(invoiceId);
    await this.bed.say(this.who.tenant, `invoice-${invoiceId}`, paid, this.startedAt, clockId);
  }

  /** What customers do whose bank asks for them: confirm, refuse, or nothing at all where days go by. */
  private async customersAct(isFirst: boolean): Promise<void> {
    const { tenant } = this.who;
    const { rows } = await this.database.transaction({ role: 'worker' }, (tx) => tx.query<{ id: string; amount: string; token: string }>(
      `SELECT id, body::json->>'amount' AS amount, body::json->>'payment_method' AS token FROM sandbox_objects WHERE tenant = $1 AND kind = 'payment_intent' AND body::json->>'status' = 'requires_action'`, [tenant]));
    for (const { id, amount, token } of rows.filter((row) => !this.unconfirmed.has(row.id))) {
      const thrown = chanceOf(this.options.seed, 'customer', amount);
      if (isFirst && tokenOf(token) === ON_A_CLOCK && thrown > 0.7) this.unconfirmed.add(id);
      else await this.sandbox.control(tenant, `intents/${id}/${thrown < 0.5 ? 'complete' : 'fail'}`, {}, tokenOf(token) === ON_A_CLOCK ? this.clockNow : undefined);
    }
  }

  private get clockNow(): string { return new Date(Date.parse(this.startedAt) + this.days * DAY_MS).toISOString(); }
  /** A day goes by on the test clocks. */
  private async nextDay(): Promise<void> {
    this.days += 1;
    for (const clockId of this.clocks) await this.bed.say(this.who.tenant, `clock-${clockId}`, { type: 'ClockStepped', clockId, now: this.clockNow } as ClockStepped, this.clockNow, clockId);
  }

  /** Banks decide, and what there is of disputes is asked for by the polls: with webhooks that are lost nobody else tells. */
  private async disputesEnd(wanted: number): Promise<string[]> {
    const { tenant } = this.who;
    await this.poll();
    const { rows } = await this.database.transaction({ role: 'worker' }, (tx) => tx.query<{ id: string; amount: string }>(`SELECT id, body::json->>'amount' AS amount FROM sandbox_objects WHERE tenant = $1 AND kind = 'dispute' AND body::json->>'status' = 'needs_response' ORDER BY nth`, [tenant]));
    for (const { id, amount } of rows) {
      const thrown = chanceOf(this.options.seed, 'bank', amount);
      if (thrown < 0.7) await this.sandbox.control(tenant, `disputes/${id}/${thrown < 0.35 ? 'won' : 'lost'}`, {});
    }
    await this.poll();
    return this.converge(wanted);
  }

  /** All polls of what is new are due now; waits until each is followed by its next one, and all looks are done. */
  private async poll(): Promise<void> {
    const { tenant } = this.who;
    const before = await this.database.transaction({ role: 'worker' }, async (tx) => (await tx.query<{ id: string }>(`UPDATE jobs SET due_at = clock_timestamp(), not_before = clock_timestamp() WHERE tenant = $1 AND kind = 'payments.poll-changes' RETURNING id`, [tenant])).rows.map(({ id }) => id));
    await eventually('the polls to be through', async (saw) => {
      const { rows } = await this.database.transaction({ role: 'worker' }, (tx) => tx.query<{ id: string; kind: string; says: string | null }>(
        `SELECT id, kind, waits_for AS says FROM jobs WHERE tenant = $1 AND (id = ANY($2) OR kind = 'payments.look-at-dispute' OR kind = 'payments.look-at-refunds' AND due_at <= clock_timestamp())`, [tenant, before]));
      saw(rows);
      return rows.length === 0 || undefined;
    }, { timeoutMs: this.patienceMs, everyMs: this.lookEveryMs });
  }

  /** One account per token, each with its method; more of them where there are many payments, because no customer has thousands in a minute. */
  private async accounts(): Promise<Account[]> {
    const settings = await this.ask('PUT', '/api/v1/payments/providers/sandbox', { webhookSecrets: [SECRET] });
    await this.ask('POST', '/api/v1/payments/sandbox/endpoints', { url: `http://127.0.0.1:${this.ports[0]!}${String(settings['webhookPath'])}`, secret: SECRET });
    const ids: Account[] = [];
    for (const token of Array.from({ length: Math.ceil(this.options.payments / PAYMENTS_PER_ROUND) }, () => TOKENS).flat()) {
      // One for each: what falls due on a clock happens one after the other.
      const clockId = token === ON_A_CLOCK ? await this.bed.openClock(this.who.tenant, this.startedAt) : undefined;
      if (clockId !== undefined) this.clocks.push(clockId);
      const accountId = await this.bed.openAccount(this.who.tenant, systemClock.now(), clockId);
      await eventually('the method to be attached', () => this.ask('POST', '/api/v1/payments/methods', { accountId, provider: 'sandbox', token }).then(() => true, () => undefined), { timeoutMs: READY_MS });
      ids.push({ id: accountId, clockId });
    }
    return ids;
  }

  private async killWorkers(from: number, to: number): Promise<void> {
    for (let nth = from; nth < to; nth++) {
      await new Promise((resolve) => { setTimeout(resolve, PAUSE_MS.min + chanceOf(this.options.seed, 'pause', nth) * PAUSE_MS.spread); });
      const at = Math.floor(chanceOf(this.options.seed, 'worker', nth) * WORKERS);
      this.workers[at]?.kill('SIGKILL');
      this.startWorker(at);
    }
  }

  /** A storm that takes minutes says where it is. */
  private tell(what: string): void {
    if (this.options.payments >= PAYMENTS_PER_ROUND) process.stderr.write(`  seed ${this.options.seed}, ${Math.round((performance.now() - this.began) / 1_000)} s: ${what}\n`);
  }

  private get patienceMs(): number { return CONVERGE_MS + this.options.payments * CONVERGE_MS_EACH; }
  private get lookEveryMs(): number { return Math.max(LOOK_EVERY_MS, this.options.payments / PAYMENTS_PER_LOOK_MS); }

  /** Faults go on until each payment has met them. */
  private everyOrderIsSent(wanted: number): Promise<unknown> {
    return eventually('every order to be sent once', async (saw) => {
      const { rows: [row] } = await this.database.transaction({ role: 'worker' }, (tx) => tx.query<{ sent: bigint }>(
        `SELECT (SELECT count(*) FROM payments WHERE tenant = $1 AND json_array_length(row->'attempts') > 0 AND invoice_id <> ALL($2)) - (SELECT count(*) FROM jobs WHERE tenant = $1 AND kind = 'payments.run-attempt' AND attempt = 0) AS sent`, [this.who.tenant, [...this.elsewhere]]));
      saw(row);
      return Number(row!.sent) >= wanted || undefined;
    }, { timeoutMs: this.patienceMs, everyMs: this.lookEveryMs });
  }

  /** Time goes by, until nothing is due any more; what is not over by then is a fault. */
  private async converge(wanted: number): Promise<string[]> {
    const { tenant } = this.who;
    return eventually<string[]>('every payment to come to its end', async (saw) => {
      await this.nextDay();
      await this.customersAct(false);
      const state = await this.database.transaction({ role: 'worker' }, async (tx) => {
        // As when leases of the killed are over, and days have passed: those of a test clock pass there.
        await tx.query(`UPDATE jobs SET due_at = CASE WHEN clock IS NULL THEN clock_timestamp() ELSE due_at END, not_before = LEAST(not_before, clock_timestamp() + interval '1 second')
          WHERE tenant = $1 AND (due_at > clock_timestamp() OR clock IS NOT NULL) AND kind NOT LIKE 'payments.poll-%'`, [tenant]);
        await tx.query('UPDATE sandbox_objects SET settles_at = clock_timestamp() WHERE tenant = $1 AND settles_at > clock_timestamp()', [tenant]);
        const { rows: statuses } = await tx.query<{ status: string; count: bigint; wanted: bigint }>('SELECT status, count(*), count(*) FILTER (WHERE invoice_id <> ALL($2)) AS wanted FROM payments WHERE tenant = $1 GROUP BY status ORDER BY 1', [tenant, [...this.elsewhere]]);
        // A card ends years later.
        const { rows: jobs } = await tx.query<{ kind: string; count: bigint; says: string }>(`SELECT kind, count(*), min(waits_for) AS says FROM jobs WHERE tenant = $1 AND kind NOT LIKE 'payments.poll-%' AND (clock IS NULL OR due_at < $2::timestamptz + interval '1 year') GROUP BY kind`, [tenant, this.clockNow]);
        return { statuses, jobs };
      });
      saw({ ...state, said: this.said.slice(-2_000) });
      const over = state.statuses.reduce((sum, one) => sum + Number(one.wanted), 0);
      return (over === wanted && state.statuses.every(({ status }) => ['succeeded', 'failed', 'cancelled'].includes(status)) && state.jobs.length === 0) ? [] : undefined;
    }, { timeoutMs: this.options.planted === undefined ? this.patienceMs : PLANTED_CONVERGE_MS, everyMs: this.lookEveryMs }).catch((error: unknown) => [(error as Error).message]);
  }

  /** Twenty refunds of one payment at once, of some payments, and of others a part at the provider's own page: answers what was granted of what. */
  private async refundAtOnce(): Promise<readonly { readonly paid: string; readonly granted: readonly string[] }[]> {
    const paid = await eventually('payments to be given back', async () => {
      const { data } = await this.askUntil('GET', `/api/v1/payments?status=succeeded&limit=${2 * GIVEN_BACK}`) as { data: { id: string; amount: string; attempts: { amount?: string; providerReference?: string }[] }[] };
      return data.length === 2 * GIVEN_BACK ? data : undefined;
    }, { timeoutMs: this.patienceMs, everyMs: this.lookEveryMs });
    for (const { attempts } of paid.slice(GIVEN_BACK)) {
      const { amount, providerReference } = attempts.find((one) => one.amount !== undefined)!;
      await this.sandbox.control(this.who.tenant, `intents/${providerReference!}/refund`, { amount: String(Math.floor((Number(amount) * 100) / 3)) });
    }
    return Promise.all(paid.slice(0, GIVEN_BACK).map(async ({ id, amount }) => {
      const part = (Number(amount) / 3).toFixed(2);
      const answers = await Promise.all(Array.from({ length: REFUNDS_AT_ONCE }, (_, nth) => this.askUntil('POST', `/api/v1/payments/${id}/refunds`, { amount: part, reason: 'storm' }, `${id}-${nth}`).then((body) => [String(body['amount'])], () => [])));
      return { paid: amount, granted: answers.flat() };
    }));
  }
  /** Asks whichever worker lives, under one key, until there is an answer. Throws what is refused. */
  private async askUntil(...[method, path, body, key]: Parameters<PaymentStorm['ask']>): Promise<Record<string, unknown>> {
    let asked = 0;
    const answer = await eventually(`an answer to ${method} ${path}`, () => this.ask(method, path, body, key, this.ports[(asked += 1) % WORKERS]).catch((error: unknown) => (error instanceof Refusal ? error : undefined)), { timeoutMs: READY_MS, everyMs: LOOK_EVERY_MS });
    if (answer instanceof Refusal) throw answer;
    return answer;
  }

  private books(): Promise<Books> {
    const { tenant } = this.who;
    return this.database.transaction({ role: 'worker', readOnly: true }, async (tx) => ({
      payments: (await tx.query<{ row: Books['payments'][number] }>('SELECT row FROM payments WHERE tenant = $1', [tenant])).rows.map(({ row }) => row),
      disputes: (await tx.query<{ row: Books['disputes'][number] }>('SELECT row FROM payment_disputes WHERE tenant = $1', [tenant])).rows.map(({ row }) => row),
      objects: (await tx.query<{ body: string }>('SELECT body FROM sandbox_objects WHERE tenant = $1', [tenant])).rows.map(({ body }) => JSON.parse(body) as Books['objects'][number]),
      webhooks: (await tx.query<{ body: string }>('SELECT body FROM webhook_inbox WHERE tenant = $1', [tenant])).rows.map(({ body }) => body),
    }));
  }

  private async ask(method: 'GET' | 'POST' | 'PUT', path: string, body?: object, key = `${path}-${JSON.stringify(body)}`.replaceAll(/[^\w]/g, '-').slice(0, 200), port = this.ports[0]!): Promise<Record<string, unknown>> {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers: { authorization: `Bearer ${this.who.key}`, 'idempotency-key': key, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const text = await answer.text();
    if (!answer.ok) throw answer.status < SERVER_FAULT ? new Refusal(`${path}: ${answer.status} ${text}`) : new Error(`${path}: ${answer.status} ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  }

  private startWorker(nth: number): void {
    const patch = this.options.planted === undefined ? [] : ['--require', join(__dirname, 'planted', `${this.options.planted}.cjs`)];
    const child = spawn(process.execPath, ['--require', join(__dirname, 'end-with-parent.cjs'), ...patch, join(ROOT, MAIN)], { cwd: ROOT, stdio: ['pipe', 'pipe', 'pipe'], env: {
      PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '', PORT: String(this.ports[nth]), DATABASE_URL: this.bed.url, FEED: 'postgres', FEED_DATABASE_URL: this.bed.url, VV_MASTER_KEY: MASTER_KEY.toString('base64'),
      VV_OPERATOR_TOKEN: 'operator-token-of-the-storm', VV_SERVICE_TOKEN: 'service-token-of-the-storm', VV_ANCHOR_FILE: join(this.folder, `anchors-${nth}.jsonl`), LOG_LEVEL: 'error', SANDBOX_URL: this.sandboxUrl, DRAIN_MS: '0',
    } });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => { this.said = (this.said + chunk.toString()).slice(-20_000); });
    this.workers[nth] = child;
  }
  private async end(): Promise<void> {
    for (const worker of this.workers) worker?.kill('SIGKILL');
    await this.sandbox.stop();
    await this.database.close();
    await this.bed.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
