import { microsNumberOfText, partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import type { UsageEvent } from '../ingest/domain/usage-event';
import { altered, type KeptBody, opened } from '../metering/body';
import { bucketOf } from '../metering/domain/bucket';
import { groupsOf, looksAt, measure, type Measured, type MeterRule } from '../metering/domain/measure';

/** A stretch of one subject's usage, in microseconds, half-open. */
export interface SubjectStretch {
  readonly subject: string;
  readonly from: number;
  readonly to: number;
}
/** Partition -> the last position that is looked at. */
export type UpTo = ReadonlyMap<number, number>;

/** A counted event, where it is in the copy. */
export interface CountedEvent {
  readonly event: UsageEvent;
  readonly micros: number;
  readonly envelope: string;
  readonly partition: number;
  readonly position: number;
  readonly nth: number;
  /** The meters that do not count it all the same, because its subject has too many combinations of dimensions. */
  readonly leftOutOf: readonly string[];
}
/** An envelope that was read, as far as its body is still what its hash says. Of one that was dropped by retention nothing is left but its seals. */
export interface ReadEnvelope {
  readonly partition: number;
  readonly position: number;
  readonly events: readonly CountedEvent[];
  readonly isIntact: boolean;
}

/** How the copy is read: as of some positions, or now; and whether it is to be proven. */
export interface Reading { readonly upTo?: UpTo | undefined; readonly isProof?: boolean }

const ENVELOPES_PER_PAGE = 100;
interface Row extends KeptBody { partition: number; position: bigint; envelope: string; is_dropped: boolean; body_hash: Buffer; not_counted: number[]; superseded: number[]; left_out: { nth: number; meter: string }[] | null }

const eventsOf = (row: Row): ReadEnvelope => {
  const place = { partition: row.partition, position: Number(row.position) };
  if (row.body === null) return { ...place, events: [], isIntact: row.is_dropped };
  const notCounted = new Set([...row.not_counted, ...row.superseded]);
  const leftOutOf = (nth: number): readonly string[] => (row.left_out === null ? NONE : row.left_out.filter((one) => one.nth === nth).map(({ meter }) => meter));
  const { envelope, isIntact } = opened(row);
  const events = (): CountedEvent[] => envelope!.events.map((event, nth) => ({ event, micros: microsNumberOfText(event.time), envelope: row.envelope, ...place, nth, leftOutOf: leftOutOf(nth) }))
    .filter(({ nth }) => !notCounted.has(nth));
  return { ...place, events: isIntact ? events() : readable(events), isIntact };
};
/** What somebody has changed may have any shape. */
const readable = (events: () => CountedEvent[]): CountedEvent[] => {
  try {
    return events();
  } catch {
    return [];
  }
};
const NONE: readonly string[] = [];

/** What an event gives to the one of a meter's rules that counts it; undefined where none does. */
export const countedBy = (rules: readonly MeterRule[], { event, micros, leftOutOf }: Pick<CountedEvent, 'event' | 'micros' | 'leftOutOf'>): { readonly measured: Measured; readonly groups: string } | undefined => {
  const rule = rules.find((one) => looksAt(one, event.type, micros, event.data));
  const measured = rule === undefined || leftOutOf.includes(rule.key) ? undefined : measure(rule, event.data);
  return measured === undefined ? undefined : { measured, groups: groupsOf(rule!, event.data) };
};

/**
 * Reads envelopes of a tenant's copy in the order given, each once, with the events that count: as of `upTo`, or now. Refuses with `envelope_altered` one that is not what its hash says: nobody counts
 * without it, or by what somebody else has made of it. A `proof`, which is there to find such ones, gets what can be read of them.
 */
export const readEnvelopes = async (tx: Tx, tenant: string, places: readonly { partition: number; position: number }[], { upTo, isProof = false }: Reading = {}): Promise<ReadEnvelope[]> => {
  const { rows } = await tx.query<Row>(
    `SELECT e.partition, e.position, e.envelope, e.body, e.packed, e.dropped IS NOT NULL AS is_dropped, e.body_hash, e.not_counted,
       ARRAY(SELECT s.nth FROM usage_superseded s WHERE s.tenant = $1 AND s.partition = e.partition AND s.position = e.position AND s.by_position <= g.up_to) AS superseded,
       (SELECT json_agg(json_build_object('nth', x.nth, 'meter', x.meter)) FROM usage_exceptions x WHERE x.tenant = $1 AND x.partition = e.partition AND x.position = e.position AND x.code = 'too_many_groups') AS left_out
     FROM unnest($2::int[], $3::bigint[], $4::bigint[]) WITH ORDINALITY g(partition, position, up_to, place)
     JOIN usage_envelopes e ON e.tenant = $1 AND e.partition = g.partition AND e.position = g.position ORDER BY g.place`,
    [tenant, places.map(({ partition }) => partition), places.map(({ position }) => position), places.map(({ partition }) => (upTo === undefined ? Number.MAX_SAFE_INTEGER : upTo.get(partition) ?? 0))]);
  const found = new Map(rows.map((row) => [`${row.partition}/${row.position}`, eventsOf(row)]));
  const read = places.map((place) => found.get(`${place.partition}/${place.position}`) ?? { ...place, events: [], isIntact: false });
  const broken = isProof ? undefined : read.find(({ isIntact }) => !isIntact);
  if (broken !== undefined) throw altered(broken.partition, broken.position);
  return read;
};

/**
 * Visits the counted events in stretches of subjects, envelope by envelope in the order of the copy; an event is visited once for each stretch that it is
 * in, with the stretch's index. What retention has dropped is not there: who asks looks at the seals. Answers a `proof` the places of envelopes whose body is gone otherwise, or no longer what its hash says;
 * anybody else is refused as by `readEnvelopes`.
 */
export const visitEvents = async (
  tx: Tx, tenant: string, stretches: readonly SubjectStretch[], visit: (index: number, event: CountedEvent) => void, reading: Reading = {},
): Promise<string[]> => {
  if (stretches.length === 0) return [];
  const { rows } = await tx.query<{ partition: number; position: bigint }>(
    `SELECT DISTINCT x.partition, x.position FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::int[]) g(subject, first, until, partition)
     JOIN usage_bucket_envelopes x ON x.partition = g.partition AND x.tenant = $1 AND x.subject = g.subject AND x.bucket >= g.first AND x.bucket < g.until ORDER BY x.partition, x.position`,
    [tenant, stretches.map(({ subject }) => subject), stretches.map(({ from }) => bucketOf(from)), stretches.map(({ to }) => to), stretches.map(({ subject }) => partitionOf(tenant, subject, USAGE_PARTITIONS))]);
  const places = rows.map((row) => ({ partition: row.partition, position: Number(row.position) }))
    .filter(({ partition, position }) => reading.upTo === undefined || position <= (reading.upTo.get(partition) ?? 0));
  const bySubject = new Map<string, { index: number; from: number; to: number }[]>();
  for (const [index, { subject, from, to }] of stretches.entries()) {
    const own = bySubject.get(subject);
    if (own === undefined) bySubject.set(subject, [{ index, from, to }]);
    else own.push({ index, from, to });
  }
  const broken: string[] = [];
  for (let start = 0; start < places.length; start += ENVELOPES_PER_PAGE) {
    for (const envelope of await readEnvelopes(tx, tenant, places.slice(start, start + ENVELOPES_PER_PAGE), reading)) {
      if (!envelope.isIntact) broken.push(`${envelope.partition}/${envelope.position}`);
      for (const event of envelope.events) {
        for (const { index, from, to } of bySubject.get(event.event.subject) ?? []) if (event.micros >= from && event.micros < to) visit(index, event);
      }
    }
  }
  return broken;
};
