import { instantFromMicros, microsNumberOfText, partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import { partitionName, type Feed, type Tx } from '@valueverse/event-log';
import { METERING_CONSUMER } from '../metering/metering.projector';

const TOPIC = 'usage.events';
const PARTITIONS = Array.from({ length: USAGE_PARTITIONS }, (_, partition) => ({ topic: TOPIC, partition }) as const);

/** Where the feed ended at an instant of the wall clock. */
export interface FeedEnds { readonly at: string; readonly ends: ReadonlyMap<string, bigint> }

/** To be read before the snapshot that is compared with it, outside any transaction. */
export const feedEnds = async (feed: Feed, wallClock: () => string): Promise<FeedEnds> => {
  const at = wallClock();
  return { at, ends: await feed.ends(PARTITIONS) };
};

interface Row { partition: number; log_time: bigint; next_offset: bigint | null; follows: boolean | null }

/**
 * The instant up to which everything that was accepted is in an answer about a meter from this snapshot: the moment at which the ends of the feed were read, or the log
 * time of the partition that is furthest behind. `subjects` narrows it to their partitions. 1970 for a meter that is still being back-filled.
 */
export const asOfIn = async (tx: Tx, tenant: string, meter: { meterKey: string; version: number }, { at, ends }: FeedEnds, subjects?: readonly string[]): Promise<string> => {
  const wanted = subjects === undefined ? undefined : new Set(subjects.map((subject) => partitionOf(tenant, subject, USAGE_PARTITIONS)));
  const { rows } = await tx.query<Row>(
    `SELECT p.partition, p.log_time, c.next_offset, m.position IS NULL AND m.meter IS NOT NULL AS follows FROM usage_partitions p
     LEFT JOIN checkpoints c ON c.consumer = $1 AND c.topic = $2 AND c.partition = p.partition
     LEFT JOIN usage_meter_progress m ON m.tenant = $3 AND m.meter = $4 AND m.version = $5 AND m.partition = p.partition`,
    [METERING_CONSUMER, TOPIC, tenant, meter.meterKey, meter.version]);
  const instants = rows.filter(({ partition }) => wanted === undefined || wanted.has(partition)).map((row) => {
    if (!row.follows) return 0;
    const end = ends.get(partitionName({ topic: TOPIC, partition: row.partition })) ?? 0n;
    return (row.next_offset ?? 0n) >= end ? Number.MAX_SAFE_INTEGER : Number(row.log_time);
  });
  return instantFromMicros(Math.min(microsNumberOfText(at), ...instants));
};
