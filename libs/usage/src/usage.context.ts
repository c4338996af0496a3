import { StatementsRequested, USAGE_EVENTS, type EventDefinition } from '@valueverse/contracts';
import type { AnyReadModel, Consumer, Feed, Log } from '@valueverse/event-log';
import type { JobHandler } from '@valueverse/platform';
import { backfillJob, meterBackfill } from './metering/backfill';
import { meteringProjector } from './metering/metering.projector';
import { metersView } from './meters/meters';
import { usageSchemaSql } from './schema';
import { answerStatements } from './statements/answer.job';
import { statementRequests } from './statements/requests.reactor';
import { statementsView } from './statements/statements';

/** What the context works with. */
export interface UsageDeps {
  readonly log: Log;
  readonly feed: Feed;
}

/** The facts that it appends, and those of others that it reads. */
export const usageDefinitions: readonly EventDefinition[] = [...USAGE_EVENTS, StatementsRequested];
export const usageReadModels: readonly AnyReadModel[] = [metersView, statementsView];
export const usageConsumers = ({ feed }: UsageDeps): Consumer[] => [meteringProjector, meterBackfill, statementRequests(feed)];
export const usageJobs = ({ log }: UsageDeps): JobHandler[] => [backfillJob(log.database), answerStatements(log)];

/** The metering context as a host composes it. */
export const usageContext = {
  service: 'usage',
  schema: 'usage',
  schemaSql: usageSchemaSql,
  definitions: usageDefinitions,
  readModels: usageReadModels,
  consumers: usageConsumers,
  jobs: usageJobs,
} as const;
