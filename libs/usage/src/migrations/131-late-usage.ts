import { ident, roleName, schemaOwner, tenantPolicySql } from '@valueverse/event-log';
import { USAGE_PARTITIONS } from '@valueverse/contracts';

const TENANT_TABLES = ['usage_stated_spans', 'usage_stated_until'] as const;

/** What issued statements are about, and up to where the copy has been looked through for what came after them. */
export const lateUsageSql = (schema: string): string => {
  const s = ident(schema);
  const worker = ident(roleName(schemaOwner(schema), 'worker'));
  return `
ALTER TABLE ${s}.usage_envelopes ADD COLUMN earliest bigint;
COMMENT ON COLUMN ${s}.usage_envelopes.earliest IS 'nothing in it is about an instant before: no event of it, and none that it takes back or replaces; null where it was written before this was kept';
CREATE TABLE ${s}.usage_stated_spans (
  tenant text COLLATE "C" NOT NULL, subject text COLLATE "C" NOT NULL, until_at bigint NOT NULL, statement text COLLATE "C" NOT NULL, from_at bigint NOT NULL, partition int NOT NULL, as_of bigint NOT NULL,
  PRIMARY KEY (tenant, subject, until_at, statement, from_at));
CREATE TABLE ${s}.usage_stated_until (partition int NOT NULL, tenant text COLLATE "C" NOT NULL, until_at bigint NOT NULL, PRIMARY KEY (partition, tenant));
COMMENT ON TABLE ${s}.usage_stated_until IS 'the greatest end of a stated span: an envelope that is about nothing before it cannot be late';
CREATE TABLE ${s}.usage_late_progress (partition int PRIMARY KEY, position bigint NOT NULL);
INSERT INTO ${s}.usage_late_progress SELECT p, 0 FROM generate_series(0, ${USAGE_PARTITIONS - 1}) p;
${TENANT_TABLES.map((table) => `${tenantPolicySql(schema, table)}
GRANT SELECT, INSERT, UPDATE, DELETE ON ${s}.${ident(table)} TO ${worker};`).join('\n')}
GRANT SELECT, UPDATE ON ${s}.usage_late_progress TO ${worker};
`;
};
