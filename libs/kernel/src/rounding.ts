/**
 * How a number that does not fit is brought to fit. `half_up` means half away from zero, for credits as well:
 * 0.125 becomes 0.13 and -0.125 becomes -0.13. `up` and `down` go away from and towards zero.
 */
export type Rounding = 'half_up' | 'half_even' | 'up' | 'down' | 'floor' | 'ceiling';

/** Every rounding there is, for schemas and tests. */
export const ROUNDINGS: readonly Rounding[] = ['half_up', 'half_even', 'up', 'down', 'floor', 'ceiling'];

/** Says whether the magnitude of a quotient that leaves a rest goes one up. */
const GOES_UP: Record<Rounding, (truncated: bigint, restTwice: bigint, divisor: bigint, negative: boolean) => boolean> = {
  half_up: (_, restTwice, divisor) => restTwice >= divisor,
  half_even: (truncated, restTwice, divisor) => restTwice > divisor || (restTwice === divisor && truncated % 2n === 1n),
  up: () => true,
  down: () => false,
  floor: (_truncated, _restTwice, _divisor, negative) => negative,
  ceiling: (_truncated, _restTwice, _divisor, negative) => !negative,
};

/** The whole number nearest to `numerator / denominator` by the rule of `rounding`. A denominator of zero is a mistake of the caller: `RangeError`. */
export const divideRounded = (numerator: bigint, denominator: bigint, rounding: Rounding): bigint => {
  if (denominator === 0n) throw new RangeError('division by zero');
  const negative = numerator < 0n !== denominator < 0n;
  const dividend = numerator < 0n ? -numerator : numerator;
  const divisor = denominator < 0n ? -denominator : denominator;
  const truncated = dividend / divisor;
  const rest = dividend % divisor;
  const magnitude = rest !== 0n && GOES_UP[rounding](truncated, rest * 2n, divisor, negative) ? truncated + 1n : truncated;
  return negative ? -magnitude : magnitude;
};
