import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isAlive, procStat, startMark } from '../parts/processes';
import { REACHABLE_HOME } from './binaries';
import { canReach, type OsUser } from './os-user';

/** Another live process has this data folder; `pid` is that process. */
export class DataFolderInUse extends Error {
  readonly code = 'data_folder_in_use';
  constructor(readonly dataDir: string, readonly pid: number) {
    super(`the data folder ${dataDir} is in use by the process ${pid}`);
    this.name = 'DataFolderInUse';
  }
}

/** The data folder cannot be made or written by this process. */
export class DataFolderNotWritable extends Error {
  readonly code = 'data_folder_not_writable';
  constructor(readonly dataDir: string, cause: unknown) {
    super(`the data folder ${dataDir} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'DataFolderNotWritable';
  }
}

const CLAIMS_MAX = 3;
const ORPHAN_STOP_TIMEOUT_MS = 30_000;
const POLL_MS = 20;
const PASSWORD_BYTES = 24;
const FOLDER_ERRORS = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ENOSPC', 'EEXIST']);

/**
 * The folder that the data will be in: the one asked for, or, where root runs in a place that the server's user cannot
 * reach, one of its own below /var/lib.
 */
export function placeFor(asked: string, user: OsUser | undefined): string {
  const folder = resolve(asked);
  if (!user || canReach(folder, user)) return folder;
  const mark = createHash('sha256').update(folder).digest('hex').slice(0, 8);
  return join(REACHABLE_HOME, `${basename(folder)}-${mark}`);
}

/**
 * Makes the folder and notes this process as its owner. Refuses with {@link DataFolderInUse} while another live process
 * is noted, with {@link DataFolderNotWritable} when the folder cannot be written. What a killed process left is taken over.
 */
export function claimDataFolder(dataDir: string, user: OsUser | undefined): { release(): void } {
  const note = join(dataDir, 'owner.json');
  const me = JSON.stringify({ pid: process.pid, since: startMark(process.pid) });
  try {
    makeParents(dataDir, user);
    if (!existsSync(dataDir)) mkdirSync(dataDir, { mode: 0o700 });
    if (user) chownSync(dataDir, user.uid, user.gid);
    for (let attempt = 1; ; attempt++) {
      try {
        writeFileSync(note, me, { flag: 'wx', mode: 0o600 });
        return { release: () => rmSync(note, { force: true }) };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt === CLAIMS_MAX) throw error;
        refuseLiveOwner(dataDir, note);
        rmSync(note, { force: true });
      }
    }
  } catch (error) {
    if (FOLDER_ERRORS.has((error as NodeJS.ErrnoException).code ?? '')) throw new DataFolderNotWritable(dataDir, error);
    throw error;
  }
}

function makeParents(dataDir: string, user: OsUser | undefined): void {
  const first = mkdirSync(dirname(dataDir), { recursive: true });
  if (!user || first === undefined) return;
  // Under a strict umask the folders that root has just made would be closed to the server's user.
  for (let at = dirname(dataDir); at.length >= first.length; at = dirname(at)) chmodSync(at, 0o755);
}

function refuseLiveOwner(dataDir: string, note: string): void {
  let owner: { pid: number; since: string };
  try {
    owner = JSON.parse(readFileSync(note, 'utf8')) as { pid: number; since: string };
  } catch {
    return; // The note was cut off or is gone: its writer did not live to use it.
  }
  // A number alone says little: in a container the killed process and its successor often have the same one.
  if (isAlive(owner.pid) && startMark(owner.pid) === owner.since) throw new DataFolderInUse(dataDir, owner.pid);
}

/** The superuser's password: made once, kept in a file that only its owner may read. */
export function passwordOf(dataDir: string, user: OsUser | undefined): { password: string; file: string } {
  const file = join(dataDir, 'password');
  if (!existsSync(file)) {
    writeFileSync(file, randomBytes(PASSWORD_BYTES).toString('base64url'), { mode: 0o600 });
    if (user) chownSync(file, user.uid, user.gid);
  }
  return { password: readFileSync(file, 'utf8').trim(), file };
}

/**
 * Ends the server that a killed process left running on this cluster, cleanly, and removes a lock file whose process
 * number now belongs to somebody else. A lock file without any process is left: the server recovers from it by itself.
 */
export async function endOrphan(cluster: string): Promise<void> {
  const lock = join(cluster, 'postmaster.pid');
  const pid = existsSync(lock) ? Number.parseInt(readFileSync(lock, 'utf8'), 10) : NaN;
  if (!Number.isInteger(pid) || pid <= 0) return;
  if (!isAlive(pid)) {
    await forgetZombie(pid, cluster, lock);
    return;
  }
  if (!servesCluster(pid, cluster)) {
    rmSync(lock, { force: true });
    return;
  }
  process.kill(pid, 'SIGINT');
  const deadline = performance.now() + ORPHAN_STOP_TIMEOUT_MS;
  while (isAlive(pid)) {
    if (performance.now() > deadline) throw new Error(`the orphaned PostgreSQL ${pid} does not stop`);
    await pause(POLL_MS);
  }
}

/**
 * A server that was killed and that nobody has waited for still has its number, and PostgreSQL would take it for a running one. Its lock is
 * removed once none of its children is at work in the cluster.
 */
async function forgetZombie(pid: number, cluster: string, lock: string): Promise<void> {
  if (procStat(pid)?.state !== 'Z') return;
  const deadline = performance.now() + ORPHAN_STOP_TIMEOUT_MS;
  while (readdirSync('/proc').some((entry) => /^\d+$/.test(entry) && servesCluster(Number(entry), cluster))) {
    if (performance.now() > deadline) throw new Error(`processes of the killed PostgreSQL ${pid} do not end`);
    await pause(POLL_MS);
  }
  rmSync(lock, { force: true });
}

function servesCluster(pid: number, cluster: string): boolean {
  try {
    if (process.platform === 'linux') return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(cluster);
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).includes(cluster);
  } catch {
    return false;
  }
}
