import { Client } from 'pg';
import { createTestDatabase, type TestDatabase } from './postgres';

const query = async (url: string, sql: string) => {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as unknown[];
  } finally {
    await client.end();
  }
};
const databases: TestDatabase[] = [];
let migrations = 0;
const migrate = async (url: string) => {
  migrations++;
  await query(url, 'CREATE TABLE kept (n int)');
};
const create = async () => {
  const database = await createTestDatabase(migrate, __filename);
  databases.push(database);
  return database;
};
afterAll(async () => { for (const database of databases) await database.drop(); });

test('specs that ask at once share one migration and get a database each', async () => {
  const [one, other] = await Promise.all([create(), create()]);
  await query(one.url, 'INSERT INTO kept VALUES (1)');
  expect(await query(other.url, 'SELECT n FROM kept')).toEqual([]);
  expect(migrations).toBe(1);
});

test('a dropped database is gone though somebody is connected', async () => {
  const database = await create();
  const client = new Client({ connectionString: database.url });
  client.on('error', () => undefined);
  await client.connect();
  await database.drop();
  await expect(query(database.url, 'SELECT 1')).rejects.toThrow(/does not exist/);
  await client.end().catch(() => undefined);
});

test('a migration that fails fails the spec, and the next one begins anew', async () => {
  await expect(createTestDatabase(async () => { throw new Error('no such column'); }, 'failing')).rejects.toThrow('no such column');
  const database = await createTestDatabase(migrate, 'failing');
  databases.push(database);
  expect(await query(database.url, 'SELECT count(*)::int AS n FROM kept')).toEqual([{ n: 0 }]);
});
