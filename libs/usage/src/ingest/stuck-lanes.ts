import { USAGE_PARTITIONS, type Topic } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';

/** Where records of the outbox go one after the other. */
export interface Lane { readonly topic: Topic; readonly partition: number }

/** While more wait than this for partitions that take something, nothing is added. */
export const WAITING_MAX = 2_000;
/** So many more may wait for partitions that take nothing, all of them together; then nothing is added to any. */
export const HELD_BACK_MAX = 20_000;
/** Where more partitions than these take nothing it is the feed that does not answer: then what waits for them counts as all else does. */
const STUCK_PARTITIONS_MAX = USAGE_PARTITIONS / 2;
const CAUSE_LENGTH_MAX = 500;

/** Notes that nothing can be appended to a partition, since now where it was not noted before. */
export const noteStuck = async (tx: Tx, { topic, partition }: Lane, cause: string): Promise<void> => {
  await tx.query(
    `INSERT INTO usage_outbox_stuck (topic, partition, since, cause) VALUES ($1, $2, clock_timestamp(), $3) ON CONFLICT (topic, partition) DO UPDATE SET cause = excluded.cause`,
    [topic, partition, cause.replaceAll('\0', '\uFFFD').slice(0, CAUSE_LENGTH_MAX)]);
};

/** Removes what was appended; its partitions take something. */
export const removeAppended = async (tx: Tx, topic: Topic, partitions: readonly number[], nths: readonly bigint[]): Promise<void> => {
  await tx.query('DELETE FROM usage_outbox WHERE topic = $1 AND partition = ANY($2) AND nth = ANY($3)', [topic, partitions, nths]);
  await tx.query('DELETE FROM usage_outbox_stuck WHERE topic = $1 AND partition = ANY($2)', [topic, partitions]);
};

/** Whether so much waits that no more should be added; `heldBackMax` of it may wait for partitions that take nothing. */
export const isBacklogFull = async (tx: Tx, heldBackMax = HELD_BACK_MAX): Promise<boolean> => {
  const { rows: [found] } = await tx.query<{ stuck: bigint; waiting: bigint; all_waiting: bigint }>(
    `SELECT (SELECT count(*) FROM usage_outbox_stuck) AS stuck,
       (SELECT count(*) FROM (SELECT FROM usage_outbox o WHERE NOT EXISTS (SELECT FROM usage_outbox_stuck s WHERE s.topic = o.topic AND s.partition = o.partition) LIMIT $1) w) AS waiting,
       (SELECT count(*) FROM (SELECT FROM usage_outbox LIMIT $2) a) AS all_waiting`, [WAITING_MAX, WAITING_MAX + heldBackMax]);
  const { stuck, waiting, all_waiting: all } = found!;
  if (stuck > BigInt(STUCK_PARTITIONS_MAX)) return all >= BigInt(WAITING_MAX);
  return waiting >= BigInt(WAITING_MAX) || all >= BigInt(WAITING_MAX + heldBackMax);
};

/** A partition that takes nothing, why, and how many records wait for it. */
export interface StuckLane extends Lane { readonly records: number; readonly cause: string }

/** The partitions for which records wait and that take none. */
export const stuckLanes = async (tx: Tx): Promise<StuckLane[]> => {
  const { rows } = await tx.query<{ topic: Topic; partition: number; cause: string; records: bigint }>(
    'SELECT s.topic, s.partition, s.cause, count(*) AS records FROM usage_outbox_stuck s JOIN usage_outbox o USING (topic, partition) GROUP BY s.topic, s.partition, s.cause ORDER BY s.topic, s.partition');
  return rows.map((row) => ({ ...row, records: Number(row.records) }));
};
