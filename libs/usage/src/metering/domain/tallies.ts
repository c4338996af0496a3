import type { MeterRule } from './measure';
import { Tally } from './tally';

/** Tallies of one rule by a text key. */
export class Tallies {
  private readonly rows = new Map<string, Tally>();

  constructor(private readonly rule: MeterRule) {}

  /** The tally of a key, made where there is none. */
  at(key: string): Tally {
    let tally = this.rows.get(key);
    if (tally === undefined) this.rows.set(key, tally = new Tally(this.rule.aggregation.fold, this.rule.aggregation.weighsTime));
    return tally;
  }

  /** In the order of the keys by UTF-16 code units, whatever order they came in. */
  entries(): [string, Tally][] {
    return [...this.rows].sort(([left], [right]) => (left < right ? -1 : 1));
  }
}
