import type { Clock } from '@valueverse/kernel';
import type { ServiceName, Topic } from '@valueverse/contracts';
import {
  chainHeads, Codec, consumerName, Database, ensureStreamViews, EventStore, KeyRelay, KeyRing, Log, Relay, Subscription,
  type AnchorStore, type AnyReadModel, type Consumer, type Feed, type Projector, type RecordProjector, type Reports,
} from '@valueverse/event-log';
import { clockProjector } from '../clock/clock-projector';
import { DatabaseReports } from '../clock/reports';
import type { FanOut } from '../fan-out/fan-out';
import type { HealthRegistry } from '../health/registry';
import { pruneIdempotencyKeys } from '../idempotency/idempotency';
import { jobMeter } from '../jobs/job-meter';
import { JobRunner } from '../jobs/job-runner';
import { JobTable } from '../jobs/job-table';
import type { Logger } from '../logging/logger';
import { countFacts } from '../metrics/fact-measures';
import type { Metrics } from '../metrics/metrics';
import { migrate, type Migration } from '../persistence/migrate';
import type { ContextParts, ContextShape, LookResult, Worker } from './context';
import { watchLog } from './log-metrics';
import { PERSONAL_KEY_COPY, PERSONAL_KEY_ORIGIN, SERVICE_MIGRATIONS } from './schema';
import { watchService } from './watch';

export interface ServiceOptions {
  readonly name: ServiceName;
  readonly databaseUrl: string;
  readonly feed: Feed;
  readonly masterKey: Buffer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthRegistry;
  readonly metrics: Metrics;
  readonly anchors: AnchorStore;
  readonly fanOut: FanOut;
  readonly contexts: readonly ContextShape[];
  readonly connectionsMax?: number;
  /** What this release publishes, as `familyOf` names it; a record of anything else is kept apart. All are believed when it is not given. */
  readonly published?: ReadonlySet<string>;
  /** Whether a service has published everything that it had when it was asked; every one has when this is not given. */
  readonly hasPublished?: (service: ServiceName) => Promise<boolean>;
}

/** What one consumer reads: the names of its events, or every record where it names none. */
export interface Consumption { readonly consumer: string; readonly topics: readonly Topic[]; readonly events: readonly string[] | undefined }

const consumptionOf = (consumer: Consumer): Consumption => ({
  consumer: consumerName(consumer), topics: consumer.topics, events: consumer.kind === 'records' ? undefined : consumer.kind === 'projector' ? consumer.events : Object.keys(consumer.on),
});

const ANCHOR_EVERY_MS = 60_000;
const PRUNE_EVERY_MS = 3_600_000;
/** The service whose database holds the schema of identity, where personal keys are made. */
const KEY_ORIGIN: ServiceName = 'billing';

/** One service: its database, its store and relay, what it reads from the feed, and its jobs. The same in both editions. */
export class Service {
  readonly name: ServiceName;
  readonly database: Database;
  readonly keys: KeyRing;
  readonly log: Log;
  readonly feed: Feed;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly fanOut: FanOut;
  private readonly schemas: readonly string[];
  private readonly store: EventStore;
  private readonly jobTable: JobTable;
  private readonly reporting: Reports;
  private consumers: readonly Consumer[] = [];
  private relay: Relay | undefined;
  private keyRelay: KeyRelay | undefined;
  private subscription: Subscription | undefined;
  private runner: JobRunner | undefined;
  private workers: readonly Worker[] = [];
  /** What the doctor looks at in its contexts, by name. */
  looks: Readonly<Record<string, () => Promise<LookResult>>> = {};
  private readonly timers: NodeJS.Timeout[] = [];
  private stopping: Promise<void> | undefined;

  constructor(private readonly options: ServiceOptions) {
    const { name, databaseUrl, contexts, clock, connectionsMax } = options;
    this.name = name;
    this.feed = options.feed;
    this.clock = clock;
    this.metrics = options.metrics;
    this.fanOut = options.fanOut;
    this.logger = options.logger.child({ service: name });
    this.schemas = [name, ...contexts.flatMap(({ schemas }) => schemas ?? [])];
    this.database = new Database({ url: databaseUrl, schema: name, schemas: this.schemas.slice(1), ...(connectionsMax === undefined ? {} : { connectionsMax }) });
    this.keys = new KeyRing(options.masterKey);
    const definitions = [...new Set(contexts.flatMap((context) => context.definitions))];
    this.store = new EventStore(this.database, new Codec(name, definitions, this.keys));
    this.log = new Log(this.store, () => clock.now());
    this.jobTable = new JobTable(() => this.runner?.wake());
    const alarms = options.metrics.counter({ subsystem: 'log', what: 'alarms', help: 'Consumers and relays that stopped, streams that were parked, jobs that keep failing', labels: ['service'] });
    this.reporting = {
      error: (message, cause) => this.logger.error({ err: cause }, message),
      alarm: (message) => { alarms.inc({ service: name }); this.logger.error({ alarm: true }, message); },
    };
  }

  /** Brings the database up to this release. Safe to call from several processes at once. */
  async migrate(): Promise<readonly string[]> {
    const { contexts, name } = this.options;
    const done = await migrate(this.database, this.schemas, this.migrations);
    await this.store.checkSettings();
    for (const { readModels, readModelSchema } of contexts) await ensureStreamViews(this.store, readModelSchema ?? name, readModels);
    return done;
  }

  /** Takes in what the contexts do. Called once, before `start`. `isTenant` says whether there is a tenant; throws `NotYetKnown` while it cannot. */
  use(parts: readonly ContextParts[], isTenant?: (tenant: string) => Promise<boolean>): void {
    const { name, feed } = this.options;
    const keyCopy = name === KEY_ORIGIN ? [] : [this.keys.projector()];
    this.consumers = [clockProjector(() => this.runner?.wake()), ...keyCopy, ...parts.flatMap(({ consumers }) => consumers)];
    this.workers = parts.flatMap(({ workers }) => workers ?? []);
    this.looks = Object.assign({}, ...parts.map(({ looks }) => looks ?? {})) as Service['looks'];
    const relay = new Relay(this.store, feed, this.reporting);
    this.relay = relay;
    // The relay of this store may be another process.
    this.store.onCommit(() => this.fanOut.tell(`store ${name}`));
    this.fanOut.listen(`store ${name}`, () => relay.wake());
    if (name === KEY_ORIGIN) {
      const keyRelay = new KeyRelay(this.database, feed, this.reporting, () => relay.status().isOwner);
      // Keys are made with accounts; what erases one waits for the next look.
      this.store.onCommit((facts) => { if (facts.some(({ topic }) => topic === 'billing.accounts')) keyRelay.wake(); });
      this.keyRelay = keyRelay;
    }
    const rejected = this.options.metrics.counter({ subsystem: 'log', what: 'rejected_records', help: 'Records that are no facts of ours, by reason', labels: ['service', 'code'] });
    this.runner = new JobRunner(this.log, this.jobTable, parts.flatMap(({ jobs }) => jobs), this.reporting, jobMeter(this.metrics));
    this.subscription = new Subscription({ group: name, store: this.store, feed, consumers: this.consumers, jobs: this.jobTable, wallClock: () => this.clock.now(), reports: this.reporting,
      ...(this.options.published === undefined ? {} : { published: this.options.published }), ...(isTenant === undefined ? {} : { isTenant }), onRejected: (code) => rejected.inc({ service: name, code }),
    });
    watchService({ service: this, relay, health: this.options.health });
    watchLog(this, this.metrics);
    this.store.onCommit(countFacts(this.metrics, name, parts.flatMap(({ measures }) => measures ?? [])));
  }

  /** What this service says about clocks and about what it has read. */
  get reports(): DatabaseReports { return new DatabaseReports(this.name, this.database, this.consumers); }
  /** The steps of its schema, as this release has them. */
  get migrations(): readonly Migration[] {
    const { contexts, name } = this.options;
    return [...SERVICE_MIGRATIONS, name === KEY_ORIGIN ? PERSONAL_KEY_ORIGIN : PERSONAL_KEY_COPY, ...contexts.flatMap(({ migrations }) => migrations)];
  }
  /** Rows that belong to streams, with the schema that they are in. */
  get views(): readonly { readonly schema: string; readonly model: AnyReadModel }[] {
    return this.options.contexts.flatMap(({ readModels, readModelSchema }) => readModels.map((model) => ({ schema: readModelSchema ?? this.name, model })));
  }
  /** Consumers that fold what they read into rows. */
  get projectors(): readonly (Projector | RecordProjector)[] { return this.consumers.filter((consumer) => consumer.kind !== 'reactor'); }
  /** What it reads, by consumer. */
  get consumptions(): readonly Consumption[] { return this.consumers.map(consumptionOf); }
  /** The names of its consumers, as their checkpoints have them. */
  get readers(): readonly string[] { return this.consumers.map(consumerName); }
  /** Whether everything that another service had committed by now is in the feed. Throws when that service cannot be asked. */
  hasPublished(owner: ServiceName): Promise<boolean> { return this.options.hasPublished?.(owner) ?? Promise.resolve(true); }
  /** Where its parts say whether they are fit for work. */
  get health(): HealthRegistry { return this.options.health; }
  get jobs(): JobTable { return this.jobTable; }
  get reads(): Subscription { return this.subscription!; }

  start(): void {
    this.relay!.start();
    this.keyRelay?.start();
    this.subscription!.start();
    this.runner!.start();
    for (const worker of this.workers) worker.start();
    this.timers.push(setInterval(() => { void this.anchor(); }, ANCHOR_EVERY_MS).unref(), setInterval(() => { void this.prune(); }, PRUNE_EVERY_MS).unref());
  }

  /** Stops taking work, finishes what is at hand, and keeps the heads of the chain outside the database. Requests can still be answered. */
  stopWork(): Promise<void> { return this.stopping ??= this.endWork(); }

  /** The same, and closes the connections. */
  async stop(): Promise<void> {
    await this.stopWork();
    await this.database.close();
  }

  private async endWork(): Promise<void> {
    this.timers.forEach((timer) => clearInterval(timer));
    await Promise.all([this.subscription?.stop(), this.runner?.stop(), ...this.workers.map((worker) => worker.stop())]);
    await Promise.all([this.relay?.stop(), this.keyRelay?.stop()]);
    await this.anchor();
  }

  private async prune(): Promise<void> {
    try {
      while ((await this.database.transaction({ role: 'worker' }, (tx) => pruneIdempotencyKeys(tx))) > 0);
    } catch (error) {
      this.reporting.error('old answers could not be forgotten', error);
    }
  }

  private async anchor(): Promise<void> {
    try {
      await this.options.anchors.append(this.name, await chainHeads(this.database), this.clock.now());
    } catch (error) {
      this.reporting.error('the heads of the chain could not be anchored', error);
    }
  }
}
