// Lints the sources. The boundary rule is silently skipped where no project graph is cached, so the graph is built first,
// and a planted violation must be found before anything else is believed.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import { disagreements } from './boundaries.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const GRAPH_TIMEOUT_MS = 120_000;
const CANARY = { filePath: 'libs/kernel/src/canary.ts', text: "import '@valueverse/platform';\n" };
/** What needs types, and so needs real files: kept out of the configuration, which editors and planted texts also use. */
const TYPED = {
  files: ['libs/**/*.ts', 'apps/**/*.ts'],
  languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: root } },
  rules: { '@typescript-eslint/no-floating-promises': 'error' },
};
const BOUNDARY_RULE = '@nx/enforce-module-boundaries';

function buildGraph() {
  const nx = spawnSync(process.execPath, [join(root, 'node_modules/nx/dist/bin/nx.js'), 'graph', '--file=.nx/graph.json'], {
    cwd: root, encoding: 'utf8', timeout: GRAPH_TIMEOUT_MS, env: { ...process.env, NX_DAEMON: 'false', NX_NO_CLOUD: 'true' },
  });
  if (nx.status !== 0) throw new Error(`the project graph could not be built:\n${nx.stdout}${nx.stderr}`);
}

/** The faults of texts that need not exist as files: one list of `rule: message` for each text. */
export async function lintTexts(texts, options = {}) {
  buildGraph();
  process.env.NX_DAEMON = 'false';
  const eslint = new ESLint({ cwd: root, ...options });
  const found = [];
  for (const { filePath, text } of texts) {
    const [result] = await eslint.lintText(text, { filePath: join(root, filePath), warnIgnored: true });
    found.push((result?.messages ?? []).map(({ ruleId, message }) => `${ruleId}: ${message}`));
  }
  return found;
}

async function main() {
  const faults = disagreements(root);
  const [canary] = await lintTexts([CANARY]);
  if (!canary.some((fault) => fault.startsWith(BOUNDARY_RULE))) faults.push('the boundary rule does not see a planted violation');
  const paths = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
  const eslint = new ESLint({ cwd: root, overrideConfig: TYPED, errorOnUnmatchedPattern: false, fix: process.argv.includes('--fix') });
  const results = await eslint.lintFiles(paths.length > 0 ? paths : ['libs/**/*.ts', 'apps/**/*.ts', 'tools/**/*.ts']);
  await ESLint.outputFixes(results);
  const report = await (await eslint.loadFormatter('stylish')).format(results);
  if (report) process.stdout.write(report);
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  const errors = results.reduce((sum, { errorCount, warningCount }) => sum + errorCount + warningCount, faults.length);
  process.stdout.write(errors === 0 ? `lint: ${results.length} files, no fault\n` : `lint: ${errors} faults\n`);
  process.exitCode = errors === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
