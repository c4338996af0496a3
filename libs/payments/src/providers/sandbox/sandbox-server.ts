import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '@valueverse/kernel';
import type { Database, Tx } from '@valueverse/event-log';
import { CONTROLS, type Route, ROUTES } from './sandbox-api';
import { SandboxBook } from './sandbox-book';
import { type ArmedFault, Dice, faultsOf, type RequestFault } from './sandbox-faults';
import { type Fields, readForm, textOf, textsOf } from './sandbox-form';
import { SandboxMoney } from './sandbox-money';
import { WireError } from './sandbox-objects';
import { payPage } from './sandbox-page';
import { portalPage } from './sandbox-portal-page';
import { setupPage } from './sandbox-setup-page';
import { behaviourOf, tokenOf } from './sandbox-tokens';
import { announce, SandboxWebhooks } from './sandbox-webhooks';

/** Whoever shows such a key speaks for the account that it names: a sandbox keeps no secrets. */
const KEY_PREFIX = 'sk_sandbox_';
export const sandboxKeyOf = (tenant: string): string => `${KEY_PREFIX}${Buffer.from(tenant).toString('base64url')}`;
/** What `now` is for this request, where its clock is not the wall's. */
export const NOW_HEADER = 'sandbox-now';

const BODY_BYTES_MAX = 262_144;
/** After this time a key may be used again, as with Stripe. */
const KEY_HOURS = 24;
const RACES_MAX = 5;
/** After how long an order arrives that is late, where nothing is said, and at most: whoever gives one up looks for it once more after that. */
const ARRIVES_AFTER_MS = 1_500;
const ARRIVES_WITHIN_MS = 300_000;
const TOO_MANY = 429;
const SERVER_FAULT = 500;
const SUCCESS = 200;
/** A fault of the token itself: it strikes where the charge was made. What failed is told, also when it is asked for again. */
const OWN = 'own';
const BEGUN: readonly RequestFault[] = ['fail_before', 'fail_after'];

interface Answer { readonly status: number; readonly body: string; readonly replayed?: boolean }
interface Reply extends Answer { readonly faults: readonly ArmedFault[] }
interface Request { readonly method: string; readonly path: string; readonly tenant: string; readonly now: string; readonly key: string | undefined; readonly fields: Fields; readonly fingerprint: string; /** Faults have struck it already. */ readonly isSpared?: boolean }
class KeyRaced extends Error {}

const wireBody = (error: WireError): string => JSON.stringify({ error: error.error });
const apiError = new WireError(SERVER_FAULT, { type: 'api_error', message: 'An unknown error occurred' });

/** A payment provider on a socket of its own: it keeps a true book of money, and fails as real ones do where it is told to. Binds to loopback unless an address is given. */
export class SandboxServer {
  private readonly server: Server;
  private readonly webhooks: SandboxWebhooks;
  private readonly dice = new Dice();
  private readonly onTheirWay = new Set<NodeJS.Timeout>();
  private address = '';

  constructor(private readonly database: Database, private readonly clock: Clock) {
    this.webhooks = new SandboxWebhooks(database, () => clock.now());
    this.server = createServer((request, response) => { this.serve(request, response).catch(() => { if (!response.headersSent) response.writeHead(SERVER_FAULT); response.end(); }); });
  }

  get url(): string { return this.address; }
  /** How many orders have yet to arrive. */
  get late(): number { return this.onTheirWay.size; }
  async start(port = 0, host = '127.0.0.1'): Promise<string> {
    await new Promise<void>((resolve, reject) => { this.server.once('error', reject).listen(port, host, () => resolve()); });
    this.address = `http://${host}:${(this.server.address() as AddressInfo).port}`;
    this.webhooks.start();
    return this.address;
  }
  async stop(): Promise<void> {
    await this.webhooks.stop();
    for (const one of this.onTheirWay) clearTimeout(one);
    this.onTheirWay.clear();
    if (!this.server.listening) return;
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => { this.server.close(() => resolve()); });
  }

  private async serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(message.url ?? '/', 'http://sandbox');
    if (pathname.startsWith('/pay/')) { await payPage(this.database, this.clock, message, response); return; }
    if (pathname.startsWith('/setup/')) { await setupPage(this.database, this.clock, message, response); return; }
    if (pathname.startsWith('/portal/')) { await portalPage(this.database, this.clock, message, response); return; }
    const body = await bodyOf(message);
    const authorization = message.headers.authorization ?? '';
    if (!authorization.startsWith(`Bearer ${KEY_PREFIX}`)) { send(response, { status: 401, body: wireBody(new WireError(401, { type: 'invalid_request_error', message: 'Invalid API Key provided' })) }); return; }
    const told = message.headers[NOW_HEADER];
    const request: Request = {
      method: message.method ?? 'GET', path: pathname, tenant: Buffer.from(authorization.slice(`Bearer ${KEY_PREFIX}`.length), 'base64url').toString(), now: typeof told === 'string' ? told : this.clock.now(),
      key: message.method === 'POST' ? message.headers['idempotency-key'] as string | undefined : undefined, fields: fieldsOfBody(message, body, searchParams),
      fingerprint: createHash('sha256').update(`${pathname}\n${body}`).digest('base64url'),
    };
    const reply = await this.answered(request);
    const late = reply.faults.find(({ fault }) => fault === 'arrive_late');
    if (late !== undefined) this.arriveLate(request, late.milliseconds ?? ARRIVES_AFTER_MS);
    await this.reply(response, reply);
  }

  /** Somewhere on its way a request is held back: nobody waits for its answer any more, and it is carried out all the same. */
  private arriveLate(request: Request, afterMs: number): void {
    const timer = setTimeout(() => {
      this.answered({ ...request, isSpared: true }).catch(() => undefined).finally(() => this.onTheirWay.delete(timer));
    }, Math.min(afterMs, ARRIVES_WITHIN_MS));
    this.onTheirWay.add(timer);
  }

  /** Faults that strike after the work is done: answers that are late, or never come. */
  private async reply(response: ServerResponse, { faults, ...answer }: Reply): Promise<void> {
    const has = (name: RequestFault): ArmedFault | undefined => faults.find(({ fault }) => fault === name);
    if (has('lose_reply') ?? has('lose_request') ?? has('arrive_late')) { response.destroy(); return; }
    const hang = has('hang_after') ?? has('hang_before');
    // Without a time it hangs until the client gives up.
    if (hang !== undefined && hang.milliseconds === undefined) return;
    if (hang !== undefined) await new Promise((resolve) => { setTimeout(resolve, hang.milliseconds); });
    send(response, answer);
  }

  private async answered(request: Request): Promise<Reply> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.database.transaction({ role: 'api', tenant: request.tenant }, (tx) => this.within(tx, request));
      } catch (error) {
        if (error instanceof WireError) return { status: error.status, body: wireBody(error), faults: [] };
        if (!(error instanceof KeyRaced) || attempt === RACES_MAX) throw error;
      }
    }
  }

  private async within(tx: Tx, request: Request): Promise<Reply> {
    const { tenant, key, fingerprint, fields, path, method } = request;
    const book = new SandboxBook(tx, tenant, request.now);
    const money = new SandboxMoney(book);
    const { faults: armed, isDue } = await book.standing();
    // Whoever asks what there is from an instant on has nothing fall due that is due before it: that may be on a test clock, which is elsewhere.
    const since = Number(textsOf(fields, 'created')['gte']);
    if (isDue) await money.settle(Number.isNaN(since) ? undefined : since);
    const control = CONTROLS.find((route) => route.path.test(path) && route.method === method);
    const route = control ?? ROUTES.find((one) => one.path.test(path) && one.method === method);
    if (route === undefined) throw new WireError(404, { type: 'invalid_request_error', message: `Unrecognized request URL (${method}: ${path})` });
    const token = textOf(fields, 'payment_method');
    const faults = control === undefined && request.isSpared !== true ? await this.strike(book, armed, request, route, token) : [];
    const has = (name: RequestFault): boolean => faults.some(({ fault }) => fault === name);
    if (has('rate_limit')) return { status: TOO_MANY, body: wireBody(new WireError(TOO_MANY, { type: 'invalid_request_error', code: 'rate_limit', message: 'Too many requests' })), faults: [] };
    if (has('lose_request') || has('hang_before') || has('arrive_late')) return { status: SERVER_FAULT, body: '', faults };
    const stored = key === undefined ? undefined : await storedUnder(tx, tenant, key, fingerprint, request.now);
    if (stored !== undefined) return { ...stored, faults: faults.filter(({ fault, id: one }) => !BEGUN.includes(fault as RequestFault) && (one !== OWN || stored.status === SUCCESS)) };
    const id = route.path.exec(path)![1] ?? '';
    const came = has('fail_before') ? apiError : await route.run({ book, money, fields, id, key, url: this.address, faults });
    const answer: Answer = came instanceof WireError ? { status: came.status, body: wireBody(came) } : { status: SUCCESS, body: JSON.stringify(came) };
    const said = has('fail_after') ? { status: SERVER_FAULT, body: wireBody(apiError) } : answer;
    if (key !== undefined) await keep(tx, request, key, said);
    if (await announce(book, armed, this.dice) > 0) tx.afterCommit(() => this.webhooks.wake());
    return { ...said, faults: said.status === SUCCESS ? faults : faults.filter(({ id: fault }) => fault !== OWN) };
  }

  private async strike(book: SandboxBook, armed: readonly ArmedFault[], { tenant, fields }: Request, { operation, path }: Route, token: string | undefined): Promise<readonly ArmedFault[]> {
    const own = token === undefined || operation !== 'charge' ? undefined : behaviourOf(token);
    const ofToken: ArmedFault[] = [
      ...(own?.losesReply === true ? [{ id: OWN, fault: 'lose_reply' as const }] : []), ...(own?.answersAfterMs === undefined ? [] : [{ id: OWN, fault: 'hang_after' as const, milliseconds: own.answersAfterMs }]),
    ];
    if (armed.length === 0) return ofToken;
    // What an order is about, without any id: a seed makes the same faults again.
    const name = [path.source, token === undefined ? token : tokenOf(token), textOf(fields, 'amount'), textOf(fields, 'currency')].join(' ');
    const nth = this.dice.nth(`${tenant} ${name}`);
    const hit: ArmedFault[] = [];
    for (const one of faultsOf(armed, { operation, token, name, nth })) if (!one.fault.startsWith('webhook') && await book.spend(one)) hit.push(one);
    return [...ofToken, ...hit];
  }
}

/** What was answered to a key before; the same key with another order is an error, and so is one that is still at work. */
const storedUnder = async (tx: Tx, tenant: string, key: string, fingerprint: string, now: string): Promise<Answer | undefined> => {
  const { rows: [row] } = await tx.query<{ free: boolean; stored: string | null }>(
    `SELECT pg_try_advisory_xact_lock(hashtextextended($3, 0)) AS free,
       (SELECT json_build_array(fingerprint, status, body)::text FROM sandbox_requests WHERE tenant = $1 AND key = $2 AND at > $4::timestamptz - $5 * interval '1 hour') AS stored`,
    [tenant, key, JSON.stringify(['sandbox', tenant, key]), now, KEY_HOURS]);
  if (row?.free !== true) throw new WireError(409, { type: 'idempotency_error', code: 'idempotency_key_in_use', message: 'There is currently another in-progress request using this key.' });
  if (row.stored === null) return undefined;
  const [before, status, body] = JSON.parse(row.stored) as [string, number, string];
  if (before !== fingerprint) throw new WireError(400, { type: 'idempotency_error', message: 'Keys for idempotent requests can only be used with the same parameters they were first used with.' });
  return { status, body, replayed: true };
};
const keep = async (tx: Tx, { tenant, fingerprint, now }: Request, key: string, { status, body }: Answer): Promise<void> => {
  const { rowCount } = await tx.query(
    `INSERT INTO sandbox_requests (tenant, key, fingerprint, status, body, at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant, key) DO UPDATE
     SET fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body, at = excluded.at WHERE sandbox_requests.at <= excluded.at - $7 * interval '1 hour'`,
    [tenant, key, fingerprint, status, body, now, KEY_HOURS]);
  if (rowCount === 0) throw new KeyRaced();
};

const bodyOf = async (message: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
};
const fieldsOfBody = (message: IncomingMessage, body: string, query: URLSearchParams): Fields => {
  if (message.method === 'GET') return readForm(query.toString());
  return (message.headers['content-type'] ?? '').includes('json') ? (body === '' ? {} : JSON.parse(body) as Fields) : readForm(body);
};
const send = (response: ServerResponse, { status, body, replayed }: Answer): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...(replayed === true ? { 'idempotent-replayed': 'true' } : {}) });
  response.end(body);
};
