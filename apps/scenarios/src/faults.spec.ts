import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

// Every fault that a part of this release can meet has a test that carries its id. The ids are those of docs/FAULTS.md.
const ROOT = join(__dirname, '../../..');
const RANGES: readonly (readonly [number, number])[] = [[1, 8], [12, 16], [20, 39], [50, 62], [75, 79], [90, 108], [120, 138]];
const WANTED = RANGES.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, nth) => `F${String(first + nth).padStart(2, '0')}`));
/** What cannot happen here, or cannot be made on a test machine. */
const NOT_HERE: Readonly<Record<string, string>> = {
  F37: 'no Kafka transactions are used', F38: 'no Kafka transactions are used', F39: 'a full disk takes a file system of its own',
  F77: 'nothing is claimed in Redis: duplicates are decided in PostgreSQL', F78: 'nothing is believed that Redis has seen',
};

const specFiles = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.spec.ts', '*.scenario.ts'], { cwd: ROOT, encoding: 'utf8' }).split('\n').filter((file) => file !== '' && file !== 'apps/scenarios/src/faults.spec.ts');
const page = readFileSync(join(ROOT, 'docs/FAULTS.md'), 'utf8');
const tested = new Set(specFiles.flatMap((file) => [...readFileSync(join(ROOT, file), 'utf8').matchAll(/['`]((?:[FBMS]-?\d{2,3}[ ,]*)+): /g)].flatMap(([, ids]) => ids!.trim().split(/[ ,]+/))));

test.each(WANTED)('%s has a test of its name, or a reason', (id) => {
  if (NOT_HERE[id] === undefined) expect([...tested]).toContain(id);
  else expect([...tested]).not.toContain(id);
  expect(page).toMatch(new RegExp(`\\| ${id} \\|`));
});
