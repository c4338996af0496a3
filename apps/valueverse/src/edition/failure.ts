import { RolesMissing } from '@valueverse/event-log';
import { FeedNotReady } from '@valueverse/hosting';
import { DataFolderInUse, DataFolderNotWritable, PortTaken } from '@valueverse/platform';
import { ApiError, Unreachable } from '../http/api-client';
import { SettingsFault } from './settings';

/** What went wrong in a sentence, and the next command. */
export interface Failure { readonly sentence: string; readonly next: string }

const UNREACHABLE_CODES = new Set(['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT', 'EHOSTUNREACH', 'EAI_AGAIN', '28P01', '3D000', '28000']);

const codeOf = (error: unknown): string | undefined => (error as { code?: string; errors?: { code?: string }[] }).code ?? (error as { errors?: { code?: string }[] }).errors?.[0]?.code;

/** Says a failed start in words; `command` is what was started. */
export const failureOf = (error: unknown, command: string): Failure => {
  if (error instanceof FeedNotReady) return failureOf(error.cause, command);
  if (error instanceof SettingsFault) return { sentence: error.message, next: `${command} -- --port 8000 --data .valueverse` };
  if (error instanceof PortTaken && error.setting !== 'PORT') return { sentence: `Port ${error.port} is taken by another process.`, next: `${error.setting}=${error.port + 10} ${command}` };
  if (error instanceof PortTaken) return { sentence: `Port ${error.port} is taken by another process.`, next: `${command} -- --port ${error.port + 10}` };
  if (error instanceof DataFolderInUse) return { sentence: `The data folder is in use by the process ${error.pid}.`, next: `npx vv status   (or ${command} -- --data another-folder --port 8010)` };
  if (error instanceof DataFolderNotWritable) return { sentence: `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`, next: `${command} -- --data a-folder-of-yours` };
  if (error instanceof RolesMissing) return { sentence: `The user of DATABASE_URL may not create roles. An administrator has to run this once:\n\n${error.sql}\n`, next: command };
  if (error instanceof Unreachable) return { sentence: `${error.message}.`, next: 'npm start' };
  if (error instanceof ApiError) return { sentence: error.message, next: 'npx vv doctor' };
  const code = codeOf(error);
  if (code !== undefined && UNREACHABLE_CODES.has(code)) {
    return { sentence: `The database of DATABASE_URL does not answer (${code}${(error as Error).message ? `: ${(error as Error).message}` : ''}).`, next: `check DATABASE_URL, or start without it: ${command}` };
  }
  return { sentence: `The start failed: ${error instanceof Error ? error.message : String(error)}`, next: `LOG_LEVEL=debug ${command}` };
};

export const printFailure = (error: unknown, command: string): void => {
  const { sentence, next } = failureOf(error, command);
  process.stderr.write(`\n${sentence}\n  next: ${next}\n`);
};
