import type { FeedRecord } from '../feed/feed';
import { processing } from '../tracing';
import type { Tx } from '../database/database';
import type { EventStore } from '../store/event-store';
import { executeIn, type Instruction, type WallClock } from '../execute/execute';
import type { Following } from './chain';
import type { Checkpoint, Checkpoints } from './checkpoints';
import type { Consumer } from './consumers';
import type { Parking } from './parking';
import { Together, type Turns } from './together';

/** Records of one partition that follow its checkpoint without a gap, and none of which was rejected. */
export interface Run { readonly checkpoint: Checkpoint; readonly following: Following }

/** Of facts, one transaction is under way at a time, and it holds the heads of what it appends to for no more than these. */
const FACTS_MAX = 500;
/** Of records that are no facts several are, a while apart: under a steady stream of little runs each would otherwise find one to take. */
const [RECORD_LANES, RECORD_SPACING_MS] = [3, 40];

interface Parts {
  readonly store: EventStore;
  readonly wallClock: WallClock;
  readonly checkpoints: Checkpoints;
  readonly parking: Parking;
  readonly turns: Turns;
  readonly refuseStrangers: (records: readonly FeedRecord[]) => Promise<void>;
  readonly apply: (consumer: Consumer, tx: Tx, records: readonly FeedRecord[]) => Promise<readonly Instruction[]>;
}

/** The runs of one consumer in the partitions of a topic that come at about the same time: their effects and all their checkpoints are one transaction. */
export class SharedRuns {
  private readonly together: Together<Run>;

  constructor(private readonly consumer: Consumer, private readonly reader: { readonly system: string; readonly group: string; readonly consumer: string }, private readonly parts: Parts) {
    const isBusy = consumer.kind === 'records' && consumer.together === true;
    this.together = new Together<Run>(isBusy ? (runs) => this.handle(runs) : (runs) => parts.turns.take(() => this.handle(runs)), isBusy
      ? { lanes: RECORD_LANES, spacingMs: RECORD_SPACING_MS } : { lanes: 1, spacingMs: 0, weightMax: FACTS_MAX, weigh: ({ following: { fresh } }) => fresh.length });
  }

  /** Answers whether the run was handled. Otherwise nothing was done, and it is for the caller to handle it alone. */
  take(run: Run): Promise<boolean> { return this.together.join(run); }

  private async handle(runs: readonly Run[]): Promise<void> {
    const { store, wallClock, checkpoints, parking, refuseStrangers, apply } = this.parts;
    const fresh = runs.flatMap(({ following }) => following.fresh);
    await processing(this.reader, { topic: runs[0]!.checkpoint.topic }, fresh, async () => {
      await refuseStrangers(fresh);
      if (this.consumer.kind === 'records') await this.consumer.prepare?.(fresh);
      await store.database.transaction({ role: 'worker' }, async (tx) => {
        const instructions = await apply(this.consumer, tx, await parking.setAside(tx, this.reader.consumer, fresh));
        // The checkpoints move late: a reader that falls asleep in its handler must not hold up the one that takes over.
        await checkpoints.advanceAll(tx, runs.map(({ checkpoint: from, following: { after: to } }) => ({ from, to })));
        if (instructions.length > 0) await executeIn(store, tx, instructions, wallClock);
      });
    });
    for (const { checkpoint, following: { after } } of runs) Object.assign(checkpoint, after, { takeovers: 0 });
  }
}
