import type { Tx } from '../database/database';
import type { FeedRecord } from '../feed/feed';
import type { Rejection, RejectionCode } from './inspect';

/** PostgreSQL keeps no text with a NUL character; what stands in its place says that there was one. */
const storable = (text: string): string => text.replaceAll('\0', '\uFFFD');

/** Records that are no facts of ours, kept with the reason. All readers of a service pass over the same record. */
export const keepRejected = async (tx: Tx, consumer: string, rejections: readonly Rejection[]): Promise<void> => {
  for (const { record, code, detail } of rejections) {
    await tx.query(
      `INSERT INTO rejected_records (consumer, topic, partition, record_offset, code, detail, key, position, previous, headers, value) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
      [consumer, record.topic, record.partition, record.offset, code, storable(detail), storable(record.key), record.position ?? null, record.previous ?? null,
        JSON.stringify(record.headers).replaceAll('\\u0000', '\\ufffd'), storable(record.value)]);
  }
};

interface Row { code: RejectionCode; detail: string; topic: FeedRecord['topic']; partition: number; record_offset: bigint; key: string; position: bigint | null; previous: bigint | null; headers: string; value: string }

/** Where a record lies in the feed. */
export interface RecordPlace { readonly topic: string; readonly partition: number; readonly offset: bigint }

/** One of them. */
export const findRejected = async (tx: Tx, consumer: string, { topic, partition, offset }: RecordPlace): Promise<Rejection | undefined> => {
  const { rows } = await tx.query<Row>(
    'SELECT code, detail, topic, partition, record_offset, key, position, previous, headers, value FROM rejected_records WHERE consumer = $1 AND topic = $2 AND partition = $3 AND record_offset = $4', [consumer, topic, partition, offset]);
  const row = rows[0];
  return row === undefined ? undefined : { code: row.code, detail: row.detail, record: {
    topic: row.topic, partition: row.partition, offset: row.record_offset, key: row.key, value: row.value, headers: JSON.parse(row.headers) as Record<string, string>,
    ...(row.position === null ? {} : { position: row.position, previous: row.previous ?? 0n }),
  } };
};

/** Takes one out. Answers whether it was there. */
export const removeRejected = async (tx: Tx, consumer: string, { topic, partition, offset }: RecordPlace): Promise<boolean> =>
  (await tx.query('DELETE FROM rejected_records WHERE consumer = $1 AND topic = $2 AND partition = $3 AND record_offset = $4', [consumer, topic, partition, offset])).rowCount === 1;
