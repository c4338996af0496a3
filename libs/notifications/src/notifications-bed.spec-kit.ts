import { authFor, CREDENTIALS, digestKeyOf, digestOf, newKeyText, SECRET_SCOPES } from '@valueverse/auth';
import { BILLING_EVENTS, CLOCK_EVENTS, IDENTITY_EVENTS, PAYMENT_EVENTS, type AccountOpened, type InvoiceDocuments, type InvoiceFinalized, type IssuedDocument, type ServiceName } from '@valueverse/contracts';
import { type AnchorStore, type DeciderDefinition, type DomainEvent, PostgresFeed } from '@valueverse/event-log';
import { type ContextShape, createHost, createLogger, HealthRegistry, type Host, LocalFanOut, Metrics, Service, systemClock, systemIds } from '@valueverse/platform';
import { createTestDatabase, eventually, type TestDatabase } from '@valueverse/testing';
import { InboxModule, notificationsContext, notificationsShape, smtpTransport, startInbox, type Inbox, type MailTransport } from './index';
import { type InboxMail, MailBook } from './inbox/mail-book';

export const FROM = 'ValueVerse <billing@valueverse.example>';
export const AT = '2026-03-01T00:00:00Z';
const MASTER_KEY = Buffer.alloc(32, 9);
const NO_ANCHORS: AnchorStore = { append: async () => undefined, read: async () => [] };
const CONTEXTS: Readonly<Record<'billing' | 'payments' | 'notifications', ContextShape>> = {
  billing: { name: 'billing', definitions: BILLING_EVENTS, readModels: [], migrations: [], schemas: ['identity'] },
  payments: { name: 'payments', definitions: PAYMENT_EVENTS, readModels: [], migrations: [] },
  notifications: notificationsShape,
};
const HOSTED: ContextShape = { name: 'host', definitions: [...CLOCK_EVENTS, ...IDENTITY_EVENTS], readModels: [], migrations: [CREDENTIALS] };
const documentOf = async (_tenant: string, id: string): Promise<IssuedDocument> => ({ fileName: `${id}.pdf`, content: Buffer.from(`%PDF-1.7 ${id}`) });
const DOCUMENTS: InvoiceDocuments = { pdf: documentOf, creditNotePdf: documentOf };

/** Says whatever it is told, so that a spec can speak for other services. */
interface Say { readonly type: 'Say'; readonly stream: string; readonly event: DomainEvent }
const speaker: DeciderDefinition<Say, DomainEvent, null> = {
  name: 'speaker', decider: { initial: null, decide: ({ event }) => [event], evolve: () => null }, stream: ({ stream }) => stream,
};

const serviceOf = (name: Exclude<ServiceName, 'usage'>, databaseUrl: string, feed: PostgresFeed): Service => new Service({
  name, databaseUrl, feed, masterKey: MASTER_KEY, clock: systemClock, logger: createLogger({ service: name, level: 'silent' }), health: new HealthRegistry(), metrics: new Metrics(),
  fanOut: new LocalFanOut(), anchors: NO_ANCHORS, contexts: [HOSTED, CONTEXTS[name]],
});
const prepare = async (url: string): Promise<void> => {
  const feed = new PostgresFeed(url);
  await feed.ensureTopics();
  for (const name of ['billing', 'payments', 'notifications'] as const) {
    const service = serviceOf(name, url, feed);
    await service.migrate();
    await service.database.close();
  }
  await feed.close();
};

/** Billing and payments that say what a spec wants; notifications, its face, and the inbox as they are. */
export class NotificationsBed {
  private readonly stops: (() => Promise<void>)[] = [];
  host!: Host;
  inbox!: Inbox;
  notifications!: Service;
  private constructor(private readonly test: TestDatabase, private readonly speakers: Readonly<Record<'billing' | 'payments', Service>>, private readonly feed: PostgresFeed) {}

  static async make(transportOf: (inbox: Inbox) => MailTransport = ({ url }) => smtpTransport(url, FROM)): Promise<NotificationsBed> {
    const test = await createTestDatabase(prepare, 'notifications context');
    const feed = new PostgresFeed(test.url);
    const bed = new NotificationsBed(test, { billing: serviceOf('billing', test.url, feed), payments: serviceOf('payments', test.url, feed) }, feed);
    bed.stops.push(() => feed.close());
    for (const service of Object.values(bed.speakers)) {
      service.use([]);
      service.start();
      bed.stops.push(() => service.stop());
    }
    await bed.begin(transportOf);
    return bed;
  }

  private async begin(transportOf: (inbox: Inbox) => MailTransport): Promise<void> {
    const service = serviceOf('notifications', this.test.url, this.feed);
    this.notifications = service;
    this.inbox = await startInbox({ database: service.database, port: 0 });
    const auth = authFor(service, { digestKey: digestKeyOf(MASTER_KEY), operatorToken: 'operator', serviceToken: 'service' });
    const context = notificationsContext(service, { auth, transport: transportOf(this.inbox), documents: DOCUMENTS });
    service.use([{ consumers: auth.consumers, jobs: [] }, context.parts]);
    service.start();
    this.stops.push(() => service.stop());
    this.stops.push(() => this.inbox.stop());
    this.host = await createHost({
      service: 'notifications', module: { module: class Root {}, imports: [context.module, InboxModule.of(service.database)] }, port: 0, cursorSecret: 'of this spec',
      logger: createLogger({ service: 'notifications', level: 'silent' }),
    });
    this.stops.push(() => this.host.close());
  }

  /** A new organization with a secret key. */
  async tenant(): Promise<{ tenant: string; key: string }> {
    const organization = systemIds.next('org');
    const { text, prefix } = newKeyText('test', 'secret');
    await this.notifications.database.transaction({ role: 'worker' }, (tx) => tx.query(
      'INSERT INTO credentials (tenant, key_id, organization_id, environment, kind, prefix, digest, scopes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)',
      [`${organization}:test`, systemIds.next('key'), organization, 'test', 'secret', prefix, digestOf(digestKeyOf(MASTER_KEY), text), SECRET_SCOPES]));
    return { tenant: `${organization}:test`, key: text };
  }
  async say(who: 'billing' | 'payments', tenant: string, stream: string, event: DomainEvent): Promise<void> {
    await this.speakers[who].log.executeOne(speaker, { type: 'Say', stream, event }, { tenant, at: AT, actor: 'spec' });
  }
  /** A customer who has said who it is, and more. */
  async opened(tenant: string, more: Partial<AccountOpened> = {}): Promise<string> {
    const accountId = await this.account(tenant);
    const event: AccountOpened = { type: 'AccountOpened', accountId, name: 'Acme', email: 'billing@acme.example', currency: 'USD', timezone: 'UTC', metadata: {}, openedAt: AT, ...more };
    await this.say('billing', tenant, `account-${accountId}`, event);
    return accountId;
  }
  /** A customer, of whom the services know only the key. */
  async account(tenant: string): Promise<string> {
    const accountId = systemIds.next('acc');
    const { billing } = this.speakers;
    await billing.database.transaction({ role: 'worker' }, (tx) => billing.keys.create(tx, tenant, accountId));
    return accountId;
  }
  async erase(tenant: string, accountId: string): Promise<void> {
    const { billing } = this.speakers;
    await billing.database.transaction({ role: 'worker' }, (tx) => billing.keys.erase(tx, tenant, accountId));
  }
  /** Says it as often as it is told, each time as another fact. */
  async finalize(tenant: string, accountId: string, billTo: InvoiceFinalized['billTo'], times = 1, invoiceId = systemIds.next('inv'), more: Partial<InvoiceFinalized> = {}): Promise<string> {
    const finalized: InvoiceFinalized = {
      type: 'InvoiceFinalized', invoiceId, accountId, subscriptionId: 'sub_1', number: 'INV-7', currency: 'USD', servicePeriod: { from: AT, to: AT }, issuedAt: AT, dueAt: AT,
      kind: 'cycle', rounding: 'half_up', lines: [], totalSteps: [], subtotal: '49.00', discountTotal: '0.00', taxTotal: '0.00', total: '49.00', creditApplied: '0.00', amountDue: '49.00', billTo, ...more,
    };
    for (let nth = 0; nth < times; nth++) await this.say('billing', tenant, `invoice-${invoiceId}`, finalized);
    return invoiceId;
  }
  async get(key: string, path: string): Promise<{ status: number; body: Record<string, unknown> & { data: Record<string, unknown>[] } }> {
    const answer = await this.host.app.inject({ method: 'GET', url: path, headers: { authorization: `Bearer ${key}` } });
    return { status: answer.statusCode, body: answer.json() };
  }
  /** The messages of an account once there are so many and each has come to its end. */
  messages(key: string, accountId: string, count: number): Promise<Record<string, unknown>[]> {
    return eventually(`${count} messages that have ended`, async (saw) => {
      const { body: { data } } = await this.get(key, `/api/v1/notifications/messages?accountId=${accountId}`);
      saw(data);
      return data.length === count && data.every(({ status }) => status !== 'queued') ? data : undefined;
    }, { timeoutMs: 20_000 });
  }
  mails(): Promise<InboxMail[]> { return new MailBook(this.notifications.database).read(100); }

  async close(): Promise<void> {
    for (const stop of this.stops.reverse()) await stop();
    await this.test.drop();
  }
}
