import { isFromClients, TOPICS } from '@valueverse/contracts';
import type { FeedRecord } from '../feed/feed';
import type { Checkpoint } from './checkpoints';
import { faultOfRecord, faultOfText, type Rejection } from './inspect';

/** A run of records as a reader at a checkpoint sees it. */
export interface Following {
  /** What is to be handled, in order. */
  readonly fresh: readonly FeedRecord[];
  /** What no writer of ours made. It is passed over, and does not belong to the chain. */
  readonly rejected: readonly Rejection[];
  /** The first record that does not follow its predecessor; nothing from there on is in the other lists. */
  readonly missing?: FeedRecord;
  /** Where the reader stands after them. */
  readonly after: { readonly nextOffset: bigint; readonly position: bigint };
}

/**
 * Follows the chain of predecessors from a checkpoint. What was handled before is known by its position: a relay that was not sure sends again.
 * `isPublished` says whether some release up to this one publishes a type: what it does not know it cannot handle, but it is a link of the chain.
 */
export const followChain = (checkpoint: Pick<Checkpoint, 'topic' | 'nextOffset' | 'position'>, records: readonly FeedRecord[], isPublished: (type: string) => boolean): Following => {
  const { kind } = TOPICS[checkpoint.topic];
  const fresh: FeedRecord[] = [];
  const rejected: Rejection[] = [];
  let { position, nextOffset } = checkpoint;
  for (const record of records) {
    if (kind === 'transport' && !isFromClients(checkpoint.topic) && record.offset !== nextOffset) return { fresh, rejected, missing: record, after: { nextOffset, position } };
    const fault = faultOfRecord(record);
    if (fault !== undefined) rejected.push({ record, ...fault });
    else if (kind !== 'facts') fresh.push(record);
    else if (record.position! > position) {
      if (record.previous !== position) return { fresh, rejected, missing: record, after: { nextOffset, position } };
      const faultInside = faultOfText(record);
      if (faultInside !== undefined) { rejected.push({ record, ...faultInside }); nextOffset = record.offset + 1n; continue; }
      position = record.position!;
      const type = record.headers['ce_type']!;
      if (isPublished(type)) fresh.push(record);
      else rejected.push({ record, code: 'unknown_type', detail: `this release knows no ${type}` });
    }
    nextOffset = record.offset + 1n;
  }
  return { fresh, rejected, after: { nextOffset, position } };
};

/** Whether a record that comes later in the partition is the one that follows: then what stands before it is nobody's. */
export const hasFollower = (checkpoint: Pick<Checkpoint, 'position'>, later: readonly FeedRecord[]): boolean =>
  later.some((record) => faultOfRecord(record) === undefined && record.previous === checkpoint.position && record.position! > checkpoint.position && faultOfText(record) === undefined);
