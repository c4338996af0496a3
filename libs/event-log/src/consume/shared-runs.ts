import type { Database } from '../database/database';
import type { FeedRecord } from '../feed/feed';
import { processing } from '../tracing';
import type { Following } from './chain';
import type { Checkpoint, Checkpoints } from './checkpoints';
import type { RecordProjector } from './consumers';
import type { Parking } from './parking';
import { Together } from './together';

/** Records of one partition that follow its checkpoint without a gap, and none of which was rejected. */
export interface Run { readonly checkpoint: Checkpoint; readonly following: Following }

interface Parts {
  readonly database: Database;
  readonly checkpoints: Checkpoints;
  readonly parking: Parking;
  readonly refuseStrangers: (records: readonly FeedRecord[]) => Promise<void>;
}

/** The runs of one consumer that has asked for the records of many partitions at once: their effects and all their checkpoints are one transaction. */
export class SharedRuns {
  private readonly together = new Together<Run>((runs) => this.handle(runs));

  constructor(private readonly consumer: RecordProjector, private readonly reader: { readonly system: string; readonly group: string; readonly consumer: string }, private readonly parts: Parts) {}

  /** Answers whether the run was handled. Otherwise nothing was done, and it is for the caller to handle it alone. */
  take(run: Run): Promise<boolean> { return this.together.join(run); }

  private async handle(runs: readonly Run[]): Promise<void> {
    const { database, checkpoints, parking, refuseStrangers } = this.parts;
    const fresh = runs.flatMap(({ following }) => following.fresh);
    await processing(this.reader, { topic: runs[0]!.checkpoint.topic }, fresh, async () => {
      await refuseStrangers(fresh);
      await this.consumer.prepare?.(fresh);
      await database.transaction({ role: 'worker' }, async (tx) => {
        const live = await parking.setAside(tx, this.reader.consumer, fresh);
        if (live.length > 0) await this.consumer.project(tx, live);
        // The checkpoints move late: a reader that falls asleep in its handler must not hold up the one that takes over.
        await checkpoints.advanceAll(tx, runs.map(({ checkpoint: from, following: { after: to } }) => ({ from, to })));
      });
    });
    for (const { checkpoint, following: { after } } of runs) Object.assign(checkpoint, after, { takeovers: 0 });
  }
}
