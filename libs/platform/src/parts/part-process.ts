import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { endWithParent } from '../postgres/end-with-parent';

/** A program to start beside this process. Times are in milliseconds. */
export interface PartOptions {
  /** What it is called when it does not start. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Gets what the program writes. */
  readonly logFile: string;
  /** Looked at until it holds; it is given what this start has written. */
  readonly isReady: (written: string) => boolean | Promise<boolean>;
  readonly readyTimeoutMs?: number;
  readonly stopTimeoutMs?: number;
  /** Removed when this process was killed and the program has ended. */
  readonly disposableFolder?: string;
}

/** A program that runs beside this process and ends with it, even when this one is killed. */
export interface PartProcess {
  readonly pid: number;
  readonly isRunning: boolean;
  /** Settles when it is gone, by `stop` or by itself, with a word about its end. */
  readonly whenEnded: Promise<string>;
  /** As the operating system does it: nothing is closed, nothing is said. */
  signal(signal: NodeJS.Signals): void;
  /** Asks it to end, and kills it when it does not; a second call waits for the first. */
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 90_000;
const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 25;
const REASON_CHARACTERS_MAX = 1_500;
const LOG_BYTES_MAX = 10 * 1024 * 1024;

/** Starts a program in a session of its own and returns when it is ready; fails with its last words. */
export async function startPart(options: PartOptions): Promise<PartProcess> {
  const before = sizeOf(options.logFile);
  const part = launchPart(options);
  try {
    await untilReady(part, options, before > LOG_BYTES_MAX ? 0 : before);
    return part;
  } catch (error) {
    part.signal('SIGKILL');
    await part.whenEnded;
    throw error;
  }
}

/** Starts a program and does not wait until it is ready. */
export function launchPart(options: PartOptions): PartProcess {
  const log = openSync(options.logFile, sizeOf(options.logFile) > LOG_BYTES_MAX ? 'w' : 'a', 0o600);
  const child = spawn(options.command, options.args, {
    // Detached, so that Ctrl-C in a terminal reaches us alone and parts end in their order.
    detached: true, stdio: ['ignore', log, log], ...(options.cwd === undefined ? {} : { cwd: options.cwd }), ...(options.env === undefined ? {} : { env: { ...options.env } }),
  });
  closeSync(log);
  const unwatch = child.pid === undefined ? () => undefined : endWithParent(child.pid, 'TERM', options.disposableFolder);
  const whenEnded = new Promise<string>((resolve) => {
    child.once('error', (error) => { unwatch(); resolve(error.message); });
    child.once('exit', (code, signal) => { unwatch(); resolve(signal === null ? `ended with ${code}` : `was ended by ${signal}`); });
  });
  child.unref();
  let stopping: Promise<void> | undefined;
  return {
    pid: child.pid ?? 0, whenEnded,
    get isRunning() { return runs(child); },
    signal: (signal) => { child.kill(signal); },
    stop: () => (stopping ??= stop(child, whenEnded, options.stopTimeoutMs ?? STOP_TIMEOUT_MS)),
  };
}

const runs = (child: ChildProcess): boolean => child.pid !== undefined && child.exitCode === null && child.signalCode === null;
const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

async function untilReady(part: PartProcess, { name, logFile, isReady, readyTimeoutMs = READY_TIMEOUT_MS }: PartOptions, writtenBefore: number): Promise<void> {
  const deadline = performance.now() + readyTimeoutMs;
  const written = (): string => readFileSync(logFile).subarray(writtenBefore).toString('utf8');
  const lastWords = (): string => written().trim().slice(-REASON_CHARACTERS_MAX);
  // Who answers on its port may be another process: it counts only while the part itself runs.
  while (!(await isReady(written())) || !part.isRunning) {
    if (!part.isRunning) throw new Error(`${name} did not start, it ${await part.whenEnded}: ${lastWords()}`);
    if (performance.now() > deadline) throw new Error(`${name} was not ready within ${readyTimeoutMs} ms: ${lastWords()}`);
    await pause(POLL_MS);
  }
}

async function stop(child: ChildProcess, whenEnded: Promise<string>, timeoutMs: number): Promise<void> {
  if (!runs(child)) return;
  child.kill('SIGTERM');
  // A process that was paused hears of its end only when it goes on.
  child.kill('SIGCONT');
  const stopped = new AbortController();
  const tooLong = pause(timeoutMs, undefined, { signal: stopped.signal }).then(() => child.kill('SIGKILL'), () => undefined);
  await whenEnded;
  stopped.abort();
  await tooLong;
}
