import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

export const ROOT = join(__dirname, '..', '..', '..');

/** A process of ours, with what it wrote. */
export interface Running {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
  /** As the operating system would: nothing is closed, nothing is said. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** What a process of ours has of ours: where programs are, and what was compiled already. */
const INHERITED = ['PATH', 'HOME', 'NODE_COMPILE_CACHE'];
const inherited = (): Record<string, string> => Object.fromEntries(INHERITED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));

/** Starts a built main file with Node, its environment and nothing of ours beside. */
export const run = (main: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Running => start([join(ROOT, main), ...args], env);

const VV = join(ROOT, 'apps/valueverse/dist/vv/main.js');
/** Starts `vv` as it is built: without the look for newer sources that `npx vv` begins with, which takes longer than most commands. */
export const runVv = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Running => start(['-e', `require(${JSON.stringify(VV)}).main(process.argv)`, '--', 'vv', ...args], env);

const start = (args: readonly string[], env: Readonly<Record<string, string>>): Running => {
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], env: { ...inherited(), ...env } });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => { text += chunk.toString(); });
  child.stderr.on('data', (chunk: Buffer) => { text += chunk.toString(); });
  const ended = new Promise<number | null>((resolve) => { child.once('exit', (code) => resolve(code)); });
  const end = async (signal: NodeJS.Signals): Promise<void> => { if (child.exitCode === null && child.signalCode === null) child.kill(signal); await ended; };
  return { child, output: () => text, ended, kill: () => end('SIGKILL'), stop: () => end('SIGTERM') };
};

/** The one line of JSON that a program printed last; fails with all that it printed. */
export const jsonOf = <T>({ output }: Pick<Running, 'output'>): T => {
  const line = output().split('\n').filter((text) => text.startsWith('[') || text.startsWith('{')).at(-1);
  if (line === undefined) throw new Error(`no JSON in:\n${output()}`);
  return JSON.parse(line) as T;
};
