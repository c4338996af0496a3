import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '@valueverse/event-log';
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres';

const TIMEOUT_MS = 120_000;
const KILLS = 4;
const FAILS_WITHIN_MS = 6_000;
let folder: string;
let server: EmbeddedPostgres;
let database: Database;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vv-killed-server-'));
  chmodSync(folder, 0o755);
  server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') });
  database = new Database({ url: server.url, schema: 'killed', connectionsMax: 6 });
  await database.withOwner(async (client) => {
    for (const text of ['CREATE SCHEMA killed', 'CREATE ROLE vv_killed_worker', 'GRANT vv_killed_worker TO CURRENT_USER', 'GRANT ALL ON SCHEMA killed TO vv_killed_worker', 'CREATE TABLE killed.kept (n int PRIMARY KEY)', 'GRANT ALL ON killed.kept TO vv_killed_worker']) await client.query(text);
  });
}, TIMEOUT_MS);
afterAll(async () => {
  await database.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}, TIMEOUT_MS);

test('F51 F53: a server that is killed and started again, again and again, has everything that was answered; statements fail soon, and the same pool goes on', async () => {
  const answered: number[] = [];
  let next = 0;
  let longestMs = 0;
  let isOver = false;
  const writer = async (): Promise<void> => {
    while (!isOver) {
      const n = next++;
      const began = performance.now();
      try {
        await database.transaction({ role: 'worker' }, (tx) => tx.query('INSERT INTO kept VALUES ($1)', [n]));
        answered.push(n);
      } catch { /* It may be there or not; it was not answered. */ }
      longestMs = Math.max(longestMs, performance.now() - began);
    }
  };
  const writers = Array.from({ length: 4 }, writer);
  for (let nth = 0; nth < KILLS; nth++) {
    const before = answered.length;
    while (answered.length < before + 20) await new Promise((resolve) => { setImmediate(resolve); });
    process.kill(server.pid, 'SIGKILL');
    await server.whenEnded;
    await server.stop();
    server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres'), port: server.port });
  }
  const before = answered.length;
  while (answered.length < before + 20) await new Promise((resolve) => { setImmediate(resolve); });
  isOver = true;
  await Promise.all(writers);
  const { rows } = await database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ n: number }>('SELECT n FROM kept'));
  const kept = new Set(rows.map(({ n }) => n));
  expect(answered.filter((n) => !kept.has(n))).toEqual([]);
  expect(longestMs).toBeLessThan(FAILS_WITHIN_MS);
}, TIMEOUT_MS);
