import { ident, roleName, schemaOwner, tenantPolicySql } from '@valueverse/event-log';
import { USAGE_PARTITIONS } from '@valueverse/contracts';

const TENANT_TABLES = [
  'usage_envelopes', 'usage_ids', 'usage_reused_ids', 'usage_buckets', 'usage_bucket_envelopes', 'usage_exceptions', 'usage_meter_progress', 'usage_statement_requests',
] as const;

/**
 * The tables of metering in the schema of the usage service, for its migration: to be run after `storeSchemaSql` and
 * `consumerSchemaSql`. Keys are compared as bytes: nobody reads them in the order of a language. Requests may read the rows of their tenant, only consumers and jobs write. Instants are bigint
 * microseconds since 1970; a `partition` is one of `usage.events`, a `position` counts the envelopes of metering's copy from 1.
 */
export const usageSchemaSql = (schema: string): string => {
  const s = ident(schema);
  const [worker, api] = [ident(roleName(schemaOwner(schema), 'worker')), ident(roleName(schemaOwner(schema), 'api'))];
  return `
CREATE TABLE ${s}.usage_partitions (partition int PRIMARY KEY, position bigint NOT NULL, link bytea NOT NULL, log_time bigint NOT NULL);
INSERT INTO ${s}.usage_partitions SELECT p, 0, '\\x'::bytea, 0 FROM generate_series(0, ${USAGE_PARTITIONS - 1}) p;
CREATE TABLE ${s}.usage_envelopes (
  tenant text COLLATE "C" NOT NULL, partition int NOT NULL, position bigint NOT NULL, envelope text COLLATE "C" NOT NULL, log_time bigint NOT NULL,
  header text NOT NULL, body text, body_hash bytea NOT NULL, link bytea NOT NULL, not_counted int[] NOT NULL,
  PRIMARY KEY (tenant, partition, position), UNIQUE (partition, position), UNIQUE (tenant, envelope));
DO $$ BEGIN
  ALTER TABLE ${s}.usage_envelopes ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$;
CREATE TABLE ${s}.usage_ids (
  tenant text COLLATE "C" NOT NULL, source text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, subject text COLLATE "C" NOT NULL, content bytea NOT NULL,
  partition int NOT NULL, position bigint NOT NULL, nth int NOT NULL, log_time bigint NOT NULL, PRIMARY KEY (tenant, source, id));
CREATE TABLE ${s}.usage_reused_ids (
  tenant text COLLATE "C" NOT NULL, source text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, subject text COLLATE "C" NOT NULL, content bytea NOT NULL,
  partition int NOT NULL, position bigint NOT NULL, nth int NOT NULL, log_time bigint NOT NULL, PRIMARY KEY (tenant, source, id, subject));
CREATE TABLE ${s}.usage_buckets (
  tenant text COLLATE "C" NOT NULL, meter text COLLATE "C" NOT NULL, version int NOT NULL, subject text COLLATE "C" NOT NULL, bucket bigint NOT NULL, group_key bytea NOT NULL,
  groups text NOT NULL, total numeric NOT NULL, events bigint NOT NULL, PRIMARY KEY (tenant, meter, version, subject, bucket, group_key));
CREATE INDEX usage_buckets_by_time ON ${s}.usage_buckets (tenant, meter, version, bucket);
CREATE TABLE ${s}.usage_bucket_envelopes (
  tenant text COLLATE "C" NOT NULL, subject text COLLATE "C" NOT NULL, bucket bigint NOT NULL, partition int NOT NULL, position bigint NOT NULL,
  PRIMARY KEY (tenant, subject, bucket, position));
CREATE TABLE ${s}.usage_exceptions (
  tenant text COLLATE "C" NOT NULL, code text COLLATE "C" NOT NULL, partition int NOT NULL, position bigint NOT NULL, nth int NOT NULL, meter text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL, source text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, occurred_at bigint NOT NULL, log_time bigint NOT NULL,
  first_partition int, first_position bigint, first_nth int, PRIMARY KEY (tenant, partition, position, nth, code, meter));
CREATE INDEX usage_exceptions_by_time ON ${s}.usage_exceptions (tenant, log_time, partition, position, nth, code, meter);
CREATE TABLE ${s}.usage_meter_progress (
  tenant text COLLATE "C" NOT NULL, meter text COLLATE "C" NOT NULL, version int NOT NULL, partition int NOT NULL, position bigint, PRIMARY KEY (tenant, meter, version, partition));
CREATE INDEX usage_meter_progress_following ON ${s}.usage_meter_progress (partition, tenant) WHERE position IS NULL;
COMMENT ON COLUMN ${s}.usage_meter_progress.position IS 'the last envelope that the back-fill has counted; null: the meter follows the head';
CREATE TABLE ${s}.usage_statement_requests (
  tenant text NOT NULL, request text NOT NULL, chunk text NOT NULL, body text NOT NULL, floor text NOT NULL, at text NOT NULL, clock text,
  fact text NOT NULL, correlation text NOT NULL, traceparent text, answered boolean NOT NULL DEFAULT false, PRIMARY KEY (tenant, request));
${TENANT_TABLES.map((table) => `${tenantPolicySql(schema, table)}
GRANT SELECT, INSERT, UPDATE, DELETE ON ${s}.${ident(table)} TO ${worker};
GRANT SELECT ON ${s}.${ident(table)} TO ${api};`).join('\n')}
GRANT SELECT, UPDATE ON ${s}.usage_partitions TO ${worker};
GRANT SELECT ON ${s}.usage_partitions TO ${api};
`;
};
