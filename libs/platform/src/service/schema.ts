import { appendFunctionSql, consumerSchemaSql, deadLetterSchemaSql, personalKeyOriginSql, personalKeysSql, storeSchemaSql } from '@valueverse/event-log';
import { idempotencySchemaSql } from '../idempotency/idempotency';
import { jobSchemaSql, jobsByKindSql } from '../jobs/job-table';
import { operationsSchemaSql } from './operations-schema';
import type { Migration } from '../persistence/migrate';

/** The steps that every service's schema begins with. */
export const SERVICE_MIGRATIONS: readonly Migration[] = [
  { number: 1, name: 'event store', sql: storeSchemaSql },
  { number: 2, name: 'consumers', sql: consumerSchemaSql },
  { number: 3, name: 'jobs and clocks', sql: jobSchemaSql },
  { number: 4, name: 'idempotency keys', sql: idempotencySchemaSql },
  { number: 5, name: 'append in one pass', sql: appendFunctionSql },
  { number: 6, name: 'dead letters', sql: deadLetterSchemaSql },
  { number: 7, name: 'operations', sql: operationsSchemaSql },
  { number: 8, name: 'jobs by kind', sql: jobsByKindSql },
];

/** A service that reads personal fields keeps a copy of their keys. */
export const PERSONAL_KEY_COPY: Migration = { number: 10, name: 'copy of the personal keys', sql: personalKeysSql };
/** The service that makes them keeps the keys apart, in the schema of identity. */
export const PERSONAL_KEY_ORIGIN: Migration = { number: 10, name: 'personal keys', sql: () => `${personalKeysSql('identity')}\n${personalKeyOriginSql('identity')}` };
