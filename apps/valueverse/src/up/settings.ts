import { resolve } from 'node:path';
import { SettingsFault } from '../edition/settings';

/** What `npm run up`, `down` and `status` were asked for. */
export interface UpSettings {
  readonly port: number;
  readonly data: string;
  readonly brokers: 1 | 3;
  /** Of each service. */
  readonly replicas: number;
  readonly json: boolean;
  /** Local parts, even where Docker answers. */
  readonly local: boolean;
  /** `down` removes the data too. */
  readonly purge: boolean;
}
/** Those that go with a value, and those that stand alone. */
type Flag = '--port' | '--data' | '--brokers' | '--replicas' | '--json' | '--local' | '--purge';

export const DEFAULT_DATA = '.valueverse/up';
const DEFAULT_PORT = 8000;
const PORT_MAX = 65_535;
const REPLICAS_MAX = 8;
const VALUED = new Set(['--port', '--data', '--brokers', '--replicas']);
const BROKER_COUNTS = new Set(['1', '3']);

/** Reads the flags that a command takes. Throws `SettingsFault` with what is wrong in words. */
export const readUpSettings = (argv: readonly string[], allowed: readonly Flag[]): UpSettings => {
  const given = new Map<string, string>();
  const words = argv.flatMap((word) => (word.startsWith('--') && word.includes('=') ? [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)] : [word]));
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    if (!allowed.includes(word as Flag)) throw new SettingsFault(`${word} is not an option; there are ${allowed.join(', ')}`);
    const value = VALUED.has(word) ? words[++index] : '';
    if (value === undefined || value.startsWith('--')) throw new SettingsFault(`${word} needs a value`);
    given.set(word, value);
  }
  return {
    port: wholeOf(given, '--port', DEFAULT_PORT, PORT_MAX), data: resolve(given.get('--data') ?? DEFAULT_DATA), brokers: brokersOf(given.get('--brokers') ?? '1'),
    replicas: wholeOf(given, '--replicas', 1, REPLICAS_MAX), json: given.has('--json'), local: given.has('--local'), purge: given.has('--purge'),
  };
};

const wholeOf = (given: ReadonlyMap<string, string>, name: Flag, fallback: number, max: number): number => {
  const text = given.get(name) ?? String(fallback);
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > max) throw new SettingsFault(`${name} takes a whole number from 1 to ${max}, not ${text}`);
  return Number(text);
};

const brokersOf = (text: string): 1 | 3 => {
  if (!BROKER_COUNTS.has(text)) throw new SettingsFault(`--brokers takes 1 or 3, not ${text}: three keep each record on three of them`);
  return Number(text) as 1 | 3;
};
