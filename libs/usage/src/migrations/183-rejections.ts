import { ident, roleName, schemaOwner, tenantPolicySql } from '@valueverse/event-log';

/** Usage that was refused when it came, of each tenant the latest. Instants are bigint microseconds since 1970. */
export const rejectionsSql = (schema: string): string => {
  const s = ident(schema);
  const [worker, api] = [ident(roleName(schemaOwner(schema), 'worker')), ident(roleName(schemaOwner(schema), 'api'))];
  return `
CREATE TABLE ${s}.usage_rejections (
  nth bigint GENERATED ALWAYS AS IDENTITY, tenant text COLLATE "C" NOT NULL, received_at bigint NOT NULL, via text NOT NULL, code text COLLATE "C" NOT NULL, detail text NOT NULL, pointer text NOT NULL,
  event_id text, sender text, shown text, PRIMARY KEY (tenant, nth));
CREATE INDEX usage_rejections_by_time ON ${s}.usage_rejections (received_at);
COMMENT ON COLUMN ${s}.usage_rejections.shown IS 'how it began, as it came; null where it was no JSON, or a packet';
${tenantPolicySql(schema, 'usage_rejections')}
GRANT SELECT, INSERT, DELETE ON ${s}.usage_rejections TO ${worker};
GRANT SELECT ON ${s}.usage_rejections TO ${api};
`;
};
