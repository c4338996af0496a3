import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { print, sessionOf } from './print';
import { Missing } from './session';

const CLIENTS = '/api/v1/usage/radius/clients';
const PAGE = 100;

interface Client { readonly id: string; readonly name: string; readonly address: string; readonly subjectAttribute: string; readonly nasIdentifier: string | null }
interface RadiusSession {
  readonly id: string; readonly sessionId: string; readonly nas: string; readonly subject: string; readonly live: boolean; readonly startedAt: string; readonly endedAt: string | null;
  readonly cause: string | null; readonly inputOctets: string; readonly outputOctets: string; readonly sessionSeconds: string;
}
interface Page<T> { readonly data: readonly T[]; readonly hasMore: boolean }
interface ClientOptions { readonly secret?: string; readonly secretFile?: string; readonly subjectAttribute?: string; readonly nasIdentifier?: string; readonly address?: string }

const clientLine = ({ id, name, address, subjectAttribute, nasIdentifier }: Client): string => `${id}  ${name}  ${address}  subject: ${subjectAttribute}${nasIdentifier === null ? '' : `  only ${nasIdentifier}`}`;
const sessionLine = ({ id, sessionId, nas, subject, live, startedAt, endedAt, cause, inputOctets, outputOctets, sessionSeconds }: RadiusSession): string =>
  `${id}  ${subject}  ${nas}  ${sessionId}  ${startedAt} to ${live ? 'now' : `${endedAt} (${cause})`}  in ${inputOctets}  out ${outputOctets} octets  ${sessionSeconds} s`;
const moreLine = (hasMore: boolean): string[] => (hasMore ? ['…there are more'] : []);

const fieldsOf = ({ secret, secretFile, ...rest }: ClientOptions): Record<string, string> => {
  const text = secret ?? (secretFile === undefined ? undefined : readFileSync(secretFile, 'utf8').trimEnd());
  return { ...rest, ...(text === undefined ? {} : { secret: text }) };
};

/** Options that describe a client, for one that is new and one that is changed. */
const describing = (command: Command): Command => command.option('--secret <text>', 'what it signs its packets with; others on this machine may see it').option('--secret-file <file>', 'a file that holds the secret')
  .option('--subject-attribute <name>', 'the attribute that names the subject of the usage').option('--nas-identifier <text>', 'only packets that carry this NAS-Identifier');

export const addRadius = (program: Command): void => {
  const radius = program.command('radius').description('RADIUS accounting');
  const clients = radius.command('clients').description('Who may send accounting packets');
  clients.command('list').action(async (_, command: Command) => {
    const { data, hasMore } = await sessionOf(command).tenant().get<Page<Client>>(`${CLIENTS}?limit=${PAGE}`);
    print(command, data, () => [...data.map(clientLine), ...moreLine(hasMore)]);
  });
  describing(clients.command('add <name> <address>').description('An address, or a network such as 192.0.2.0/24')).action(async (name: string, address: string, options: ClientOptions, command: Command) => {
    const fields = fieldsOf(options);
    if (fields['secret'] === undefined) throw new Missing('no secret', `vv radius clients add ${name} ${address} --secret-file <file>`);
    const made = await sessionOf(command).tenant().post<Client>(CLIENTS, { name, address, ...fields });
    print(command, made, () => [clientLine(made)]);
  });
  describing(clients.command('change <id>').option('--address <address>', 'an address or a network')).action(async (id: string, options: ClientOptions, command: Command) => {
    const changed = await sessionOf(command).tenant().patch<Client>(`${CLIENTS}/${id}`, fieldsOf(options));
    print(command, changed, () => [clientLine(changed)]);
  });
  clients.command('remove <id>').description('Its packets are answered no more; what it reported stays').action(async (id: string, _, command: Command) => {
    await sessionOf(command).tenant().delete(`${CLIENTS}/${id}`);
    print(command, { id, removed: true }, () => [`${id}  removed`]);
  });
  radius.command('sessions').description('Sessions of subscribers, the latest first').option('--live', 'only those that go on').option('--nas <nas>').option('--subject <subject>')
    .action(async ({ live, nas, subject }: { live?: boolean; nas?: string; subject?: string }, command: Command) => {
      const query = new URLSearchParams({ limit: String(PAGE), ...(live === true ? { live: 'true' } : {}), ...(nas === undefined ? {} : { nas }), ...(subject === undefined ? {} : { subject }) });
      const { data, hasMore } = await sessionOf(command).tenant().get<Page<RadiusSession>>(`/api/v1/usage/sessions?${query.toString()}`);
      print(command, data, () => [...data.map(sessionLine), ...moreLine(hasMore)]);
    });
};
