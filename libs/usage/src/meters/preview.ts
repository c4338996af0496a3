import { instantFromMicros } from '@valueverse/kernel';
import type { Tx } from '@valueverse/event-log';
import { bucketOf } from '../metering/domain/bucket';
import { Cells } from '../metering/domain/cells';
import { tieOf } from '../metering/domain/deltas';
import { groupsOf, looksAt, measure, type MeterRule } from '../metering/domain/measure';
import { Tally } from '../metering/domain/tally';
import { type CountedEvent, readEnvelopes } from '../query/copy-reader';
import { droppedFrom } from '../retention/missed';

export const PREVIEW_EVENTS_MAX = 10_000;
/** Envelopes that are looked at in each partition for the latest events. */
const ENVELOPES_PER_PARTITION = 20;
const SHOWN_MAX = 20;

export interface Preview {
  /** Events of the type that were looked at, the latest ones. */
  readonly events: number;
  readonly counted: number;
  readonly filteredOut: number;
  readonly excluded: readonly { readonly code: 'invalid_value'; readonly events: number }[];
  /** From the first of their times to the last. */
  readonly from: string | null;
  readonly to: string | null;
  /** What occurred before may have been dropped by retention: neither this nor a meter that is made now counts all of it. Null where nothing was dropped. */
  readonly wholeFrom: string | null;
  readonly quantities: readonly { readonly groupBy: Readonly<Record<string, string>>; readonly value: string; readonly events: number }[];
  readonly sample: readonly { readonly subject: string; readonly source: string; readonly id: string; readonly time: string; readonly value: string | null; readonly groupBy: Readonly<Record<string, string>>; readonly result: string }[];
}

/** The latest events of a type, by the order in which they came. */
const latestEvents = async (tx: Tx, tenant: string, type: string, limit: number): Promise<CountedEvent[]> => {
  const { rows } = await tx.query<{ partition: number; position: bigint }>(
    `SELECT l.partition, l.position FROM usage_partitions p
     JOIN LATERAL (SELECT e.partition, e.position, e.log_time FROM usage_envelopes e WHERE e.tenant = $1 AND e.partition = p.partition AND e.body IS NOT NULL ORDER BY e.position DESC LIMIT $2) l ON true
     ORDER BY l.log_time DESC, l.partition, l.position DESC`, [tenant, ENVELOPES_PER_PARTITION]);
  const places = rows.map(({ partition, position }) => ({ partition, position: Number(position) }));
  const found: CountedEvent[] = [];
  for (let start = 0; start < places.length && found.length < limit; start += ENVELOPES_PER_PARTITION) {
    for (const { events } of await readEnvelopes(tx, tenant, places.slice(start, start + ENVELOPES_PER_PARTITION))) found.push(...events.filter(({ event }) => event.type === type).reverse());
  }
  return found.slice(0, limit);
};

/** What a rule would make of the latest events of its type, before there is a meter of it. */
export const previewOf = async (tx: Tx, tenant: string, rule: MeterRule, limit: number): Promise<Preview> => {
  const events = await latestEvents(tx, tenant, rule.eventType, limit);
  const dropped = await droppedFrom(tx, tenant);
  const groups = new Map<string, { tally: Tally; samples: Cells }>();
  const sample: Preview['sample'][number][] = [];
  let [counted, filteredOut, invalid] = [0, 0, 0];
  for (const { event, micros } of events) {
    const passes = looksAt(rule, event.type, micros, event.data);
    const measured = passes ? measure(rule, event.data) : undefined;
    const group = groupsOf(rule, event.data);
    if (!passes) filteredOut += 1;
    else if (measured === undefined) invalid += 1;
    else {
      counted += 1;
      let own = groups.get(group);
      if (own === undefined) groups.set(group, own = { tally: new Tally(rule.aggregation.fold, rule.aggregation.weighsTime), samples: new Cells() });
      for (const tally of [own.tally, own.samples.at(bucketOf(micros, rule.settings.bucketMicros), rule)]) tally.add(measured.value, micros, tieOf(event), measured.different);
    }
    if (sample.length < SHOWN_MAX) {
      sample.push({
        subject: event.subject, source: event.source, id: event.id, time: event.time, groupBy: JSON.parse(group) as Record<string, string>,
        value: measured === undefined || rule.aggregation.value !== 'number' ? null : measured.value.toString(), result: !passes ? 'filtered_out' : measured === undefined ? 'invalid_value' : 'counted',
      });
    }
  }
  const times = events.map(({ micros }) => micros);
  const stretch = { from: times.reduce((least, micros) => Math.min(least, micros), Number.POSITIVE_INFINITY), to: times.reduce((greatest, micros) => Math.max(greatest, micros + 1), 0) };
  const quantities = [...groups].sort(([left], [right]) => (left < right ? -1 : 1)).flatMap(([group, { tally, samples }]) => {
    const value = rule.aggregation.quantity([{ stretch, tally, samples: new Map(samples) }], stretch, rule.settings);
    return value === undefined ? [] : [{ groupBy: JSON.parse(group) as Record<string, string>, value: value.toString(), events: tally.events }];
  });
  return {
    events: events.length, counted, filteredOut, excluded: invalid === 0 ? [] : [{ code: 'invalid_value', events: invalid }],
    from: events.length === 0 ? null : instantFromMicros(stretch.from), to: events.length === 0 ? null : instantFromMicros(stretch.to - 1),
    wholeFrom: dropped === undefined ? null : instantFromMicros(dropped), quantities, sample,
  };
};
