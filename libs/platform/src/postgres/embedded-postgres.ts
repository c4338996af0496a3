import { type ChildProcess, spawn } from 'node:child_process';
import { chownSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import { freePort } from '../parts/free-ports';
import { type Binaries, locateBinaries } from './binaries';
import { claimDataFolder, DataFolderInUse, endOrphan, passwordOf, placeFor } from './data-folder';
import { endWithParent } from './end-with-parent';
import { type OsUser, serverUser } from './os-user';

/** What to start. Times are in milliseconds. */
export interface EmbeddedPostgresOptions {
  /** The folder of the cluster, its password and its log; made when it is not there. */
  readonly dataDir: string;
  /** The port on 127.0.0.1; a free one when it is not given. */
  readonly port?: number;
  /** Settings of the server beside ours, by their names in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The database that `url` names, made when it is not there. */
  readonly database?: string;
  /** The data is for this process only: initialised without waiting for the disk, removed at the end. */
  readonly disposable?: boolean;
}

/** A running server. */
export interface EmbeddedPostgres {
  /** Connects as superuser; holds the password. */
  readonly url: string;
  /** Where the data is: not the folder asked for when the server's user cannot reach that one. */
  readonly dataDir: string;
  readonly port: number;
  readonly pid: number;
  /** Settles when the server is gone, by `stop` or by itself. */
  readonly whenEnded: Promise<void>;
  /** Ends sessions, writes everything out and stops; a second call waits for the first. */
  stop(): Promise<void>;
}

const SUPERUSER = 'postgres';
const DEFAULT_DATABASE = 'valueverse';
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const POLL_MS = 15;
const LAUNCHES_MAX = 4;
const LAUNCH_PAUSE_MS = 250;
const LOG_BYTES_MAX = 10 * 1024 * 1024;
const REASON_CHARACTERS_MAX = 2_000;
const STATUS_LINE = 7;
/** A free port may be taken between our look and the server's; a killed server's children may need a moment to notice. */
const WORTH_ANOTHER_TRY = /could not bind|could not create any TCP|pre-existing shared memory|Address already in use/i;
const LOCK_HELD = /lock file "postmaster\.pid" already exists[\s\S]*?\(PID (\d+)\)/;

const MEGABYTE = 1_048_576;
const CACHE_MB = { least: 128, most: 4_096 };
/** An eighth of the memory that there is: a month of one subject's usage lies on as many pages as it has quarters of an hour, and those that are not here cost ten times as much. It is taken as it is used. With a quarter a million invoices were read without a look into files, and slower (docs/performance.md). */
const cacheSetting = (isDisposable: boolean): string => {
  const limit = process.constrainedMemory();
  const megabytes = Math.floor((limit > 0 ? Math.min(limit, totalmem()) : totalmem()) / 8 / MEGABYTE);
  return `${isDisposable ? CACHE_MB.least : Math.min(Math.max(megabytes, CACHE_MB.least), CACHE_MB.most)}MB`;
};

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  synchronous_commit: 'on',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Under load a checkpoint comes by its time, not by what was written.
  max_wal_size: '4GB',
  log_checkpoints: 'off',
  password_encryption: 'scram-sha-256',
};

/**
 * Starts PostgreSQL from the npm package on a data folder and returns when it takes connections on 127.0.0.1.
 * UTF-8, locale C, UTC. A folder left by a killed process recovers, and a server that it left running is stopped first.
 * Fails with `data_folder_in_use` or `data_folder_not_writable`, else with the server's own words.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const user = serverUser();
  const dataDir = placeFor(options.dataDir, user);
  const claim = claimDataFolder(dataDir, user);
  try {
    const place: Place = { dataDir, cluster: join(dataDir, 'cluster'), log: join(dataDir, 'postgres.log'), user, binaries: locateBinaries(user) };
    await endOrphan(place.cluster);
    const { password, file } = passwordOf(dataDir, user);
    if (!existsSync(place.cluster)) await initialise(place, file, options.disposable ?? false);
    const running = await launch(place, options);
    const server = handle(place, running, options.disposable ?? false, claim);
    const database = options.database ?? DEFAULT_DATABASE;
    const url = (name: string) => `postgres://${SUPERUSER}:${password}@127.0.0.1:${running.port}/${name}`;
    try {
      await makeDatabase(url('postgres'), database);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return { ...server, url: url(database) };
  } catch (error) {
    claim.release();
    throw error;
  }
}

interface Place {
  readonly dataDir: string;
  readonly cluster: string;
  readonly log: string;
  readonly user: OsUser | undefined;
  readonly binaries: Binaries;
}

interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
  readonly ended: Promise<void>;
}

const asUser = (user: OsUser | undefined) => (user ? { uid: user.uid, gid: user.gid } : {});
const environment = () => ({ PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' });

async function initialise({ cluster, binaries, user, log }: Place, passwordFile: string, hasty: boolean): Promise<void> {
  // Made beside its place and then renamed: a start that is killed here leaves nothing that looks like a cluster.
  const unfinished = `${cluster}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  if (user) chownSync(unfinished, user.uid, user.gid);
  const output = openLog(log, user);
  try {
    const code = await ended(spawn(binaries.initdb, [
      '-D', unfinished, '-U', SUPERUSER, `--pwfile=${passwordFile}`, '--auth=scram-sha-256',
      '--encoding=UTF8', '--locale=C', ...(hasty ? ['--no-sync'] : []),
    ], { ...asUser(user), cwd: unfinished, env: environment(), stdio: ['ignore', output.fd, output.fd] }));
    if (code !== 0) throw new Error(`PostgreSQL could not be initialised: ${output.written()}`);
  } finally {
    closeSync(output.fd);
  }
  renameSync(unfinished, cluster);
}

async function launch(place: Place, options: EmbeddedPostgresOptions): Promise<Running> {
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? await freePort();
    const output = openLog(place.log, place.user);
    try {
      return await launchOnce(place, port, { ...SETTINGS, shared_buffers: cacheSetting(options.disposable ?? false), ...options.settings }, output.fd);
    } catch {
      const reason = output.written();
      const holder = LOCK_HELD.exec(reason)?.[1];
      if (holder) throw new DataFolderInUse(place.dataDir, Number(holder));
      if (attempt === LAUNCHES_MAX || !WORTH_ANOTHER_TRY.test(reason)) throw new Error(`PostgreSQL did not start: ${reason}`);
      await pause(LAUNCH_PAUSE_MS * attempt);
    } finally {
      closeSync(output.fd);
    }
  }
}

async function launchOnce(place: Place, port: number, settings: Readonly<Record<string, string>>, log: number): Promise<Running> {
  const flags = Object.entries({ ...settings, port: String(port) }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  // Detached, so that Ctrl-C in a terminal reaches us alone and we stop the services before their database.
  const child = spawn(place.binaries.postgres, ['-D', place.cluster, ...flags], {
    ...asUser(place.user), cwd: place.cluster, env: environment(), detached: true, stdio: ['ignore', log, log],
  });
  let gone = false;
  const whenEnded = ended(child).then(() => { gone = true; }, () => { gone = true; });
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (!isReady(place.cluster, child.pid)) {
    if (gone) throw new Error('the server ended');
    if (performance.now() > deadline) {
      child.kill('SIGQUIT');
      await whenEnded;
      throw new Error('the server was not ready in time');
    }
    await pause(POLL_MS);
  }
  child.unref();
  return { child, pid: child.pid as number, port, ended: whenEnded };
}

/** The server writes its state into the eighth line of its lock file; only the file of this very process counts. */
function isReady(cluster: string, pid: number | undefined): boolean {
  try {
    const lines = readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n');
    return Number(lines[0]) === pid && lines[STATUS_LINE]?.trim() === 'ready';
  } catch {
    return false;
  }
}

function handle(place: Place, running: Running, disposable: boolean, claim: { release(): void }): Omit<EmbeddedPostgres, 'url'> {
  const unwatch = endWithParent(running.pid, 'INT', disposable ? place.dataDir : '');
  const whenEnded = running.ended.then(() => {
    unwatch();
    claim.release();
    if (disposable) rmSync(place.dataDir, { recursive: true, force: true });
  });
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    running.child.kill('SIGINT');
    const stopped = new AbortController();
    const tooLong = pause(STOP_TIMEOUT_MS, undefined, { signal: stopped.signal }).then(() => running.child.kill('SIGQUIT'), () => undefined);
    await whenEnded;
    stopped.abort();
    await tooLong;
  };
  return { dataDir: place.dataDir, port: running.port, pid: running.pid, whenEnded, stop: () => (stopping ??= stop()) };
}

async function makeDatabase(adminUrl: string, name: string): Promise<void> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    // CREATE DATABASE takes no parameters; the name is quoted as the server quotes it.
    if (rowCount === 0) await client.query('CREATE DATABASE '.concat(client.escapeIdentifier(name)));
  } finally {
    await client.end();
  }
}

function openLog(path: string, user: OsUser | undefined): { fd: number; written(): string } {
  const before = existsSync(path) ? statSync(path).size : 0;
  const kept = before > LOG_BYTES_MAX ? 0 : before;
  const fd = openSync(path, kept === 0 ? 'w' : 'a', 0o600);
  if (user) chownSync(path, user.uid, user.gid);
  return { fd, written: () => readFileSync(path).subarray(kept).toString('utf8').trim().slice(-REASON_CHARACTERS_MAX) };
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code));
  });
}
