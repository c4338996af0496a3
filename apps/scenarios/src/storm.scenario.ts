import { isNightly, noteNotRun } from '@valueverse/testing';
import { run } from './process.spec-kit';

const STORM = 'apps/scenarios/dist/storm/main.js';
/** As `storm/main.ts` says it: there is no local broker that could be killed. */
const EXIT_NOT_HERE = 3;
const SEED = 20_260_101;
const MINUTES = '0.3';
const MINUTES_AT_NIGHT = '10';
const TIMEOUT_MS = 420_000;
const TIMEOUT_AT_NIGHT_MS = 1_800_000;

/** Runs the program of `npm run test:storm`; what does not hold is in what it printed. */
const storm = async (name: string, ...flags: readonly string[]): Promise<void> => {
  const process_ = run(STORM, flags);
  const code = await process_.ended;
  if (code === EXIT_NOT_HERE) { noteNotRun(name, process_.output().trim()); return; }
  if (code !== 0) throw new Error(`ended with ${code}:\n${process_.output()}`);
};

test('F20 F22 F25 F26 F27 F50 F79: a short storm loses nothing that was acknowledged and does nothing twice', async () => {
  const nightSeed = process.env['VV_SEED'];
  if (isNightly() && nightSeed !== undefined) await storm('the storm', '--seed', nightSeed, '--minutes', MINUTES_AT_NIGHT);
  else await storm('the storm', '--seed', String(SEED), '--minutes', MINUTES);
}, isNightly() ? TIMEOUT_AT_NIGHT_MS : TIMEOUT_MS);

// Three storms take minutes: by day their bugs are planted by `npm run test:storm -- --planted`.
if (isNightly()) test('storms find each of three planted bugs', () => storm('planted bugs', '--planted'), TIMEOUT_AT_NIGHT_MS);
