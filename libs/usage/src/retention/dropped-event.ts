import type { Found, ListedEvent } from '../events/listed-events';
import type { UsageEvent } from '../ingest/domain/usage-event';
import { looksAt, measure, type MeterRule } from '../metering/domain/measure';

/** An event of an envelope, where it is, and the rules whose buckets it is in. */
export interface DroppedEvent { readonly event: UsageEvent; readonly micros: number; readonly position: number; readonly rules: readonly MeterRule[] }

/** The rules that have counted an event: those that look at it and find a value, unless it was left out because its subject has too many combinations of dimensions. None where it does not count. */
export const droppedEvent = ({ event, micros, row }: Found, { status, notes }: Pick<ListedEvent, 'status' | 'notes'>, all: readonly MeterRule[]): DroppedEvent => {
  const leftOut = new Set(notes.flatMap(({ code, meterKey }) => (code === 'too_many_groups' && meterKey !== null ? [meterKey] : [])));
  const rules = status !== 'counted' ? [] : all.filter((rule) => looksAt(rule, event.type, micros, event.data) && measure(rule, event.data) !== undefined && !leftOut.has(rule.key));
  return { event, micros, position: Number(row.position), rules };
};
