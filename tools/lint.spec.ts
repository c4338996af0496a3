import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(__dirname, '..');
const TIMEOUT_MS = 120_000;

/** ESLint and its configuration are ES modules with top-level await, which Jest's own loader does not take: they run apart. */
const evaluate = <T>(script: string, input: unknown): T => {
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd: root, encoding: 'utf8', input: JSON.stringify(input) });
  if (child.status !== 0) throw new Error(child.stderr);
  return JSON.parse(child.stdout) as T;
};
const LINT = `
import { readFileSync } from 'node:fs';
import { lintTexts } from './tools/lint.mjs';
process.stdout.write(JSON.stringify(await lintTexts(JSON.parse(readFileSync(0, 'utf8')))));`;
const DISAGREE = `
import { readFileSync } from 'node:fs';
import { disagreements } from './tools/boundaries.mjs';
process.stdout.write(JSON.stringify(disagreements(JSON.parse(readFileSync(0, 'utf8')))));`;

const BOUNDARY = '@nx/enforce-module-boundaries';
/** [what is planted, where, the text, the rule that must object, or undefined where nothing may] */
const planted: [string, string, string, string | undefined][] = [
  ['a context that imports another', 'libs/billing/src/planted.ts', "import '@valueverse/usage';", BOUNDARY],
  ['a context that imports a neighbour by its path', 'libs/billing/src/planted.ts', "import '../../usage/src/index';", BOUNDARY],
  ['a kernel that imports the platform', 'libs/kernel/src/planted.ts', "import '@valueverse/platform';", BOUNDARY],
  ['rating that imports contracts', 'libs/rating/src/planted.ts', "import '@valueverse/contracts';", BOUNDARY],
  ['a log that imports the platform', 'libs/event-log/src/planted.ts', "import '@valueverse/platform';", BOUNDARY],
  ['test parts that import a context', 'libs/testing/src/planted.ts', "import '@valueverse/billing';", BOUNDARY],
  ['an app that imports an app', 'apps/valueverse/src/planted.ts', "import '../../usage-service/src/main';", BOUNDARY],
  ['a context that imports what is below', 'libs/billing/src/planted.ts', "import '@valueverse/kernel';\nimport '@valueverse/rating';\nimport '@valueverse/auth';\n", undefined],
  ['an app that imports contexts', 'apps/valueverse/src/planted.ts', "import '@valueverse/billing';\nimport '@valueverse/usage';\n", undefined],
  ['test parts outside a spec', 'libs/billing/src/planted.ts', "import '@valueverse/testing';", 'no-restricted-imports'],
  ['test parts in a spec', 'libs/kernel/src/planted.spec.ts', "import '@valueverse/testing';\n", undefined],
  ['a Date in a domain', 'libs/billing/src/invoicing/domain/planted.ts', 'export const at = (text: string) => new Date(text);', 'no-restricted-globals'],
  ['the environment in a domain', 'libs/billing/src/invoicing/domain/planted.ts', "export const zone = process.env['TZ'];", 'no-restricted-globals'],
  ['chance in a domain', 'libs/billing/src/invoicing/domain/planted.ts', `export const chance = () => Math.${'random'}();`, 'no-restricted-syntax'],
  ['random ids in the kernel', 'libs/kernel/src/planted.ts', 'export const id = () => crypto.randomUUID();', 'no-restricted-globals'],
  ['a timer in rating', 'libs/rating/src/planted.ts', 'setTimeout(() => undefined, 1);', 'no-restricted-globals'],
  ['an await in a domain', 'libs/billing/src/invoicing/domain/planted.ts', 'export const later = async (work: Promise<void>) => { await work; };', 'no-restricted-syntax'],
  ['the disk in a domain', 'libs/billing/src/invoicing/domain/planted.ts', "import 'node:fs';", 'no-restricted-imports'],
  ['Nest in a domain', 'libs/billing/src/invoicing/domain/planted.ts', "import '@nestjs/common';", 'no-restricted-imports'],
  ['a database in rating', 'libs/rating/src/planted.ts', "import 'pg';", 'no-restricted-imports'],
  ['randomness from the one module where hashing is allowed', 'libs/kernel/src/ids.ts', "import { randomBytes } from 'node:crypto';\nexport const id = randomBytes(8);", 'no-restricted-imports'],
  ['hashing in ids', 'libs/kernel/src/ids.ts', "import { hash } from 'node:crypto';\nexport const id = hash('sha256');\n", undefined],
  ['the wall clock below the apps', 'libs/billing/src/planted.ts', 'export const now = () => Date.now();', 'no-restricted-syntax'],
  ['the wall clock by a new Date', 'libs/billing/src/planted.ts', 'export const now = () => new Date();', 'no-restricted-syntax'],
  ['the system clock in its own file', 'libs/platform/src/system-clock.ts', 'export const now = () => Date.now();\n', undefined],
  ['a date that was read from a row', 'libs/billing/src/planted.ts', 'export const at = (text: string) => new Date(text);\n', undefined],
];
const SQL = 'valueverse/constant-sql';
const inQuery = (sql: string) => `declare const db: { query(text: string, values?: unknown[]): void };
declare const ident: (name: string) => string;
export const run = (name: string, names: string[]) => { ${sql}; return [name, names, ident]; };\n`;
const plantedSql: [string, string, string | undefined][] = [
  ['an interpolated value', 'db.query(`SELECT * FROM t WHERE name = ${name}`)', SQL],
  ['a text put together by +', "db.query('SELECT * FROM t WHERE name = ' + name)", SQL],
  ['a text put together before', 'const text = `SELECT ${name}`; db.query(text)', SQL],
  ['joined names', "db.query('SELECT ' + names.join(','))", SQL],
  ['a text by concat', "db.query('SELECT '.concat(name))", SQL],
  ['a name through the helper', 'db.query(`SELECT * FROM ${ident(name)} WHERE id = $1`, [1])', undefined],
  ['names through the helper', "db.query(`SELECT ${names.map((one) => ident(one)).join(', ')}`)", undefined],
  ['numbered parameters', "db.query(`SELECT ${names.map((_one, index) => `$${index + 1}`).join(', ')}`, names)", undefined],
  ['constant pieces', "const columns = 'a, b'; db.query(`SELECT ${columns} FROM t`)", undefined],
];

describe('the rules see what is planted', () => {
  let faults: string[][];
  const all = [...planted, ...plantedSql.map(([what, sql, rule]): (typeof planted)[number] => [what, 'libs/billing/src/planted.ts', inQuery(sql), rule])];
  beforeAll(() => {
    faults = evaluate(LINT, all.map(([, filePath, text]) => ({ filePath, text })));
  }, TIMEOUT_MS);

  test.each(all.map(([what, , , rule], index) => [what, rule ?? 'nothing', index] as const))('%s: %s', (_what, rule, index) => {
    const found = faults[index] ?? [];
    if (rule === 'nothing') expect(found).toEqual([]);
    else expect(found.filter((fault) => fault.startsWith(`${rule}:`))).not.toEqual([]);
  });
});

describe('the table and the folders', () => {
  let home: string;
  const project = (folder: string, tags: string[]) => {
    mkdirSync(join(home, folder), { recursive: true });
    writeFileSync(join(home, folder, 'package.json'), JSON.stringify({ nx: { tags } }));
  };
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'vv-lint-'));
    mkdirSync(join(home, 'apps'));
    project('libs/kernel', ['layer:kernel']);
  });
  afterEach(() => rmSync(home, { recursive: true }));

  test('agree', () => expect(evaluate(DISAGREE, home)).toEqual([]));
  test('a folder without a row is named', () => {
    project('libs/loyalty', ['layer:context']);
    expect(evaluate(DISAGREE, home)).toEqual(['libs/loyalty has no row in tools/boundaries.mjs']);
  });
  test('a tag that lifts a folder into another layer is named', () => {
    project('libs/kernel', ['layer:app']);
    expect(evaluate(DISAGREE, home)).toEqual(['libs/kernel/package.json has the tags [layer:app], the table says [layer:kernel]']);
  });
  test('this repository agrees', () => expect(evaluate(DISAGREE, root)).toEqual([]));
});
