import type { EventStatus, Standing } from '../../events/domain/standing';

/** Where accepted events ended: each in exactly one of the statuses. `reasons` says why those wait that do, and why others are excluded. */
export type Ends = { accepted: number } & Record<EventStatus, number> & { readonly reasons: Record<string, number> };

export const noEnds = (): Ends => ({ accepted: 0, counted: 0, duplicate: 0, conflict: 0, waiting: 0, excluded: 0, reasons: {} });

/** Adds where one event ended. */
export const addEnd = (ends: Ends, { status, reason }: Pick<Standing, 'status' | 'reason'>): void => {
  ends.accepted += 1;
  ends[status] += 1;
  if (status === 'waiting' || status === 'excluded') ends.reasons[reason!] = (ends.reasons[reason!] ?? 0) + 1;
};

/** Adds up where events ended that were looked at before. */
export const addEnds = (ends: Ends, { reasons, ...counts }: Ends): void => {
  for (const [name, count] of Object.entries(counts) as [Exclude<keyof Ends, 'reasons'>, number][]) ends[name] += count;
  for (const [reason, count] of Object.entries(reasons)) ends.reasons[reason] = (ends.reasons[reason] ?? 0) + count;
};

export const endsOf = (events: readonly Pick<Standing, 'status' | 'reason'>[]): Ends => {
  const ends = noEnds();
  for (const event of events) addEnd(ends, event);
  return ends;
};
