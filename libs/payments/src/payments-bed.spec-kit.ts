import { authFor, CREDENTIALS, digestKeyOf, digestOf, newKeyText, SECRET_SCOPES } from '@valueverse/auth';
import { BILLING_EVENTS, CLOCK_EVENTS, IDENTITY_EVENTS, type AccountOpened, type ClockCreated, type ClockStepped, type InvoiceFinalized } from '@valueverse/contracts';
import { type AnchorStore, type DeciderDefinition, type DomainEvent, PostgresFeed, type Projector, type Rebuilt, rebuildProjector } from '@valueverse/event-log';
import type { Clock } from '@valueverse/kernel';
import { type ContextShape, createHost, createLogger, HealthRegistry, type Host, LocalFanOut, Metrics, rowOf, Service, systemClock, systemIds } from '@valueverse/platform';
import { createTestDatabase, eventually, type TestDatabase } from '@valueverse/testing';
import { invoiceIn } from './accounts/known-invoices';
import { paymentIdOf } from './collection/collector';
import { type PaymentRow, paymentView } from './collection/payments';
import { paymentsContext, paymentsShape, type PaymentProvider } from './index';
import { methodsDecider } from './methods/methods';
import { SandboxBook } from './providers/sandbox/sandbox-book';
import { Sandbox, sandboxProvider } from './providers/sandbox/sandbox';
import type { Fault } from './providers/sandbox/sandbox-faults';
import type { Intent } from './providers/sandbox/sandbox-objects';

export const MASTER_KEY = Buffer.alloc(32, 7);
const PROVIDER_TIMEOUT_MS = 5_000;
const BOOK_MAX = 100_000;
const NO_ANCHORS: AnchorStore = { append: async () => undefined, read: async () => [] };
const HOSTED: ContextShape = { name: 'host', definitions: [...CLOCK_EVENTS, ...IDENTITY_EVENTS], readModels: [], migrations: [CREDENTIALS] };
const BILLING: ContextShape = { name: 'billing', definitions: BILLING_EVENTS, readModels: [], migrations: [], schemas: ['identity'] };

/** Says whatever it is told, so that a spec can speak for billing. */
interface Say { readonly type: 'Say'; readonly stream: string; readonly event: DomainEvent }
const speaker: DeciderDefinition<Say, DomainEvent, null> = {
  name: 'speaker', decider: { initial: null, decide: ({ event }) => [event], evolve: () => null }, stream: ({ stream }) => stream,
};

const serviceOf = (name: 'billing' | 'payments', databaseUrl: string, feed: PostgresFeed, clock: Clock, hasPublished?: () => Promise<boolean>): Service => new Service({
  name, databaseUrl, feed, masterKey: MASTER_KEY, clock, logger: createLogger({ service: name, level: 'silent' }), health: new HealthRegistry(), metrics: new Metrics(),
  fanOut: new LocalFanOut(), anchors: NO_ANCHORS, ...(hasPublished === undefined ? {} : { hasPublished }), contexts: [HOSTED, name === 'billing' ? BILLING : paymentsShape],
});
const prepare = async (url: string): Promise<void> => {
  const feed = new PostgresFeed(url);
  await feed.ensureTopics();
  for (const name of ['billing', 'payments'] as const) {
    const service = serviceOf(name, url, feed, systemClock);
    await service.migrate();
    await service.database.close();
  }
  await feed.close();
};

/** What stands in the place of the sandbox, and beside it. */
export type Wrap = (provider: PaymentProvider, sandbox: Sandbox) => PaymentProvider | PaymentProvider[];

/** One process with payments in it. */
export class PaymentsProcess {
  private constructor(readonly service: Service, readonly clock: Clock, private readonly feed: PostgresFeed, private readonly sandbox: Sandbox) {}

  static start(url: string, billing: Service, wrap?: Wrap): { process: PaymentsProcess; context: ReturnType<typeof paymentsContext> } {
    const feed = new PostgresFeed(url);
    const clock = systemClock;
    const service = serviceOf('payments', url, feed, clock, () => billing.reports.hasPublished());
    const auth = authFor(service, { digestKey: digestKeyOf(MASTER_KEY), operatorToken: 'operator', serviceToken: 'service' });
    const sandbox = new Sandbox(service.database, clock);
    if (wrap !== undefined) sandbox.start();
    const context = paymentsContext(service, { auth, secretsKey: MASTER_KEY, ...(wrap === undefined ? {} : { providers: [wrap(sandboxProvider(sandbox, PROVIDER_TIMEOUT_MS), sandbox)].flat() }) });
    service.use([{ consumers: auth.consumers, jobs: [] }, context.parts]);
    service.start();
    return { process: new PaymentsProcess(service, clock, feed, sandbox), context };
  }
  /** Makes the rows of a projector again beside the live ones: the hashes of both. */
  rebuild(projector: Projector): Promise<Rebuilt> { return rebuildProjector(this.service.log.store, this.feed, 'payments', projector, { cutover: false, progress: () => undefined }); }
  private stopping: Promise<void> | undefined;
  stop(): Promise<void> {
    return (this.stopping ??= (async () => {
      await this.service.stop();
      await this.sandbox.stop();
      await this.feed.close();
    })());
  }
}

/** Billing that says what a spec wants, payments as it is, and its face. */
export class PaymentsBed {
  private readonly stops: (() => Promise<void>)[] = [];
  private payments: Service | undefined;
  private constructor(private readonly test: TestDatabase, private readonly billing: Service) {}

  static async make(): Promise<PaymentsBed> {
    const test = await createTestDatabase(prepare, 'payments context');
    const feed = new PostgresFeed(test.url);
    const billing = serviceOf('billing', test.url, feed, systemClock);
    billing.use([]);
    billing.start();
    const bed = new PaymentsBed(test, billing);
    bed.stops.push(() => feed.close(), () => billing.stop());
    return bed;
  }

  get url(): string { return this.test.url; }

  async process(wrap?: Wrap): Promise<PaymentsProcess> {
    const { process } = PaymentsProcess.start(this.test.url, this.billing, wrap);
    this.stops.push(() => process.stop());
    return process;
  }
  private clockDatabase(): Service['database'] { return this.payments!.database; }
  /** A process that is also asked over HTTP. */
  async hosted(wrap?: Wrap): Promise<{ process: PaymentsProcess; host: Host }> {
    const { process, context } = PaymentsProcess.start(this.test.url, this.billing, wrap);
    this.payments = process.service;
    this.stops.push(() => process.stop());
    const host = await createHost({ service: 'payments', module: context.module, port: 0, routes: context.routes, cursorSecret: 'of this spec', logger: createLogger({ service: 'payments', level: 'silent' }) });
    this.stops.push(() => host.close());
    return { process, host };
  }
  /** A new organization with a secret key. */
  tenant(process: PaymentsProcess): Promise<{ tenant: string; key: string }> { return this.tenantIn(process.service.database); }
  async tenantIn(database: Service['database']): Promise<{ tenant: string; key: string }> {
    const organization = systemIds.next('org');
    const { text, prefix } = newKeyText('test', 'secret');
    await database.transaction({ role: 'worker' }, (tx) => tx.query(
      'INSERT INTO credentials (tenant, key_id, organization_id, environment, kind, prefix, digest, scopes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)',
      [`${organization}:test`, systemIds.next('key'), organization, 'test', 'secret', prefix, digestOf(digestKeyOf(MASTER_KEY), text), SECRET_SCOPES]));
    return { tenant: `${organization}:test`, key: text };
  }

  async say(tenant: string, stream: string, event: DomainEvent, at: string, clockId?: string): Promise<void> {
    await this.billing.log.executeOne(speaker, { type: 'Say', stream, event }, { tenant, at, actor: 'spec', clockId });
  }
  async openClock(tenant: string, now: string): Promise<string> {
    const clockId = systemIds.next('clk');
    const created: ClockCreated = { type: 'ClockCreated', clockId, name: 'spec', now };
    await this.say(tenant, `clock-${clockId}`, created, now, clockId);
    return clockId;
  }
  async openAccount(tenant: string, at: string, clockId?: string, currency = 'USD'): Promise<string> {
    const accountId = systemIds.next('acc');
    await this.billing.database.transaction({ role: 'worker' }, (tx) => this.billing.keys.create(tx, tenant, accountId));
    const opened: AccountOpened = {
      type: 'AccountOpened', accountId, name: 'Acme', email: 'billing@acme.example', currency, timezone: 'UTC', metadata: {}, openedAt: at, ...(clockId === undefined ? {} : { testClockId: clockId }),
    };
    await this.say(tenant, `account-${accountId}`, opened, at, clockId);
    return accountId;
  }
  /** Says it as often as it is told, each time as another fact. */
  async finalize(tenant: string, accountId: string, options: { total: string; at: string; clockId?: string; times?: number; currency?: string }): Promise<string> {
    const { total, at, clockId, times = 1, currency = 'USD' } = options;
    const invoiceId = systemIds.next('inv');
    const finalized: InvoiceFinalized = {
      type: 'InvoiceFinalized', invoiceId, accountId, subscriptionId: 'sub_1', number: 'INV-1', currency, servicePeriod: { from: at, to: at }, issuedAt: at, dueAt: at,
      kind: 'cycle', rounding: 'half_up', lines: [], totalSteps: [], subtotal: total, discountTotal: '0.00', taxTotal: '0.00', total, creditApplied: '0.00', amountDue: total, billTo: { name: 'Acme', email: 'billing@acme.example' },
    };
    for (let nth = 0; nth < times; nth++) await this.say(tenant, `invoice-${invoiceId}`, finalized, at, clockId);
    return invoiceId;
  }
  async attach(process: PaymentsProcess, tenant: string, accountId: string, token: string, provider = 'sandbox', makeDefault = true): Promise<string> {
    const methodId = systemIds.next('pm');
    const at = process.clock.now();
    await process.service.log.executeOne(methodsDecider, { type: 'AttachMethod', methodId, accountId, provider, token, makeDefault, at }, { tenant, at, actor: 'spec' });
    return methodId;
  }
  /** The payment of an invoice once it has come to one of these. */
  payment(process: PaymentsProcess, tenant: string, invoiceId: string, ...statuses: string[]): Promise<PaymentRow> {
    return eventually(`a payment that is ${statuses.join(' or ')}`, async (saw) => {
      const row = await process.service.database.transaction({ role: 'api', tenant }, (tx) => rowOf<PaymentRow>(tx, paymentView, paymentIdOf(tenant, invoiceId)));
      saw(row);
      return row !== undefined && statuses.includes(row.status) ? row : undefined;
    }, { timeoutMs: 20_000 });
  }
  /** A payment of an invoice, whichever, once one has come to a status. */
  paymentsOf(process: PaymentsProcess, tenant: string, invoiceId: string, status: string): Promise<PaymentRow> {
    return eventually(`a payment of ${invoiceId} that is ${status}`, async (saw) => {
      const { rows } = await process.service.database.transaction({ role: 'api', tenant }, (tx) => tx.query<{ row: PaymentRow }>('SELECT row FROM payments WHERE tenant = $1 AND invoice_id = $2', [tenant, invoiceId]));
      saw(rows);
      return rows.find(({ row }) => row.status === status)?.row;
    }, { timeoutMs: 20_000 });
  }
  /** The names of the facts of a payment, in order. */
  facts(process: PaymentsProcess, tenant: string, invoiceId: string): Promise<string[]> {
    return process.service.database.transaction({ role: 'api', tenant }, async (tx) =>
      (await process.service.log.store.read(tx, tenant, `payment-${paymentIdOf(tenant, invoiceId)}`)).map(({ event }) => event.type));
  }
  /** What the sandbox says of a tenant, newest first. */
  book(process: PaymentsProcess, tenant: string): Promise<(Intent & { key: string | null })[]> {
    return process.service.database.transaction({ role: 'api', tenant }, async (tx) => (await new SandboxBook(tx, tenant, process.clock.now()).lines(BOOK_MAX)).map(({ body, key }) => ({ ...JSON.parse(body) as Intent, key })));
  }
  /** Moves a clock, and waits until nothing is due on it. */
  async step(tenant: string, clockId: string, now: string): Promise<void> {
    await this.say(tenant, `clock-${clockId}`, { type: 'ClockStepped', clockId, now } as ClockStepped, now, clockId);
    await eventually(`nothing to be due at ${now}`, async (saw) => {
      const { rows } = await this.clockDatabase().transaction({ role: 'worker' }, (tx) => tx.query<{ kind: string; waits_for: string }>(
        'SELECT kind, waits_for FROM jobs j WHERE tenant = $1 AND clock = $2 AND due_at <= $3 UNION ALL SELECT $4::text, NULL FROM clocks WHERE tenant = $1 AND clock = $2 AND now < $3', [tenant, clockId, now, 'the clock itself']));
      saw(rows);
      return rows.length === 0 || undefined;
    }, { timeoutMs: 20_000 });
  }
  async disarm(process: PaymentsProcess, tenant: string): Promise<void> {
    await process.service.database.transaction({ role: 'api', tenant }, (tx) => new SandboxBook(tx, tenant, process.clock.now()).disarm());
  }
  /** Switches a fault of the sandbox on. */
  async fault(process: PaymentsProcess, tenant: string, fault: Fault): Promise<void> {
    await process.service.database.transaction({ role: 'api', tenant }, (tx) => new SandboxBook(tx, tenant, process.clock.now()).arm({ ...fault, id: systemIds.next('flt') }));
  }

  async close(): Promise<void> {
    for (const stop of this.stops.reverse()) await stop();
    await this.test.drop();
  }
}

export interface SpecTenant { readonly tenant: string; readonly key: string }
/** What comes over HTTP, loosely typed, because each test asks for other fields. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as it says
export type Answered = Record<string, any>;
interface Asking { /** The `Idempotency-Key`; another one each time where it is not given. */ readonly once?: string; readonly as?: SpecTenant }
const SPEC_TIMEOUT_MS = 60_000;
const WEBHOOK_SECRETS: readonly [string, string] = ['whsec_0123456789abcdef', 'whsec_fedcba9876543210'];

/** One process of payments with its face, for all the tests of a file. */
export class PaymentsSpec {
  bed!: PaymentsBed;
  process!: PaymentsProcess;
  host!: Host;
  /** The organization that asks where a test names no other. */
  acme!: SpecTenant;
  readonly secrets = WEBHOOK_SECRETS;
  private keys = 0;
  private listening: Promise<string> | undefined;

  /** Asks below `/api/v1/payments`. */
  async ask(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, payload?: object, { once = `key-${this.keys += 1}`, as = this.acme }: Asking = {}): Promise<{ status: number; headers: Answered; body: Answered }> {
    const answer = await this.host.app.inject({ method, url: `/api/v1/payments${path}`, headers: { authorization: `Bearer ${as.key}`, 'idempotency-key': once }, ...(payload === undefined ? {} : { payload }) });
    return { status: answer.statusCode, headers: answer.headers, body: (answer.body.startsWith('{') ? answer.json() : {}) as Answered };
  }
  /** Has the sandbox send an organization's webhooks here. Answers the path that they come in by. */
  async hearWebhooks(as = this.acme): Promise<{ base: string; path: string }> {
    const base = await (this.listening ??= this.host.listen());
    const path = String((await this.ask('PUT', '/providers/sandbox', { webhookSecrets: this.secrets }, { as })).body['webhookPath']);
    await this.ask('POST', '/sandbox/endpoints', { url: base + path, secret: this.secrets[0], secondSecret: this.secrets[1] }, { as });
    return { base, path };
  }
  /** An account on a test clock of its own, with a method where a token is given. */
  async customer(at: string, token?: string): Promise<{ accountId: string; clockId: string }> {
    const clockId = await this.bed.openClock(this.acme.tenant, at);
    const accountId = await this.bed.openAccount(this.acme.tenant, at, clockId);
    if (token !== undefined) await this.bed.attach(this.process, this.acme.tenant, accountId, token);
    return { accountId, clockId };
  }
  /** Says what billing says of an invoice. */
  tell(invoiceId: string, event: Answered, clockId?: string): Promise<void> { return this.bed.say(this.acme.tenant, `invoice-${invoiceId}`, { invoiceId, ...event } as never, '2026-03-01T00:00:00Z', clockId); }
  /** Waits until so much can still be asked for of an invoice, as payments know it. */
  knows(invoiceId: string, left: string): Promise<unknown> {
    return eventually(`${left} to be left of ${invoiceId}`, async (saw) => {
      const known = await this.process.service.database.transaction({ role: 'api', tenant: this.acme.tenant }, (tx) => invoiceIn(tx, this.acme.tenant, invoiceId));
      saw(known?.left.toString());
      return known?.left.toString() === left || undefined;
    });
  }
  payment(invoiceId: string, ...statuses: string[]): Promise<PaymentRow> { return this.bed.payment(this.process, this.acme.tenant, invoiceId, ...statuses); }
  /** Orders by which the sandbox took money, newest first. */
  async taken(tenant = this.acme.tenant): Promise<(Intent & { key: string | null })[]> { return (await this.bed.book(this.process, tenant)).filter(({ status }) => status === 'succeeded'); }
  /** The facts of a stream. */
  facts(stream: string): Promise<Answered[]> {
    return this.process.service.database.transaction({ role: 'api', tenant: this.acme.tenant }, async (tx) => (await this.process.service.log.store.read(tx, this.acme.tenant, stream)).map(({ event }) => event as Answered));
  }
}

/** Sets all of it up before the tests of a file. `each`: every test has an organization of its own. */
export const paymentsSpec = ({ each = false, wrap }: { readonly each?: boolean; readonly wrap?: Wrap } = {}): PaymentsSpec => {
  const spec = new PaymentsSpec();
  const tenant = async (): Promise<void> => { spec.acme = await spec.bed.tenant(spec.process); };
  beforeAll(async () => {
    spec.bed = await PaymentsBed.make();
    Object.assign(spec, await spec.bed.hosted(wrap));
    if (!each) await tenant();
  }, SPEC_TIMEOUT_MS);
  if (each) beforeEach(tenant);
  afterAll(() => spec.bed.close(), SPEC_TIMEOUT_MS);
  return spec;
};
