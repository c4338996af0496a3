import type { Tx } from '@valueverse/event-log';
import { growBuckets } from './buckets';
import type { Occurrence } from './dedupe';
import { Deltas, seriesText } from './domain/deltas';
import { groupsOf, looksAt, type MeterRule } from './domain/measure';
import { excluded, type UsageException } from './exceptions';
import type { SeriesIndex } from './series';

/** Tenant -> the rules that count its events. */
export type Rules = ReadonlyMap<string, readonly MeterRule[]>;

/**
 * Counts events of one partition, whose lock the caller holds, for the meters of their tenants. Answers the events that do not count for a meter, because their
 * value is none, or because their subject has too many combinations of dimensions already.
 */
export const countInto = async (tx: Tx, index: SeriesIndex, partition: number, occurrences: readonly Occurrence[], rules: Rules): Promise<UsageException[]> => {
  const deltas = new Deltas(partition);
  const exceptions: UsageException[] = [];
  for (const occurrence of occurrences) {
    const invalid = deltas.add(occurrence.tenant, occurrence.event, occurrence.micros, rules.get(occurrence.tenant) ?? []);
    if (invalid.length > 0) exceptions.push(...excluded('invalid_value', occurrence, invalid));
  }
  const numbers = await index.numbersOf(tx, deltas.all, partition);
  const refused = [...deltas.all.keys()].filter((text) => !numbers.has(text));
  if (refused.length > 0) {
    exceptions.push(...excludedBy(new Set(refused), partition, occurrences, rules));
    for (const text of refused) deltas.drop(text);
  }
  await growBuckets(tx, deltas.all, numbers);
  const totals = deltas.totals();
  await growBuckets(tx, totals, await index.numbersOf(tx, totals, partition));
  return exceptions;
};

/** The events of series that were not made. */
const excludedBy = (refused: ReadonlySet<string>, partition: number, occurrences: readonly Occurrence[], rules: Rules): UsageException[] => occurrences.flatMap((occurrence) => {
  const { tenant, event, micros } = occurrence;
  const own = (rules.get(tenant) ?? []).filter((rule) => looksAt(rule, event.type, micros, event.data)
    && refused.has(seriesText({ tenant, rule, subject: event.subject, groups: groupsOf(rule, event.data) }, partition)));
  return excluded('too_many_groups', occurrence, own);
});
