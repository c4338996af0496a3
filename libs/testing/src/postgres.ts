import { createHash, randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { askForPart } from './ask-for-part';

/** A database of its own for one spec file. */
export interface TestDatabase {
  /** Connects as superuser. */
  readonly url: string;
  /** Ends its sessions and removes it. */
  drop(): Promise<void>;
}

/** Templates are made one after the other: their migrations also make roles, and those belong to the whole server. */
const TEMPLATE_LOCK = 7_041_776;
const CLONES_MAX = 20;
const CLONE_PAUSE_MS = 50;
const OBJECT_IN_USE = '55006';
const NAME_BYTES = 6;

/**
 * Clones a database from a template that `migrate` prepared once in this run; specs that migrate alike share one
 * `templateKey`. `migrate` gets the URL of an empty database and closes its connections. Without a database the spec fails.
 */
export async function createTestDatabase(migrate: (url: string) => Promise<void>, templateKey: string): Promise<TestDatabase> {
  const { url } = await askForPart<{ url: string }>('/postgres');
  const run = process.env['VV_TEST_RUN'] ?? 'alone';
  const template = `vv_${run}_t_${createHash('sha256').update(templateKey).digest('hex').slice(0, 2 * NAME_BYTES)}`;
  const name = `vv_${run}_d_${randomBytes(NAME_BYTES).toString('hex')}`;
  await asAdmin(url, async (admin) => {
    await admin.query('SELECT pg_advisory_lock($1)', [TEMPLATE_LOCK]);
    try {
      await ensureTemplate(admin, template, () => migrate(urlOf(url, template)));
    } finally {
      await admin.query('SELECT pg_advisory_unlock($1)', [TEMPLATE_LOCK]);
    }
    await clone(admin, template, name);
  });
  const drop = () => asAdmin(url, async (admin) => {
    await admin.query('DROP DATABASE IF EXISTS '.concat(admin.escapeIdentifier(name), ' WITH (FORCE)'));
  });
  return { url: urlOf(url, name), drop };
}

/** An empty database, for specs about migrations themselves. */
export const createEmptyDatabase = (): Promise<TestDatabase> => createTestDatabase(async () => undefined, 'empty');

async function ensureTemplate(admin: Client, template: string, migrate: () => Promise<void>): Promise<void> {
  const { rows } = await admin.query<{ datistemplate: boolean }>('SELECT datistemplate FROM pg_database WHERE datname = $1', [template]);
  if (rows[0]?.datistemplate) return;
  const name = admin.escapeIdentifier(template);
  // A worker that died in its migration leaves a database that is not marked as a template: begin again.
  if (rows[0]) await admin.query('DROP DATABASE '.concat(name, ' WITH (FORCE)'));
  await admin.query('CREATE DATABASE '.concat(name, ' TEMPLATE template0'));
  await migrate();
  await admin.query('ALTER DATABASE '.concat(name, ' IS_TEMPLATE true'));
}

async function clone(admin: Client, template: string, name: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await admin.query('CREATE DATABASE '.concat(admin.escapeIdentifier(name), ' TEMPLATE ', admin.escapeIdentifier(template)));
      return;
    } catch (error) {
      // The server may still be closing the connections of the migration, or another worker is cloning at this moment.
      if ((error as { code?: string }).code !== OBJECT_IN_USE || attempt === CLONES_MAX) throw error;
      await new Promise((resolve) => { setTimeout(resolve, CLONE_PAUSE_MS); });
    }
  }
}

async function asAdmin<T>(url: string, work: (admin: Client) => Promise<T>): Promise<T> {
  const admin = new Client({ connectionString: url });
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.end();
  }
}

function urlOf(url: string, database: string): string {
  const other = new URL(url);
  other.pathname = `/${database}`;
  return other.href;
}
