import { looksAt, measure, type MeterRule } from '../../metering/domain/measure';
import type { UsageEvent } from '../../ingest/domain/usage-event';

/** An event with its time in microseconds. */
export interface Timed { readonly event: UsageEvent; readonly micros: number }
/** What one entry of an envelope changes: an event that came, one that was taken back, or one and what came in its place. */
export interface Change { readonly partition: number; readonly position: number; readonly logTime: number; readonly about: readonly Timed[] }
/** A stretch of a subject's usage that a statement is about, as of a position of its partition; microseconds, half-open. */
export interface StatedSpan { readonly statement: string; readonly subject: string; readonly from: number; readonly until: number; readonly asOf: number }
/** What came late to one statement, in the order of the copy. */
export interface Late { readonly statement: string; readonly partition: number; events: number; readonly positions: number[]; readonly receivedFrom: number; receivedTo: number }

const isIn = ({ subject, from, until }: StatedSpan, { event, micros }: Timed): boolean => event.subject === subject && micros >= from && micros < until;
const isCounted = (rules: readonly MeterRule[], { event, micros }: Timed): boolean => {
  const rule = rules.find((one) => looksAt(one, event.type, micros, event.data));
  return rule !== undefined && measure(rule, event.data) !== undefined;
};

/**
 * Which statements would say something else, had these changes come before: those with a span that holds an event of a change which their meter counts. Changes come in the order of the copy of one
 * partition; what is not after the position that a statement is as of is in it.
 */
export const lateIn = (changes: readonly Change[], spans: readonly StatedSpan[], rulesOf: (statement: string) => readonly MeterRule[]): Late[] => {
  const bySubject = new Map<string, StatedSpan[]>();
  for (const span of spans) bySubject.set(span.subject, [...(bySubject.get(span.subject) ?? []), span]);
  const all = new Map<string, Late>();
  for (const { partition, position, logTime, about } of changes) {
    const changed = new Set(about.flatMap((timed) => (bySubject.get(timed.event.subject) ?? [])
      .filter((span) => position > span.asOf && isIn(span, timed) && isCounted(rulesOf(span.statement), timed)).map(({ statement }) => statement)));
    for (const statement of changed) {
      const late = all.get(statement) ?? { statement, partition, events: 0, positions: [], receivedFrom: logTime, receivedTo: logTime };
      all.set(statement, late);
      late.events += 1;
      late.receivedTo = logTime;
      if (late.positions.at(-1) !== position) late.positions.push(position);
    }
  }
  return [...all.values()];
};
