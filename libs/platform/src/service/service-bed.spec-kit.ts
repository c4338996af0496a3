import { createTestDatabase, eventually, type TestDatabase } from '@valueverse/testing';
import { fixedClock, type Clock, type Decider } from '@valueverse/kernel';
import { ClockCreated, ClockStepped, defineEvent, object, text, type EventOf, type ServiceName } from '@valueverse/contracts';
import { follow, PostgresFeed, type CommandContext, type DeciderDefinition, type Fact, type NewJob, type Reactor } from '@valueverse/event-log';
import { HealthRegistry } from '../health/registry';
import type { Job, JobHandler, JobResult } from '../jobs/job';
import { createLogger } from '../logging/logger';
import { LocalFanOut } from '../fan-out/fan-out';
import { Metrics } from '../metrics/metrics';
import type { ContextParts } from './context';
import { Service } from './service';

// Two small services on one feed: usage sends parcels, payments receives them and reminds of them by a job.
const definitions = [
  defineEvent({ name: 'ParcelSent', topic: 'usage.meters', fact: 'parcel.sent', data: object({ parcelId: text() }) }),
  defineEvent({ name: 'ParcelReceived', topic: 'payments.methods', fact: 'parcel.received', data: object({ parcelId: text() }) }),
  defineEvent({ name: 'ParcelReminded', topic: 'payments.methods', fact: 'parcel.reminded', data: object({ parcelId: text(), at: text() }) }),
] as const;
export type Sent = EventOf<(typeof definitions)[0]>;
type Received = EventOf<(typeof definitions)[1]>;
type Reminded = EventOf<(typeof definitions)[2]>;
interface Send { readonly type: 'Send'; readonly parcelId: string }
interface Receive { readonly type: 'Receive'; readonly parcelId: string }
export interface Remind { readonly type: 'Remind'; readonly parcelId: string; readonly at: string }

const stateless = <C extends { type: string }, E extends { type: string }>(decide: (command: C) => E): Decider<C, E, null> => ({ initial: null, decide: (command) => [decide(command)], evolve: () => null });
export const sending: DeciderDefinition<Send, Sent, null> = {
  name: 'sending', stream: ({ parcelId }) => `parcel-${parcelId}`, decider: stateless(({ parcelId }) => ({ type: 'ParcelSent', parcelId })),
  views: [{ table: 'sent', version: 1, key: ({ parcelId }: Sent) => parcelId, initial: {}, on: { ParcelSent: ({ parcelId }: Sent) => ({ parcelId }) }, sortBy: () => '' }],
};
export const receiving: DeciderDefinition<Receive, Received, null> = { name: 'receiving', stream: ({ parcelId }) => `received-${parcelId}`, decider: stateless(({ parcelId }) => ({ type: 'ParcelReceived', parcelId })) };
export const reminding: DeciderDefinition<Remind, Reminded, null> = { name: 'reminding', stream: ({ parcelId }) => `reminded-${parcelId}`, decider: stateless(({ parcelId, at }) => ({ type: 'ParcelReminded', parcelId, at })) };

export const TENANT = 'org_1:test';
export const MASTER_KEY = Buffer.alloc(32, 7);
export const KIND = 'payments.remind';
export const remind = (parcelId: string, dueAt: string, more: Partial<NewJob> = {}): NewJob => ({ id: `job_${parcelId}`, kind: KIND, tenant: TENANT, dueAt, payload: { parcelId }, ...more });
export const reminded = ({ payload: { parcelId }, now }: Job<{ parcelId: string }>): JobResult => ({ outcome: 'done', reaction: { commands: [follow(reminding, { type: 'Remind', parcelId, at: now })] } });

export const receiver: Reactor = { kind: 'reactor', name: 'receiver', topics: ['usage.meters'], on: {
  ParcelSent: ({ parcelId }: Sent, fact: Fact) => ({ commands: [follow(receiving, { type: 'Receive', parcelId })], jobs: [remind(parcelId, fact.at)] }),
} };

/** A clock that a test sets. */
export class SetClock implements Clock {
  at = '2026-01-01T00:00:00Z';
  now(): ReturnType<Clock['now']> { return fixedClock(this.at).now(); }
}

const prepare = async (url: string): Promise<void> => {
  const bed = new ServiceBed({ url, drop: async () => undefined });
  for (const name of ['usage', 'payments'] as const) await bed.open(name).migrate();
  await bed.close();
};

export class ServiceBed {
  readonly clock = new SetClock();
  readonly logged: string[] = [];
  readonly feed: PostgresFeed;
  private readonly services: Service[] = [];
  constructor(private readonly test: TestDatabase) { this.feed = new PostgresFeed(test.url, 12); }

  static async make(): Promise<ServiceBed> {
    const bed = new ServiceBed(await createTestDatabase(async (url) => {
      const feed = new PostgresFeed(url);
      await feed.ensureTopics();
      await feed.close();
      await prepare(url);
    }, 'platform services'));
    return bed;
  }
  get url(): string { return this.test.url; }

  open(name: ServiceName, hasPublished: () => Promise<boolean> = async () => true): Service {
    const logger = createLogger({ service: name, level: 'warn', destination: { write: (line) => { this.logged.push(line); } } });
    const service = new Service({
      name, databaseUrl: this.test.url, feed: this.feed, masterKey: MASTER_KEY, clock: this.clock, logger, health: new HealthRegistry(), metrics: new Metrics(), connectionsMax: 12,
      fanOut: new LocalFanOut(), hasPublished, anchors: { append: async () => undefined, read: async () => [] },
      contexts: [{ name, definitions: [...definitions, ClockCreated, ClockStepped], readModels: name === 'usage' ? [...sending.views!] : [], migrations: [] }],
    });
    this.services.push(service);
    return service;
  }
  start(name: ServiceName, parts: Partial<ContextParts> = {}): Service {
    const service = this.open(name);
    service.use([{ consumers: parts.consumers ?? [], jobs: parts.jobs ?? [] }]);
    service.start();
    return service;
  }
  jobs(run: JobHandler['run']): Service { return this.start('payments', { jobs: [{ kind: KIND, run }] }); }
  send(service: Service, parcelId: string, more: Partial<CommandContext> = {}): ReturnType<Service['log']['executeOne']> {
    return service.log.executeOne(sending, { type: 'Send', parcelId }, { tenant: TENANT, at: this.clock.at, actor: 'test', ...more });
  }
  /** The texts of the facts of a service, in the order of their streams' positions. */
  async facts(service: Service, type: string): Promise<Record<string, unknown>[]> {
    const { rows } = await service.database.transaction({ role: 'worker' }, (tx) => tx.query<{ body: string }>('SELECT body FROM events WHERE type LIKE $1 ORDER BY partition, position', [`%.${type}.v1`]));
    return rows.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
  }
  factsOf(service: Service, type: string, count: number): Promise<Record<string, unknown>[]> {
    return eventually(`${count} of ${type}`, async (saw) => {
      const facts = await this.facts(service, type);
      saw(facts.length);
      return facts.length >= count ? facts : undefined;
    });
  }
  async close(): Promise<void> {
    await Promise.all(this.services.map((service) => service.stop()));
    await this.feed.close();
    await this.test.drop();
  }
}

export const worker = <T>(service: Service, text: string, values: readonly unknown[] = []): Promise<T[]> =>
  service.database.transaction({ role: 'worker' }, async (tx) => (await tx.query(text, values)).rows as T[]);
