import { Checkpoints } from '@valueverse/event-log';

/** Planted: a checkpoint moves for whoever asks, wherever it stands. */
Checkpoints.prototype.advance = async function advance(tx, from, to): Promise<void> {
  await tx.query('UPDATE checkpoints SET next_offset = $1, position = $2 WHERE consumer = $3 AND topic = $4 AND partition = $5', [to.nextOffset, to.position, from.consumer, from.topic, from.partition]);
};
