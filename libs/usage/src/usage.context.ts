import { type DynamicModule, Module } from '@nestjs/common';
import { StatementsRequested, SubscriptionStarted, USAGE_EVENTS, type BillingReader, type UsageReader } from '@valueverse/contracts';
import type { Feed, Log } from '@valueverse/event-log';
import type { IdSource } from '@valueverse/kernel';
import type { ServiceAuth } from '@valueverse/auth';
import type { ContextParts, ContextShape, RawRoutes, Service } from '@valueverse/platform';
import { eventsRoutes } from './ingest/events.routes';
import type { Ingest } from './ingest/ingest';
import { OUTBOX, UsageOutbox } from './ingest/outbox';
import { FeedRetention } from './feed-retention';
import { ingressProjector } from './ingress/ingress.projector';
import { abandonedImports } from './imports/abandoned';
import { IMPORTS } from './imports/import-table';
import { Imports } from './imports/imports';
import { ImportsController } from './imports/imports.controller';
import { importRoutes } from './imports/imports.routes';
import { readImportJob } from './imports/read.job';
import { LateUsage } from './late/late-usage.worker';
import { statedSpans } from './late/stated-spans';
import { backfillJob, meterBackfill } from './metering/backfill';
import { lookAtLeftOut, lookAtLogTime } from './metering/look';
import { meteringProjector } from './metering/metering.projector';
import { seriesAndKeysSql } from './migrations/101-series-and-keys';
import { CorrectionsController } from './corrections/corrections.controller';
import { correctionsSql } from './migrations/102-corrections';
import { statementIngressSql } from './migrations/103-statement-ingress';
import { claimsByMeterSql } from './migrations/130-claims-by-meter';
import { lateUsageSql } from './migrations/131-late-usage';
import { lateUsageLooksSql } from './migrations/132-late-usage-looks';
import { retentionSql } from './migrations/140-retention';
import { spansByStatementSql } from './migrations/150-spans-by-statement';
import { envelopesByPartitionSql } from './migrations/160-envelopes-by-partition';
import { packedBodiesSql } from './migrations/170-packed-bodies';
import { sessionsByNasSql } from './migrations/180-sessions-by-nas';
import { stuckLanesSql } from './migrations/181-stuck-lanes';
import { leftOutEventsSql } from './migrations/182-left-out-events';
import { rejectionsSql } from './migrations/183-rejections';
import { MetersController } from './meters/meters.controller';
import { metersView } from './meters/meters';
import { QueryController } from './query/query.controller';
import { ReaderController } from './query/remote-reader';
import { EventsListController } from './events/events-list.controller';
import { EventsStreamController } from './events/events-stream.controller';
import { eventsSchemaSql } from './events/schema';
import { subjectClaims } from './events/subject-claims';
import { RadiusClientsController } from './radius/clients.controller';
import { radiusSchemaSql } from './radius/schema';
import { SessionsController } from './radius/sessions.controller';
import type { RadiusAddress } from './radius/udp-server';
import { ReconciliationController } from './reconciliation/reconciliation.controller';
import { RejectionsController } from './rejections/rejections.controller';
import { registerUsageRefusals } from './refusals';
import { lookAtAltered, lookAtDropped } from './statements/look';
import { retentionView } from './retention/retention';
import { RetentionController } from './retention/retention.controller';
import { retentionWorker } from './retention/retention.worker';
import { usageSchemaSql } from './schema';
import { answerStatements } from './statements/answer.job';
import { statementRequests } from './statements/requests.reactor';
import { statementsView } from './statements/statements';
import { StatementsController } from './statements/statements.controller';
import { lookAtMetering, watchMetering } from './stuck-partitions';
import { UsageHost } from './usage-host';
import { usageMeter, type UsageMeter } from './usage-meter';

/** What the usage service needs to know of metering before its store is made: for `new Service({ contexts: [...] })`. */
export const usageShape: ContextShape = {
  name: 'usage',
  definitions: [...USAGE_EVENTS, StatementsRequested, SubscriptionStarted],
  readModels: [metersView, statementsView, retentionView],
  migrations: [
    { number: 100, name: 'metering', sql: usageSchemaSql },
    { number: 101, name: 'series-and-keys', sql: seriesAndKeysSql },
    { number: 102, name: 'corrections', sql: correctionsSql },
    { number: 103, name: 'statement-ingress', sql: statementIngressSql },
    OUTBOX,
    IMPORTS,
    { number: 120, name: 'radius', sql: radiusSchemaSql },
    { number: 121, name: 'reading events', sql: eventsSchemaSql },
    { number: 130, name: 'claims by meter', sql: claimsByMeterSql },
    { number: 131, name: 'late usage', sql: lateUsageSql },
    { number: 132, name: 'late usage looks', sql: lateUsageLooksSql },
    { number: 140, name: 'retention', sql: retentionSql },
    { number: 150, name: 'spans by statement', sql: spansByStatementSql },
    { number: 160, name: 'envelopes by partition', sql: envelopesByPartitionSql },
    { number: 170, name: 'packed bodies', sql: packedBodiesSql },
    { number: 180, name: 'sessions by NAS', sql: sessionsByNasSql },
    { number: 181, name: 'stuck lanes', sql: stuckLanesSql },
    { number: 182, name: 'left out events', sql: leftOutEventsSql },
    { number: 183, name: 'rejections', sql: rejectionsSql },
  ],
};

@Module({})
class UsageModule {}

export interface UsageDeps {
  readonly auth: Pick<ServiceAuth, 'module' | 'authenticator'>;
  readonly ids: IdSource;
  /** 32 bytes: seals the secrets that tenants share with others. */
  readonly secretsKey: Buffer;
  /** Whom to ask when somebody is billed; made after metering, where both are in one process. */
  readonly billing: () => BillingReader;
}

/** What metering gives its service: consumers and jobs, the module with its controllers, routes beside Nest, and the reader for contexts in the same process. */
export interface UsageContext {
  readonly parts: ContextParts;
  readonly module: DynamicModule;
  readonly routes: readonly RawRoutes[];
  readonly ingest: Ingest;
  readonly reader: UsageReader;
  /** Takes RADIUS accounting from now on; answers the port. Fails with `PortTaken`. */
  readonly listen: (radius: RadiusAddress) => Promise<number>;
}

/** The metering context of a service. */
export const usageContext = (service: Service, { auth, ids, secretsKey, billing }: UsageDeps): UsageContext => {
  registerUsageRefusals();
  watchMetering(service);
  const meter = usageMeter(service.metrics, () => service.clock.now());
  const outbox = new UsageOutbox(service);
  const host = new UsageHost(service, ids, secretsKey, billing, { meter, aside: outbox });
  const imports = new Imports(service, ids);
  const parts = usageParts(service, meter);
  const feedRetention = new FeedRetention({ database: service.database, feed: service.feed, consumers: parts.consumers, failed: (err) => service.logger.error({ err }, 'usage that everybody has read is still in the feed') });
  // Clients write to brokers only.
  const ingress = service.feed.kind === 'kafka' ? [ingressProjector({ authenticator: auth.authenticator, clock: service.clock, ids, outbox, meter })] : [];
  return {
    parts: {
      ...parts, looks: { 'metering-partitions': () => lookAtMetering(service), 'metering-log-time': () => lookAtLogTime(service), 'metering-dimensions': () => lookAtLeftOut(service), 'usage-retention': () => lookAtDropped(service), 'usage-envelopes': () => lookAtAltered(service) }, consumers: [...parts.consumers, ...ingress],
      jobs: [...parts.jobs, readImportJob({ service, ids, outbox, meter })], workers: [host.radius, host.tail, host.rejections, outbox, abandonedImports(service), new LateUsage(service), retentionWorker(service), feedRetention],
    },
    reader: host.reader,
    ingest: host.ingest,
    listen: (radius) => host.radius.listen(radius),
    routes: [eventsRoutes(host, auth.authenticator), importRoutes(imports, host.ingest.room, auth.authenticator)],
    module: {
      module: class extends UsageModule {},
      imports: [auth.module],
      controllers: [ImportsController, MetersController, QueryController, ReconciliationController, RejectionsController, StatementsController, EventsListController, EventsStreamController, RadiusClientsController, SessionsController, ReaderController, CorrectionsController, RetentionController],
      providers: [{ provide: UsageHost, useValue: host }, { provide: Imports, useValue: imports }],
    },
  };
};

/** What metering reads and does. */
export const usageParts = ({ log, feed }: { readonly log: Log; readonly feed: Feed }, meter?: UsageMeter): ContextParts => ({
  consumers: [meteringProjector(meter), meterBackfill, statementRequests(feed), subjectClaims, statedSpans],
  jobs: [backfillJob(log.database), answerStatements(log, feed)],
});
