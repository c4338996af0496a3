import type { Topic } from '@valueverse/contracts';
import type { Database, Tx } from '../database/database';
import type { FeedRecord } from '../feed/feed';

interface ParkedRow { topic: Topic; partition: number; record_offset: bigint; tenant: string; stream: string; position: bigint | null; previous: bigint | null; headers: string; value: string }

const tenantOf = (record: FeedRecord): string => record.headers['ce_tenant'] ?? '';

/** Streams that a consumer could not handle: set aside with the reason, so that everybody else goes on, and kept in order for another try. */
export class Parking {
  constructor(private readonly database: Database) {}

  /** Counts a failure outside the transaction that failed, so that the count survives it. */
  async countFailure(consumer: string, record: FeedRecord, reason: string): Promise<number> {
    return this.database.transaction({ role: 'worker' }, async (tx) => {
      const { rows } = await tx.query<{ attempts: number }>(
        `INSERT INTO failures AS f (consumer, topic, partition, record_offset, attempts, reason) VALUES ($1, $2, $3, $4, 1, $5) ON CONFLICT (consumer, topic, partition)
         DO UPDATE SET attempts = CASE WHEN f.record_offset = excluded.record_offset THEN f.attempts + 1 ELSE 1 END, record_offset = excluded.record_offset, reason = excluded.reason
         RETURNING attempts`, [consumer, record.topic, record.partition, record.offset, reason]);
      return rows[0]!.attempts;
    });
  }

  /** Notes that a record is begun, in a transaction that survives the process; answers how often it was begun without an end, this time included. */
  async begin(consumer: string, record: FeedRecord): Promise<{ begun: number }> {
    return this.database.transaction({ role: 'worker' }, async (tx) => {
      const { rows } = await tx.query<{ begun: number }>(
        `INSERT INTO failures AS f (consumer, topic, partition, record_offset, attempts, reason, begun) VALUES ($1, $2, $3, $4, 0, 'begun', 1) ON CONFLICT (consumer, topic, partition)
         DO UPDATE SET begun = CASE WHEN f.record_offset = excluded.record_offset THEN f.begun + 1 ELSE 1 END,
           attempts = CASE WHEN f.record_offset = excluded.record_offset THEN f.attempts ELSE 0 END, record_offset = excluded.record_offset
         RETURNING begun`, [consumer, record.topic, record.partition, record.offset]);
      return rows[0]!;
    });
  }

  /** The record that was begun came to an end, whatever that was. */
  async end(consumer: string, record: FeedRecord): Promise<void> {
    await this.database.transaction({ role: 'worker' }, (tx) => tx.query(
      'UPDATE failures SET begun = 0 WHERE consumer = $1 AND topic = $2 AND partition = $3 AND record_offset = $4', [consumer, record.topic, record.partition, record.offset]));
  }

  async park(tx: Tx, consumer: string, record: FeedRecord, reason: string): Promise<void> {
    await tx.query('INSERT INTO parked_streams (consumer, tenant, stream, reason) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING', [consumer, tenantOf(record), record.key, reason]);
    await this.keep(tx, consumer, [record]);
  }

  /** Keeps back the records of parked streams and answers the others. */
  async setAside(tx: Tx, consumer: string, records: readonly FeedRecord[]): Promise<readonly FeedRecord[]> {
    // The lock lets a retry that is under way end first: what came while it worked must not be set aside behind its back.
    const { rows } = await tx.query<{ tenant: string; stream: string }>('SELECT tenant, stream FROM parked_streams WHERE consumer = $1 ORDER BY tenant, stream FOR SHARE', [consumer]);
    if (rows.length === 0) return records;
    const parked = new Set(rows.map(({ tenant, stream }) => `${tenant}\n${stream}`));
    const isParked = (record: FeedRecord): boolean => parked.has(`${tenantOf(record)}\n${record.key}`);
    await this.keep(tx, consumer, records.filter(isParked));
    return records.filter((record) => !isParked(record));
  }

  /** Takes a parked stream's records out, in order; the caller handles them in the same transaction. */
  async takeBack(tx: Tx, consumer: string, tenant: string, stream: string): Promise<FeedRecord[]> {
    await tx.query('DELETE FROM parked_streams WHERE consumer = $1 AND tenant = $2 AND stream = $3', [consumer, tenant, stream]);
    const { rows } = await tx.query<ParkedRow>('DELETE FROM parked_records WHERE consumer = $1 AND tenant = $2 AND stream = $3 RETURNING *', [consumer, tenant, stream]);
    return rows.map((row) => ({
      topic: row.topic, partition: row.partition, offset: row.record_offset, key: row.stream, value: row.value, headers: JSON.parse(row.headers) as Record<string, string>,
      ...(row.position === null ? {} : { position: row.position, previous: row.previous ?? 0n }),
    })).sort((a, b) => Number(a.offset - b.offset));
  }

  private async keep(tx: Tx, consumer: string, records: readonly FeedRecord[]): Promise<void> {
    for (const record of records) {
      await tx.query('INSERT INTO parked_records VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)', [consumer, record.topic, record.partition, record.offset,
        tenantOf(record), record.key, record.position ?? null, record.previous ?? null, JSON.stringify(record.headers), record.value]);
    }
  }
}
