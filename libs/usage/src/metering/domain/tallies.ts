import type { Decimal } from '@valueverse/kernel';
import { ExactSum } from './exact-sum';
import type { Tally } from './aggregations';

/** Tallies by a text key, added up exactly. */
export class Tallies {
  private readonly rows = new Map<string, { sum: ExactSum; events: number }>();

  add(key: string, total: number | Decimal, events: number): void {
    let row = this.rows.get(key);
    if (row === undefined) this.rows.set(key, row = { sum: new ExactSum(), events: 0 });
    row.sum.add(total);
    row.events += events;
  }

  get(key: string): Tally | undefined {
    const row = this.rows.get(key);
    return row === undefined ? undefined : { total: row.sum.total, events: row.events };
  }

  /** In the order of the keys by UTF-16 code units, whatever order they came in. */
  entries(): [string, Tally][] {
    return [...this.rows].sort(([left], [right]) => (left < right ? -1 : 1)).map(([key, { sum, events }]) => [key, { total: sum.total, events }]);
  }
}
