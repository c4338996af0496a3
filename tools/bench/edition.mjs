// Figures of the embedded edition.
import { spawn, execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { family } from './cpu.mjs';
import { freePort } from './free-port.mjs';
import { scratchFolder } from './scratch-folder.mjs';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const FLOORS = { warmStartMs: 5_000, pssMb: 600, demoS: 60 };
const STARTS = 5;

/** Resolves with the code of a child once it has ended. */
export const ended = (child) => new Promise((resolve) => { if (child.exitCode !== null) resolve(child.exitCode); else child.once('exit', resolve); });

/** Starts the edition and answers when it is ready. */
async function start(folder) {
  const port = await freePort();
  const began = performance.now();
  const child = spawn(process.execPath, [join(root, 'apps/valueverse/dist/main.js'), '--data', folder, '--port', String(port), '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve, reject) => {
    child.stdout.on('data', (text) => { if (String(text).includes('secretKey')) resolve(); });
    child.once('exit', (code) => reject(new Error(`the edition ended with ${code}`)));
  });
  return { child, milliseconds: performance.now() - began };
}

/** The memory of a process and all that it has started, each page shared out among those that have it. */
export const pssMbOf = (pid) => sumOf(pid, ({ Pss }) => Pss);
/** The same without the pages that the database shares among its sessions: its cache fills up to the size that it was given, and no further. */
export const ownMbOf = (pid) => sumOf(pid, ({ Pss, Pss_Shmem }) => Pss - Pss_Shmem);
const sumOf = (pid, of) => family(pid).reduce((sum, process_) => {
  try {
    return sum + of(Object.fromEntries([...readFileSync(`/proc/${process_}/smaps_rollup`, 'utf8').matchAll(/^(\w+):\s+(\d+)/gm)].map(([, name, kilobytes]) => [name, Number(kilobytes)]))) / 1_024;
  } catch { return sum; }
}, 0);

const report = (name, value, floor, unit) => {
  process.stdout.write(`${name}: ${value} ${unit} (has to be at most ${floor})\n`);
  if (value > floor) process.exitCode = 1;
};

/** Warm start in milliseconds, median of 5, and the memory of all its processes (PSS). */
export async function benchStart() {
  const folder = scratchFolder('bench');
  try {
    const first = await start(folder);
    first.child.kill('SIGTERM');
    await ended(first.child);
    const times = [];
    let pss = 0;
    for (let nth = 0; nth < STARTS; nth++) {
      const { child, milliseconds } = await start(folder);
      times.push(milliseconds);
      await new Promise((resolve) => { setTimeout(resolve, 1_000); });
      pss = Math.max(pss, pssMbOf(child.pid));
      child.kill('SIGTERM');
      await ended(child);
    }
    report('warm start, median', Math.round(times.sort((a, b) => a - b)[Math.floor(STARTS / 2)]), FLOORS.warmStartMs, 'ms');
    report('memory of all processes (PSS), greatest', Math.round(pss), FLOORS.pssMb, 'MB');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** From nothing to two paid invoices, in seconds. */
export async function benchDemo() {
  const folder = scratchFolder('bench');
  const began = performance.now();
  try {
    execFileSync(process.execPath, [join(root, 'apps/valueverse/dist/demo/main.js'), '--data', folder, '--port', String(await freePort()), '--json', '--exit'], { stdio: ['ignore', 'ignore', 'inherit'] });
    report('demo, from nothing to two paid invoices', Number(((performance.now() - began) / 1_000).toFixed(1)), FLOORS.demoS, 's');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
