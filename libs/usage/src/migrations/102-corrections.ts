import { ident, roleName, schemaOwner, tenantPolicySql } from '@valueverse/event-log';

const TENANT_TABLES = ['usage_superseded', 'usage_corrections'] as const;

/** Events that were taken back or replaced, by the place that they had, and what was asked for. */
export const correctionsSql = (schema: string): string => {
  const s = ident(schema);
  const [worker, api] = [ident(roleName(schemaOwner(schema), 'worker')), ident(roleName(schemaOwner(schema), 'api'))];
  return `
CREATE TABLE ${s}.usage_superseded (
  tenant text COLLATE "C" NOT NULL, partition int NOT NULL, position bigint NOT NULL, nth int NOT NULL, by_position bigint NOT NULL, by_nth int NOT NULL, voided boolean NOT NULL,
  PRIMARY KEY (tenant, partition, position, nth));
COMMENT ON COLUMN ${s}.usage_superseded.by_position IS 'of the copy: what is asked as of an earlier position still counts the event';
CREATE TABLE ${s}.usage_corrections (
  tenant text COLLATE "C" NOT NULL, correction text COLLATE "C" NOT NULL, kind text NOT NULL, reason text NOT NULL, subject text COLLATE "C" NOT NULL, source text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL,
  partition int NOT NULL, position bigint NOT NULL, nth int NOT NULL, refused text, replaced_position bigint, replaced_nth int, log_time bigint NOT NULL, PRIMARY KEY (tenant, correction));
CREATE INDEX usage_corrections_by_event ON ${s}.usage_corrections (tenant, subject, source, id);
${TENANT_TABLES.map((table) => `${tenantPolicySql(schema, table)}
GRANT SELECT, INSERT, UPDATE, DELETE ON ${s}.${ident(table)} TO ${worker};
GRANT SELECT ON ${s}.${ident(table)} TO ${api};`).join('\n')}
`;
};
