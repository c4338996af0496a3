import { compareInstants, earlierOf, laterOf, type Instant } from '@valueverse/kernel';
import type { BilledSlice } from '@valueverse/contracts';

/** From where on a ledger knows everything that was charged, and what it has to remember: slices of periods that may still change, and what was charged once, which belongs to no period. */
export interface Ledger<S extends BilledSlice> { readonly floor: Instant; readonly billed: S[] }

/**
 * The floor is the start of the earliest part of a period that reaches to what was billed last. It never goes back behind an earlier one: what was forgotten would be charged again, as by a yearly fee of a whole
 * year that is taken in the midst of it.
 */
const floorOf = (billed: readonly BilledSlice[], billedTo: Instant, before: Instant | undefined): Instant => {
  const ofPeriods = billed.filter(({ kind }) => kind !== 'one_off');
  const reaching = (floor: Instant): Instant => ofPeriods.filter(({ alignedTo }) => compareInstants(alignedTo, billedTo) >= 0 || compareInstants(alignedTo, floor) > 0).map(({ from }) => from).reduce(earlierOf, floor);
  let floor = billedTo;
  for (let next = reaching(floor); compareInstants(next, floor) < 0; next = reaching(floor)) floor = next;
  return before === undefined ? floor : laterOf(floor, before);
};

/** A ledger after something was billed, by the floor that it had. */
export const ledgerOf = <S extends BilledSlice>(billed: readonly S[], billedTo: Instant, before?: Instant): Ledger<S> => {
  const floor = floorOf(billed, billedTo, before);
  return { floor, billed: billed.filter(({ kind, alignedTo }) => kind === 'one_off' || compareInstants(alignedTo, billedTo) >= 0 || compareInstants(alignedTo, floor) > 0) };
};
