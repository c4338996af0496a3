import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { readServerEvents } from '../http/server-events';
import { addImport } from './import-command';
import { print, sessionOf } from './print';
import { Missing, type GlobalOptions } from './session';

const EVENTS = '/api/v1/usage/events';
const PAGE_MAX = 100;
const DEFAULT_SHOWN = 20;

interface Place { readonly partition: number; readonly position: string; readonly index: number }
interface UsageEvent {
  readonly subject: string; readonly source: string; readonly id: string; readonly type: string; readonly time: string; readonly receivedAt: string; readonly status: string; readonly reason: string | null;
  readonly late: boolean; readonly meters: readonly string[]; readonly place: Place; readonly data: unknown;
}
interface Page<T> { readonly data: readonly T[]; readonly hasMore: boolean; readonly nextCursor: string | null }
interface LookedUp { readonly occurrences: readonly UsageEvent[]; readonly standing: Place | null; readonly dropped: readonly Place[]; readonly complete: boolean; readonly asOf: string }
interface FilterOptions {
  readonly subject?: string; readonly source?: string; readonly id?: string; readonly type?: string; readonly from?: string; readonly to?: string; readonly receivedFrom?: string; readonly receivedTo?: string; readonly status?: string;
}

const placeText = ({ partition, position, index }: Place): string => `${partition}/${position}/${index}`;
const eventLine = ({ subject, source, id, type, time, status, reason, late, meters, place, data }: UsageEvent): string =>
  `${time}  ${status}${reason === null ? '' : ` (${reason})`}${late ? ' late' : ''}  ${subject}  ${source} ${id}  ${type}  ${placeText(place)}  ${meters.join(',')}  ${JSON.stringify(data)}`;

const FILTERS = ['subject', 'source', 'id', 'type', 'from', 'to', 'receivedFrom', 'receivedTo', 'status'] as const;
const queryOf = (options: FilterOptions): string => new URLSearchParams(FILTERS.flatMap((name): [string, string][] => (options[name] === undefined ? [] : [[name, options[name]]]))).toString();
const filtering = (command: Command): Command => command.option('--subject <subject>').option('--source <source>').option('--id <id>').option('--type <type>').option('--from <instant>', 'it occurred then or later')
  .option('--to <instant>', 'it occurred before').option('--received-from <instant>').option('--received-to <instant>').option('--status <status>', 'counted, duplicate, conflict, excluded or waiting');

const addReading = (events: Command): void => {
  filtering(events.command('list').description('The latest first')).option('--limit <count>', 'how many', String(DEFAULT_SHOWN)).action(async ({ limit, ...filter }: FilterOptions & { limit: string }, command: Command) => {
    const api = sessionOf(command).tenant();
    const found: UsageEvent[] = [];
    let cursor: string | null = '';
    while (cursor !== null && found.length < Number(limit)) {
      const wanted = Math.min(PAGE_MAX, Number(limit) - found.length);
      const page: Page<UsageEvent> = await api.get<Page<UsageEvent>>(`${EVENTS}?${queryOf(filter)}&limit=${wanted}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
      found.push(...page.data);
      cursor = page.nextCursor;
    }
    print(command, found, () => (found.length === 0 ? ['none'] : [...found.map(eventLine), ...(cursor === null ? [] : ['…there are more'])]));
  });
  events.command('lookup <subject> <source> <id>').description('Why an event counts, or does not: every time that it came').action(async (subject: string, source: string, id: string, _, command: Command) => {
    const found = await sessionOf(command).tenant().get<LookedUp>(`${EVENTS}/lookup?${new URLSearchParams({ subject, source, id }).toString()}`);
    print(command, found, () => [
      ...found.occurrences.map((event) => `${found.standing !== null && placeText(event.place) === placeText(found.standing) ? 'stands  ' : '        '}${eventLine(event)}`),
      ...found.dropped.map((place) => `        ${placeText(place)}  its envelope was dropped by retention`),
      ...(found.occurrences.length === 0 ? [found.complete ? `it was not accepted up to ${found.asOf}` : 'it was not found among the latest; its subject has very many events'] : [`as of ${found.asOf}`]),
    ]);
    if (found.occurrences.length === 0) process.exitCode = 1;
  });
};

/** `vv events`: what came in, and where it stands. */
export const addEvents = (program: Command): void => {
  const events = program.command('events').description('Usage events');
  addReading(events);
  addImport(events);
  events.command('tail').description('Events as metering takes them in').option('--subject <subject>').option('--type <type>').action(async (options: { subject?: string; type?: string }, command: Command) => {
    const isJson = command.optsWithGlobals<GlobalOptions>().json === true;
    const say = (value: unknown, line: string): void => { process.stdout.write(`${isJson ? JSON.stringify(value) : line}\n`); };
    const response = await sessionOf(command).tenant().stream(`${EVENTS}/stream?${queryOf(options)}`, 'text/event-stream');
    for await (const { name, data } of readServerEvents(response)) {
      const value = JSON.parse(data) as never;
      if (name === 'message') say(value, eventLine(value));
      else if (name === 'dropped') process.stderr.write(`…some were passed over: ${data}\n`);
      else if (name === 'end') throw new Missing(`the stream has ended: ${(value as { detail: string }).detail}`, 'vv events list');
    }
    throw new Missing('the stream was cut off', 'vv events list, then vv events tail');
  });
  filtering(events.command('export').description('All events that fit, as CSV or as lines of JSON')).option('--format <format>', 'csv or ndjson', 'csv').option('--out <file>', 'standard output, if not given')
    .action(async ({ format, out, ...filter }: FilterOptions & { format: string; out?: string }, command: Command) => {
      const type = { csv: 'text/csv', ndjson: 'application/x-ndjson' }[format];
      if (type === undefined) throw new Missing(`there is no format ${format}`, 'vv events export --format csv');
      const response = await sessionOf(command).tenant().stream(`${EVENTS}?${queryOf(filter)}`, type);
      await pipeline(Readable.fromWeb(response.body as never), out === undefined ? process.stdout : createWriteStream(out), { end: out !== undefined });
    });
};
