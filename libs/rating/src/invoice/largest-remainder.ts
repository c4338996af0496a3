/** An exact share of a total: a whole number of `1 / denominator` of a minor unit; all shares of a total have the same denominator. */
export type Share = bigint;

const floorOf = (share: Share, denominator: bigint): bigint => {
  const quotient = share / denominator;
  return share < 0n && quotient * denominator !== share ? quotient - 1n : quotient;
};

/**
 * Whole minor units that add up to `total`, each its exact share rounded down or up: the largest remainders go up, of two equal ones the earlier. `total` is the sum of the
 * shares, rounded to a minor unit. Shares below zero may be among them, and a total below zero is spread like its opposite.
 */
export const spread = (total: bigint, shares: readonly Share[], denominator: bigint): readonly bigint[] => {
  if (total < 0n) return spread(-total, shares.map((share) => -share), denominator).map((part) => -part);
  const parts = shares.map((share) => floorOf(share, denominator));
  const left = Number(total - parts.reduce((sum, part) => sum + part, 0n));
  if (left === 0) return parts;
  const remainders = shares.map((share, index) => ({ index, remainder: share - parts[index]! * denominator }));
  // The sort is stable, so that of two equal remainders the earlier wins.
  remainders.sort((one, other) => (one.remainder > other.remainder ? -1 : one.remainder < other.remainder ? 1 : 0));
  for (const { index } of remainders.slice(0, left)) parts[index] = parts[index]! + 1n;
  return parts;
};
