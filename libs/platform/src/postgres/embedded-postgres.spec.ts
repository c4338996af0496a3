import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually, noteNotRun } from '@valueverse/testing';
import { Client } from 'pg';
import { isAlive, procStat } from '../parts/processes';
import { DataFolderInUse, DataFolderNotWritable, endOrphan } from './data-folder';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres';
import { canReach, serverUser } from './os-user';

const TIMEOUT_MS = 60_000;
const DEAD_OWNER = JSON.stringify({ pid: 4_194_303, since: '1' });
let home: string;
let dataDir: string;
const started: EmbeddedPostgres[] = [];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'vv-embedded-'));
  chmodSync(home, 0o755);
  dataDir = join(home, 'data');
});
afterEach(async () => {
  for (const server of started.splice(0)) await server.stop();
  rmSync(home, { recursive: true, force: true });
}, TIMEOUT_MS);

const start = async (options: { disposable?: boolean; port?: number } = {}) => {
  const server = await startEmbeddedPostgres({ dataDir, ...options });
  started.push(server);
  return server;
};
const ask = async (url: string, sql: string): Promise<Record<string, unknown>[]> => {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
};
const until = async (what: string, holds: () => boolean) => {
  const deadline = performance.now() + TIMEOUT_MS / 2;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await pause(20);
  }
};

test('a new folder becomes a database in UTF-8, locale C and UTC that only loopback reaches', async () => {
  const server = await start();
  expect(await ask(server.url, `SELECT current_setting('server_encoding') AS encoding, current_setting('lc_collate', true) AS gone,
    (SELECT datcollate FROM pg_database WHERE datname = current_database()) AS collation, current_setting('TimeZone') AS zone,
    current_setting('listen_addresses') AS addresses, current_setting('unix_socket_directories') AS sockets,
    current_setting('synchronous_commit') AS sync, current_setting('max_connections') AS connections, current_database() AS name`))
    .toEqual([{ encoding: 'UTF8', gone: null, collation: 'C', zone: 'UTC', addresses: '127.0.0.1', sockets: '', sync: 'on', connections: '200', name: 'valueverse' }]);
  expect(server.dataDir).toBe(dataDir);
  expect(statSync(join(dataDir, 'password')).mode & 0o777).toBe(0o600);
}, TIMEOUT_MS);

test('the data is there after a stop and a start, and the second start keeps the password', async () => {
  const first = await start();
  await ask(first.url, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)');
  await first.stop();
  const second = await start();
  expect(new URL(second.url).password).toBe(new URL(first.url).password);
  expect(await ask(second.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
}, TIMEOUT_MS);

test('a folder in use is refused and names the process', async () => {
  await start();
  await expect(startEmbeddedPostgres({ dataDir })).rejects.toMatchObject({ name: DataFolderInUse.name, pid: process.pid });
}, TIMEOUT_MS);

test('a server killed with -9 leaves a lock file from which the next start recovers', async () => {
  const first = await start();
  await ask(first.url, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)');
  process.kill(first.pid, 'SIGKILL');
  await first.whenEnded;
  expect(existsSync(join(dataDir, 'cluster', 'postmaster.pid'))).toBe(true);
  const second = await start();
  expect(await ask(second.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
}, TIMEOUT_MS);

test('a server that outlived its parent is stopped and started again', async () => {
  const orphan = await start();
  writeFileSync(join(dataDir, 'owner.json'), DEAD_OWNER);
  const successor = await start();
  await orphan.whenEnded;
  expect(isAlive(orphan.pid)).toBe(false);
  expect(await ask(successor.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
}, TIMEOUT_MS);

test('a lock file whose number belongs to a stranger does not stop a start', async () => {
  const first = await start();
  const lock = join(dataDir, 'cluster', 'postmaster.pid');
  const lines = readFileSync(lock, 'utf8').split('\n');
  await first.stop();
  writeFileSync(lock, [String(process.pid), ...lines.slice(1)].join('\n'));
  const second = await start();
  expect(second.pid).not.toBe(process.pid);
}, TIMEOUT_MS);

test('a killed server that nobody has waited for does not stop a start', async () => {
  if (process.platform !== 'linux') { noteNotRun('zombies', 'they are told apart on Linux only'); return; }
  const folder = mkdtempSync(join(tmpdir(), 'vv-zombie-'));
  mkdirSync(join(folder, 'cluster'));
  // The shell becomes a sleep, which never waits for its child: the child stays a zombie. It has to end after that, or the shell itself would wait for it.
  const parent = spawn('sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 30'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const zombie = await new Promise<number>((resolve) => { parent.stdout.once('data', (text: Buffer) => resolve(Number(text.toString()))); });
    await eventually('the zombie', () => (procStat(zombie)?.state === 'Z' ? true : undefined));
    expect(isAlive(zombie)).toBe(false);
    writeFileSync(join(folder, 'cluster', 'postmaster.pid'), `${zombie}\n`);
    await endOrphan(join(folder, 'cluster'));
    expect(existsSync(join(folder, 'cluster', 'postmaster.pid'))).toBe(false);
  } finally {
    parent.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
});

test('an initialisation that was cut off is done again', async () => {
  mkdirSync(join(dataDir, 'cluster.new', 'base'), { recursive: true });
  const server = await start();
  expect(await ask(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
}, TIMEOUT_MS);

test('a place that is a file is not writable', async () => {
  writeFileSync(dataDir, '');
  await expect(startEmbeddedPostgres({ dataDir })).rejects.toBeInstanceOf(DataFolderNotWritable);
});

test('a taken port fails with the words of the server', async () => {
  const first = await start();
  await expect(startEmbeddedPostgres({ dataDir: join(home, 'other'), port: first.port })).rejects.toThrow(/could not bind/);
}, TIMEOUT_MS);

test('a parent killed with -9 takes the server and its disposable data with it', async () => {
  const child = spawn(process.execPath, ['-e', `
    const { transformFileSync } = require('@swc/core');
    require.extensions['.ts'] = (module, file) => module._compile(transformFileSync(file, { swcrc: false, module: { type: 'commonjs' },
      jsc: { target: 'es2022', parser: { syntax: 'typescript' } } }).code, file);
    require(process.argv[1]).startEmbeddedPostgres({ dataDir: process.argv[2], disposable: true })
      .then((server) => { console.log(server.pid); setInterval(() => undefined, 1000); });`,
    join(__dirname, 'embedded-postgres.ts'), dataDir], { cwd: dirname(createRequire(__filename).resolve('@swc/core/package.json')), stdio: ['ignore', 'pipe', 'inherit'] });
  const pid = await new Promise<number>((resolve) => { child.stdout.once('data', (line: Buffer) => resolve(Number(line))); });
  expect(isAlive(pid)).toBe(true);
  child.kill('SIGKILL');
  await until('the end of the server', () => !isAlive(pid));
  await until('the end of its folder', () => !existsSync(dataDir));
}, TIMEOUT_MS);

test('root moves the data of an unreachable folder to one that the server reaches, and says so', async () => {
  const user = serverUser();
  if (!user) {
    noteNotRun('data of root in an unreachable folder', 'only root has to give up its rights, and this is not root');
    return;
  }
  chmodSync(home, 0o700);
  expect(canReach(dataDir, user)).toBe(false);
  const server = await start();
  expect(server.dataDir).not.toBe(dataDir);
  expect(canReach(server.dataDir, user)).toBe(true);
  expect(await ask(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await server.stop();
  rmSync(server.dataDir, { recursive: true, force: true });
}, TIMEOUT_MS);
