// The lock of every schema that was released: `keepLock` adds what is new and refuses what breaks what is old; with `check` it only looks.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const file = join(root, 'libs/contracts/schemas.lock.json');

/** Answers whether the lock is as it has to be. */
export function keepLock({ check }) {
  const { ALL_EVENTS, nextLock } = createRequire(import.meta.url)(join(root, 'libs/contracts/dist/index.js'));
  const before = existsSync(file) ? readFileSync(file, 'utf8') : JSON.stringify({ topics: {}, events: {} });
  const { lock, breaks } = nextLock(JSON.parse(before), ALL_EVENTS);
  for (const sentence of breaks) process.stdout.write(`breaking: ${sentence}\n`);
  if (breaks.length > 0) return false;
  const after = `${JSON.stringify(lock, null, 1)}\n`;
  if (after === before) return true;
  process.stdout.write(`${check ? 'out of date' : 'written'}: libs/contracts/schemas.lock.json\n`);
  if (!check) writeFileSync(file, after);
  return !check;
}
