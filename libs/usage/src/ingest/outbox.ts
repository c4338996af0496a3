import { randomUUID } from 'node:crypto';
import type { IdSource } from '@valueverse/kernel';
import type { Topic } from '@valueverse/contracts';
import { byteaArray, ident, isTransient, Loop, roleName, textArray, type NewRecord, type Tx } from '@valueverse/event-log';
import type { Migration, Service } from '@valueverse/platform';
import { envelopesOf, type Parcel } from './envelopes';

/** Records that are written with the place up to which their cause was read, and go to the feed after that. Only `worker` sees them: some are of nobody. */
export const OUTBOX: Migration = {
  number: 110, name: 'usage outbox', sql: (schema) => {
    const [s, worker] = [ident(schema), ident(roleName(schema, 'worker'))];
    return `
CREATE TABLE ${s}.usage_outbox (
  nth bigint GENERATED ALWAYS AS IDENTITY, tenant text COLLATE "C" NOT NULL, topic text NOT NULL, partition int NOT NULL, key text NOT NULL, headers text NOT NULL,
  value bytea NOT NULL, has_value boolean NOT NULL, origin text COLLATE "C" NOT NULL, first_offset bigint NOT NULL, PRIMARY KEY (tenant, nth));
CREATE UNIQUE INDEX usage_outbox_in_order ON ${s}.usage_outbox (nth);
CREATE TABLE ${s}.usage_outbox_lease (lease int PRIMARY KEY CHECK (lease = 1), owner text, until timestamptz NOT NULL);
INSERT INTO ${s}.usage_outbox_lease VALUES (1, NULL, '-infinity');
GRANT SELECT, INSERT, DELETE ON ${s}.usage_outbox TO ${worker};
GRANT SELECT, UPDATE ON ${s}.usage_outbox_lease TO ${worker};`;
  },
};

/** Where records come from: what is read again after a failure begins there. */
export interface Origin { readonly name: string; readonly firstOffset: bigint }
export interface OutboxRecord { readonly tenant: string; readonly topic: Topic; readonly partition: number; readonly record: NewRecord }
/** Parcels as envelopes of their partitions, to be written to the outbox. */
export const outboxEnvelopes = (parcels: readonly Parcel[], ids: IdSource): OutboxRecord[] => {
  const byPartition = new Map<number, Parcel[]>();
  for (const parcel of parcels) byPartition.set(parcel.partition, [...byPartition.get(parcel.partition) ?? [], parcel]);
  return [...byPartition].flatMap(([partition, own]) => envelopesOf(own, ids).map((record): OutboxRecord => ({ tenant: record.headers['ce_tenant']!, topic: 'usage.events', partition, record })));
};
interface Row { nth: bigint; topic: Topic; partition: number; key: string; headers: string; value: Buffer; has_value: boolean }

const RECORDS_PER_TURN_MAX = 200;
const BYTES_PER_TURN_MAX = 8_000_000;
/** While more wait than this, nothing is added. */
const WAITING_MAX = 2_000;
const LEASE_MS = 60_000;
const POLL_MS = 250;
const ERROR_PAUSE_MS = 500;
const NOTHING = Buffer.alloc(0);

/**
 * Appends records to the feed in the order in which they were written, and removes them. After a crash, and where a process slept past its lease, they are
 * appended again as the same records: metering passes over an envelope that it knows, and each rejection names the record that it is of.
 */
export class UsageOutbox {
  private readonly owner = randomUUID();
  private readonly loop = new Loop(() => this.turn(), (error) => this.failed(error));

  constructor(private readonly service: Pick<Service, 'database' | 'feed' | 'logger'>) {}

  start(): void { this.loop.start(); }
  wake(): void { this.loop.wake(); }
  async stop(): Promise<void> {
    await this.loop.stop();
    await this.service.database.transaction({ role: 'worker' }, (tx) => tx.query(`UPDATE usage_outbox_lease SET owner = NULL, until = '-infinity' WHERE owner = $1`, [this.owner])).catch(() => undefined);
  }

  /** Writes records in the transaction of their cause. */
  async put(tx: Tx, { name, firstOffset }: Origin, records: readonly OutboxRecord[]): Promise<void> {
    if (records.length === 0) return;
    const values = records.map(({ record: { bytes, value } }) => (bytes === undefined ? Buffer.from(value) : bytes ?? NOTHING));
    await tx.query(
      `INSERT INTO usage_outbox (tenant, topic, partition, key, headers, value, has_value, origin, first_offset)
       SELECT tenant, topic, partition, key, headers, value, has_value, $8, $9 FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::bytea[], $7::boolean[])
         WITH ORDINALITY r(tenant, topic, partition, key, headers, value, has_value, place) ORDER BY place`,
      [textArray(records.map(({ tenant }) => tenant)), textArray(records.map(({ topic }) => topic)), records.map(({ partition }) => partition), textArray(records.map(({ record }) => record.key)),
        textArray(records.map(({ record }) => JSON.stringify(record.headers))), byteaArray(values), records.map(({ record }) => record.bytes !== null), name, firstOffset]);
    tx.afterCommit(() => this.wake());
  }

  /** Whether so much waits that its readers should wait too. */
  async isFull(): Promise<boolean> {
    const { rows } = await this.service.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ waiting: bigint }>('SELECT count(*) AS waiting FROM (SELECT FROM usage_outbox LIMIT $1) w', [WAITING_MAX]));
    return rows[0]!.waiting >= BigInt(WAITING_MAX);
  }

  private async turn(): Promise<number> {
    const rows = await this.next();
    if (rows.length === 0) return POLL_MS;
    const byTopic = new Map<Topic, Map<number, Row[]>>();
    for (const row of rows) {
      const partitions = byTopic.get(row.topic) ?? new Map<number, Row[]>();
      byTopic.set(row.topic, partitions.set(row.partition, [...partitions.get(row.partition) ?? [], row]));
    }
    // What was appended is removed, whatever has become of the rest.
    const outcomes = await Promise.allSettled([...byTopic].flatMap(([topic, partitions]) => this.append(topic, partitions)));
    const done = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value.map(({ nth }) => nth) : []));
    await this.service.database.transaction({ role: 'worker' }, (tx) => tx.query('DELETE FROM usage_outbox WHERE nth = ANY($1)', [done]));
    const failure = outcomes.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined;
    if (failure !== undefined) throw failure.reason;
    return 0;
  }

  /** The next records, where this process is the one that appends them. */
  private async next(): Promise<Row[]> {
    const { rows } = await this.service.database.transaction({ role: 'worker' }, (tx) => tx.query<Row>(
      `WITH held AS (UPDATE usage_outbox_lease SET owner = $1, until = clock_timestamp() + $2 * interval '1 ms'
         WHERE (owner = $1 OR until < clock_timestamp()) AND EXISTS (SELECT FROM usage_outbox) RETURNING 1)
       SELECT nth, topic, partition, key, headers, value, has_value FROM held,
         (SELECT o.*, sum(octet_length(o.value)) OVER (ORDER BY o.nth) - octet_length(o.value) AS bytes_before FROM (SELECT * FROM usage_outbox ORDER BY nth LIMIT $3) o) w
       WHERE bytes_before < $4 ORDER BY nth`, [this.owner, LEASE_MS, RECORDS_PER_TURN_MAX, BYTES_PER_TURN_MAX]));
    return rows;
  }

  /** One append to each partition, or one to all where the feed takes that. Each resolves with the rows that are in the feed. */
  private append(topic: Topic, partitions: ReadonlyMap<number, readonly Row[]>): Promise<readonly Row[]>[] {
    const { feed } = this.service;
    const records = new Map([...partitions].map(([partition, rows]) => [partition, rows.map(recordOf)] as const));
    if (feed.appendAll !== undefined) return [feed.appendAll(topic, records).then(() => [...partitions.values()].flat())];
    return [...partitions].map(([partition, rows]) => feed.append(topic, partition, records.get(partition)!).then(() => rows));
  }

  private failed(error: unknown): number {
    if (!isTransient(error)) this.service.logger.error({ err: error }, 'usage that is written could not be handed to the feed; it is tried again');
    return ERROR_PAUSE_MS;
  }
}

const recordOf = ({ topic, key, headers, value, has_value: hasValue }: Row): NewRecord => ({
  key, headers: JSON.parse(headers) as Record<string, string>,
  ...(topic === 'usage.events' ? { value: value.toString() } : { value: '', bytes: hasValue ? value : null }),
});
