import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm';
import { type Database, ensureRoles, roleName } from '@valueverse/event-log';

/** One step of a service's schema, in plain SQL. The number orders the steps and never changes; a step that ran is never edited. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: (schema: string) => string;
}

const MIGRATION_LOCK = 7_305_003;
/** TypeORM takes the order of migrations from a millisecond time at the end of their names. */
const NUMBER_BASE = 1_700_000_000_000;

/** The name under which the database remembers that a step ran. */
export const migrationName = ({ name, number }: Migration): string => `${name.replace(/[^a-zA-Z0-9]/g, '_')}${NUMBER_BASE + number}`;

const migrationClass = (schema: string, migration: Migration): new () => MigrationInterface => {
  const name = migrationName(migration);
  return class implements MigrationInterface {
    readonly name = name;
    async up(runner: QueryRunner): Promise<void> { await runner.query(migration.sql(schema)); }
    async down(): Promise<void> { throw new Error('migrations go forward only: restore a backup to go back'); }
  };
};

/**
 * Brings a service's database up to this release, as its owner role and under an advisory lock, so that replicas that start together
 * do it once. Throws `RolesMissing` with the SQL to run where the database user may not create roles. Answers the names of what ran.
 */
export const migrate = async (database: Database, schemas: readonly string[], migrations: readonly Migration[]): Promise<string[]> => {
  const { schema } = database;
  await ensureRoles(database, schemas);
  const source = new DataSource({
    type: 'postgres', url: database.url, schema, migrationsTableName: 'migrations', migrationsTransactionMode: 'each',
    migrations: migrations.map((migration) => migrationClass(schema, migration)), synchronize: false, poolSize: 2,
    extra: { options: `-c role=${roleName(schema, 'owner')} -c search_path=${schemas.join(',')}` },
  });
  await source.initialize();
  try {
    const runner = source.createQueryRunner();
    await runner.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    try {
      return (await source.runMigrations()).map(({ name }) => name);
    } finally {
      await runner.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
      await runner.release();
    }
  } finally {
    await source.destroy();
  }
};
