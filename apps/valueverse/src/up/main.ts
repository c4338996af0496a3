import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DataFolder } from '../edition/data-folder';
import { DataFolderNotWritable } from '@valueverse/platform';
import { upByCompose, usesCompose } from './compose';
import type { UpReady } from './installation';
import { UpRefused, upFailureOf } from './refusal';
import { logFileOf } from './services';
import { readUpSettings, type UpSettings } from './settings';
import { isMarked, StateFile } from './state';
import type { Told } from './supervisor';

const COMMAND = 'npm run up';

/** `npm run up`: the distributed edition on this machine. Returns when everything is ready; it goes on until `npm run down`. */
const main = async (): Promise<void> => {
  const settings = readUpSettings(process.argv.slice(2), ['--port', '--data', '--brokers', '--replicas', '--json', '--local']);
  const say = (line: string): void => { if (!settings.json) process.stdout.write(`${line}\n`); };
  const began = performance.now();
  say(`ValueVerse, distributed edition · data in ${settings.data}`);
  const progress = (step: string): void => say(`  ✓ ${step} ${((performance.now() - began) / 1_000).toFixed(1)} s`);
  const ready = alreadyUp(settings, say) ?? (usesCompose(settings) ? await upByCompose(settings) : await superviseFrom(settings, progress));
  if (settings.json) process.stdout.write(`${JSON.stringify(ready)}\n`);
  else summary(ready, settings, say);
};

/** A second `up` finds what runs; it changes nothing of it. */
const alreadyUp = (settings: UpSettings, say: (line: string) => void): UpReady | undefined => {
  const state = new StateFile(settings.data).read();
  if (state === undefined || !isMarked(state.supervisor)) return undefined;
  const keys = new DataFolder(settings.data).firstKeys();
  if (!state.isReady || keys === undefined) throw new UpRefused(`It is being started by the process ${state.supervisor.pid}.`, 'npm run status');
  if (state.url !== `http://127.0.0.1:${settings.port}` || state.brokers !== settings.brokers || state.replicas !== settings.replicas) {
    throw new UpRefused(`It is up already, at ${state.url} with --brokers ${state.brokers} --replicas ${state.replicas}.`, 'npm run down, then npm run up again');
  }
  say('  it is up already');
  return { url: state.url, ...keys, dataDir: settings.data, logs: join(settings.data, 'logs'), hasInbox: state.parts.some(({ name }) => name === 'inbox') };
};

const superviseFrom = (settings: UpSettings, progress: (step: string) => void): Promise<UpReady> => {
  const log = logFileOf(settings.data, 'supervisor');
  const output = openLog(log, settings.data);
  const child = spawn(process.execPath, [join(__dirname, 'supervisor.js'), '--port', String(settings.port), '--data', settings.data, '--brokers', String(settings.brokers), '--replicas', String(settings.replicas)],
    { detached: true, stdio: ['ignore', output, output, 'ipc'] });
  closeSync(output);
  return new Promise((resolve, reject) => {
    child.on('message', (told: Told) => {
      if ('step' in told) progress(told.step);
      else if ('failed' in told) reject(new UpRefused(told.failed.sentence, told.failed.next));
      else { child.disconnect(); child.unref(); resolve(told.ready); }
    });
    child.once('exit', () => reject(new UpRefused('The supervisor ended before everything was up.', `read ${log}`)));
    child.once('error', reject);
  });
};

const openLog = (log: string, data: string): number => {
  try {
    mkdirSync(join(data, 'logs'), { recursive: true });
    return openSync(log, 'a', 0o600);
  } catch (error) {
    throw new DataFolderNotWritable(data, error);
  }
};

const summary = ({ url, secretKey, publishableKey, logs, hasInbox }: UpReady, { data, brokers, replicas }: UpSettings, say: (line: string) => void): void => {
  say(`\n  ${brokers === 1 ? 'one broker' : 'three brokers'}, ${replicas === 1 ? 'one replica' : `${replicas} replicas`} of each service; logs in ${logs}`);
  say(`  Open   ${url}/docs${hasInbox ? `   ${url}/mail` : ''}`);
  say(`  Keys   secret ${secretKey}\n         publishable ${publishableKey}`);
  const where = data === readUpSettings([], []).data ? '' : ` -- --data ${data}`;
  say(`  Try    npm run status${where}   ·   npm run demo -- --url ${url}   ·   npx vv --url ${url} status`);
  say(`  Stop   npm run down${where}   (the data stays; with --purge it goes)`);
};

main().catch((error: unknown) => {
  const { sentence, next } = upFailureOf(error, COMMAND);
  process.stderr.write(`\n${sentence}\n  next: ${next}\n`);
  process.exit(1);
});
