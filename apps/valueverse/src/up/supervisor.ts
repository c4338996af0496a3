import { LocalInstallation, type UpReady } from './installation';
import { upFailureOf } from './refusal';
import { readUpSettings } from './settings';
import type { Failure } from '../edition/failure';

/** What the supervisor tells `npm run up`, until it is ready. */
export type Told = { readonly step: string } | { readonly ready: UpReady } | { readonly failed: Failure };

const STAY_MS = 3_600_000;

const say = (line: string): void => { process.stdout.write(`${new Date().toISOString()} ${line}\n`); };
const tell = (told: Told): Promise<void> => new Promise((resolve) => { if (process.connected) process.send!(told, () => resolve()); else resolve(); });

/**
 * The process that stays behind `npm run up`: it started all the others, starts them again when they die, and ends them in their order. When it
 * is killed itself, each of them is ended by the shell that watches over it.
 */
const main = async (): Promise<void> => {
  const installation = new LocalInstallation(readUpSettings(process.argv.slice(2), ['--port', '--data', '--brokers', '--replicas']), say);
  let isReady = false;
  const end = (why: string, code: number): void => {
    process.removeAllListeners('disconnect');
    say(why);
    installation.stop().then(() => process.exit(code), (error: unknown) => { say(String(error)); process.exit(1); });
  };
  process.once('SIGTERM', () => end('it is told to end', 0));
  process.once('SIGINT', () => end('it is told to end', 0));
  // Whoever gives up waiting takes back what was asked.
  process.once('disconnect', () => { if (!isReady) end('nobody waits for it any more', 1); });
  // Its parts do not hold it; this does, until it is told to end.
  setInterval(() => undefined, STAY_MS);
  say('the supervisor begins');
  try {
    const ready = await installation.start((step) => { say(`${step} is up`); void tell({ step }); });
    isReady = true;
    say('everything is up');
    await tell({ ready });
  } catch (error) {
    const failed = upFailureOf(error, 'npm run up');
    process.removeAllListeners('disconnect');
    say(`it failed: ${failed.sentence}`);
    await installation.stop();
    await tell({ failed });
    process.exit(1);
  }
};

void main();
