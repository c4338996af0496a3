// `npm test`: build what is stale, typecheck, lint, tidy, then every spec. Says what could not run and why, and ends with
// one plain line: `N passed, N failed`. A check counts like a test: a typecheck that fails is one failed.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const nightly = process.argv.includes('--nightly');
const paths = process.argv.slice(2).filter((argument) => argument !== '--nightly');
const DAY_MS = 86_400_000;
const SILENCE_MAX_MS = 30_000;
const folder = mkdtempSync(join(tmpdir(), 'vv-npm-test-'));
const notRunFile = join(folder, 'not-run.jsonl');
const environment = { ...process.env, VV_NOT_RUN_FILE: notRunFile, ...(nightly ? { VV_NIGHTLY: '1', VV_SEED: process.env.VV_SEED ?? String(Math.floor(Date.now() / DAY_MS)) } : {}) };

/** Brokers, databases and replicas of all services at once. They wait for half of their time: two of them beside each other and nothing else, or what they wait for would come too late. */
const WHOLE_MACHINE = ['apps/scenarios/src/(up|replicas|four-processes)\\.scenario', 'libs/payments/src/storm/'];
/** It has a minute to come to rest after its faults: nothing is beside it. */
const STORM = 'apps/scenarios/src/storm\\.scenario';
/** Brokers that are killed and come again: they mostly wait, so the checks are made meanwhile. */
const BESIDE_CHECKS = ['libs/platform/src/parts/.*\\.spec'];
/** One more than the cores that they are meant for: a spec waits for databases and processes for a quarter of its time. */
const WORKERS = 3;

const say = (text) => process.stdout.write(`${text}\n`);

/** Runs one part and passes on what it says; while it says nothing for long, tells that it is still there. */
function run(name, script, ...parameters) {
  const started = performance.now();
  const seconds = () => ((performance.now() - started) / 1000).toFixed(1);
  say(`== ${name}`);
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, script), ...parameters], { cwd: root, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    const patience = setInterval(() => say(`   ${name}: still at work after ${seconds()} s`), SILENCE_MAX_MS);
    const heard = (to) => (text) => { patience.refresh(); to.write(text); };
    child.stdout.on('data', heard(process.stdout));
    child.stderr.on('data', heard(process.stderr));
    child.on('close', (code, signal) => {
      clearInterval(patience);
      say(`== ${name}: ${code === 0 ? 'ok' : `failed (${signal ?? code})`} in ${seconds()} s`);
      resolve(code === 0);
    });
  });
}

const BUILD = ['build', 'tools/build.mjs', '--if-stale'];
/** Made beside each other: lint takes longer than all the rest. */
const CHECKS = [
  ['lint', 'tools/lint.mjs'],
  ['typecheck', 'node_modules/typescript7/bin/tsc', '-p', 'tsconfig.json', '--noEmit'],
  ['tidy', 'tools/tidy/main.mjs'],
  ['generated files', 'tools/generate.mjs', '--check'],
];
const SLOWEST_SHOWN = 10;

/** So that it is seen which files grow. */
const slowestOf = (results) => results.flatMap(({ testResults }) => testResults).map(({ name, startTime, endTime }) => ({ name: name.slice(root.length), seconds: (endTime - startTime) / 1000 }))
  .sort((left, right) => right.seconds - left.seconds).slice(0, SLOWEST_SHOWN).map(({ name, seconds }) => `\n  ${seconds.toFixed(1).padStart(6)} s  ${name}`).join('');

async function main() {
  const failed = [];
  if (nightly) say(`nightly, VV_SEED=${environment.VV_SEED}`);
  let passed = 0;
  const results = [];
  const specs = async (name, ...options) => {
    const resultFile = join(folder, `${results.length}.json`);
    const isWhole = await run(name, 'node_modules/jest/bin/jest.js', '--colors=false', '--json', `--outputFile=${resultFile}`, ...options);
    const result = existsSync(resultFile) ? JSON.parse(readFileSync(resultFile, 'utf8')) : undefined;
    results.push(result ?? { testResults: [], numPassedTests: 0 });
    if (!isWhole && (result?.numFailedTests ?? 0) + (result?.numFailedTestSuites ?? 0) === 0) failed.push(name);
  };
  const check = async ([name, ...command]) => {
    if (await run(name, ...command)) passed++;
    else failed.push(name);
  };
  await check(BUILD);
  if (paths.length > 0) {
    await Promise.all(CHECKS.map(check));
    await specs('specs', ...paths);
  } else {
    await Promise.all([specs('specs of brokers', '--testPathPatterns', ...BESIDE_CHECKS), ...CHECKS.map(check)]);
    await specs('specs', `--maxWorkers=${WORKERS}`, '--testPathIgnorePatterns', '/node_modules/', ...BESIDE_CHECKS, ...WHOLE_MACHINE, STORM);
    await specs('specs that take the whole machine', '--testPathPatterns', ...WHOLE_MACHINE);
    await specs('the storm', '--testPathPatterns', STORM);
  }
  const notRun = existsSync(notRunFile) ? readFileSync(notRunFile, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line)) : [];
  for (const file of results.flatMap(({ testResults }) => testResults)) {
    // A file that could not be loaded has no tests in it, but it is a failure all the same.
    if (file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed')) failed.push(file.name.slice(root.length));
    for (const { status, fullName } of file.assertionResults) if (status === 'failed') failed.push(`${file.name.slice(root.length)}: ${fullName}`);
  }
  passed += results.reduce((sum, { numPassedTests }) => sum + numPassedTests, 0) - notRun.length;

  say(`\nslowest files:${slowestOf(results)}`);
  if (failed.length > 0) say(`\nfailed:\n${failed.map((name) => `  ${name}`).join('\n')}`);
  say(`\nnot run on this machine: ${notRun.length}${notRun.map(({ name, reason }) => `\n  ${name}: ${reason}`).join('')}`);
  say(`${passed} passed, ${failed.length} failed`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
