import { readFileSync } from 'node:fs';

/** One setting: how its text is read, and what is said of it. */
export interface Setting<T> {
  readonly kind: string;
  readonly read: (text: string) => T;
  readonly fallback?: T;
  readonly optional: boolean;
  /** Never printed, and also read from the file that `<NAME>_FILE` names. */
  readonly secret: boolean;
  readonly description: string;
}
/** The settings of a service by the names of their environment variables. */
export type ConfigSchema = Readonly<Record<string, Setting<unknown>>>;
/** The settings of a schema with their types. */
export type ConfigOf<S extends ConfigSchema> = { readonly [Name in keyof S]: S[Name] extends Setting<infer T> ? T : never };
export type Environment = Readonly<Record<string, string | undefined>>;

interface About {
  readonly secret?: boolean;
  readonly description?: string;
}
type Optional = About & { readonly optional: true };
type Defaulted<T> = About & { readonly default: T };

/** A fault of one setting; the text of a secret is never in it. */
export interface ConfigFault {
  readonly name: string;
  readonly detail: string;
}

class Unreadable extends Error {}

const PORT_MAX = 65_535;
const SECRET_CHARACTERS_MIN = 16;
const REDACTED = '[redacted]';

interface Kind<T> {
  (about: Optional): Setting<T | undefined>;
  (about?: About | Defaulted<T>): Setting<T>;
}

/** Makes a kind of setting: required, with a default, or optional. `read` throws with what is expected. */
function kindOf<T>(kind: string, read: (text: string) => T, always: About = {}): Kind<T> {
  const make = (about: About & { optional?: boolean; default?: T } = {}): Setting<T> => ({
    kind, read, optional: about.optional ?? false, secret: about.secret ?? always.secret ?? false, description: about.description ?? '',
    ...('default' in about ? { fallback: about.default as T } : {}),
  });
  return make as Kind<T>;
}
const refuse = (expected: string): never => { throw new Unreadable(expected); };

export const text = kindOf('text', (value) => value);
export const url = kindOf('url', (value) => (URL.canParse(value) ? value : refuse('a URL is expected')));
export const flag = kindOf('true or false', (value) => (['true', '1'].includes(value) || (['false', '0'].includes(value) ? false : refuse('true or false is expected'))));
export const whole = (min: number, max: number): Kind<number> => kindOf(`${min} to ${max}`, (value) =>
  (/^-?\d{1,15}$/.test(value) && Number(value) >= min && Number(value) <= max ? Number(value) : refuse(`a whole number from ${min} to ${max} is expected`)));
export const port = (fallback?: number, about: About = {}): Setting<number> => whole(0, PORT_MAX)(fallback === undefined ? about : { ...about, default: fallback });
export const list = kindOf('list, separated by commas', (value): readonly string[] => value.split(',').map((item) => item.trim()).filter(Boolean));
export const secret = kindOf('secret', (value) =>
  (value.length >= SECRET_CHARACTERS_MIN ? value : refuse(`at least ${SECRET_CHARACTERS_MIN} characters are expected`)), { secret: true });
export const oneOf = <const V extends readonly string[]>(...values: V): Kind<V[number]> =>
  kindOf(values.join(' | '), (value): V[number] => (values.includes(value) ? value : refuse(`one of ${values.join(', ')} is expected`)));

/** Declares the settings of a service: `defineConfig({ PORT: port(8001), DATABASE_URL: url({ secret: true }) })`. */
export const defineConfig = <const S extends ConfigSchema>(schema: S): S => schema;

/** Reads all settings and reports every fault at once. An empty variable is an absent one. */
export function readConfig<S extends ConfigSchema>(schema: S, env: Environment): { config: ConfigOf<S> } | { faults: readonly ConfigFault[] } {
  const faults: ConfigFault[] = [];
  const config: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(schema)) {
    try {
      config[name] = readSetting(name, setting, env);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      faults.push({ name, detail: error.message });
    }
  }
  return faults.length > 0 ? { faults } : { config: config as ConfigOf<S> };
}

function readSetting(name: string, setting: Setting<unknown>, env: Environment): unknown {
  const given = setting.secret ? textOrFile(name, env) : env[name];
  if (given) return setting.read(given);
  if ('fallback' in setting) return setting.fallback;
  if (setting.optional) return undefined;
  return refuse(`is required: ${setting.kind}`);
}

function textOrFile(name: string, env: Environment): string | undefined {
  const file = env[`${name}_FILE`];
  if (!file) return env[name];
  if (env[name]) return refuse(`is given twice, by itself and by ${name}_FILE`);
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    return refuse(`the file of ${name}_FILE cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
}

/** One line for each setting, secrets without their text and URLs without their password. */
export function printConfig<S extends ConfigSchema>(schema: S, config: ConfigOf<S>): string {
  return Object.entries(schema).map(([name, setting]) => {
    const value = config[name as keyof S] as unknown;
    if (value === undefined) return `${name} is not set`;
    if (setting.secret) return `${name}=${REDACTED}`;
    return `${name}=${String(value).replace(/(:\/\/[^:/@\s]*):[^@/\s]+@/, `$1:${REDACTED}@`)}`;
  }).join('\n');
}

/** For `--check`: what would be used, or every fault; 0 or 1 for the exit code. */
export function checkConfig<S extends ConfigSchema>(schema: S, env: Environment): { exitCode: 0 | 1; report: string } {
  const result = readConfig(schema, env);
  if ('config' in result) return { exitCode: 0, report: printConfig(schema, result.config) };
  return { exitCode: 1, report: faultsReport(result.faults) };
}

/** What a start prints when it cannot go on. */
export const faultsReport = (faults: readonly ConfigFault[]): string => faults.map(({ name, detail }) => `${name}: ${detail}`).join('\n');
