import { Decimal, Money, type Rounding } from '@valueverse/kernel';
import { priceSteps } from '../price';
import { isWhole, sliceFee, type Slice } from '../proration';
import { closedSteps } from '../rate';
import { type Step, sumOfSteps } from '../step';
import type { ChargeTerms } from './charge-terms';
import { takeFree } from './promises';

export interface Fee {
  /** `price` by a model that `isFeePrice` accepts; `freeUnits` where some of the things cost nothing; whether flat parts of tiers are due where there are none. */
  readonly charge: Pick<ChargeTerms, 'price' | 'freeUnits' | 'chargeFlatAtZero'>;
  /** How many; a flat price does not look at it. */
  readonly quantity: Decimal;
  /** The part of the aligned period that is charged; the whole where not given. */
  readonly slice?: Slice | undefined;
  /** ISO 4217. */
  readonly currency: string;
  readonly rounding: Rounding;
}

export interface RatedFee {
  readonly quantity: Decimal;
  /** Without free units. */
  readonly billedQuantity: Decimal;
  readonly amount: Money;
  /** The fee of the whole aligned period, nothing rounded. */
  readonly full: Decimal;
  /** They add up to the amount, the rounding among them. */
  readonly steps: readonly Step[];
}

/** The one amount of a fee says itself what the running totals are of; any other price is told first, and then taken away. */
const stepsOfSlice = (steps: readonly Step[], full: Decimal): readonly Step[] =>
  (steps.every(({ kind }) => kind === 'flat') ? [] : [...steps, { kind: 'whole_fee', amount: full.negate().toString() }]);

/**
 * A recurring fee for a number of things, and for the part of a period that is charged: rated for the whole period, then sliced by running totals, so that the slices of any
 * cut add up. A change of the number is the slice of the old number until then and that of the new one from then on. Presumes terms that `readChargeTerms` accepted.
 * Refuses a code that is no currency with `unknown_currency`.
 */
export const rateFee = ({ charge, quantity: given, slice, currency, rounding }: Fee): RatedFee => {
  const quantity = charge.price.model === 'flat' ? Decimal.one : given;
  const [taken = Decimal.zero] = charge.freeUnits === undefined || charge.price.model === 'flat' ? [] : takeFree([quantity], Decimal.parse(charge.freeUnits));
  const billedQuantity = quantity.minus(taken);
  const priced = priceSteps(charge.price, { quantity: billedQuantity, flatAtZero: charge.chargeFlatAtZero === true });
  const full = sumOfSteps(priced);
  const freeStep: Step[] = taken.isZero() ? [] : [{ kind: 'free_units', freeUnits: charge.freeUnits!, quantity: taken.toString(), amount: '0' }];
  if (slice !== undefined && !isWhole(slice)) {
    const sliced = sliceFee(full, slice, currency, rounding);
    return { quantity, billedQuantity, amount: sliced.amount, full, steps: [...freeStep, ...stepsOfSlice(priced, full), ...sliced.steps] };
  }
  const amount = Money.fromDecimal(full, currency, rounding);
  return { quantity, billedQuantity, amount, full, steps: closedSteps({ amount, exact: full, steps: [...freeStep, ...priced] }, rounding) };
};
