import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** The account of the operating system that a server process runs as. */
export interface OsUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const SERVER_USER = 'postgres';
const FALLBACK_USER = 'nobody';
const SEARCH_OWNER = 0o100;
const SEARCH_GROUP = 0o010;
const SEARCH_OTHERS = 0o001;

/**
 * PostgreSQL refuses to run as root. So root hands it to the user `postgres`, which is made where it is missing;
 * where it cannot be made (no `useradd`), to `nobody`. Anyone else runs it as themselves: undefined.
 */
export function serverUser(): OsUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const known = lookUp(SERVER_USER);
  if (known) return known;
  spawnSync('groupadd', ['--system', SERVER_USER], { stdio: 'ignore' });
  spawnSync('useradd', ['--system', '--no-create-home', '-g', SERVER_USER, SERVER_USER], { stdio: 'ignore' });
  const user = lookUp(SERVER_USER) ?? lookUp(FALLBACK_USER);
  if (!user) throw new Error('PostgreSQL does not run as root, and there is no other user to run it as');
  return user;
}

function lookUp(name: string): OsUser | undefined {
  const ask = (flag: string) => spawnSync('id', [flag, name], { encoding: 'utf8' });
  const uid = ask('-u');
  const gid = ask('-g');
  if (uid.status !== 0 || gid.status !== 0) return undefined;
  return { name, uid: Number(uid.stdout.trim()), gid: Number(gid.stdout.trim()) };
}

/** Whether the user may pass through every existing folder above `path`. */
export function canReach(path: string, user: OsUser): boolean {
  let at = dirname(resolve(path));
  while (!existsSync(at)) at = dirname(at);
  for (at = realpathSync(at); ; at = dirname(at)) {
    if (!maySearch(at, user)) return false;
    if (at === dirname(at)) return true;
  }
}

function maySearch(folder: string, { uid, gid }: OsUser): boolean {
  const stat = statSync(folder);
  if (stat.uid === uid) return (stat.mode & SEARCH_OWNER) !== 0;
  if (stat.gid === gid) return (stat.mode & SEARCH_GROUP) !== 0;
  return (stat.mode & SEARCH_OTHERS) !== 0;
}
