import { Decimal, Money } from '@valueverse/kernel';
import { closedSteps } from '../rate';
import type { Step } from '../step';
import type { Commitment } from './charge-terms';
import { type Measured, overageSteps, promised } from './promises';
import { type RatedLine, trueUpLine } from './rate-usage';

/** What a commitment of a plan adds to one line: the steps add up to the amount. */
export interface AddedOverage {
  readonly amount: Money;
  readonly steps: readonly Step[];
}

export interface RatedCommitment {
  /** For each of the lines, in their order, what being above the commitment adds; `undefined` where that is nothing. */
  readonly added: readonly (AddedOverage | undefined)[];
  /** The line of the plan that fills the commitment; `undefined` where enough was spent. */
  readonly trueUp: RatedLine | undefined;
}

/**
 * A commitment of a plan, over the amounts of its lines, which are rounded: those above it, in their order, cost the factor times, the rest of the commitment is one
 * `true_up`. What is added is rounded by running totals, so that it is what the sum of the lines above it costs more. Refuses a code that is no currency with `unknown_currency`.
 */
export const rateCommitment = (lines: readonly Money[], commitment: Commitment, measured: Measured): RatedCommitment => {
  const { currency, rounding } = measured;
  let total = Decimal.zero;
  const added = overageSteps(lines.map((amount) => amount.toDecimal()), commitment, promised(commitment.amount, measured)).map((step) => {
    if (step === undefined) return undefined;
    const before = Money.fromDecimal(total, currency, rounding);
    total = total.plus(Decimal.parse(step.amount));
    const amount = Money.fromDecimal(total, currency, rounding).subtract(before);
    return { amount, steps: closedSteps({ amount, exact: Decimal.parse(step.amount), steps: [step] }, rounding) };
  });
  return { added, trueUp: trueUpLine(Money.sum(lines, currency), { commitment }, measured)[0] };
};
