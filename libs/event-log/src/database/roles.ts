import type { Database, DatabaseRole } from './database';
import { ident, roleName } from './database';

const ROLES: readonly DatabaseRole[] = ['owner', 'worker', 'api'];
/** One lock for everything that creates roles, which belong to the whole cluster. */
const ROLES_LOCK = 7_305_001;

/** The user in the database URL may not create what is missing; `sql` is what an administrator has to run once. */
export class RolesMissing extends Error {
  constructor(readonly sql: string) {
    super('the database user may not create roles; have an administrator run the SQL below, then start again');
  }
}

const roleSql = (schema: string): string[] => [
  ...ROLES.map((role) => `CREATE ROLE ${ident(roleName(schema, role))} NOLOGIN`),
  ...ROLES.map((role) => `GRANT ${ident(roleName(schema, role))} TO CURRENT_USER`),
];

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
      const { rows } = await client.query<{ rolname: string; member: boolean }>(
        `SELECT rolname, pg_has_role(current_user, oid, 'MEMBER') AS member FROM pg_roles WHERE rolname = ANY($1)`, [wanted]);
      const missing = ROLES.filter((role) => !rows.some((row) => row.rolname === roleName(schema, role) && row.member));
      if (missing.length > 0) {
        const privilege = await client.query<{ able: boolean }>('SELECT rolcreaterole OR rolsuper AS able FROM pg_roles WHERE rolname = current_user');
        if (!privilege.rows[0]?.able) throw new RolesMissing(`${roleSql(schema).join(';\n')};`);
        for (const role of missing) {
          if (!rows.some((row) => row.rolname === roleName(schema, role))) await client.query(`CREATE ROLE ${ident(roleName(schema, role))} NOLOGIN`);
          await client.query(`GRANT ${ident(roleName(schema, role))} TO CURRENT_USER`);
        }
      }
      await client.query(`ALTER ROLE ${ident(roleName(schema, 'worker'))} BYPASSRLS`).catch(() => undefined);
      for (const name of schemas) {
        await client.query(`CREATE SCHEMA IF NOT EXISTS ${ident(name)} AUTHORIZATION ${ident(roleName(schema, 'owner'))}`);
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
