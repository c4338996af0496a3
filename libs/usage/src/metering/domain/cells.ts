import type { MeterRule } from './measure';
import { Tally } from './tally';

/** The tallies of a series by the start of their bucket. Most series have one bucket in a batch: that one needs no table. */
export class Cells {
  private first: number | undefined;
  private tally: Tally | undefined;
  private others: Map<number, Tally> | undefined;

  /** The tally of a bucket, made where there is none. */
  at(bucket: number, { aggregation }: MeterRule): Tally {
    const known = this.first === bucket ? this.tally : this.others?.get(bucket);
    if (known !== undefined) return known;
    const made = new Tally(aggregation.fold, aggregation.weighsTime);
    if (this.first === undefined) [this.first, this.tally] = [bucket, made];
    else (this.others ??= new Map()).set(bucket, made);
    return made;
  }

  * [Symbol.iterator](): Generator<readonly [bucket: number, tally: Tally]> {
    if (this.first === undefined) return;
    yield [this.first, this.tally!];
    if (this.others !== undefined) yield* this.others;
  }
}
