import { Money } from '@valueverse/kernel';

/** The sum of lines that are rounded already; of none, zero. A line in another currency is a mistake of the caller: `TypeError`. */
export const addLines = (lines: Iterable<{ readonly amount: Money }>, currency: string): Money =>
  Money.sum(Array.from(lines, ({ amount }) => amount), currency);
