import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { EVERYTHING, type FaultMix } from './faults';
import { PLANTED } from './planted';
import { storm, type StormResult } from './storm';
import { NotHere } from './world';

const SECONDS_PER_MINUTE = 60;
const STAY_MS = 3_600_000;
const SEED_MAX = 2 ** 31 - 1;
/** Cannot be run here; told apart from a storm that found something. */
const EXIT_NOT_HERE = 3;
const USAGE = 'npm run test:storm -- [--seed N] [--minutes M] [--faults KIND,KIND] [--planted [NAME]]';

const say = (line: string): void => { process.stdout.write(`${line}\n`); };

/** `npm run test:storm`: see docs/DISTRIBUTED.md. Ends with 0 when everything holds, 1 when something does not, 3 when it cannot be run here. */
const main = async (): Promise<void> => {
  const { seed, minutes, planted, mix } = readFlags(process.argv.slice(2));
  if (planted !== undefined) { process.exitCode = await runPlanted(planted); return; }
  say(`seed ${seed}   again with: npm run test:storm -- --seed ${seed} --minutes ${minutes}${mix === EVERYTHING ? '' : ` --faults ${Object.keys(mix).join(',')}`}`);
  const result = await storm({ seed, seconds: minutes * SECONDS_PER_MINUTE, mix }, say);
  report(result);
  process.exitCode = result.violations.length === 0 ? 0 : 1;
};

/** Each planted bug has to be found: a storm that cannot fail says nothing. */
const runPlanted = async (only: string): Promise<number> => {
  const chosen = PLANTED.filter(({ module }) => only === '' || module === only);
  if (chosen.length === 0) throw new Error(`there is no planted bug ${only}; there are ${PLANTED.map(({ module }) => module).join(', ')}\n  next: ${USAGE}`);
  let missed = 0;
  for (const { name, module, ...options } of chosen) {
    say(`\nplanted: ${name}, seed ${options.seed}`);
    const result = await storm({ ...options, patch: join(__dirname, 'planted', `${module}.js`) }, say);
    report(result);
    say(result.violations.length > 0 ? `caught: ${name}` : `NOT CAUGHT: ${name}`);
    if (result.violations.length === 0) missed++;
  }
  say(`\n${chosen.length - missed} of ${chosen.length} planted bugs caught`);
  return missed === 0 ? 0 : 1;
};

const report = ({ faults, events, months, requests, repetitions, violations }: StormResult): void => {
  for (const violation of violations) say(`  ✗ ${violation}`);
  say(`${violations.length === 0 ? 'holds' : 'DOES NOT HOLD'}: ${faults} faults, ${requests} requests (${repetitions} repetitions), ${events} usage events, ${months} months billed`);
};

const readFlags = (argv: readonly string[]): { seed: number; minutes: number; planted: string | undefined; mix: FaultMix } => {
  const flags: { seed: number; minutes: number; planted: string | undefined; mix: FaultMix } = { seed: randomInt(1, SEED_MAX), minutes: 2, planted: undefined, mix: EVERYTHING };
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index]!;
    if (word === '--planted') flags.planted = argv[index + 1]?.startsWith('--') === false ? argv[++index] : '';
    else if (word === '--faults') flags.mix = mixOf(argv[++index] ?? '');
    else if (word === '--seed' || word === '--minutes') {
      const value = Number(argv[++index]);
      if (!Number.isFinite(value) || value <= 0) throw new Error(`${word} takes a number above 0\n  next: ${USAGE}`);
      flags[word === '--seed' ? 'seed' : 'minutes'] = value;
    } else throw new Error(`${word} is not an option\n  next: ${USAGE}`);
  }
  return flags;
};

/** Only these kinds, as often as they are among all. */
const mixOf = (text: string): FaultMix => {
  const chosen = Object.entries(EVERYTHING).filter(([kind]) => text.split(',').includes(kind));
  if (chosen.length !== text.split(',').length) throw new Error(`--faults takes some of ${Object.keys(EVERYTHING).join(',')}\n  next: ${USAGE}`);
  return Object.fromEntries(chosen);
};

// The parts of a storm do not hold this process while it waits for them; this does.
setInterval(() => undefined, STAY_MS);
main().then(() => process.exit(), (error: unknown) => {
  process.stderr.write(`${error instanceof NotHere ? `the storm cannot be run here: ${error.message}` : error instanceof Error ? error.stack ?? error.message : String(error)}\n`);
  process.exit(error instanceof NotHere ? EXIT_NOT_HERE : 1);
});
