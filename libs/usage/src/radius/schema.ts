import { ident, roleName, schemaOwner, tenantPolicySql } from '@valueverse/event-log';

const TABLES = ['usage_radius_clients', 'usage_radius_sessions', 'usage_radius_planned'] as const;

/**
 * Who may send accounting packets, the sessions of their subscribers, and usage that is on its way to the feed. Instants are bigint microseconds since 1970. Packets are worked on as
 * their tenant, so requests and packets stand behind the same policy.
 */
export const radiusSchemaSql = (schema: string): string => {
  const s = ident(schema);
  const [worker, api] = [ident(roleName(schemaOwner(schema), 'worker')), ident(roleName(schemaOwner(schema), 'api'))];
  return `
CREATE TABLE ${s}.usage_radius_clients (
  tenant text COLLATE "C" NOT NULL, client text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL, address text NOT NULL, nas_identifier text NOT NULL DEFAULT '',
  secret bytea NOT NULL, subject_attribute text NOT NULL, created_at bigint NOT NULL, PRIMARY KEY (tenant, client), UNIQUE (tenant, name), UNIQUE (tenant, address, nas_identifier));
COMMENT ON COLUMN ${s}.usage_radius_clients.nas_identifier IS 'empty: whatever the packets say';
COMMENT ON COLUMN ${s}.usage_radius_clients.secret IS 'sealed with a key that is derived from the master key';
CREATE TABLE ${s}.usage_radius_sessions (
  tenant text COLLATE "C" NOT NULL, session text COLLATE "C" NOT NULL, client text COLLATE "C" NOT NULL, nas text COLLATE "C" NOT NULL, acct_session_id text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL, started_at bigint NOT NULL, anchor bigint NOT NULL, heard_from bigint NOT NULL, updated_at bigint NOT NULL, ended_at bigint, cause text, framed_address text, calling_station text,
  input_octets numeric NOT NULL, output_octets numeric NOT NULL, input_packets numeric NOT NULL, output_packets numeric NOT NULL, session_seconds numeric NOT NULL,
  told_seconds numeric, chain text NOT NULL, PRIMARY KEY (tenant, session));
CREATE INDEX usage_radius_sessions_of_nas ON ${s}.usage_radius_sessions (tenant, client, nas, acct_session_id);
CREATE INDEX usage_radius_sessions_live ON ${s}.usage_radius_sessions (tenant, started_at, session) WHERE ended_at IS NULL;
CREATE INDEX usage_radius_sessions_by_start ON ${s}.usage_radius_sessions (tenant, started_at, session);
CREATE INDEX usage_radius_sessions_of_subject ON ${s}.usage_radius_sessions (tenant, subject, started_at, session);
COMMENT ON COLUMN ${s}.usage_radius_sessions.chain IS 'the latest reports, to put one in its place that comes late';
CREATE TABLE ${s}.usage_radius_planned (
  tenant text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, session text COLLATE "C" NOT NULL, planned_at bigint NOT NULL, event text NOT NULL, PRIMARY KEY (tenant, session, id));
CREATE INDEX usage_radius_planned_by_time ON ${s}.usage_radius_planned (planned_at);
COMMENT ON TABLE ${s}.usage_radius_planned IS 'usage that its session counts already and that is not known to be in the feed: written with the session, removed after the append';
${TABLES.map((table) => `${tenantPolicySql(schema, table)}
GRANT SELECT, INSERT, UPDATE, DELETE ON ${s}.${ident(table)} TO ${worker}, ${api};`).join('\n')}
`;
};
