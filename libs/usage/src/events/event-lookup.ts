import { instantFromMicros, partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS, USAGE_TOPIC } from '@valueverse/contracts';
import { partitionName, type Tx } from '@valueverse/event-log';
import { keyOf, uuidOfKey } from '../metering/key-bytes';
import { METERING_CONSUMER } from '../metering/metering.projector';
import { beforeAside, type FeedEnds } from '../query/as-of';
import type { EventPlace } from './domain/standing';
import { searchEvents, type SearchPosition } from './event-search';
import { eventsOf, listed, type EnvelopeRow, type ListedEvent } from './listed-events';

/** What an event is known by. */
export interface EventName { readonly subject: string; readonly source: string; readonly id: string }
/** Every time that it came and every correction of it, the first one first. */
export interface LookedUp {
  readonly occurrences: readonly ListedEvent[];
  /** The one that all others are held against: it alone may count. Null where it was taken back, or never came. */
  readonly standing: EventPlace | null;
  /** Occurrences whose envelope was dropped by retention. */
  readonly dropped: readonly EventPlace[];
  /** False where it was not looked everywhere, because its subject has very many envelopes: `from` and `to` narrow it. */
  readonly complete: boolean;
}

/** A lookup goes on for so many searches. */
export const SEARCHES_MAX = 25;

interface Place { readonly partition: number; readonly position: bigint; readonly nth: number }

/** Where an event stands by the keys that metering keeps for its window. Needs the worker's role: keys belong to no tenant, and are found by the hash of one. */
export const keptPlace = async (tx: Tx, tenant: string, name: EventName): Promise<Place | undefined> => {
  const { rows } = await tx.query<Place & Record<string, unknown>>(
    'SELECT partition::int, position, nth::int FROM usage_keys WHERE key = $1::uuid AND partition = $2 ORDER BY position DESC LIMIT 1', [uuidOfKey(keyOf(tenant, name)), partitionOf(tenant, name.subject, USAGE_PARTITIONS)]);
  return rows[0];
};

/** Where metering noted that it came again or was corrected, and where it had been before. */
const notedPlaces = async (tx: Tx, tenant: string, { subject, source, id }: EventName): Promise<Place[]> => {
  const { rows } = await tx.query<Place & Record<string, unknown>>(
    `SELECT partition, position, nth FROM usage_exceptions WHERE tenant = $1 AND subject = $2 AND source = $3 AND id = $4
     UNION SELECT first_partition, first_position, first_nth FROM usage_exceptions WHERE tenant = $1 AND subject = $2 AND source = $3 AND id = $4 AND code IN ('duplicate', 'conflict')
     UNION SELECT partition, position, nth FROM usage_corrections WHERE tenant = $1 AND subject = $2 AND source = $3 AND id = $4
     UNION SELECT partition, replaced_position, replaced_nth FROM usage_corrections WHERE tenant = $1 AND subject = $2 AND source = $3 AND id = $4 AND replaced_position IS NOT NULL`,
    [tenant, subject, source, id]);
  return rows;
};

const eventsAt = async (tx: Tx, tenant: string, places: readonly Place[]): Promise<{ events: ListedEvent[]; dropped: EventPlace[] }> => {
  const { rows } = await tx.query<EnvelopeRow & Record<string, unknown>>(
    `SELECT DISTINCT e.partition, e.position, e.log_time, e.envelope, e.not_counted, e.body, e.packed FROM unnest($2::int[], $3::bigint[]) g(partition, position)
     JOIN usage_envelopes e ON e.tenant = $1 AND e.partition = g.partition AND e.position = g.position`, [tenant, places.map(({ partition }) => partition), places.map(({ position }) => position)]);
  const wanted = new Set(places.map(({ partition, position, nth }) => `${partition} ${position} ${nth}`));
  const gone = new Set(rows.filter(({ body }) => body === null).map(({ partition, position }) => `${partition} ${position}`));
  return {
    events: await listed(tx, tenant, eventsOf(rows).filter(({ row, nth }) => wanted.has(`${row.partition} ${row.position} ${nth}`))),
    dropped: places.filter(({ partition, position }) => gone.has(`${partition} ${position}`)).map(({ partition, position, nth }) => ({ partition, position: String(position), index: nth })),
  };
};

const inOrder = (a: ListedEvent, b: ListedEvent): number => {
  const difference = BigInt(a.place.position) - BigInt(b.place.position);
  return difference === 0n ? a.place.index - b.place.index : difference < 0n ? -1 : 1;
};
const placeText = ({ partition, position, index }: EventPlace): string => `${partition} ${position} ${index}`;
/** It came first, or in the place of what came first. */
const isFirst = ({ status, correction, supersededBy }: ListedEvent): boolean => status !== 'duplicate' && status !== 'conflict' && supersededBy === null && (correction === null || (correction.kind === 'amend' && status !== 'excluded'));

/**
 * Why an event counts or does not, in one answer. `kept` is where its key says that it stands. What is older than the keys and was never noted is looked for among the subject's envelopes, from
 * the latest on.
 */
export const lookUpEvent = async (tx: Tx, tenant: string, name: EventName, kept: Place | undefined, range: { readonly from?: string | undefined; readonly to?: string | undefined }): Promise<LookedUp> => {
  const known = await eventsAt(tx, tenant, [...await notedPlaces(tx, tenant, name), ...(kept === undefined ? [] : [kept])]);
  const found = new Map(known.events.map((event) => [placeText(event.place), event]));
  let complete = found.size > 0 || known.dropped.length > 0;
  let after: SearchPosition | undefined;
  for (let searches = 0; !complete && searches < SEARCHES_MAX; searches++) {
    const { events, next } = await searchEvents(tx, tenant, { ...name, ...range }, after, 1);
    for (const { event } of events) found.set(placeText(event.place), event);
    after = next;
    complete = next === undefined || found.size > 0;
  }
  const occurrences = [...found.values()].sort(inOrder);
  const dropped = new Map(known.dropped.map((place) => [placeText(place), place]));
  return { occurrences, standing: occurrences.find(isFirst)?.place ?? null, dropped: [...dropped.values()], complete };
};

/** The instant up to which everything that was accepted for a subject has been read by metering: an event that is not there then was not accepted before. */
export const readUpTo = async (tx: Tx, tenant: string, subject: string, looks: readonly FeedEnds[]): Promise<string> => {
  const partition = partitionOf(tenant, subject, USAGE_PARTITIONS);
  const { rows } = await tx.query<{ log_time: bigint; next_offset: bigint | null }>(
    'SELECT p.log_time, c.next_offset FROM usage_partitions p LEFT JOIN checkpoints c ON c.consumer = $1 AND c.topic = $2 AND c.partition = p.partition WHERE p.partition = $3', [METERING_CONSUMER, USAGE_TOPIC, partition]);
  const { log_time: logTime, next_offset: next } = rows[0]!;
  const read = looks.find(({ ends }) => (next ?? 0n) >= (ends.get(partitionName({ topic: USAGE_TOPIC, partition })) ?? 0n))?.at;
  return beforeAside(looks, [partition], read ?? instantFromMicros(logTime));
};
