import { Decimal, type Fraction, Money, type Rounding } from '@valueverse/kernel';
import { prorated } from '../models/tiers';
import { shareOf, type Slice, sliceAmount } from '../proration';
import type { ElapsedPart, FloorStep, MaximumStep, OverageStep } from '../step';
import type { ChargeTerms, Commitment, ProrationTerms } from './charge-terms';

/** What promises of amounts are measured with. */
export interface Measured {
  /** The part of the aligned period that the usage is of; the whole where not given. */
  readonly slice?: Slice | undefined;
  readonly proration?: ProrationTerms | undefined;
  readonly currency: string;
  readonly rounding: Rounding;
}

/** An amount that was promised for a whole period, and what it is in the part that is billed. */
export interface Promised {
  readonly amount: Money;
  readonly full: string;
  readonly part?: ElapsedPart;
}

const textsOf = ({ numerator, denominator }: Fraction): ElapsedPart['start'] => ({ numerator: numerator.toString(), denominator: denominator.toString() });

/** A promised amount in a part of a period: the difference of running totals, as of a fee, so that the parts add up. `prorateAmounts: false` leaves it whole. */
export const promised = (amount: string, { slice, proration, currency, rounding }: Measured): Promised => {
  const full = Decimal.parse(amount);
  if (slice === undefined || proration?.prorateAmounts === false) return { amount: Money.fromDecimal(full, currency, rounding), full: full.toString() };
  const { elapsedAtStart, elapsedAtEnd } = slice;
  return {
    amount: sliceAmount(full, elapsedAtStart, elapsedAtEnd, currency, rounding),
    full: full.toString(),
    part: { start: textsOf(elapsedAtStart), end: textsOf(elapsedAtEnd) },
  };
};

/** The share by which tier bounds and free units are prorated; `undefined` where they stand as written. */
export const boundsShareOf = ({ slice, proration }: Pick<Measured, 'slice' | 'proration'>): Fraction | undefined =>
  (slice === undefined || proration?.prorateBounds !== true ? undefined : shareOf(slice));

/** The free units that a charge has in the part of the period that is billed. */
export const freeUnitsOf = ({ freeUnits }: ChargeTerms, boundsShare: Fraction | undefined): Decimal => {
  const units = freeUnits === undefined ? Decimal.zero : Decimal.parse(freeUnits);
  return boundsShare === undefined ? units : prorated(units, boundsShare);
};

/**
 * What of each quantity is free: they are taken in order, until none is left. By running totals, so that what is below zero gives back what it took, and never more.
 */
export const takeFree = (quantities: readonly Decimal[], free: Decimal): readonly Decimal[] => {
  const takenOf = (total: Decimal): Decimal => Decimal.max(Decimal.zero, Decimal.min(total, free));
  let total = Decimal.zero;
  return quantities.map((quantity) => {
    const before = takenOf(total);
    total = total.plus(quantity);
    return takenOf(total).minus(before);
  });
};

/**
 * What each amount has above a commitment, in their order: the first ones fill it. By running totals, so that the parts are those of the sum. The steps hold what
 * the factor adds, nothing rounded; there is none where nothing is above, or above costs the same.
 */
export const overageSteps = (amounts: readonly Decimal[], commitment: Commitment, { amount, full, part }: Promised): readonly (OverageStep | undefined)[] => {
  const factor = Decimal.parse(commitment.overageFactor ?? '1');
  const committed = amount.toDecimal();
  const aboveOf = (total: Decimal): Decimal => Decimal.max(Decimal.zero, total.minus(committed));
  let total = Decimal.zero;
  return amounts.map((own) => {
    const before = aboveOf(total);
    total = total.plus(own);
    const above = aboveOf(total).minus(before);
    const added = above.times(factor.minus(Decimal.one));
    if (added.isZero()) return undefined;
    return { kind: 'overage', full, ...(part === undefined ? {} : { part }), committed: committed.toString(), above: above.toString(), factor: factor.toString(), amount: added.toString() };
  });
};

/** What is taken from each line so that their sum is not above the maximum, in their order: the first ones fill it. */
export const maximumSteps = (amounts: readonly Money[], { amount: most, full, part }: Promised): readonly (MaximumStep | undefined)[] => {
  let total = Money.zero(most.currency);
  return amounts.map((own) => {
    const before = total.min(most);
    total = total.add(own);
    const taken = total.min(most).subtract(before).subtract(own);
    if (taken.isZero()) return undefined;
    return { kind: 'maximum', full, ...(part === undefined ? {} : { part }), maximum: most.toDecimal().toString(), amount: taken.toDecimal().toString() };
  });
};

/** The step that says the least that is due. */
export const floorStep = (kind: FloorStep['kind'], { amount, full, part }: Promised): FloorStep =>
  ({ kind, full, ...(part === undefined ? {} : { part }), amount: amount.toDecimal().toString() });
