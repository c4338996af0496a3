import type { Command } from 'commander';
import { SERVICES, type ServiceName } from '@valueverse/contracts';
import type { ApiClient } from '../http/api-client';
import { print, sessionOf } from './print';
import { Missing } from './session';

const LOOK_EVERY_MS = 250;
const PAGE = 100;
const VALUE_SHOWN_MAX = 400;

interface Page<T> { readonly data: readonly T[]; readonly hasMore: boolean; readonly nextCursor: string | null }
interface Letter { readonly id: string; readonly kind: string; readonly consumer: string; readonly tenant: string | null; readonly stream: string; readonly code: string; readonly reason: string; readonly records: number; readonly since: string }
interface LetterRecord { readonly topic: string; readonly partition: number; readonly offset: string; readonly headers: Readonly<Record<string, string>>; readonly value: string; readonly isCut: boolean }
interface Rebuild { readonly mode: string; readonly phase: string; readonly done: number; readonly total: number; readonly etaSeconds: number | null; readonly live: string | null; readonly rebuilt: string | null; readonly equal: boolean | null; readonly error: string | null }
interface Projection { readonly name: string; readonly kind: string; readonly version: number; readonly tables: readonly string[]; readonly fixed: string | null; readonly rebuild: Rebuild | null }
interface Outbox { readonly service: string; readonly facts: number; readonly oldestSeconds: number | null; readonly partitions: readonly { partition: number; published: string; head: string }[]; readonly relay: { owner: string | null; epoch: string; leaseSeconds: number } }
interface Reader { readonly consumer: string; readonly topic: string; readonly partition: number; readonly owner: string | null; readonly epoch: number; readonly behind: number; readonly halted: string | null }
interface Act { readonly at: string; readonly actor: string; readonly act: string; readonly subject: string; readonly details: string; readonly trace: string; readonly outcome: string }

const pathOf = (service: string, rest: string): string => `/api/v1/operator/log/${encodeURIComponent(service)}/${rest}`;
const servicesOf = (given: readonly string[]): readonly string[] => {
  const strange = given.find((name) => !SERVICES.includes(name as ServiceName));
  if (strange !== undefined) throw new Missing(`there is no service ${strange}; there are ${SERVICES.join(', ')}`, 'npx vv status');
  return given.length === 0 ? SERVICES : given;
};
const allOf = async <T>(api: ApiClient, path: string): Promise<T[]> => {
  const found: T[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: Page<T> = await api.get<Page<T>>(`${path}?limit=${PAGE}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
    found.push(...page.data);
    cursor = page.nextCursor;
  }
  return found;
};

export const addDeadLetters = (program: Command): void => {
  const dlq = program.command('dlq').description('What could not be handled: parked streams, and records that are no facts of ours');
  dlq.command('list [service...]').action(async (given: string[], _, command: Command) => {
    const api = sessionOf(command).operator();
    const letters: (Letter & { service: string })[] = [];
    for (const service of servicesOf(given)) letters.push(...(await allOf<Letter>(api, pathOf(service, 'dead-letters'))).map((letter) => ({ service, ...letter })));
    print(command, letters, () => (letters.length === 0 ? ['nothing'] : letters.map(({ service, id, kind, consumer, tenant, stream, code, reason, records, since }) =>
      `${service}  ${id}\n    ${kind} ${stream} of ${tenant ?? 'no tenant'}, ${records} records, since ${since}\n    ${consumer}: ${code}: ${reason}`)));
  });
  dlq.command('show <service> <id>').description('The records behind it').action(async (service: string, id: string, _, command: Command) => {
    const { records } = await sessionOf(command).operator().get<{ records: LetterRecord[] }>(pathOf(service, `dead-letters/${encodeURIComponent(id)}`));
    print(command, records, () => records.map(({ topic, partition, offset, headers, value, isCut }) =>
      `${topic}/${partition} ${offset}\n    ${Object.entries(headers).map(([name, text]) => `${name}: ${text}`).join('\n    ')}\n    ${value.slice(0, VALUE_SHOWN_MAX)}${isCut || value.length > VALUE_SHOWN_MAX ? '…' : ''}`));
  });
  dlq.command('retry <service> <id>').description('Handles it again, in order').action(async (service: string, id: string, _, command: Command) => {
    const answer = await sessionOf(command).operator().post<{ handled: number }>(pathOf(service, `dead-letters/${encodeURIComponent(id)}/retry`), {});
    print(command, answer, () => [`${answer.handled} records were handled`]);
  });
  dlq.command('discard <service> <id>').description('Gives it up for ever').requiredOption('--reason <text>', 'why; it is kept in the audit').action(async (service: string, id: string, { reason }: { reason: string }, command: Command) => {
    const answer = await sessionOf(command).operator().post<{ discarded: number }>(pathOf(service, `dead-letters/${encodeURIComponent(id)}/discard`), { reason });
    print(command, answer, () => [`${answer.discarded} records were given up`]);
  });
};

const rebuildLine = ({ phase, done, total, etaSeconds, equal, error, mode }: Rebuild): string => {
  if (phase === 'done') return `${mode} done: ${equal === true ? 'the same bytes' : mode === 'cutover' ? 'the live rows were different, and are replaced' : 'DIFFERENT from the live rows'}`;
  if (error !== null) return `failed: ${error}`;
  return `${phase} ${done} of ${total}${etaSeconds === null ? '' : `, ${etaSeconds} s left`}`;
};

export const addProjections = (program: Command): void => {
  const projections = program.command('projections').description('Read models');
  projections.command('list [service...]').action(async (given: string[], _, command: Command) => {
    const api = sessionOf(command).operator();
    const found: (Projection & { service: string })[] = [];
    for (const service of servicesOf(given)) found.push(...(await api.get<{ data: Projection[] }>(pathOf(service, 'projections'))).data.map((projection) => ({ service, ...projection })));
    print(command, found, () => found.map(({ service, name, kind, version, fixed, rebuild }) =>
      `${service.padEnd(13)}  ${name.padEnd(26)}  v${version}  ${fixed === null ? kind : `${kind}, not rebuilt: ${fixed}`}${rebuild === null ? '' : `  (${rebuildLine(rebuild)})`}`));
  });
  projections.command('rebuild <service> <name>').description('Builds one again beside the live one, while writing goes on')
    .option('--shadow', 'leave the live rows as they are (this is so unless --cutover is given)').option('--compare', 'the same, and end with 1 where they differ').option('--cutover', 'put what was built into their place')
    .action(async (service: string, name: string, options: { compare?: boolean; cutover?: boolean }, command: Command) => {
      const api = sessionOf(command).operator();
      const path = pathOf(service, `projections/${encodeURIComponent(name)}`);
      await api.post(`${path}/rebuild`, { mode: options.cutover === true ? 'cutover' : 'compare' });
      let last = '';
      for (;;) {
        const found = await api.get<Projection>(path);
        const rebuild = found.rebuild!;
        const line = rebuildLine(rebuild);
        if (line !== last && process.stderr.isTTY) process.stderr.write(`${line}\n`);
        last = line;
        if (['done', 'failed', 'abandoned'].includes(rebuild.phase)) {
          print(command, found, () => [`${name}: ${line}`, ...(rebuild.live === null ? [] : [`  live     ${rebuild.live}`, `  rebuilt  ${rebuild.rebuilt}`])]);
          if (rebuild.phase !== 'done' || (rebuild.equal !== true && options.cutover !== true)) process.exitCode = 1;
          return;
        }
        await new Promise((resolve) => { setTimeout(resolve, LOOK_EVERY_MS); });
      }
    });
};

export const addOutbox = (program: Command): void => {
  program.command('outbox').description('Facts that are committed and not published yet').command('status [service...]').action(async (given: string[], _, command: Command) => {
    const api = sessionOf(command).operator();
    const found: Outbox[] = [];
    for (const service of servicesOf(given)) found.push(await api.get<Outbox>(pathOf(service, 'outbox')));
    print(command, found, () => found.flatMap(({ service, facts, oldestSeconds, partitions, relay }) => [
      `${service.padEnd(13)}  ${facts} facts${oldestSeconds === null ? '' : `, the oldest for ${oldestSeconds} s`}; relay ${relay.leaseSeconds > 0 ? `held by ${relay.owner}` : 'held by nobody'}, epoch ${relay.epoch}`,
      ...partitions.map(({ partition, published, head }) => `    partition ${partition}: published ${published}, head ${head}`)]));
  });
};

export const addReaders = (program: Command): void => {
  const readers = program.command('readers').description('Consumers of the log');
  readers.command('list [service...]').description('Who reads which partition, since which epoch, and how far behind').option('--behind', 'only those that are behind, stopped, or read by nobody').action(async (given: string[], { behind: onlyBehind }: { behind?: boolean }, command: Command) => {
    const api = sessionOf(command).operator();
    const found: (Reader & { service: string })[] = [];
    for (const service of servicesOf(given)) found.push(...(await api.get<{ readers: Reader[] }>(pathOf(service, '').replace(/\/$/, ''))).readers.map((reader) => ({ service, ...reader })));
    const shown = found.filter(({ owner, behind, halted }) => onlyBehind !== true || behind > 0 || owner === null || halted !== null);
    print(command, shown, () => (shown.length === 0 ? ['none'] : shown.map(({ service, consumer, topic, partition, owner, epoch, behind, halted }) =>
      `${service}  ${consumer}  ${topic}/${partition}  ${owner ?? 'nobody'}  epoch ${epoch}  behind ${behind}${halted === null ? '' : `  stopped: ${halted}`}`)));
  });
  readers.command('resume <service> <consumer>').description('Lets one that stopped go on, after the cause was mended').option('--topic <topic>').option('--partition <number>')
    .action(async (service: string, consumer: string, { topic, partition }: { topic?: string; partition?: string }, command: Command) => {
      const answer = await sessionOf(command).operator().post<{ resumed: number }>(pathOf(service, 'readers/resume'), { consumer, ...(topic === undefined ? {} : { topic }), ...(partition === undefined ? {} : { partition: Number(partition) }) });
      print(command, answer, () => [`${answer.resumed} partitions are read again`]);
    });
};

export const addAudit = (program: Command): void => {
  program.command('audit').description('What operators did').command('list [service...]').action(async (given: string[], _, command: Command) => {
    const api = sessionOf(command).operator();
    const acts: (Act & { service: string })[] = [];
    for (const service of servicesOf(given)) acts.push(...(await allOf<Act>(api, pathOf(service, 'acts'))).map((act) => ({ service, ...act })));
    acts.sort((a, b) => (a.at < b.at ? 1 : -1));
    print(command, acts, () => acts.map(({ service, at, actor, act, subject, outcome, details }) => `${at}  ${service}  ${actor}  ${act}  ${subject}  ${outcome}  ${details === '{}' ? '' : details}`));
  });
};
