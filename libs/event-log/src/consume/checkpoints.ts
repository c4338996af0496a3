import type { Topic } from '@valueverse/contracts';
import type { Database, Tx } from '../database/database';
import type { FeedRecord, TopicPartition } from '../feed/feed';

export interface Checkpoint {
  readonly consumer: string;
  readonly topic: Topic;
  readonly partition: number;
  readonly epoch: bigint;
  /** The offset of the next record to handle, and the store position of the last fact handled. */
  nextOffset: bigint;
  position: bigint;
  /** How often the partition was taken over since somebody last got on with it: each time its process may have ended over the next record. */
  takeovers: number;
  /** A record that was begun on its own and not ended. */
  suspect: bigint | null;
  /** Why this consumer stopped here for good; an operator has to look. */
  halted: string | null;
}

/** Somebody else reads this partition now. What was done is rolled back. */
export class Fenced extends Error {}

/** Where each consumer is. A checkpoint moves in the transaction of the effects, and only for the epoch that holds it. */
export class Checkpoints {
  constructor(private readonly database: Database, private readonly owner: string) {}

  /** Takes the partitions over: raises their epochs, which shuts out whoever had them. */
  async acquire(wanted: readonly (TopicPartition & { consumer: string })[]): Promise<Checkpoint[]> {
    return this.database.transaction({ role: 'worker' }, async (tx) => {
      const columns = [wanted.map(({ consumer }) => consumer), wanted.map(({ topic }) => topic), wanted.map(({ partition }) => partition)];
      await tx.query('INSERT INTO checkpoints (consumer, topic, partition) SELECT * FROM unnest($1::text[], $2::text[], $3::int[]) ON CONFLICT DO NOTHING', columns);
      const { rows } = await tx.query<{ consumer: string; topic: Topic; partition: number; epoch: bigint; next_offset: bigint; position: bigint; halted: string | null; takeovers: number; suspect: bigint | null }>(
        `WITH locked AS (SELECT c.consumer, c.topic, c.partition FROM checkpoints c JOIN unnest($1::text[], $2::text[], $3::int[]) w(consumer, topic, partition)
           ON (c.consumer, c.topic, c.partition) = (w.consumer, w.topic, w.partition) ORDER BY 1, 2, 3 FOR UPDATE OF c)
         UPDATE checkpoints c SET epoch = c.epoch + 1, owner = $4, takeovers = CASE WHEN c.owner IS NULL THEN 0 ELSE c.takeovers + 1 END, taken_at = clock_timestamp() FROM locked l WHERE (c.consumer, c.topic, c.partition) = (l.consumer, l.topic, l.partition)
         RETURNING c.consumer, c.topic, c.partition, c.epoch, c.next_offset, c.position, c.halted, c.takeovers,
           (SELECT f.record_offset FROM failures f WHERE (f.consumer, f.topic, f.partition) = (c.consumer, c.topic, c.partition) AND f.begun > 0 AND f.record_offset >= c.next_offset) AS suspect`, [...columns, this.owner]);
      return rows.map((row) => ({ consumer: row.consumer, topic: row.topic, partition: row.partition, epoch: row.epoch, nextOffset: row.next_offset, position: row.position, halted: row.halted, takeovers: row.takeovers, suspect: row.suspect }));
    });
  }

  /** Moves a checkpoint from where this process believes it to be. Throws `Fenced` when that is no longer so. */
  advance(tx: Tx, from: Checkpoint, to: { nextOffset: bigint; position: bigint }): Promise<void> { return this.advanceAll(tx, [{ from, to }]); }

  /** The same for several checkpoints, all or none. */
  async advanceAll(tx: Tx, moves: readonly { readonly from: Checkpoint; readonly to: { readonly nextOffset: bigint; readonly position: bigint } }[]): Promise<void> {
    const { rowCount } = await tx.query(
      `UPDATE checkpoints c SET next_offset = m.next_offset, position = m.position, takeovers = 0
       FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]) m(consumer, topic, partition, epoch, was_next, next_offset, position)
       WHERE (c.consumer, c.topic, c.partition) = (m.consumer, m.topic, m.partition) AND c.epoch = m.epoch AND c.next_offset = m.was_next`,
      [moves.map(({ from }) => from.consumer), moves.map(({ from }) => from.topic), moves.map(({ from }) => from.partition), moves.map(({ from }) => from.epoch), moves.map(({ from }) => from.nextOffset),
        moves.map(({ to }) => to.nextOffset), moves.map(({ to }) => to.position)]);
    if (rowCount !== moves.length) throw new Fenced(`${moves[0]!.from.consumer} no longer reads ${moves.map(({ from: { topic, partition } }) => `${topic}/${partition}`).join(', ')}`);
  }

  /** Takes a record that was passed over into the chain, where it is the next link; whoever reads the partition looks anew where it stands. Answers whether it is. */
  async follow(tx: Tx, consumer: string, { topic, partition, offset, position, previous }: FeedRecord): Promise<boolean> {
    const { rowCount } = await tx.query(
      'UPDATE checkpoints SET position = $1, epoch = epoch + 1 WHERE consumer = $2 AND topic = $3 AND partition = $4 AND position = $5 AND next_offset > $6', [position, consumer, topic, partition, previous, offset]);
    return rowCount === 1;
  }

  /** Those of stopped checkpoints of this process that were released by an operator. */
  async released(stopped: readonly Checkpoint[]): Promise<Checkpoint[]> {
    const { rows } = await this.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ consumer: string; topic: Topic; partition: number }>(
      'SELECT consumer, topic, partition FROM checkpoints WHERE owner = $1 AND halted IS NULL', [this.owner]));
    const running = new Set(rows.map((row) => `${row.consumer} ${row.topic} ${row.partition}`));
    return stopped.filter(({ consumer, topic, partition }) => running.has(`${consumer} ${topic} ${partition}`));
  }

  /** Gives up what this process holds, so that the next owner knows that it ended well. */
  async release(): Promise<void> {
    await this.database.transaction({ role: 'worker' }, (tx) => tx.query('UPDATE checkpoints SET owner = NULL, takeovers = 0 WHERE owner = $1', [this.owner]));
  }

  async halt(checkpoint: Checkpoint, reason: string): Promise<void> {
    await this.database.transaction({ role: 'worker' }, (tx) => tx.query(
      'UPDATE checkpoints SET halted = $1 WHERE consumer = $2 AND topic = $3 AND partition = $4 AND epoch = $5', [reason, checkpoint.consumer, checkpoint.topic, checkpoint.partition, checkpoint.epoch]));
  }
}
