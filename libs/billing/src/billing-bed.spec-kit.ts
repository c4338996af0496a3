import { authFor, CREDENTIALS, digestKeyOf, digestOf, newKeyText, SECRET_SCOPES } from '@valueverse/auth';
import { CLOCK_EVENTS, IDENTITY_EVENTS, MeterArchived, MeterCreated, PAYMENT_EVENTS, StatementIssued, type UsageReader } from '@valueverse/contracts';
import { type AnchorStore, type DeciderDefinition, type DomainEvent, PostgresFeed, type Tx } from '@valueverse/event-log';
import { type ContextShape, createHost, createLogger, HealthRegistry, type Host, LocalFanOut, Metrics, Service, systemClock, systemIds } from '@valueverse/platform';
import { createTestDatabase, type TestDatabase } from '@valueverse/testing';
import { billingContext, billingShape } from './billing.context';
import type { TaxEngine } from './taxes/tax-engine';

const MASTER_KEY = Buffer.alloc(32, 7);
const NO_ANCHORS: AnchorStore = { append: async () => undefined, read: async () => [] };
const HOSTED: ContextShape = { name: 'host', definitions: [...CLOCK_EVENTS, ...IDENTITY_EVENTS], readModels: [], migrations: [CREDENTIALS], schemas: ['identity'] };
type Speaker = 'usage' | 'payments';
const SPEAKERS: Readonly<Record<Speaker, ContextShape>> = {
  usage: { name: 'usage', definitions: [MeterCreated, MeterArchived, StatementIssued], readModels: [], migrations: [] }, payments: { name: 'payments', definitions: PAYMENT_EVENTS, readModels: [], migrations: [] },
};
/** Metering as previews ask it: nothing was used. */
const NOTHING_USED = { quantities: () => Promise.resolve({ quantities: [], asOf: systemClock.now() }) } as unknown as UsageReader;

/** Says whatever it is told, so that a spec can speak for metering and payments. */
interface Say { readonly type: 'Say'; readonly stream: string; readonly event: DomainEvent }
const speaker: DeciderDefinition<Say, DomainEvent, null> = { name: 'speaker', decider: { initial: null, decide: ({ event }) => [event], evolve: () => null }, stream: ({ stream }) => stream };

const serviceOf = (name: 'billing' | Speaker, databaseUrl: string, feed: PostgresFeed, hasPublished?: () => Promise<boolean>): Service => new Service({
  name, databaseUrl, feed, masterKey: MASTER_KEY, clock: systemClock, logger: createLogger({ service: name, level: 'silent' }), health: new HealthRegistry(), metrics: new Metrics(),
  fanOut: new LocalFanOut(), anchors: NO_ANCHORS, connectionsMax: 12, ...(hasPublished === undefined ? {} : { hasPublished }), contexts: name === 'billing' ? [HOSTED, billingShape] : [SPEAKERS[name]],
});
const prepare = async (url: string): Promise<void> => {
  const feed = new PostgresFeed(url);
  await feed.ensureTopics();
  for (const name of ['billing', 'usage', 'payments'] as const) {
    const service = serviceOf(name, url, feed);
    await service.migrate();
    await service.database.close();
  }
  await feed.close();
};

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- what a client sees
export interface Answer { readonly status: number; readonly headers: Headers; readonly body: any }

/** Billing as it is hosted, asked by HTTP, on a database of its own; metering and payments say what a spec wants. */
export class BillingBed {
  private constructor(private readonly test: TestDatabase, private readonly feed: PostgresFeed, readonly service: Service, private readonly speakers: Readonly<Record<Speaker, Service>>, private readonly host: Host, private readonly url: string) {}

  /** `taxes` says which taxes lines have; the built-in engine if not given. */
  static async make(taxes?: TaxEngine): Promise<BillingBed> {
    const test = await createTestDatabase(prepare, 'billing host');
    const feed = new PostgresFeed(test.url);
    const speakers = { usage: serviceOf('usage', test.url, feed), payments: serviceOf('payments', test.url, feed) };
    for (const other of Object.values(speakers)) {
      other.use([]);
      other.start();
    }
    const service = serviceOf('billing', test.url, feed, () => speakers.usage.reports.hasPublished());
    const auth = authFor(service, { digestKey: digestKeyOf(MASTER_KEY), operatorToken: 'operator', serviceToken: 'service' });
    const billing = billingContext(service, { auth, usage: NOTHING_USED, reports: () => [], ...(taxes === undefined ? {} : { taxes }) });
    service.use([{ consumers: auth.consumers, jobs: [] }, billing.parts]);
    service.start();
    const host = await createHost({ service: 'billing', module: billing.module, port: 0, cursorSecret: 'of this spec', logger: createLogger({ service: 'billing', level: 'silent' }) });
    return new BillingBed(test, feed, service, speakers, host, await host.listen());
  }

  /** A new organization with a secret key. */
  async tenant(): Promise<Tenant> {
    const organization = systemIds.next('org');
    const { text, prefix } = newKeyText('test', 'secret');
    const tenant = `${organization}:test`;
    await this.service.database.transaction({ role: 'worker' }, (tx) => tx.query(
      'INSERT INTO credentials (tenant, key_id, organization_id, environment, kind, prefix, digest, scopes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)',
      [tenant, systemIds.next('key'), organization, 'test', 'secret', prefix, digestOf(digestKeyOf(MASTER_KEY), text), SECRET_SCOPES]));
    return new Tenant(this, tenant, text);
  }

  async ask(method: string, path: string, key: string, body?: unknown): Promise<Answer> {
    const response = await fetch(`${this.url}/api/v1/billing/${path}`, {
      method, headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json', 'idempotency-key': `"${systemIds.next('key')}"` }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) as unknown };
  }

  /** A document as it comes. */
  async file(path: string, key: string): Promise<{ readonly status: number; readonly headers: Headers; readonly content: Buffer }> {
    const response = await fetch(`${this.url}/api/v1/billing/${path}`, { headers: { authorization: `Bearer ${key}` } });
    return { status: response.status, headers: response.headers, content: Buffer.from(await response.arrayBuffer()) };
  }

  async say(who: Speaker, tenant: string, stream: string, event: DomainEvent): Promise<void> {
    await this.speakers[who].log.executeOne(speaker, { type: 'Say', stream, event }, { tenant, at: systemClock.now(), actor: 'spec' });
  }

  async close(): Promise<void> {
    await this.host.close();
    await this.service.stop();
    for (const other of Object.values(this.speakers)) await other.stop();
    await this.feed.close();
    await this.test.drop();
  }
}

/** One tenant of the bed. */
export class Tenant {
  constructor(private readonly bed: BillingBed, readonly name: string, private readonly key: string) {}

  ask(method: string, path: string, body?: unknown): Promise<Answer> { return this.bed.ask(method, path, this.key, body); }
  file(path: string): ReturnType<BillingBed['file']> { return this.bed.file(path, this.key); }
  get(path: string): Promise<Answer> { return this.ask('GET', path); }
  post(path: string, body: unknown = {}): Promise<Answer> { return this.ask('POST', path, body); }
  /** What has to succeed, and its body. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- what a client sees
  async made(path: string, body: unknown): Promise<any> {
    const answer = await this.post(path, body);
    if (answer.status !== 201 && answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }
  /** Another service says something of this tenant. */
  hear(who: Speaker, stream: string, event: DomainEvent): Promise<void> { return this.bed.say(who, this.name, stream, event); }
  async meter(meterKey: string, aggregation = 'count'): Promise<void> {
    await this.bed.say('usage', this.name, `meter-${meterKey}`, {
      type: 'MeterCreated', meterKey, version: 1, name: meterKey, eventType: 'call', aggregation, groupBy: {}, filter: [], carryOver: false, metadata: {}, createdAt: systemClock.now(),
    } as MeterCreated);
  }
  async archiveMeter(meterKey: string): Promise<void> {
    const archived: MeterArchived = { type: 'MeterArchived', meterKey, archivedAt: systemClock.now() };
    await this.bed.say('usage', this.name, `meter-${meterKey}`, archived);
  }
  account(more: object = {}): Promise<{ id: string }> { return this.made('accounts', { name: 'Acme', currency: 'USD', timezone: 'UTC', ...more }); }
  /** Reads as a job does, or writes where it has to. */
  transact<T>(work: (tx: Tx) => Promise<T>): Promise<T> { return this.bed.service.log.transact({ role: 'worker' }, work); }
}

/** What is wrong, as `status code pointers`. */
export const faultsOf = ({ status, body }: Answer): string => [status, body?.code, ...(body?.errors ?? []).map((fault: { pointer: string; code: string }) => `${fault.pointer} ${fault.code}`)].join(' | ');
