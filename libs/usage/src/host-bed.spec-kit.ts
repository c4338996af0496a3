import { partitionOf } from '@valueverse/kernel';
import { randomBytes } from 'node:crypto';
import { createTestDatabase, type TestDatabase } from '@valueverse/testing';
import { authFor, CREDENTIALS, digestKeyOf, digestOf, newKeyText, type KeyKind } from '@valueverse/auth';
import { IDENTITY_EVENTS, partitionsOf, StatementsRequested, SubscriptionStarted, type StatementRequest } from '@valueverse/contracts';
import { partitionName, PostgresFeed, recordOf, type Feed } from '@valueverse/event-log';
import { createHost, createLogger, HealthRegistry, type Host, LocalFanOut, Metrics, Service, systemClock, systemIds } from '@valueverse/platform';
import type { Ingest } from './ingest/ingest';
import type { RadiusAddress } from './radius/udp-server';
import { usageContext, usageShape } from './usage.context';

export const MASTER_KEY = Buffer.alloc(32, 7);
const NO_ANCHORS = { append: async (): Promise<void> => undefined, read: async (): Promise<never[]> => [] };
const AUTH = { name: 'auth', definitions: [...IDENTITY_EVENTS], readModels: [], migrations: [CREDENTIALS] };

const serviceFor = (url: string, feed: Feed, health = new HealthRegistry()): Service => new Service({
  name: 'usage', databaseUrl: url, feed, masterKey: MASTER_KEY, clock: systemClock, logger: createLogger({ service: 'usage', level: 'silent' }), health,
  metrics: new Metrics(), fanOut: new LocalFanOut(), anchors: NO_ANCHORS, contexts: [AUTH, usageShape], connectionsMax: 12,
});
const prepare = async (url: string): Promise<void> => {
  const feed = new PostgresFeed(url);
  await feed.ensureTopics();
  const service = serviceFor(url, feed);
  await service.migrate();
  await feed.close();
  await service.database.close();
};

export interface Answer { readonly status: number; readonly headers: Headers; readonly body: any } // eslint-disable-line @typescript-eslint/no-explicit-any -- what a client sees

/** The usage service of a process, at work. */
const processOn = (url: string, feed: Feed, health = new HealthRegistry()): { service: Service; usage: ReturnType<typeof usageContext> } => {
  const service = serviceFor(url, feed, health);
  const auth = authFor(service, { digestKey: digestKeyOf(MASTER_KEY), operatorToken: randomBytes(16).toString('hex'), serviceToken: 'service-token' });
  const usage = usageContext(service, { auth, ids: systemIds, secretsKey: Buffer.alloc(32, 9), billing: () => { throw new Error('nobody asks billing here'); } });
  service.use([{ consumers: auth.consumers, jobs: [] }, usage.parts]);
  service.start();
  return { service, usage };
};

/** The usage service as it is hosted, asked by HTTP. */
export class HostBed {
  private published = 0n;
  private readonly lastPublished = new Map<string, bigint>();
  private constructor(private readonly test: TestDatabase, readonly feed: Feed, readonly service: Service, private readonly host: Host, readonly url: string, readonly ingest: Ingest, private readonly listen: (radius: RadiusAddress) => Promise<number>) {}

  static async make(feedOn: (url: string) => Feed = (url) => new PostgresFeed(url)): Promise<HostBed> {
    const test = await createTestDatabase(prepare, 'usage host');
    const feed = feedOn(test.url);
    await feed.ensureTopics();
    const health = new HealthRegistry();
    const { service, usage } = processOn(test.url, feed, health);
    const host = await createHost({ service: 'usage', module: usage.module, port: 0, cursorSecret: 'cursor', logger: createLogger({ service: 'usage', level: 'silent' }), health, routes: usage.routes, docs: { title: 'usage', version: '1' } });
    health.markStarted();
    return new HostBed(test, feed, service, host, await host.listen(), usage.ingest, usage.listen);
  }

  get databaseUrl(): string { return this.test.url; }

  /** Another process of the service, on the same database and a feed of its own; it has no face. */
  another(feed: Feed): Service { return processOn(this.test.url, feed).service; }

  /** A key as its owner has it. */
  async key(organizationId: string, kind: KeyKind = 'secret', subjects?: readonly string[], environment: 'test' | 'live' = 'test'): Promise<string> {
    const { text, prefix } = newKeyText(environment, kind);
    const scopes = kind === 'secret' ? ['usage:write', 'usage:read'] : ['usage:write'];
    await this.service.database.transaction({ role: 'worker' }, (tx) => tx.query(
      'INSERT INTO credentials (tenant, key_id, organization_id, environment, kind, prefix, digest, scopes, subjects) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)',
      [`${organizationId}:${environment}`, `key_${prefix}`, organizationId, environment, kind, prefix, digestOf(digestKeyOf(MASTER_KEY), text), scopes, subjects ?? null]));
    return text;
  }

  async ask(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, key: string | undefined, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(`${this.url}${path.startsWith('/') ? path : `/api/v1/usage/${path}`}`, {
      method, headers: { ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) as unknown };
  }
  send(key: string, events: readonly object[]): Promise<Answer> { return this.ask('POST', 'events', key, events, { 'content-type': 'application/cloudevents-batch+json' }); }

  /** Takes accounting packets from now on; answers the port. */
  radius(): Promise<number> { return this.listen({ port: 0, address: '127.0.0.1' }); }

  /** Puts a request of billing on its topic, as billing's relay would. */
  request(tenant: string, requests: readonly StatementRequest[], at: string): Promise<void> {
    return this.publish('billing.statement-requests', StatementsRequested.type, { tenant, stream: 'chunk-1', at }, { chunkId: 'chunk-1', requests, requestedAt: at });
  }
  /** The same for a subscription. */
  subscribe(tenant: string, subscriptionId: string, subjects: readonly string[], startsAt: string): Promise<void> {
    return this.publish('billing.subscriptions', SubscriptionStarted.type, { tenant, stream: `subscription-${subscriptionId}`, at: startsAt }, {
      subscriptionId, accountId: 'acc_1', planKey: 'payg', planVersion: 1, currency: 'USD', interval: { unit: 'month', count: 1 }, startsAt, anchor: { local: '2026-01-01T00:00:00', zone: 'UTC' }, subjects, metadata: {}, startedAt: startsAt,
    });
  }
  private async publish(topic: 'billing.statement-requests' | 'billing.subscriptions', type: string, { tenant, stream, at }: { tenant: string; stream: string; at: string }, data: unknown): Promise<void> {
    const partition = partitionOf(tenant, stream, partitionsOf(topic));
    const previous = this.lastPublished.get(partitionName({ topic, partition })) ?? 0n;
    this.published += 1n;
    this.lastPublished.set(partitionName({ topic, partition }), this.published);
    const value = JSON.stringify({
      specversion: '1.0', id: `evt_${this.published}`, source: '/valueverse/billing', type, subject: stream, time: at, datacontenttype: 'application/json', tenant,
      streamversion: Number(this.published), actor: 'test', correlationid: 'evt', recordedtime: at, data,
    });
    await this.feed.append(topic, partition, [recordOf({ id: `evt_${this.published}`, tenant, type, stream, body: value, partition, position: this.published }, previous)]);
  }
  async close(): Promise<void> {
    await this.host.close();
    await this.service.stop();
    await this.feed.close();
    await this.test.drop();
  }
}
