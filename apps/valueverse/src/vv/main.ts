import { Command } from 'commander';
import { SERVICES } from '@valueverse/contracts';
import { ApiError, Unreachable } from '../http/api-client';
import { addCatalog } from './catalog-commands';
import { addAudit, addDeadLetters, addOutbox, addProjections, addReaders } from './log-commands';
import { addEvents } from './events-commands';
import { addInvoices } from './invoice-commands';
import { migrateServices } from './migrate';
import { addPayouts, addReconcile, addWebhooks } from './payments-commands';
import { addRadius } from './radius-commands';
import { addUsage } from './usage-commands';
import { doctor, doctorOfUsage, status, type Finding } from './operations';
import { print, sessionOf } from './print';
import { Missing } from './session';
import { laterBy } from './later';

const WAIT_MS_MAX = 600_000;
const LOOK_EVERY_MS = 100;

interface Organization { readonly id: string; readonly name: string; readonly createdAt: string; readonly keys?: readonly Key[] }
interface Key { readonly id: string; readonly key?: string; readonly environment: string; readonly kind: string; readonly name: string; readonly prefix: string; readonly status?: string }
interface ClockState { readonly id: string; readonly name: string; readonly status: string; readonly now: string; readonly waitingFor?: readonly string[] }
interface Page<T> { readonly data: readonly T[] }

const keyLine = ({ id, key, environment, kind, name, prefix, status: state }: Key): string => `${id}  ${environment} ${kind.padEnd(11)}  ${key ?? `${prefix}_…`}  ${name}${state === undefined ? '' : `  ${state}`}`;

const addOperations = (program: Command): void => {
  program.command('status').description('What the installation says of itself').action(async (_, command: Command) => {
    const found = await status(sessionOf(command));
    print(command, found, () => [`${String(found['url'])}  ${found['ready'] === true ? 'ready' : 'not ready'}`]);
    if (found['ready'] !== true) process.exitCode = 1;
  });
  const tell = (command: Command, findings: readonly Finding[]): void => {
    print(command, findings, () => findings.map(({ check, ok, detail, next }) => `${ok ? '✓' : '✗'} ${check}: ${detail}${next === undefined ? '' : `\n    next: ${next}`}`));
    if (findings.some(({ ok }) => !ok)) process.exitCode = 1;
  };
  const looking = program.command('doctor').description('Looks for what is wrong and names the next command').action(async (_, command: Command) => { tell(command, await doctor(sessionOf(command))); });
  looking.command('usage').description('Of the tenant of the key: whether all accepted usage is somewhere, and buckets hold what the envelopes say')
    .option('--from <instant>', 'received since; a day before the end if not given').option('--to <instant>', 'received before; the end of this quarter of an hour if not given')
    .action(async (period: { from?: string; to?: string }, command: Command) => { tell(command, await doctorOfUsage(sessionOf(command), period)); });
};

interface Verified { readonly service: string; readonly intact: boolean; readonly facts: number; readonly faults: readonly { partition: number; position: string; reason: string }[] }

const addLog = (program: Command): void => {
  program.command('log').description('The event log').command('verify [service...]').description('Recomputes the hash chains and compares them with their anchors')
    .action(async (services: string[], _, command: Command) => {
      const api = sessionOf(command).operator();
      const wanted = services.length === 0 ? SERVICES : services;
      const verified: Verified[] = [];
      for (const service of wanted) verified.push(await api.post<Verified>(`/api/v1/operator/log/${service}/verify`, {}));
      print(command, verified, () => verified.flatMap(({ service, intact, facts, faults }) => [
        `${intact ? '✓' : '✗'} ${service}: ${facts} facts`, ...faults.map(({ partition, position, reason }) => `    partition ${partition} position ${position}: ${reason}`)]));
      if (verified.some(({ intact }) => !intact)) process.exitCode = 1;
    });
};

const addMigrate = (program: Command): void => {
  program.command('migrate [service...]').description('Brings the databases of services up to this release, with the settings of each in the environment')
    .action((services: string[]) => { process.exitCode = migrateServices(services); });
};

const addOrganizations = (program: Command): void => {
  const organizations = program.command('organizations').description('Who uses this installation');
  organizations.command('create <name>').description('Makes an organization and prints its keys, once').action(async (name: string, _, command: Command) => {
    const made = await sessionOf(command).operator().post<Organization>('/api/v1/operator/organizations', { name });
    print(command, made, () => [`${made.id}  ${made.name}`, ...made.keys!.map(keyLine)]);
  });
  organizations.command('list').action(async (_, command: Command) => {
    const { data } = await sessionOf(command).operator().get<Page<Organization>>('/api/v1/operator/organizations');
    print(command, data, () => data.map(({ id, name, createdAt }) => `${id}  ${createdAt}  ${name}`));
  });
};

const addKeys = (program: Command): void => {
  const keys = program.command('keys').description('Keys of an organization');
  keys.command('create <organization>').description('Makes a key and prints it, once')
    .option('--kind <kind>', 'secret, ingest or publishable', 'secret').option('--environment <environment>', 'test or live', 'test')
    .option('--name <name>', 'what it is for').option('--subject <subject...>', 'of a publishable key: the subjects it sends usage for')
    .action(async (organization: string, options: { kind: string; environment: string; name?: string; subject?: string[] }, command: Command) => {
      const body = { kind: options.kind, environment: options.environment, ...(options.name === undefined ? {} : { name: options.name }), ...(options.subject === undefined ? {} : { subjects: options.subject }) };
      const made = await sessionOf(command).operator().post<Key>(`/api/v1/operator/organizations/${organization}/keys`, body);
      print(command, made, () => [keyLine(made)]);
    });
  keys.command('list <organization>').action(async (organization: string, _, command: Command) => {
    const { data } = await sessionOf(command).operator().get<Page<Key>>(`/api/v1/operator/organizations/${organization}/keys`);
    print(command, data, () => data.map(keyLine));
  });
  keys.command('revoke <key>').description('Ends a key for ever').action(async (key: string, _, command: Command) => {
    const answer = await sessionOf(command).operator().delete<{ id: string; status: string }>(`/api/v1/operator/keys/${key}`);
    print(command, answer, () => [`${answer.id}  ${answer.status}`]);
  });
};

const addClocks = (program: Command): void => {
  const clock = program.command('clock').description('Test clocks');
  clock.command('create <name>').requiredOption('--now <instant>', 'where it begins').action(async (name: string, { now }: { now: string }, command: Command) => {
    const made = await sessionOf(command).tenant().post<ClockState>('/api/v1/billing/clocks', { name, now });
    print(command, made, () => [`${made.id}  ${made.now}  ${made.name}`]);
  });
  clock.command('advance <clock> <to>').description('To an instant, or by 1h, 3d, 2w, 1mo, 1y').action(async (id: string, to: string, _, command: Command) => {
    const api = sessionOf(command).tenant();
    const { now } = await api.get<ClockState>(`/api/v1/billing/clocks/${id}`);
    await api.post(`/api/v1/billing/clocks/${id}/advance`, { to: laterBy(now, to) ?? to });
    const deadline = performance.now() + WAIT_MS_MAX;
    for (;;) {
      const state = await api.get<ClockState>(`/api/v1/billing/clocks/${id}`);
      if (state.status === 'ready') { print(command, state, () => [`${state.id}  ${state.now}`]); return; }
      if (performance.now() > deadline) throw new Missing(`the clock stands at ${state.now} and waits for ${state.waitingFor?.join('; ')}`, 'npx vv doctor');
      await new Promise((resolve) => { setTimeout(resolve, LOOK_EVERY_MS); });
    }
  });
};

/** The operator's command line. It speaks HTTP only. */
export const main = async (argv: readonly string[]): Promise<void> => {
  const program = new Command('vv').description('Runs and inspects a ValueVerse installation')
    .option('--url <url>', 'the installation').option('--data <folder>', 'the data folder of an embedded edition').option('--key <key>', 'a secret key')
    .option('--operator-token <token>').option('--json', 'print JSON');
  for (const add of [addOperations, addMigrate, addLog, addDeadLetters, addProjections, addOutbox, addReaders, addAudit, addOrganizations, addKeys, addClocks, addInvoices, addEvents, addRadius, addUsage, addCatalog, addWebhooks, addPayouts, addReconcile]) add(program);
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    if (!(error instanceof ApiError || error instanceof Unreachable || error instanceof Missing)) throw error;
    const next = error instanceof Missing ? error.next : error instanceof Unreachable ? 'npm start' : 'npx vv doctor';
    process.stderr.write(`${error.message}\n  next: ${next}\n`);
    process.exitCode = 1;
  }
};
