import { ident, roleName, schemaOwner, tenantPolicySql } from '@valueverse/event-log';

const TENANT_TABLES = ['usage_seals', 'usage_retention_progress', 'usage_retention_held', 'usage_retention_holds'] as const;

/** Bodies of envelopes go by the retention of their tenant: what their buckets held is sealed before, and it is noted how far each partition is and what holds the rest back. */
export const retentionSql = (schema: string): string => {
  const s = ident(schema);
  const [worker, api] = [ident(roleName(schemaOwner(schema), 'worker')), ident(roleName(schemaOwner(schema), 'api'))];
  return `
ALTER TABLE ${s}.usage_envelopes ADD COLUMN dropped text;
COMMENT ON COLUMN ${s}.usage_envelopes.dropped IS 'where its events ended, as JSON, noted when its body was dropped; null while the body is there';
ALTER TABLE ${s}.usage_meter_progress ADD COLUMN begun_after bigint;
COMMENT ON COLUMN ${s}.usage_meter_progress.begun_after IS 'so many chunks had been dropped of the partition when the meter began to count it; null: none';
CREATE INDEX usage_statement_requests_open ON ${s}.usage_statement_requests (tenant) WHERE NOT answered;
CREATE TABLE ${s}.usage_seals (
  tenant text COLLATE "C" NOT NULL, subject text COLLATE "C" NOT NULL, bucket bigint NOT NULL, partition int NOT NULL, envelopes int NOT NULL, position bigint NOT NULL, first_chunk bigint NOT NULL, sealed_at bigint NOT NULL,
  tallies text COLLATE "C" NOT NULL, hash bytea NOT NULL, PRIMARY KEY (tenant, subject, bucket));
CREATE INDEX usage_seals_by_time ON ${s}.usage_seals (tenant, bucket);
COMMENT ON TABLE ${s}.usage_seals IS 'of each quarter of an hour of a subject that has lost envelopes: what the events in them came to, by meter, and the hash over that and over the positions and body hashes of these envelopes';
COMMENT ON COLUMN ${s}.usage_seals.position IS 'the last of the envelopes that it has lost';
COMMENT ON COLUMN ${s}.usage_seals.first_chunk IS 'of the chunks that were dropped of the partition, the first that took something of it: a meter that begins after that does not count it';
CREATE TABLE ${s}.usage_retention_progress (
  tenant text COLLATE "C" NOT NULL, partition int NOT NULL, days int NOT NULL, pass bigint NOT NULL, cursor_at bigint NOT NULL, frontier bigint NOT NULL, through_at bigint, dropped bigint NOT NULL, chunks bigint NOT NULL, dropped_until bigint, whole_from bigint,
  PRIMARY KEY (tenant, partition));
COMMENT ON COLUMN ${s}.usage_retention_progress.frontier IS 'every envelope up to this position has been looked at: it is dropped, or among those that are held';
COMMENT ON COLUMN ${s}.usage_retention_progress.through_at IS 'log time at which the last look through was over; null while one goes on';
COMMENT ON COLUMN ${s}.usage_retention_progress.dropped_until IS 'log time of the last envelope that was dropped';
COMMENT ON COLUMN ${s}.usage_retention_progress.whole_from IS 'no event that occurred then or later was dropped';
CREATE TABLE ${s}.usage_retention_held (tenant text COLLATE "C" NOT NULL, partition int NOT NULL, position bigint NOT NULL, PRIMARY KEY (tenant, partition, position));
CREATE TABLE ${s}.usage_retention_holds (
  tenant text COLLATE "C" NOT NULL, partition int NOT NULL, reason text COLLATE "C" NOT NULL, subject text COLLATE "C" NOT NULL, pass bigint NOT NULL, PRIMARY KEY (tenant, partition, reason, subject));
COMMENT ON TABLE ${s}.usage_retention_holds IS 'why envelopes are kept beyond the retention; the subject is empty where it is all of the partition';
${TENANT_TABLES.map((table) => `${tenantPolicySql(schema, table)}
GRANT SELECT, INSERT, UPDATE, DELETE ON ${s}.${ident(table)} TO ${worker};
GRANT SELECT ON ${s}.${ident(table)} TO ${api};`).join('\n')}
`;
};
