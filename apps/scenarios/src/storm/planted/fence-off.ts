import { Checkpoints } from '@valueverse/event-log';

/** Planted: checkpoints move for whoever asks, wherever they stand. */
Checkpoints.prototype.advanceAll = async function advanceAll(tx, moves): Promise<void> {
  for (const { from, to } of moves) {
    await tx.query('UPDATE checkpoints SET next_offset = $1, position = $2 WHERE consumer = $3 AND topic = $4 AND partition = $5', [to.nextOffset, to.position, from.consumer, from.topic, from.partition]);
  }
};
