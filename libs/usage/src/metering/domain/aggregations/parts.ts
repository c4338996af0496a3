import { Decimal } from '@valueverse/kernel';
import type { Part } from './aggregation';
import { Tally } from '../tally';

/** The tallies of the parts, and what is carried into them, as one; undefined of no parts. */
export const mergedWithBefore = (parts: readonly Part[]): Tally | undefined => mergedTally(parts.flatMap(({ before, tally }) => (before === undefined ? [tally] : [before, tally])));
/** The tallies of the parts alone. */
export const merged = (parts: readonly Part[]): Tally | undefined => mergedTally(parts.map(({ tally }) => tally));

const mergedTally = (tallies: readonly Tally[]): Tally | undefined => {
  const [first] = tallies;
  if (first === undefined || tallies.length === 1) return first;
  const all = new Tally(first.fold, first.weighsTime);
  for (const tally of tallies) all.merge(tally);
  return all;
};

export const ZERO = Decimal.zero;
