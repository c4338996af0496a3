import { createHmac } from 'node:crypto';
import { type Database, Loop } from '@valueverse/event-log';
import type { Endpoint, SandboxBook } from './sandbox-book';
import { chanceOf, type Dice, faultsOf, WEBHOOK_FAULTS, type ArmedFault } from './sandbox-faults';
import { STRIPE_VERSION } from '../stripe/stripe-version';

const AT_ONCE = 16;
const POLL_MS = 200;
const ERROR_PAUSE_MS = 500;
const ANSWER_MS = 5_000;
/** As the real one: a delivery is tried again with growing pauses, and given up in the end. */
const RETRY_FIRST_MS = 250;
const ATTEMPTS_MAX = 12;
const LEASE_MS = 10_000;
const PERMUTED_MS = 400;
const LATE_MS = 1_000;
/** Of a delivery that is not what it says. */
const OTHER = { version: '2020-08-27', account: 'acct_of_somebody_else', type: 'sandbox.unheard_of', secret: 'whsec_of_somebody_else' } as const;

/** Stripe's header: the instant, and a signature of it and the body for each secret. */
export const signatureOf = (body: string, secrets: readonly string[], seconds: number): string =>
  [`t=${seconds}`, ...secrets.map((secret) => `v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`)].join(',');

/** Nothing but an endpoint for webhooks of ours is sent to: whoever may name an address here could else have any server that we reach asked for anything. */
const ENDPOINT = /^\/api\/v1\/payments\/webhooks\/[\w-]{1,64}\/whe_[0-9a-z]{26}$/;
export const isEndpoint = (url: string): boolean => {
  if (!URL.canParse(url)) return false;
  const { protocol, pathname, username, password, search, hash } = new URL(url);
  return (protocol === 'http:' || protocol === 'https:') && ENDPOINT.test(pathname) && username + password + search + hash === '';
};

interface Delivery { readonly id: string; readonly tenant: string; readonly body: string; readonly faults: string; readonly attempt: number; readonly url: string; readonly secrets: string }

/** Writes what is to be delivered, in the transaction of what happened: late, twice or not at all where faults say so. */
export const announce = async (book: SandboxBook, armed: readonly ArmedFault[] = [], dice?: Dice): Promise<number> => {
  const endpoints = book.events.length === 0 ? [] : await book.endpoints();
  if (endpoints.length === 0) return 0;
  const rows = book.events.flatMap(({ type, object }) => {
    const id = book.id('evt');
    const name = `${type} ${'amount' in object ? object.amount : ''}`;
    const nth = dice?.nth(`${book.tenant} ${name}`) ?? 1;
    const faults = faultsOf(armed, { operation: 'any', name, nth }).filter(({ fault }) => (WEBHOOK_FAULTS as readonly string[]).includes(fault));
    const has = (name: ArmedFault['fault']): ArmedFault | undefined => faults.find(({ fault }) => fault === name);
    if (has('webhook_dropped') !== undefined) return [];
    const event = {
      id, object: 'event', api_version: has('webhook_other_version') === undefined ? STRIPE_VERSION : OTHER.version, created: book.seconds, livemode: false, pending_webhooks: 1, request: { id: null, idempotency_key: null },
      type: has('webhook_unknown_type') === undefined ? type : OTHER.type, account: has('webhook_other_account') === undefined ? book.tenant : OTHER.account, data: { object },
    };
    const permuted = has('webhook_permuted');
    const lateMs = (has('webhook_late') === undefined ? 0 : has('webhook_late')!.milliseconds ?? LATE_MS) + (permuted === undefined ? 0 : chanceOf(permuted.seed ?? 0, 'order', name, nth) * (permuted.milliseconds ?? PERMUTED_MS));
    const marks = faults.map(({ fault }) => fault).join(',');
    return endpoints.flatMap((endpoint) => Array.from({ length: has('webhook_twice') === undefined ? 1 : 2 }, (_, copy) => ({ id: `${id}:${endpoint.id}:${copy}`, endpoint: endpoint.id, body: JSON.stringify(event), marks, lateMs: Math.round(lateMs) })));
  });
  await book.tx.query(
    `INSERT INTO sandbox_deliveries (tenant, id, endpoint, body, faults, due_at) SELECT $1::text, d.id, d.endpoint, d.body, d.faults, clock_timestamp() + d.late * interval '1 ms'
     FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::int[]) AS d(id, endpoint, body, faults, late)`,
    [book.tenant, rows.map(({ id }) => id), rows.map(({ endpoint }) => endpoint), rows.map(({ body }) => body), rows.map(({ marks }) => marks), rows.map(({ lateMs }) => lateMs)]);
  return rows.length;
};

/** Sends what is to be delivered; any number of them work on one table. */
export class SandboxWebhooks {
  private readonly loop = new Loop(() => this.turn(), () => ERROR_PAUSE_MS);
  constructor(private readonly database: Database, private readonly wallClock: () => string) {}

  start(): void { this.loop.start(); }
  wake(): void { this.loop.wake(); }
  stop(): Promise<void> { return this.loop.stop(); }

  private async turn(): Promise<number> {
    const taken = await this.database.transaction({ role: 'worker' }, async (tx) => (await tx.query<Delivery>(
      `WITH due AS (SELECT tenant, id FROM sandbox_deliveries WHERE due_at <= clock_timestamp() ORDER BY due_at, nth LIMIT $1 FOR UPDATE SKIP LOCKED)
       UPDATE sandbox_deliveries d SET due_at = clock_timestamp() + $2 * interval '1 ms', attempt = attempt + 1 FROM due, sandbox_endpoints e
       WHERE d.tenant = due.tenant AND d.id = due.id AND e.tenant = d.tenant AND e.id = d.endpoint RETURNING d.id, d.tenant, d.body, d.faults, d.attempt, e.url, e.secrets`, [AT_ONCE, LEASE_MS])).rows);
    await Promise.all(taken.map((delivery) => this.deliver(delivery)));
    return taken.length === 0 ? POLL_MS : 0;
  }

  private async deliver(delivery: Delivery): Promise<void> {
    const { tenant, id, body, faults, attempt, url } = delivery;
    const secrets = faults.includes('webhook_wrong_secret') ? [OTHER.secret] : JSON.parse(delivery.secrets) as Endpoint['secrets'];
    const headers = { 'content-type': 'application/json', 'stripe-signature': signatureOf(body, secrets, Math.floor(Date.parse(this.wallClock()) / 1_000)) };
    const sent = faults.includes('webhook_changed') ? `${body} ` : body;
    const status = await fetch(url, { method: 'POST', redirect: 'manual', headers, body: sent, signal: AbortSignal.timeout(ANSWER_MS) }).then((answer) => answer.arrayBuffer().then(() => answer.status), () => 0);
    const isOver = (status >= 200 && status < 300) || attempt >= ATTEMPTS_MAX;
    await this.database.transaction({ role: 'worker' }, (tx) => isOver
      ? tx.query('DELETE FROM sandbox_deliveries WHERE tenant = $1 AND id = $2', [tenant, id])
      : tx.query(`UPDATE sandbox_deliveries SET due_at = clock_timestamp() + $3 * interval '1 ms' WHERE tenant = $1 AND id = $2`, [tenant, id, RETRY_FIRST_MS * 2 ** attempt]));
  }
}
