import type { CredentialIssued, CredentialRevoked } from '@valueverse/contracts';
import { CREDENTIAL_EVENT_NAMES } from './event-names';
import { ident, roleName, type Projector, type Tx } from '@valueverse/event-log';
import type { Migration } from '@valueverse/platform';
import { tenantOf } from '../caller';
import type { Environment, KeyKind } from './key-text';

/** The credentials as each service keeps them, so that no service waits for another to know who is asking. Only `worker` sees them. */
export const CREDENTIALS: Migration = {
  number: 20, name: 'credentials', sql: (schema) => `
CREATE TABLE ${ident(schema)}.credentials (
  tenant text NOT NULL, key_id text NOT NULL, organization_id text NOT NULL, environment text NOT NULL, kind text NOT NULL,
  prefix text NOT NULL UNIQUE, digest text NOT NULL, scopes text[] NOT NULL, subjects text[], revoked boolean NOT NULL DEFAULT false, PRIMARY KEY (tenant, key_id));
ALTER TABLE ${ident(schema)}.credentials ENABLE ROW LEVEL SECURITY;
CREATE POLICY every_tenant ON ${ident(schema)}.credentials TO ${ident(roleName(schema, 'worker'))} USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON ${ident(schema)}.credentials TO ${ident(roleName(schema, 'worker'))};`,
};

export interface StoredCredential {
  readonly keyId: string; readonly organizationId: string; readonly environment: Environment; readonly kind: KeyKind;
  readonly digest: string; readonly scopes: readonly string[]; readonly subjects?: readonly string[]; readonly revoked: boolean;
}

export const credentialByPrefix = async (tx: Tx, prefix: string): Promise<StoredCredential | undefined> => {
  const { rows } = await tx.query<{ key_id: string; organization_id: string; environment: Environment; kind: KeyKind; digest: string; scopes: string[]; subjects: string[] | null; revoked: boolean }>(
    'SELECT key_id, organization_id, environment, kind, digest, scopes, subjects, revoked FROM credentials WHERE prefix = $1', [prefix]);
  const row = rows[0];
  return row === undefined ? undefined : {
    keyId: row.key_id, organizationId: row.organization_id, environment: row.environment, kind: row.kind, digest: row.digest, scopes: row.scopes, revoked: row.revoked,
    ...(row.subjects === null ? {} : { subjects: row.subjects }),
  };
};

/** Keeps the credentials of a service; `changed` empties what the process remembers. */
export const credentialProjector = (changed: () => void): Projector => ({
  kind: 'projector', name: 'credentials', version: 1, topics: ['identity.credentials'], events: CREDENTIAL_EVENT_NAMES, tables: ['credentials'],
  project: async (tx, facts) => {
    for (const { event } of facts) {
      if (event.type === 'CredentialIssued') await insert(tx, event as CredentialIssued);
      else await tx.query('UPDATE credentials SET revoked = true WHERE key_id = $1', [(event as CredentialRevoked).keyId]);
    }
    tx.afterCommit(changed);
  },
});

const insert = async (tx: Tx, key: CredentialIssued): Promise<void> => {
  await tx.query(
    'INSERT INTO credentials (tenant, key_id, organization_id, environment, kind, prefix, digest, scopes, subjects) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING',
    [tenantOf(key.organizationId, key.environment), key.keyId, key.organizationId, key.environment, key.kind, key.prefix, key.digest, key.scopes, key.subjects ?? null]);
};
