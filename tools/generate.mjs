// Writes what is generated and committed: the lock of schemas, the OpenAPI and AsyncAPI documents, the references of settings and metrics. With --check it changes nothing and fails
// when a file would change.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { keepLock } from './schema-lock.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
require('reflect-metadata');
const { generatedFiles } = require(join(root, 'libs/hosting/dist/generated.js'));
const check = process.argv.includes('--check');
// A breaking change ends here: nothing else is written for it.
if (!keepLock({ check })) {
  process.stdout.write('next: see libs/contracts/README.md, then npm run generate\n');
  process.exit(1);
}
let changed = 0;
for (const [path, content] of Object.entries(await generatedFiles())) {
  const file = join(root, path);
  let before;
  try { before = readFileSync(file, 'utf8'); } catch { before = undefined; }
  if (before === content) continue;
  changed += 1;
  process.stdout.write(`${check ? 'out of date' : 'written'}: ${path}\n`);
  if (!check) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
}
if (check && changed > 0) {
  process.stdout.write('next: npm run generate\n');
  process.exit(1);
}
