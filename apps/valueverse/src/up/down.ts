import { downByCompose } from './compose';
import { upFailureOf } from './refusal';
import { purge } from './made-with';
import { readUpSettings } from './settings';
import { endLeftovers, endMarked, StateFile } from './state';

/** Longer than the supervisor needs to end all parts in their order. */
const SUPERVISOR_GRACE_MS = 90_000;

/** `npm run down`: ends everything that `npm run up` started, whatever is left of it. The data stays, unless `--purge` says otherwise. */
const main = async (): Promise<void> => {
  const settings = readUpSettings(process.argv.slice(2), ['--data', '--json', '--purge']);
  const file = new StateFile(settings.data);
  const state = file.read();
  const ended: string[] = [];
  if (state !== undefined) {
    if (await endMarked(state.supervisor, SUPERVISOR_GRACE_MS)) ended.push('supervisor', ...state.parts.map(({ name }) => name));
    // What is still there was left by a supervisor that was killed, or that had to be.
    ended.push(...(await endLeftovers(file.read() ?? state)).filter((name) => !ended.includes(name)));
    file.remove();
  }
  if (downByCompose(settings.data, settings.purge)) ended.push('containers');
  const purged = settings.purge && purge(settings.data);
  if (settings.json) process.stdout.write(`${JSON.stringify({ dataDir: settings.data, ended, purged })}\n`);
  else process.stdout.write(`${ended.length === 0 ? 'Nothing was up.' : `Down: ${ended.join(', ')}.`}${purged ? ` The data in ${settings.data} is removed.` : ''}\n`);
};

main().catch((error: unknown) => {
  const { sentence, next } = upFailureOf(error, 'npm run down');
  process.stderr.write(`\n${sentence}\n  next: ${next}\n`);
  process.exit(1);
});
