import { ident, roleName, schemaOwner, tenantPolicySql } from '@valueverse/event-log';

/** What reading events needs beside metering's copy: the copy in the order of its receipt, what was noted of a subject, and who has subscribed to it. */
export const eventsSchemaSql = (schema: string): string => {
  const s = ident(schema);
  const [worker, api] = [ident(roleName(schemaOwner(schema), 'worker')), ident(roleName(schemaOwner(schema), 'api'))];
  return `
CREATE INDEX usage_envelopes_by_time ON ${s}.usage_envelopes (tenant, log_time, partition, position);
CREATE INDEX usage_exceptions_of_subject ON ${s}.usage_exceptions (tenant, subject, partition, position);
CREATE TABLE ${s}.usage_subject_claims (
  tenant text COLLATE "C" NOT NULL, subject text COLLATE "C" NOT NULL, subscription text COLLATE "C" NOT NULL, starts_at bigint NOT NULL, PRIMARY KEY (tenant, subject, subscription));
COMMENT ON COLUMN ${s}.usage_subject_claims.starts_at IS 'microseconds since 1970: usage from then on is the subscription''s';
${tenantPolicySql(schema, 'usage_subject_claims')}
GRANT SELECT, INSERT, UPDATE, DELETE ON ${s}.usage_subject_claims TO ${worker};
GRANT SELECT ON ${s}.usage_subject_claims TO ${api};
`;
};
