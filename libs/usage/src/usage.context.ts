import { type DynamicModule, Module } from '@nestjs/common';
import { StatementsRequested, USAGE_EVENTS, type UsageReader } from '@valueverse/contracts';
import type { Feed, Log } from '@valueverse/event-log';
import type { IdSource } from '@valueverse/kernel';
import type { ServiceAuth } from '@valueverse/auth';
import type { ContextParts, ContextShape, RawRoutes, Service } from '@valueverse/platform';
import { eventsRoutes } from './ingest/events.routes';
import type { Ingest } from './ingest/ingest';
import { backfillJob, meterBackfill } from './metering/backfill';
import { meteringProjector } from './metering/metering.projector';
import { MetersController } from './meters/meters.controller';
import { metersView } from './meters/meters';
import { QueryController } from './query/query.controller';
import { ReaderController } from './query/remote-reader';
import { registerUsageRefusals } from './refusals';
import { usageSchemaSql } from './schema';
import { answerStatements } from './statements/answer.job';
import { statementRequests } from './statements/requests.reactor';
import { statementsView } from './statements/statements';
import { StatementsController } from './statements/statements.controller';
import { UsageHost } from './usage-host';
import { usageMeter, type UsageMeter } from './usage-meter';

/** What the usage service needs to know of metering before its store is made: for `new Service({ contexts: [...] })`. */
export const usageShape: ContextShape = {
  name: 'usage',
  definitions: [...USAGE_EVENTS, StatementsRequested],
  readModels: [metersView, statementsView],
  migrations: [{ number: 100, name: 'metering', sql: usageSchemaSql }],
};

@Module({})
class UsageModule {}

export interface UsageDeps {
  readonly auth: Pick<ServiceAuth, 'module' | 'authenticator'>;
  readonly ids: IdSource;
}

/** The metering context of a service: its consumers and jobs, the module with its controllers, and the reader for contexts in the same process. */
export const usageContext = (service: Service, { auth, ids }: UsageDeps): { parts: ContextParts; module: DynamicModule; routes: readonly RawRoutes[]; ingest: Ingest; reader: UsageReader } => {
  registerUsageRefusals();
  const meter = usageMeter(service.metrics, () => service.clock.now());
  const host = new UsageHost(service, ids, meter);
  return {
    parts: usageParts(service, meter),
    reader: host.reader,
    ingest: host.ingest,
    routes: [eventsRoutes(host, auth.authenticator)],
    module: {
      module: class extends UsageModule {},
      imports: [auth.module],
      controllers: [MetersController, QueryController, StatementsController, ReaderController],
      providers: [{ provide: UsageHost, useValue: host }],
    },
  };
};

/** What metering reads and does. */
export const usageParts = ({ log, feed }: { readonly log: Log; readonly feed: Feed }, meter?: UsageMeter): ContextParts => ({
  consumers: [meteringProjector(meter), meterBackfill, statementRequests(feed)],
  jobs: [backfillJob(log.database), answerStatements(log)],
});
