import { resolve } from 'node:path';
import { defineConfig, faultsReport, flag, oneOf, port, readConfig, text, url, whole, type ConfigOf } from '@valueverse/platform';

const DEFAULT_PORT = 8000;
const PORT_MAX = 65_535;

/** The settings of the embedded edition; each can also be given as a flag. */
export const embeddedConfig = defineConfig({
  VV_PORT: port(DEFAULT_PORT, { description: 'The port of the HTTP interface (--port)' }),
  VV_DATA: text({ default: '.valueverse', description: 'The folder of the data (--data)' }),
  DATABASE_URL: url({ optional: true, secret: true, description: 'Your own PostgreSQL in the place of the built-in one' }),
  SMTP_URL: url({ optional: true, secret: true, description: 'Your own mail server in the place of the built-in inbox' }),
  MAIL_FROM: text({ default: 'billing@valueverse.invalid', description: 'The sender of e-mails' }),
  RADIUS_PORT: whole(1, PORT_MAX)({ optional: true, description: 'The UDP port for RADIUS accounting, 1813 by custom. Without it no packets are taken' }),
  RADIUS_ADDRESS: text({ default: '127.0.0.1', description: 'The address to take accounting packets at; where NAS are to reach it, 0.0.0.0 or one of this machine' }),
  LOG_LEVEL: oneOf('debug', 'info', 'warn', 'error')({ default: 'warn', description: 'What the log says' }),
  VV_JSON: flag({ default: false, description: 'Print one line of JSON when ready (--json)' }),
});
export type EmbeddedSettings = ConfigOf<typeof embeddedConfig>;

/** Settings that cannot be used: every fault, one a line. */
export class SettingsFault extends Error {}

const FLAGS: Readonly<Record<string, string>> = { '--port': 'VV_PORT', '--data': 'VV_DATA' };

/** Reads flags over environment variables. `switches` are further flags without a value that the caller understands. */
export const readSettings = (argv: readonly string[], env: NodeJS.ProcessEnv, switches: readonly string[] = [], defaults: Readonly<Record<string, string>> = {}): EmbeddedSettings & { switched: ReadonlySet<string> } => {
  const given: Record<string, string | undefined> = { ...defaults, ...Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined)) };
  const switched = new Set<string>();
  const rest = argv.flatMap((word) => (word.startsWith('--') && word.includes('=') ? [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)] : [word]));
  for (let index = 0; index < rest.length; index++) {
    const word = rest[index]!;
    const name = FLAGS[word];
    if (name !== undefined) {
      const value = rest[++index];
      if (value === undefined) throw new SettingsFault(`${word} needs a value`);
      given[name] = value;
    } else if (word === '--json') given['VV_JSON'] = 'true';
    else if (switches.includes(word)) switched.add(word);
    else throw new SettingsFault(`${word} is not an option; there are ${[...Object.keys(FLAGS), '--json', ...switches].join(', ')}`);
  }
  const read = readConfig(embeddedConfig, given);
  if ('faults' in read) throw new SettingsFault(faultsReport(read.faults));
  return { ...read.config, VV_DATA: resolve(read.config.VV_DATA), switched };
};
