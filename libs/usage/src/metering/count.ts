import type { Tx } from '@valueverse/event-log';
import { growBuckets } from './buckets';
import type { Occurrence } from './dedupe';
import { Deltas, type SeriesDelta, seriesText } from './domain/deltas';
import { groupsOf, looksAt, type MeterRule } from './domain/measure';
import { excluded, type UsageException } from './exceptions';
import { Pace } from './pace';
import type { SeriesIndex } from './series';

/** Tenant -> the rules that count its events. */
export type Rules = ReadonlyMap<string, readonly MeterRule[]>;
/** Events of one partition that count, and for which rules. */
export interface Countable { readonly partition: number; readonly occurrences: readonly Occurrence[]; readonly rules: Rules }

/**
 * Counts events of partitions, whose locks the caller holds, for the meters of their tenants. Answers the events that do not count for a meter, because their
 * value is none, or because their subject has too many combinations of dimensions already.
 */
export const countInto = async (tx: Tx, index: SeriesIndex, parts: readonly Countable[]): Promise<UsageException[]> => {
  const exceptions: UsageException[] = [];
  let all: SeriesDelta[] = [];
  const pace = new Pace();
  const counted: (Countable & { readonly deltas: Deltas })[] = [];
  for (const part of parts) {
    const deltas = new Deltas(part.partition);
    for (const occurrence of part.occurrences) {
      if (pace.isOver(1)) await pace.giveWay();
      const invalid = deltas.add(occurrence.tenant, occurrence.event, occurrence.micros, part.rules.get(occurrence.tenant) ?? []);
      if (invalid.length > 0) exceptions.push(...excluded('invalid_value', occurrence, invalid));
    }
    all = all.concat(deltas.all);
    counted.push({ ...part, deltas });
  }
  const refused = await index.number(tx, all);
  if (refused.length > 0) {
    const texts = new Set(refused.map(seriesText));
    for (const part of counted) exceptions.push(...excludedBy(texts, part));
    for (const delta of refused) counted.find(({ partition }) => partition === delta.partition)!.deltas.drop(delta);
  }
  const totals = counted.flatMap(({ deltas }) => deltas.totals());
  await index.number(tx, totals);
  await growBuckets(tx, all.concat(totals));
  return exceptions;
};

/** The events of series that were not made. */
const excludedBy = (refused: ReadonlySet<string>, { partition, occurrences, rules }: Countable): UsageException[] => occurrences.flatMap((occurrence) => {
  const { tenant, event, micros } = occurrence;
  const own = (rules.get(tenant) ?? []).filter((rule) => looksAt(rule, event.type, micros, event.data)
    && refused.has(seriesText({ tenant, rule, partition, subject: event.subject, groups: groupsOf(rule, event.data) })));
  return excluded('too_many_groups', occurrence, own);
});
