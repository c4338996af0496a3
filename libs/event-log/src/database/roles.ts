import type { PoolClient } from 'pg';
import type { Database, DatabaseRole } from './database';
import { ident, roleName } from './database';

const ROLES: readonly DatabaseRole[] = ['owner', 'worker', 'api'];
/** One lock for everything in this database that creates roles. They belong to the whole server, so others may still be at it. */
const ROLES_LOCK = 7_305_001;

/** The user in the database URL may not create what is missing; `sql` is what an administrator has to run once. */
export class RolesMissing extends Error {
  constructor(readonly sql: string) {
    super('the database user may not create roles; have an administrator run the SQL below, then start again');
  }
}

/** Somebody made or changed the same role at the same moment, from another database of the server. */
const ROLE_RACES = new Set(['42710', '23505', 'XX000']);
const ROLE_ATTEMPTS_MAX = 20;

interface Standing { user: string; database: string; able: boolean; creates: boolean; roles: { rolname: string; member: boolean }[]; schemas: string[] }

const standing = async (client: PoolClient, wanted: readonly string[], schemas: readonly string[]): Promise<Standing> => {
  const { rows: [who] } = await client.query<{ user: string; database: string; able: boolean; creates: boolean }>(
    `SELECT quote_ident(current_user) AS user, quote_ident(current_database()) AS database, rolcreaterole OR rolsuper AS able,
       has_database_privilege(current_database(), 'CREATE') AS creates FROM pg_roles WHERE rolname = current_user`);
  const { rows: roles } = await client.query<{ rolname: string; member: boolean }>(
    `SELECT rolname, pg_has_role(current_user, oid, 'MEMBER') AS member FROM pg_roles WHERE rolname = ANY($1)`, [wanted]);
  const { rows: found } = await client.query<{ nspname: string }>('SELECT nspname FROM pg_namespace WHERE nspname = ANY($1)', [schemas]);
  return { ...who!, roles, schemas: found.map(({ nspname }) => nspname) };
};

/** What is missing, as SQL, for the user by name: an administrator runs it as somebody else. */
const missingSql = (schema: string, schemas: readonly string[], { user, roles, schemas: found }: Standing): { roles: string[]; schemas: string[] } => ({
  roles: ROLES.map((role) => roleName(schema, role)).flatMap((name) => [
    ...(roles.some(({ rolname }) => rolname === name) ? [] : [`CREATE ROLE ${ident(name)} NOLOGIN`]),
    ...(roles.some(({ rolname, member }) => rolname === name && member) ? [] : [`GRANT ${ident(name)} TO ${user}`]),
  ]),
  schemas: schemas.filter((name) => !found.includes(name)).map((name) => `CREATE SCHEMA ${ident(name)} AUTHORIZATION ${ident(roleName(schema, 'owner'))}`),
});

/**
 * Makes the schema and the three roles of a service, as far as they are missing.
 * `worker` gets BYPASSRLS where the user may grant it; where not, each table's policy for `worker` serves.
 * Throws `RolesMissing` with the SQL to run where the user may not create roles.
 */
export const ensureRoles = async (database: Database, schemas: readonly string[]): Promise<void> => {
  const { schema } = database;
  await database.withOwner(async (client) => {
    await client.query('SELECT pg_advisory_lock($1)', [ROLES_LOCK]);
    try {
      const wanted = ROLES.map((role) => roleName(schema, role));
      for (let attempt = 1; ; attempt++) {
        const now = await standing(client, wanted, schemas);
        const missing = missingSql(schema, schemas, now);
        if ((missing.roles.length > 0 && !now.able) || (missing.schemas.length > 0 && !now.creates)) throw new RolesMissing([...missing.roles, ...missing.schemas].map((text) => `${text};`).join('\n'));
        try {
          for (const text of [...missing.roles, ...missing.schemas]) await client.query(text);
          break;
        } catch (error) {
          if (attempt === ROLE_ATTEMPTS_MAX || !ROLE_RACES.has((error as { code?: string }).code ?? '')) throw error;
        }
      }
      await client.query(`ALTER ROLE ${ident(roleName(schema, 'worker'))} BYPASSRLS`).catch(() => undefined);
      for (const name of schemas) {
        await client.query(`GRANT USAGE ON SCHEMA ${ident(name)} TO ${ident(roleName(schema, 'worker'))}, ${ident(roleName(schema, 'api'))}`);
      }
    } finally {
      await client.query('SELECT pg_advisory_unlock($1)', [ROLES_LOCK]);
    }
  });
};

/**
 * SQL that puts a table with a `tenant` column behind row-level security: `api` sees and writes the tenant of its transaction only,
 * and nothing at all where none is set; `worker` sees all tenants, by this policy where it could not be given BYPASSRLS.
 */
export const tenantPolicySql = (schema: string, table: string): string => {
  const [name, api, worker] = [`${ident(schema)}.${ident(table)}`, ident(roleName(schemaOwner(schema), 'api')), ident(roleName(schemaOwner(schema), 'worker'))];
  return `ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS tenant_of_request ON ${name};
CREATE POLICY tenant_of_request ON ${name} TO ${api}
  USING (tenant = nullif(current_setting('valueverse.tenant', true), ''))
  WITH CHECK (tenant = nullif(current_setting('valueverse.tenant', true), ''));
DROP POLICY IF EXISTS every_tenant ON ${name};
CREATE POLICY every_tenant ON ${name} TO ${worker} USING (true) WITH CHECK (true);`;
};

/** The schema whose roles a schema uses: identity lives in the billing engine's database and is served by its roles. */
export const schemaOwner = (schema: string): string => (schema === 'identity' ? 'billing' : schema);

/** SQL that lets `worker` and `api` read and write a table's rows, as far as its policies allow. */
export const grantSql = (schema: string, table: string, rights = 'SELECT, INSERT, UPDATE, DELETE'): string => {
  const owner = schemaOwner(schema);
  return `GRANT ${rights} ON ${ident(schema)}.${ident(table)} TO ${ident(roleName(owner, 'worker'))}, ${ident(roleName(owner, 'api'))};`;
};
