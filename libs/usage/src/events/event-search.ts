import { microsNumberOfText, partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import { bucketOf } from '../metering/domain/bucket';
import { packedBodyWith } from '../metering/body';
import type { EventStatus } from './domain/standing';
import { eventsOf, listed, type EnvelopeRow, type Found, type ListedEvent } from './listed-events';

/** What events have to be; half-open where it is a range. */
export interface EventFilter {
  readonly subject?: string | undefined;
  readonly source?: string | undefined;
  readonly id?: string | undefined;
  readonly type?: string | undefined;
  /** When it occurred. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly receivedFrom?: string | undefined;
  readonly receivedTo?: string | undefined;
  readonly status?: EventStatus | undefined;
}
/** Where a search stands: everything before it, seen from the latest, has been looked at. As texts. */
export type SearchPosition = readonly [logTime: string, partition: string, position: string, nth: string];
/** What a search has come to. `next` is where it goes on; absent when all has been looked at. */
export interface SearchResult { readonly events: readonly { readonly event: ListedEvent; readonly position: SearchPosition }[]; readonly next: SearchPosition | undefined }

/** One search looks at so many envelopes and takes so many events apart at most; then it says where it stands, with as much as it has found. */
export const ENVELOPES_LOOKED_AT_MAX = 2_000;
export const EVENTS_LOOKED_AT_MAX = 50_000;
/** And unpacks so much, which is what 2,000 envelopes of the usual size come to. */
export const UNPACKED_IN_ALL_BYTES_MAX = 512 * 1024 * 1024;
const CHUNK_FIRST = 4;
/** Envelopes at a time, where most hold something, and where few do. */
const CHUNK_FULL = 16;
const CHUNK_MAX = 64;
const GREATEST = 2n ** 63n - 1n;
const FIRST: SearchPosition = [String(GREATEST), '0', '0', '0'];

const inMicros = (instant: string | undefined, otherwise: number | bigint): number | bigint => (instant === undefined ? otherwise : microsNumberOfText(instant));
/** A name as it stands in the text of an envelope. */
const written = (name: 'id' | 'source' | 'type' | 'subject', value: string | undefined): string | null => (value === undefined ? null : `"${name}":${JSON.stringify(value)}`);

/** The text of an envelope is searched for the names before it is taken apart: most hold none of what is looked for. What is packed is searched when it is unpacked. */
const BODY_IF_IT_MATCHES = `CASE WHEN (NOT $5::boolean OR cardinality(e.not_counted) > 0) AND (e.packed IS NOT NULL
  OR (($2::text IS NULL OR strpos(e.body, $2) > 0) AND ($3::text IS NULL OR strpos(e.body, $3) > 0) AND ($4::text IS NULL OR strpos(e.body, $4) > 0))) THEN e.body END AS body,
  CASE WHEN NOT $5::boolean OR cardinality(e.not_counted) > 0 THEN e.packed END AS packed`;

interface Chunk { readonly filter: EventFilter; readonly after: SearchPosition; readonly limit: number }
const namesIn = ({ id, source, type }: EventFilter): (string | null)[] => [written('id', id), written('source', source), written('type', type)];
const common = (tenant: string, { filter }: Chunk): unknown[] => [tenant, ...namesIn(filter), filter.status === 'duplicate' || filter.status === 'conflict'];

/** The next envelopes of a tenant, the latest received first. The first one is that of `after` itself: some of its events may still be to come. */
const nextEnvelopes = async (tx: Tx, tenant: string, chunk: Chunk): Promise<EnvelopeRow[]> => {
  const { filter, after: [logTime, partition, position] } = chunk;
  const { rows } = await tx.query<EnvelopeRow & Record<string, unknown>>(
    `SELECT e.partition, e.position, e.log_time, e.envelope, e.not_counted, ${BODY_IF_IT_MATCHES} FROM usage_envelopes e
     WHERE e.tenant = $1 AND (e.log_time, e.partition, e.position) <= ($6::bigint, $7::int, $8::bigint) AND e.log_time < $9 AND e.log_time >= $10
     ORDER BY e.log_time DESC, e.partition DESC, e.position DESC LIMIT $11`,
    [...common(tenant, chunk), logTime, partition, position, inMicros(filter.receivedTo, GREATEST), inMicros(filter.receivedFrom, 0), chunk.limit]);
  return rows;
};

/**
 * The same for one subject, by what metering knows of it: the envelopes with counted events by quarter hour, and those with corrections and noted ones. All are in the subject's partition, where positions
 * are in the order of log time.
 */
const nextEnvelopesOf = async (tx: Tx, tenant: string, subject: string, chunk: Chunk): Promise<EnvelopeRow[]> => {
  const { filter, after: [logTime, , position] } = chunk;
  const [from, to] = [Number(inMicros(filter.from, 0)), inMicros(filter.to, GREATEST)];
  const { rows } = await tx.query<EnvelopeRow & Record<string, unknown>>(
    `SELECT e.partition, e.position, e.log_time, e.envelope, e.not_counted, ${BODY_IF_IT_MATCHES} FROM (
       SELECT position FROM usage_bucket_envelopes WHERE tenant = $1 AND subject = $6 AND bucket >= $7 AND bucket < $8 AND partition = $9 AND position <= $10
       UNION SELECT position FROM usage_corrections WHERE tenant = $1 AND subject = $6 AND partition = $9 AND position <= $10
       UNION SELECT position FROM usage_exceptions WHERE tenant = $1 AND subject = $6 AND occurred_at >= $7 AND occurred_at < $8 AND partition = $9 AND position <= $10
       ORDER BY position DESC) g
     JOIN usage_envelopes e ON e.tenant = $1 AND e.partition = $9 AND e.position = g.position
     WHERE e.log_time < $11 AND e.log_time >= $12 ORDER BY e.position DESC LIMIT $13`,
    [...common(tenant, chunk), subject, bucketOf(from), to, partitionOf(tenant, subject, USAGE_PARTITIONS), logTime === FIRST[0] ? GREATEST : position,
      inMicros(filter.receivedTo, GREATEST), inMicros(filter.receivedFrom, 0), chunk.limit]);
  return rows;
};

/** So that the threads of this process, which are few, have something left for others. */
const UNPACKED_AT_ONCE = 2;
/** Envelopes with their texts, without one where the names that are looked for are not in it: the first of them, until so many bytes were unpacked. */
const unpacked = async (rows: readonly EnvelopeRow[], names: readonly string[], bytesMax: number): Promise<{ rows: EnvelopeRow[]; bytes: number }> => {
  const found: EnvelopeRow[] = [];
  let inAll = 0;
  for (let begin = 0; begin < rows.length && inAll < bytesMax; begin += UNPACKED_AT_ONCE) {
    const next = await Promise.all(rows.slice(begin, begin + UNPACKED_AT_ONCE).map(async (row) => {
      if (row.packed === null || row.body === null) return { row, bytes: 0 };
      const { body, bytes } = await packedBodyWith(row.packed, names);
      return { row: { ...row, body, packed: null }, bytes };
    }));
    found.push(...next.map(({ row }) => row));
    inAll += next.reduce((sum, { bytes }) => sum + bytes, 0);
  }
  return { rows: found, bytes: inAll };
};

const fits = ({ event, micros }: Found, filter: EventFilter): boolean => {
  const { subject, source, id, type } = filter;
  return (subject === undefined || event.subject === subject) && (source === undefined || event.source === source) && (id === undefined || event.id === id) && (type === undefined || event.type === type)
    && micros >= inMicros(filter.from, 0) && micros < inMicros(filter.to, Infinity);
};

const positionOf = (row: EnvelopeRow, nth: number): SearchPosition => [row.log_time, row.partition, row.position, nth].map(String) as unknown as SearchPosition;
const isEnvelopeOf = (row: EnvelopeRow, [, partition, position]: SearchPosition): boolean => row.partition === Number(partition) && String(row.position) === position;

/**
 * Searches the events of a tenant, the latest received first, until `limit` are found, everything has been looked at, or as much as one search may. `after` is where an earlier
 * search stood.
 */
export const searchEvents = async (tx: Tx, tenant: string, filter: EventFilter, after: SearchPosition | undefined, limit: number): Promise<SearchResult> => {
  const events: { event: ListedEvent; position: SearchPosition }[] = [];
  let at = after ?? FIRST;
  const names = namesIn(filter).filter((name) => name !== null);
  let [size, envelopes, apart, bytes] = [CHUNK_FIRST, 0, 0, 0];
  while (envelopes < ENVELOPES_LOOKED_AT_MAX && apart < EVENTS_LOOKED_AT_MAX && bytes < UNPACKED_IN_ALL_BYTES_MAX) {
    // One more than is looked at: it says whether anything is left.
    const chunk = { filter, after: at, limit: size + 1 };
    const rows = filter.subject === undefined ? await nextEnvelopes(tx, tenant, chunk) : await nextEnvelopesOf(tx, tenant, filter.subject, chunk);
    const looked = await unpacked(rows.slice(0, size), names, UNPACKED_IN_ALL_BYTES_MAX - bytes);
    const shown = looked.rows;
    bytes += looked.bytes;
    const all = eventsOf(shown);
    const left = all.filter((found) => fits(found, filter) && !(isEnvelopeOf(found.row, at) && found.nth >= Number(at[3])));
    for (const event of await listed(tx, tenant, left)) {
      const position = positionOf(shown.find((row) => isEnvelopeOf(row, ['', String(event.place.partition), event.place.position, '']))!, event.place.index);
      if (filter.status !== undefined && event.status !== filter.status) continue;
      events.push({ event, position });
      if (events.length === limit) return { events, next: position };
    }
    if (shown.length === rows.length) return { events, next: undefined };
    // All of the last envelope has been looked at.
    at = positionOf(shown.at(-1)!, 0);
    envelopes += shown.length;
    apart += all.length;
    size = Math.min(shown.filter(({ body }) => body !== null).length > CHUNK_FULL ? CHUNK_FULL : CHUNK_MAX, size * 2);
  }
  return { events, next: at };
};

