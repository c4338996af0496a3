import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isAlive, startMark } from '@valueverse/platform';

/** A process by its number and its start, so that a stranger with the same number is not taken for it. */
export interface ProcessMark { readonly pid: number; readonly since: string }

/** A part as `status` shows it and `down` ends it. */
export interface PartNote extends ProcessMark {
  readonly name: string;
  readonly log: string;
  /** Where it is asked for its readiness; parts that speak another protocol than HTTP have none. */
  readonly url?: string;
  readonly restarts: number;
}

/** What runs, as the supervisor notes it whenever it changes. */
export interface UpState {
  readonly url: string;
  readonly brokers: 1 | 3;
  readonly replicas: number;
  readonly supervisor: ProcessMark;
  readonly isReady: boolean;
  readonly parts: readonly PartNote[];
}

const PRIVATE = 0o600;
const POLL_MS = 50;
const GRACE_MS = 20_000;
const KILLED_WITHIN_MS = 5_000;

export const markOf = (pid: number): ProcessMark => ({ pid, since: startMark(pid) });
export const isMarked = ({ pid, since }: ProcessMark): boolean => isAlive(pid) && startMark(pid) === since;

/** The file of the state, in the data folder. */
export class StateFile {
  private readonly file: string;
  constructor(folder: string) { this.file = join(folder, 'state.json'); }

  read(): UpState | undefined { return existsSync(this.file) ? JSON.parse(readFileSync(this.file, 'utf8')) as UpState : undefined; }
  write(state: UpState): void {
    writeFileSync(`${this.file}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: PRIVATE });
    renameSync(`${this.file}.new`, this.file);
  }
  remove(): void { rmSync(this.file, { force: true }); }
}

/** Asks a process to end, kills it when it does not, and returns when it is gone. Answers whether it was there. */
export const endMarked = async (mark: ProcessMark, graceMs = GRACE_MS): Promise<boolean> => {
  if (!isMarked(mark)) return false;
  send(mark, 'SIGTERM');
  // A process that was paused hears of its end only when it goes on.
  send(mark, 'SIGCONT');
  if (await isGone(mark, graceMs)) return true;
  send(mark, 'SIGKILL');
  if (!(await isGone(mark, KILLED_WITHIN_MS))) throw new Error(`the process ${mark.pid} does not end`);
  return true;
};

const send = (mark: ProcessMark, signal: NodeJS.Signals): void => {
  try {
    if (isMarked(mark)) process.kill(mark.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};

const isGone = async (mark: ProcessMark, withinMs: number): Promise<boolean> => {
  const deadline = performance.now() + withinMs;
  while (isMarked(mark)) {
    if (performance.now() > deadline) return false;
    await pause(POLL_MS);
  }
  return true;
};

/** Ends what a supervisor that is no more has left behind; answers the names of what was still there. */
export const endLeftovers = async ({ parts }: UpState): Promise<string[]> => {
  const ended = await Promise.all(parts.map(async (part) => ((await endMarked(part)) ? [part.name] : [])));
  return ended.flat();
};
