import { FACT_PARTITIONS } from '@valueverse/contracts';
import { ident, roleName } from '../database/database';
import { schemaOwner, tenantPolicySql } from '../database/roles';

/** The keys of personal fields as a service keeps them: a copy of the topic `identity.personal-keys`. */
export const personalKeysSql = (schema: string): string => {
  const [s, owner] = [ident(schema), schemaOwner(schema)];
  const [worker, api] = [ident(roleName(owner, 'worker')), ident(roleName(owner, 'api'))];
  return `
CREATE TABLE ${s}.personal_keys (
  tenant text NOT NULL, key_id text NOT NULL, wrapped bytea, state text NOT NULL CHECK (state IN ('active', 'erased')),
  partition int NOT NULL, position bigint NOT NULL, PRIMARY KEY (tenant, key_id));
${tenantPolicySql(schema, 'personal_keys')}
GRANT SELECT, INSERT, UPDATE ON ${s}.personal_keys TO ${worker}, ${api};`;
};

/** What the service that makes the keys needs besides: positions for their relay. */
export const personalKeyOriginSql = (schema: string): string => {
  const [s, owner] = [ident(schema), schemaOwner(schema)];
  const [worker, api] = [ident(roleName(owner, 'worker')), ident(roleName(owner, 'api'))];
  return `
CREATE TABLE ${s}.personal_key_heads (partition int PRIMARY KEY, position bigint NOT NULL, relayed bigint NOT NULL);
INSERT INTO ${s}.personal_key_heads SELECT p, 0, 0 FROM generate_series(0, ${FACT_PARTITIONS - 1}) p;
CREATE INDEX ON ${s}.personal_keys (partition, position);
GRANT SELECT, UPDATE ON ${s}.personal_key_heads TO ${worker}, ${api};`;
};
