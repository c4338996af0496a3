import { compareInstants, earlierOf, isBefore, laterOf, type Period } from '@valueverse/kernel';

/** Periods in order, those that touch or overlap made one. */
export const merged = (periods: readonly Period[]): Period[] => {
  const all: Period[] = [];
  for (const { from, to } of [...periods].sort((left, right) => compareInstants(left.from, right.from))) {
    const last = all.at(-1);
    if (last !== undefined && compareInstants(from, last.to) <= 0) all[all.length - 1] = { from: last.from, to: laterOf(last.to, to) };
    else all.push({ from, to });
  }
  return all;
};

/** What of the first periods is in none of the second ones, in order. */
export const without = (periods: readonly Period[], taken: readonly Period[]): Period[] => {
  let left = merged(periods);
  for (const hole of taken) {
    left = left.flatMap(({ from, to }) => {
      if (compareInstants(hole.to, from) <= 0 || compareInstants(to, hole.from) <= 0) return [{ from, to }];
      return [{ from, to: earlierOf(to, hole.from) }, { from: laterOf(from, hole.to), to }].filter((piece) => isBefore(piece.from, piece.to));
    });
  }
  return left;
};
