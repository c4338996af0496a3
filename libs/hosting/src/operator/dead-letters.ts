import { RecordRejected, type RecordPlace, type Tx } from '@valueverse/event-log';
import { Problem, type Service } from '@valueverse/platform';

/** A stream that a consumer could not handle, or a record that is no fact of ours. */
export type LetterKey =
  | { readonly kind: 'stream'; readonly consumer: string; readonly tenant: string; readonly stream: string }
  | { readonly kind: 'record'; readonly consumer: string; readonly topic: string; readonly partition: number; readonly offset: string };

export interface Letter {
  readonly id: string;
  readonly kind: 'stream' | 'record';
  readonly consumer: string;
  readonly tenant: string | null;
  readonly stream: string;
  readonly code: string;
  readonly reason: string;
  readonly records: number;
  readonly since: string;
}
export interface LetterRecord { readonly topic: string; readonly partition: number; readonly offset: string; readonly headers: Readonly<Record<string, string>>; readonly value: string; readonly isCut: boolean }

const RECORDS_SHOWN_MAX = 50;
const VALUE_SHOWN_MAX = 16_384;
const AT = `to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

const idOf = (key: LetterKey): string => Buffer.from(JSON.stringify(key.kind === 'stream' ? ['s', key.consumer, key.tenant, key.stream] : ['r', key.consumer, key.topic, key.partition, key.offset])).toString('base64url');

/** Reads the id of a dead letter. Refuses with 404 `dead_letter_not_found` what none of ours looks like. */
export const letterKeyOf = (id: string): LetterKey => {
  try {
    const parts: unknown = JSON.parse(Buffer.from(id, 'base64url').toString('utf8'));
    if (Array.isArray(parts) && parts[0] === 's' && parts.length === 4 && parts.every((part) => typeof part === 'string')) return { kind: 'stream', consumer: String(parts[1]), tenant: String(parts[2]), stream: String(parts[3]) };
    if (Array.isArray(parts) && parts[0] === 'r' && parts.length === 5 && Number.isInteger(parts[3]) && /^\d{1,18}$/.test(String(parts[4]))) return { kind: 'record', consumer: String(parts[1]), topic: String(parts[2]), partition: parts[3] as number, offset: String(parts[4]) };
  } catch { /* It is answered below. */ }
  throw notFound(id);
};
const notFound = (id: string): Problem => new Problem(404, 'dead_letter_not_found', `there is no dead letter ${id.slice(0, 100)}`);
const placeOf = (key: Extract<LetterKey, { kind: 'record' }>): RecordPlace => ({ topic: key.topic, partition: key.partition, offset: BigInt(key.offset) });

interface Row { kind: 'stream' | 'record'; consumer: string; tenant: string | null; stream: string; code: string; reason: string; records: bigint; since: string; topic: string | null; partition: number | null; record_offset: bigint | null; sort: string }

const toLetter = (row: Row): Letter => ({
  id: idOf(row.kind === 'stream' ? { kind: 'stream', consumer: row.consumer, tenant: row.tenant!, stream: row.stream } : { kind: 'record', consumer: row.consumer, topic: row.topic!, partition: row.partition!, offset: String(row.record_offset) }),
  kind: row.kind, consumer: row.consumer, tenant: row.tenant, stream: row.stream, code: row.code, reason: row.reason, records: Number(row.records), since: row.since,
});

/** Dead letters in the order of their kind, consumer and name, after a place in that order. */
export const lettersAfter = async (tx: Tx, after: string, limit: number): Promise<(Letter & { readonly sort: string })[]> => {
  const { rows } = await tx.query<Row>(
    `SELECT kind, consumer, tenant, stream, code, reason, records, ${AT} AS since, topic, partition, record_offset, sort FROM (
       SELECT 'stream' AS kind, s.consumer, s.tenant, s.stream, 'parked' AS code, s.reason, (SELECT count(*) FROM parked_records r WHERE (r.consumer, r.tenant, r.stream) = (s.consumer, s.tenant, s.stream)) AS records,
         s.parked_at AS at, NULL AS topic, NULL::int AS partition, NULL::bigint AS record_offset, concat_ws(chr(31), 'a', s.consumer, s.tenant, s.stream) COLLATE "C" AS sort FROM parked_streams s
       UNION ALL
       SELECT 'record', consumer, headers::json->>'ce_tenant', key, code, detail, 1, seen_at, topic, partition, record_offset, concat_ws(chr(31), 'b', consumer, topic, lpad(partition::text, 4, '0'), lpad(record_offset::text, 19, '0')) COLLATE "C"
         FROM rejected_records) l
     WHERE sort > $1 ORDER BY sort LIMIT $2`, [after, limit]);
  return rows.map((row) => ({ ...toLetter(row), sort: row.sort }));
};

/** The records of a dead letter, the first ones of many, long texts cut. Refuses with 404 `dead_letter_not_found`. */
export const recordsOf = async (tx: Tx, id: string): Promise<LetterRecord[]> => {
  const key = letterKeyOf(id);
  const { rows } = key.kind === 'stream'
    ? await tx.query<{ topic: string; partition: number; record_offset: bigint; headers: string; value: string; length: number }>(
      `SELECT topic, partition, record_offset, headers, left(value, $5) AS value, length(value) AS length FROM parked_records WHERE consumer = $1 AND tenant = $2 AND stream = $3 ORDER BY record_offset LIMIT $4`,
      [key.consumer, key.tenant, key.stream, RECORDS_SHOWN_MAX, VALUE_SHOWN_MAX])
    : await tx.query<{ topic: string; partition: number; record_offset: bigint; headers: string; value: string; length: number }>(
      `SELECT topic, partition, record_offset, headers, left(value, $5) AS value, length(value) AS length FROM rejected_records WHERE consumer = $1 AND topic = $2 AND partition = $3 AND record_offset = $4`,
      [key.consumer, key.topic, key.partition, key.offset, VALUE_SHOWN_MAX]);
  if (rows.length === 0) throw notFound(id);
  return rows.map(({ topic, partition, record_offset: offset, headers, value, length }) =>
    ({ topic, partition, offset: String(offset), headers: JSON.parse(headers) as Record<string, string>, value, isCut: length > VALUE_SHOWN_MAX }));
};

/** Handles a dead letter again; answers how many records went through. Refuses with 404 `dead_letter_not_found`, and with 409 `still_failing`, which says why. */
export const retryLetter = async (service: Service, id: string): Promise<number> => {
  const key = letterKeyOf(id);
  let records: number;
  try {
    records = key.kind === 'stream' ? await service.reads.retryParked(key.consumer, key.tenant, key.stream) : await service.reads.retryRejected(key.consumer, placeOf(key));
  } catch (error) {
    const reason = error instanceof RecordRejected ? `${error.code}: ${error.message}` : error instanceof Error ? error.message : String(error);
    throw new Problem(409, 'still_failing', `it was tried again and failed: ${reason}`);
  }
  if (records === 0) throw notFound(id);
  return records;
};

/** Gives a dead letter up for ever; answers how many records are gone. What follows in its stream is handled again. Refuses with 404 `dead_letter_not_found`. */
export const discardLetter = async (tx: Tx, id: string): Promise<number> => {
  const key = letterKeyOf(id);
  if (key.kind === 'stream') {
    const streams = await tx.query('DELETE FROM parked_streams WHERE consumer = $1 AND tenant = $2 AND stream = $3', [key.consumer, key.tenant, key.stream]);
    if (streams.rowCount === 0) throw notFound(id);
    return (await tx.query('DELETE FROM parked_records WHERE consumer = $1 AND tenant = $2 AND stream = $3', [key.consumer, key.tenant, key.stream])).rowCount ?? 0;
  }
  const records = await tx.query('DELETE FROM rejected_records WHERE consumer = $1 AND topic = $2 AND partition = $3 AND record_offset = $4', [key.consumer, key.topic, key.partition, key.offset]);
  if (records.rowCount === 0) throw notFound(id);
  return 1;
};
