import { ident, roleName } from '../database/database';

/** What came later: processes that ended over a partition are counted, and records that are no facts of ours are kept. */
export const deadLetterSchemaSql = (schema: string): string => {
  const [s, worker] = [ident(schema), ident(roleName(schema, 'worker'))];
  return `
ALTER TABLE ${s}.checkpoints ADD COLUMN takeovers int NOT NULL DEFAULT 0, ADD COLUMN taken_at timestamptz;
ALTER TABLE ${s}.failures ADD COLUMN begun int NOT NULL DEFAULT 0;
CREATE TABLE ${s}.rejected_records (
  consumer text NOT NULL, topic text NOT NULL, partition int NOT NULL, record_offset bigint NOT NULL, code text NOT NULL, detail text NOT NULL, key text NOT NULL,
  position bigint, previous bigint, headers text NOT NULL, value text NOT NULL, seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (consumer, topic, partition, record_offset));
GRANT SELECT, INSERT, UPDATE, DELETE ON ${s}.rejected_records TO ${worker};`;
};

/** Checkpoints with their fence, and what was set aside: of one service. */
export const consumerSchemaSql = (schema: string): string => {
  const [s, worker, api] = [ident(schema), ident(roleName(schema, 'worker')), ident(roleName(schema, 'api'))];
  return `
CREATE TABLE ${s}.checkpoints (
  consumer text NOT NULL, topic text NOT NULL, partition int NOT NULL, epoch bigint NOT NULL DEFAULT 0, owner text,
  next_offset bigint NOT NULL DEFAULT 0, position bigint NOT NULL DEFAULT 0, halted text, PRIMARY KEY (consumer, topic, partition));
CREATE TABLE ${s}.failures (
  consumer text NOT NULL, topic text NOT NULL, partition int NOT NULL, record_offset bigint NOT NULL, attempts int NOT NULL, reason text NOT NULL,
  PRIMARY KEY (consumer, topic, partition));
CREATE TABLE ${s}.parked_streams (
  consumer text NOT NULL, tenant text NOT NULL, stream text NOT NULL, reason text NOT NULL, parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (consumer, tenant, stream));
CREATE TABLE ${s}.parked_records (
  consumer text NOT NULL, topic text NOT NULL, partition int NOT NULL, record_offset bigint NOT NULL, tenant text NOT NULL, stream text NOT NULL,
  position bigint, previous bigint, headers text NOT NULL, value text NOT NULL, PRIMARY KEY (consumer, topic, partition, record_offset));
GRANT SELECT, INSERT, UPDATE, DELETE ON ${s}.checkpoints, ${s}.failures, ${s}.parked_streams, ${s}.parked_records TO ${worker};
GRANT SELECT ON ${s}.checkpoints TO ${api};`;
};
