// Writes what is generated and committed: the OpenAPI documents and the reference of settings. With --check it changes nothing and fails
// when a file would change.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
require('reflect-metadata');
const { generatedFiles } = require(join(root, 'libs/hosting/dist/generated.js'));
const check = process.argv.includes('--check');
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
