import type { IdSource, Instant } from '@valueverse/kernel';
import { USAGE_TOPIC, type Topic } from '@valueverse/contracts';
import { byteaArray, ident, roleName, textArray, type NewRecord, type Tx } from '@valueverse/event-log';
import type { Migration, Service } from '@valueverse/platform';
import { envelopesOf, type Parcel } from './envelopes';
import { OutboxSender } from './outbox-sender';
import type { Aside } from './set-aside';
import { HELD_BACK_MAX, isBacklogFull } from './stuck-lanes';

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
const NOTHING = Buffer.alloc(0);

/** Of what was accepted over HTTP and by RADIUS, and its partition did not take. */
const ASIDE: Origin = { name: 'aside', firstOffset: 0n };
/** So much of what may wait for partitions that take nothing may come directly: clients and files, which cannot be told to send again, have the rest. */
const ASIDE_MAX = HELD_BACK_MAX / 2;

/** Up to where envelopes were set aside; 0 where none waits. */
export const asideEnd = async (tx: Tx): Promise<bigint> => {
  const { rows } = await tx.query<{ nth: bigint | null }>('SELECT max(nth) AS nth FROM usage_outbox WHERE topic = $1 AND origin = $2', [USAGE_TOPIC, ASIDE.name]);
  return rows[0]!.nth ?? 0n;
};
/** The partitions for which envelopes wait that were set aside up to there. */
export const asideBefore = async (tx: Tx, end: bigint): Promise<readonly number[]> => {
  const { rows } = await tx.query<{ partition: number }>('SELECT DISTINCT partition FROM usage_outbox WHERE topic = $1 AND origin = $2 AND nth <= $3', [USAGE_TOPIC, ASIDE.name, end]);
  return rows.map(({ partition }) => partition);
};
/** Partition -> when the first of the envelopes was received that were set aside and are not in the feed yet. */
export const asideSince = async (tx: Tx): Promise<ReadonlyMap<number, Instant>> => {
  const { rows } = await tx.query<{ partition: number; since: string }>(
    `SELECT DISTINCT ON (partition) partition, convert_from(value, 'UTF8')::json->>'recordedAt' AS since FROM usage_outbox WHERE topic = $1 AND origin = $2 ORDER BY partition, nth`, [USAGE_TOPIC, ASIDE.name]);
  return new Map(rows.map(({ partition, since }) => [partition, since]));
};

/**
 * Appends records to the feed in the order in which they were written for their partition, and removes them. After a crash, and where a process slept past its lease, they are
 * appended again as the same records: metering passes over an envelope that it knows, and each rejection names the record that it is of.
 */
export class UsageOutbox implements Aside {
  private readonly sender: OutboxSender;

  constructor(private readonly service: Pick<Service, 'database' | 'feed' | 'logger'>) { this.sender = new OutboxSender(service); }

  start(): void { this.sender.start(); }
  stop(): Promise<void> { return this.sender.stop(); }

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
    tx.afterCommit(() => this.sender.wake());
  }

  keep(partition: number, records: readonly NewRecord[]): Promise<boolean> {
    return this.service.database.transaction({ role: 'worker' }, async (tx) => {
      if (await isBacklogFull(tx, ASIDE_MAX)) return false;
      await this.put(tx, ASIDE, records.map((record) => ({ tenant: record.headers['ce_tenant']!, topic: USAGE_TOPIC, partition, record })));
      return true;
    });
  }

  /** Whether so much waits that its readers should wait too. What waits for a partition that takes nothing holds up nobody else, until it is very much. */
  isFull(): Promise<boolean> { return this.service.database.transaction({ role: 'worker', readOnly: true }, isBacklogFull); }
}
