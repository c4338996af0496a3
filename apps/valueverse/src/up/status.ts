import { showContainers } from './compose';
import { upFailureOf } from './refusal';
import { isReady } from './services';
import { readUpSettings } from './settings';
import { isMarked, StateFile, type PartNote } from './state';

interface Row { readonly name: string; readonly state: 'up' | 'not ready' | 'down'; readonly pid: number; readonly restarts: number; readonly url?: string; readonly log: string }

/** `npm run status`: every process of the distributed edition on this machine. Ends with 1 when something is not up. */
const main = async (): Promise<void> => {
  const settings = readUpSettings(process.argv.slice(2), ['--data', '--json']);
  if (showContainers(settings.data)) return;
  const state = new StateFile(settings.data).read();
  const supervisor = state !== undefined && isMarked(state.supervisor) ? state.supervisor.pid : undefined;
  const rows = await Promise.all((state?.parts ?? []).map(rowOf));
  const isUp = supervisor !== undefined && state!.isReady && rows.every((row) => row.state === 'up');
  if (settings.json) process.stdout.write(`${JSON.stringify({ up: isUp, dataDir: settings.data, ...(state === undefined ? {} : { url: state.url }), ...(supervisor === undefined ? {} : { supervisor }), parts: rows })}\n`);
  else if (state === undefined) process.stdout.write(`Nothing is up in ${settings.data}.\n  next: npm run up\n`);
  else {
    process.stdout.write(`${state.url}   supervisor ${supervisor ?? 'is gone'}\n`);
    for (const { name, state: how, pid, restarts, url, log } of rows) {
      process.stdout.write(`  ${how === 'up' ? '✓' : '✗'} ${name.padEnd(16)} ${how.padEnd(9)} pid ${String(pid).padEnd(8)} ${restarts === 0 ? '' : `restarted ${restarts}x  `}${url ?? ''}\n${how === 'up' ? '' : `      next: read ${log}\n`}`);
    }
    if (supervisor === undefined) process.stdout.write('  next: npm run down, then npm run up\n');
  }
  process.exitCode = isUp ? 0 : 1;
};

const rowOf = async (part: PartNote): Promise<Row> => {
  const { name, pid, restarts, log, url } = part;
  const state = !isMarked(part) ? 'down' : url !== undefined && !(await isReady(url)) ? 'not ready' : 'up';
  return { name, state, pid, restarts, log, ...(url === undefined ? {} : { url }) };
};

main().catch((error: unknown) => {
  const { sentence, next } = upFailureOf(error, 'npm run status');
  process.stderr.write(`\n${sentence}\n  next: ${next}\n`);
  process.exit(1);
});
