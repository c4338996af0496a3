import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { type ApiClient, ApiError, Unreachable } from '../http/api-client';
import { Missing } from './session';

const PATH = '/api/v1/usage/imports';
const CHUNK_BYTES = 4 * 1024 * 1024;
const TRIES_MAX = 10;
const PAUSE_MS = 1_000;
const LOOK_EVERY_MS = 250;

/** An import as the installation says it. */
export interface ImportState {
  readonly id: string; readonly name: string | null; readonly format: string; readonly status: 'receiving' | 'reading' | 'done' | 'failed'; readonly code: string | null; readonly detail: string | null;
  readonly mapping: unknown; readonly delimiter: string | null; readonly size: number | null; readonly sha256: string | null; readonly bytesReceived: number; readonly bytesRead: number;
  readonly rowsRead: number; readonly accepted: number; readonly rejected: number;
}
/** A file, and how it is to be read. */
export interface FileToImport { readonly path: string; readonly format: 'csv' | 'ndjson'; readonly mapping?: unknown; readonly delimiter?: string | undefined }
/** Told how far it is. */
export type Progress = (text: string) => void;

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, milliseconds); });
const hashOf = async (path: string): Promise<string> => {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
};

/**
 * Announces a file. Who announces the same once more, by a process that has ended, is told of the import that was begun then: the key by which the installation knows that is made of all that is
 * said of the file. An import that has failed is not gone on with.
 */
const announce = async (api: ApiClient, said: Readonly<Record<string, unknown>>): Promise<ImportState> => {
  for (let after = '';;) {
    const key = createHash('sha256').update(`${after} ${JSON.stringify(said)}`).digest('hex');
    const { id } = await api.post<ImportState>(PATH, said, { headers: { 'idempotency-key': key } });
    const state = await api.get<ImportState>(`${PATH}/${id}`);
    // Failed before this process began, or it would not be said already.
    if (state.status !== 'failed') return state;
    after = id;
  }
};

const isLost = (error: unknown): boolean => error instanceof Unreachable || (error instanceof ApiError && (error.status >= 500 || error.code === 'wrong_offset'));

/** Does a thing again, told how often it failed, when a connection or an answer was lost. */
const patiently = async <T>(work: (failures: number) => Promise<T>): Promise<T> => {
  for (let failures = 0; ;) {
    try {
      return await work(failures);
    } catch (error) {
      if (!isLost(error) || ++failures === TRIES_MAX) throw error;
      await pause(PAUSE_MS);
    }
  }
};

/** Sends what the installation does not have yet. After a failure it is asked how far it is. */
const sendRest = async (api: ApiClient, path: string, state: ImportState, size: number, tell: Progress): Promise<void> => {
  const file = await open(path);
  try {
    for (let now = state; now.bytesReceived < size;) {
      tell(`${megabytes(now.bytesReceived)} of ${megabytes(size)} MB sent`);
      now = await patiently(async (failures) => {
        const { bytesReceived } = failures === 0 ? now : await api.get<ImportState>(`${PATH}/${now.id}`);
        const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, bytesReceived);
        if (bytesRead === 0 && bytesReceived < size) throw new Missing(`${path} is shorter than it was`, 'run the command again: it will send the file as it is now');
        return bytesRead === 0 ? { ...now, bytesReceived } : api.post<ImportState>(`${PATH}/${now.id}/chunks?offset=${bytesReceived}`, buffer.subarray(0, bytesRead), { contentType: 'application/octet-stream' });
      });
    }
  } finally {
    await file.close();
  }
};
const megabytes = (bytes: number): string => (bytes / 1_000_000).toFixed(1);

/**
 * Sends a file and waits until it is read. What was begun with the same file before, by a process that has ended, is gone on with. Answers how the import ended.
 */
export const importFile = async (api: ApiClient, { path, format, mapping, delimiter }: FileToImport, tell: Progress): Promise<ImportState> => {
  const { size } = await stat(path).catch((): never => { throw new Missing(`there is no file ${path}`, 'give the path of a CSV file, or of JSON lines'); });
  if (size === 0) throw new Missing(`${path} is empty`, 'give a file with a row for each event');
  let state = await announce(api, { format, name: basename(path), size, sha256: await hashOf(path), mapping, delimiter });
  if (state.status === 'done') tell(`${state.id} was sent before`);
  if (state.status === 'receiving') {
    if (state.bytesReceived > 0) tell(`${state.id} goes on at byte ${state.bytesReceived}`);
    await sendRest(api, path, state, size, tell);
    state = await api.post<ImportState>(`${PATH}/${state.id}/complete`, {});
  }
  while (state.status === 'reading') {
    tell(`${state.rowsRead} rows read, ${state.accepted} accepted, ${state.rejected} rejected`);
    await pause(LOOK_EVERY_MS);
    const { id } = state;
    state = await patiently(() => api.get<ImportState>(`${PATH}/${id}`));
  }
  return state;
};

const DATA = 'data.';
const ASSIGNMENT = /^(?<name>id|source|type|subject|time|data\.[^=:]+)(?<sign>:?=)(?<value>.*)$/s;

/**
 * A mapping from words: `subject=customer_id` names a column, `type:=call` is always the same, `data.tokens=tokens` is a property. They come on top of a mapping that was given.
 */
export const mappingOf = (words: readonly string[], timeFormat: string | undefined, given: Readonly<Record<string, unknown>> = {}): Record<string, unknown> | undefined => {
  const fields = words.map((word): readonly [string, unknown] => {
    const { name, sign, value } = ASSIGNMENT.exec(word)?.groups ?? {};
    if (name === undefined || value === undefined || value === '') throw new Missing(`"${word}" maps nothing`, 'write --map subject=<column>, --map type:=<always the same>, or --map data.<property>=<column>');
    return [name, sign === ':=' ? { const: value } : value];
  });
  const names = fields.filter(([name]) => !name.startsWith(DATA));
  const properties = [...Object.entries(given['data'] ?? {}), ...fields.filter(([name]) => name.startsWith(DATA)).map(([name, field]) => [name.slice(DATA.length), field] as const)];
  const mapping: Record<string, unknown> = { ...given, ...Object.fromEntries(names), ...(properties.length === 0 ? {} : { data: Object.fromEntries(properties) }) };
  const { time } = mapping;
  if (timeFormat !== undefined && time === undefined) throw new Missing('--time-format says how a time is read, and none is mapped', 'write --map time=<column> too');
  if (timeFormat !== undefined) mapping['time'] = { ...(typeof time === 'string' ? { column: time } : time as object), format: timeFormat };
  return Object.keys(mapping).length === 0 ? undefined : mapping;
};
