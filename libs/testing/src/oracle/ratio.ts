/** An exact number: `over / under`, with `under` above zero. Nothing here is fast, and nothing is shared with what it checks. */
export interface Ratio {
  readonly over: bigint;
  readonly under: bigint;
}

export type OracleRounding = 'half_up' | 'half_even';

export const ratio = (over: bigint, under = 1n): Ratio => (under < 0n ? { over: -over, under: -under } : { over, under });
export const ZERO = ratio(0n);
export const ONE = ratio(1n);

/** The number that a decimal text says. */
export const read = (text: string): Ratio => {
  const negative = text.startsWith('-');
  const [whole = '0', fraction = ''] = text.replace('-', '').replace('+', '').split('.');
  const magnitude = BigInt(whole + fraction);
  return ratio(negative ? -magnitude : magnitude, 10n ** BigInt(fraction.length));
};

export const plus = (left: Ratio, right: Ratio): Ratio => ratio(left.over * right.under + right.over * left.under, left.under * right.under);
export const minus = (left: Ratio, right: Ratio): Ratio => plus(left, ratio(-right.over, right.under));
export const times = (left: Ratio, right: Ratio): Ratio => ratio(left.over * right.over, left.under * right.under);
export const by = (left: Ratio, right: Ratio): Ratio => ratio(left.over * right.under, left.under * right.over);
export const isLess = (left: Ratio, right: Ratio): boolean => left.over * right.under < right.over * left.under;
export const isSame = (left: Ratio, right: Ratio): boolean => left.over * right.under === right.over * left.under;
export const least = (left: Ratio, right: Ratio): Ratio => (isLess(left, right) ? left : right);
export const most = (left: Ratio, right: Ratio): Ratio => (isLess(left, right) ? right : left);
export const sum = (all: readonly Ratio[]): Ratio => all.reduce(plus, ZERO);
export const percent = (value: Ratio, rate: Ratio): Ratio => by(times(value, rate), ratio(100n));

/** The greatest whole number that is not above. */
export const floor = ({ over, under }: Ratio): bigint => {
  const rest = ((over % under) + under) % under;
  return (over - rest) / under;
};

/** The least whole number that is not below. */
export const ceiling = (value: Ratio): bigint => -floor(ratio(-value.over, value.under));

/** The nearest number with so many digits after the point. Half goes away from zero, or to the even digit. */
export const rounded = (value: Ratio, digits: number, rounding: OracleRounding): Ratio => {
  if (isLess(value, ZERO)) return minus(ZERO, rounded(minus(ZERO, value), digits, rounding));
  const unit = 10n ** BigInt(digits);
  const scaled = times(value, ratio(unit));
  const down = floor(scaled);
  const rest = minus(scaled, ratio(down));
  const half = ratio(1n, 2n);
  const goesUp = isLess(half, rest) || (isSame(rest, half) && (rounding === 'half_up' || down % 2n === 1n));
  return ratio(goesUp ? down + 1n : down, unit);
};

/** The text of a number that has an end: no zeros behind, no exponent. */
export const write = ({ over, under }: Ratio): string => {
  for (let digits = 0; digits <= 400; digits++) {
    const unit = 10n ** BigInt(digits);
    if ((over * unit) % under !== 0n) continue;
    const scaled = (over * unit) / under;
    const magnitude = (scaled < 0n ? -scaled : scaled).toString().padStart(digits + 1, '0');
    const text = digits === 0 ? magnitude : `${magnitude.slice(0, -digits)}.${magnitude.slice(-digits)}`;
    return scaled < 0n ? `-${text}` : text;
  }
  throw new RangeError(`${over}/${under} has no end as a decimal`);
};

/** The text with exactly so many digits after the point, as amounts are written. */
export const writeAmount = (value: Ratio, digits: number): string => {
  const [whole = '0', fraction = ''] = write(value).split('.');
  return digits === 0 ? whole : `${whole}.${fraction.padEnd(digits, '0')}`;
};

/** Whole units of `total`, each share rounded down, and what is left given one by one to the largest rest, the first of equal ones. */
export const handOut = (total: bigint, shares: readonly Ratio[]): readonly bigint[] => {
  if (total < 0n) return handOut(-total, shares.map((share) => minus(ZERO, share))).map((part) => -part);
  const parts = shares.map(floor);
  const rests = shares.map((share, nth) => minus(share, ratio(parts[nth]!)));
  while (parts.reduce((all, part) => all + part, 0n) < total) {
    let chosen = 0;
    for (const [nth, rest] of rests.entries()) if (isLess(rests[chosen]!, rest)) chosen = nth;
    parts[chosen] = parts[chosen]! + 1n;
    rests[chosen] = ratio(-1n);
  }
  return parts;
};
