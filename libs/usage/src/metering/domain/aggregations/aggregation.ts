import type { Decimal } from '@valueverse/kernel';

/** What was added up for a stretch of time: of the events that count for the meter, their values and their number. */
export interface Tally {
  readonly total: Decimal;
  readonly events: number;
}

/** How a meter makes a quantity of events. Tallies of parts add up to the tally of the whole. */
export interface Aggregation {
  readonly name: 'sum' | 'count';
  /** Whether an event without a numeric value is excluded. */
  readonly needsValue: boolean;
  readonly quantity: (tally: Tally) => Decimal;
}
