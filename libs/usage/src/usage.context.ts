import { type DynamicModule, Module } from '@nestjs/common';
import { StatementsRequested, USAGE_EVENTS } from '@valueverse/contracts';
import type { Feed, Log } from '@valueverse/event-log';
import type { IdSource } from '@valueverse/kernel';
import type { ServiceAuth } from '@valueverse/auth';
import type { ContextParts, ContextShape, Service } from '@valueverse/platform';
import { EventsController } from './ingest/events.controller';
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

/** What the usage service needs to know of metering before its store is made: for `new Service({ contexts: [...] })`. */
export const usageShape: ContextShape = {
  name: 'usage',
  definitions: [...USAGE_EVENTS, StatementsRequested],
  readModels: [metersView, statementsView],
  migrations: [{ number: 100, name: 'metering', sql: usageSchemaSql }],
};

/** What metering reads and does: for `service.use([...])`. */
export const usageParts = ({ log, feed }: { readonly log: Log; readonly feed: Feed }): ContextParts => ({
  consumers: [meteringProjector, meterBackfill, statementRequests(feed)],
  jobs: [backfillJob(log.database), answerStatements(log)],
});

@Module({})
class UsageModule {}

/** Metering's HTTP face, for the modules of a host. */
export interface UsageFace {
  readonly host: UsageHost;
  readonly module: DynamicModule;
}

/** Makes the controllers of metering for a service. `face.host.reader` is the `UsageReader` of contexts in the same process. */
export const usageFace = (service: Service, auth: Pick<ServiceAuth, 'module'>, ids: IdSource): UsageFace => {
  registerUsageRefusals();
  const host = new UsageHost(service, ids);
  return {
    host,
    module: {
      module: class extends UsageModule {},
      imports: [auth.module],
      controllers: [EventsController, MetersController, QueryController, StatementsController, ReaderController],
      providers: [{ provide: UsageHost, useValue: host }],
    },
  };
};
