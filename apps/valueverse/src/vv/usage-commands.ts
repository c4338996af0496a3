import type { Command } from 'commander';
import { print, sessionOf } from './print';
import { Missing } from './session';

const PATH = '/api/v1/usage/retention';

interface Held { readonly reason: string; readonly subjects: number }
interface Partition { readonly partition: number; readonly logTime: string; readonly dropped: number; readonly droppedUntil: string | null; readonly keptBeyond: number; readonly held: readonly Held[] }
/** How far the envelopes of a tenant are dropped, and what holds others that are old enough. */
export interface Retention { readonly days: number | null; readonly wholeFrom: string | null; readonly dropped: number; readonly keptBeyond: number; readonly held: readonly Held[]; readonly partitions: readonly Partition[] }

const REASONS: Readonly<Record<string, string>> = {
  open_periods: 'have periods without a statement', late: 'have usage that came after its statement', waiting: 'have usage that waits for a subscription or a meter', statement_requests: 'are asked for by statements',
  back_fill: 'a meter is back-filled', late_usage_look: 'late usage is still looked for', altered: 'a body is not what its hash says',
};
const heldText = (held: readonly Held[]): string => held.map(({ reason, subjects }) => (subjects === 0 ? REASONS[reason] ?? reason : `${subjects} subjects ${REASONS[reason] ?? reason}`)).join(', ');

export const retentionLines = ({ days, wholeFrom, dropped, keptBeyond, held, partitions }: Retention): string[] => [
  days === null ? 'envelopes are kept for ever' : `envelopes are kept for ${days} days`,
  ...(dropped === 0 ? [] : [`${dropped} were dropped; usage that occurred from ${wholeFrom} on is all there, what was before is sealed`]),
  ...(days === null || keptBeyond + held.length === 0 ? [] : [`${keptBeyond} older ones are kept: ${heldText(held)}`]),
  ...(days === null ? [] : partitions.map((one) => `    partition ${one.partition}: ${one.dropped} dropped${one.droppedUntil === null ? '' : ` up to ${one.droppedUntil}`}, ${one.keptBeyond} kept beyond, at ${one.logTime}${one.held.length === 0 ? '' : `: ${heldText(one.held)}`}`)),
];

export const addUsage = (program: Command): void => {
  program.command('usage').description('What is kept of usage').command('retention').description('For how long the envelopes of the tenant of the key are kept, how far they are dropped, and what holds back the rest')
    .option('--days <number>', 'keep them for so many days of log time').option('--forever', 'keep them for ever')
    .action(async ({ days, forever }: { days?: string; forever?: boolean }, command: Command) => {
      if (days !== undefined && !/^\d{1,6}$/.test(days)) throw new Missing(`${days} is no number of days`, 'vv usage retention --days 400');
      const api = sessionOf(command).tenant();
      const found = days === undefined && forever !== true ? await api.get<Retention>(PATH) : await api.put<Retention>(PATH, { days: forever === true ? null : Number(days) });
      print(command, found, () => retentionLines(found));
    });
};
