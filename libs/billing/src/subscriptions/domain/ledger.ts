import { compareInstants, earlierOf, type Instant } from '@valueverse/kernel';
import type { BilledSlice } from '@valueverse/contracts';

/** From where on the ledger knows everything that was charged: the start of the earliest part of a period that reaches to what was billed last. What was charged once belongs to no period. */
export const ledgerFloor = (billed: readonly BilledSlice[], billedTo: Instant): Instant => {
  const ofPeriods = billed.filter(({ kind }) => kind !== 'one_off');
  const reaching = (floor: Instant): Instant => ofPeriods.filter(({ alignedTo }) => compareInstants(alignedTo, billedTo) >= 0 || compareInstants(alignedTo, floor) > 0).map(({ from }) => from).reduce(earlierOf, floor);
  let floor = billedTo;
  for (let next = reaching(floor); compareInstants(next, floor) < 0; next = reaching(floor)) floor = next;
  return floor;
};

/** What has to be remembered: slices of periods that may still change, and what was charged once. */
export const ledgerOf = <S extends BilledSlice>(billed: readonly S[], billedTo: Instant): S[] => {
  const floor = ledgerFloor(billed, billedTo);
  return billed.filter(({ kind, alignedTo }) => kind === 'one_off' || compareInstants(alignedTo, billedTo) >= 0 || compareInstants(alignedTo, floor) > 0);
};
