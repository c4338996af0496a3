import { createWriteStream, existsSync, readFileSync, renameSync } from 'node:fs';
import { extname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import type { ApiClient } from '../http/api-client';
import { importFile, mappingOf, type ImportState } from './import-file';
import { print, sessionOf } from './print';
import { Missing } from './session';

interface ImportOptions { readonly mapping?: string; readonly map?: readonly string[]; readonly timeFormat?: string; readonly format?: 'csv' | 'ndjson'; readonly delimiter?: string; readonly rejected?: string }

const LINES = new Set(['.jsonl', '.ndjson', '.json']);
const TELL_EVERY_MS = 5_000;

const formatOf = (path: string, { format }: ImportOptions): 'csv' | 'ndjson' => {
  if (format !== undefined && format !== 'csv' && format !== 'ndjson') throw new Missing(`there is no format ${String(format)}`, 'give --format csv or --format ndjson');
  return format ?? (LINES.has(extname(path)) ? 'ndjson' : 'csv');
};

/** A mapping that stands in a file. */
const mappingIn = (path: string | undefined): Record<string, unknown> | undefined => {
  if (path === undefined) return undefined;
  if (!existsSync(path)) throw new Missing(`there is no file ${path}`, 'write the mapping as JSON, such as {"subject":"customer_id","type":{"const":"call"},"data":{"tokens":"tokens"}}');
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  } catch {
    throw new Missing(`${path} is not JSON`, 'mend the mapping and run the command again');
  }
};

/** Says how far it is, on standard error: on a terminal in place, elsewhere line by line and not too often. */
const tell = (): ((text: string) => void) => {
  let last = -Infinity;
  return (text) => {
    if (process.stderr.isTTY) { process.stderr.write(`\r\u001b[K${text}`); return; }
    if (performance.now() - last < TELL_EVERY_MS) return;
    last = performance.now();
    process.stderr.write(`${text}\n`);
  };
};

/** Writes the rows that were rejected to a file, whole or not at all. One that is there may hold rows that somebody has mended. */
const writeRejected = async (api: ApiClient, { id, rejected }: ImportState, path: string): Promise<void> => {
  if (existsSync(path)) throw new Missing(`${rejected} rows of ${id} were rejected, and there is a file ${path} already, which may hold rows that you have mended`, 'run the same command with --rejected <another file>: nothing is sent twice');
  const { body } = await api.stream(`/api/v1/usage/imports/${id}/rejected`, '*/*');
  await pipeline(Readable.fromWeb(body as never), createWriteStream(`${path}.part`));
  renameSync(`${path}.part`, path);
};

const outcome = (state: ImportState, rejectedPath: string | undefined): string[] => [
  state.status === 'failed' ? `${state.id}  failed: ${state.detail ?? ''} (${state.code ?? ''})` : `${state.id}  ${state.rowsRead} rows: ${state.accepted} accepted, ${state.rejected} rejected`,
  ...(rejectedPath === undefined ? [] : [`rejected rows with their reasons are in ${rejectedPath}`, `  next: mend them there, then vv events import ${rejectedPath} with the same mapping`]),
];

const HELP = `
Examples:
  vv events import usage.jsonl                      lines that are events, with a subject and a type at least
  vv events import usage.csv                        columns id, source, type, subject, time; all others are data
  vv events import calls.csv --map subject=customer type:=call time=at data.tokens=tokens --time-format epoch_seconds
  vv events import calls.csv --mapping calls.json   {"subject":"customer","type":{"const":"call"},"data":{"tokens":"tokens"}}

The same command again goes on where it was cut off, and sends nothing twice. Rejected rows are written to
<file>.rejected.csv (.jsonl) behind the reason: mend them there, and import that file with the same mapping.`;

/** `vv events import`. */
export const addImport = (events: Command): void => {
  events.command('import <file>').description('Sends a file of usage, CSV or lines of JSON; the same command again goes on where it was cut off')
    .option('--mapping <file>', 'JSON: which columns are what of an event').option('--map <assignment...>', 'subject=<column>, type:=<always the same>, data.<property>=<column>')
    .option('--time-format <format>', 'of the time: rfc3339, epoch_seconds or epoch_millis').option('--format <format>', 'csv or ndjson; by the name of the file if not given')
    .option('--delimiter <delimiter>', 'of CSV: comma, semicolon, tab or pipe').option('--rejected <file>', 'where rejected rows are written').addHelpText('after', HELP)
    .action(async (file: string, options: ImportOptions, command: Command) => {
      const api = sessionOf(command).tenant();
      const format = formatOf(file, options);
      const mapping = mappingOf(options.map ?? [], options.timeFormat, mappingIn(options.mapping));
      const state = await importFile(api, { path: file, format, mapping, delimiter: options.delimiter }, tell());
      if (process.stderr.isTTY) process.stderr.write('\n');
      const rejectedPath = state.rejected === 0 ? undefined : options.rejected ?? `${file}.rejected.${format === 'csv' ? 'csv' : 'jsonl'}`;
      if (rejectedPath !== undefined) await writeRejected(api, state, rejectedPath);
      print(command, { ...state, rejectedFile: rejectedPath ?? null }, () => outcome(state, rejectedPath));
      if (state.status === 'failed') process.exitCode = 1;
    });
};
