import { currency } from './currency';
import { Decimal } from './decimal';
import { Refused } from './decider';
import { divideRounded, type Rounding } from './rounding';

/** Weights as whole numbers of one scale, so that they can be compared and divided exactly. */
const wholeWeights = (weights: readonly (Decimal | bigint)[]): readonly bigint[] => {
  const decimals = weights.map((weight) => (typeof weight === 'bigint' ? Decimal.of(weight) : weight));
  const scale = decimals.reduce((most, { scale: digits }) => Math.max(most, digits), 0);
  return decimals.map((weight) => weight.coefficientAt(scale));
};

/** Hands out `total` in whole units, in proportion to the weights: rounded down first, the rest to the largest remainders. */
const byLargestRemainder = (total: bigint, weights: readonly bigint[], weightTotal: bigint): bigint[] => {
  const shares = weights.map((weight) => (total * weight) / weightTotal);
  const remainders = weights.map((weight, index) => ({ index, remainder: (total * weight) % weightTotal }));
  // The sort is stable, so that of two equal remainders the earlier wins.
  remainders.sort((left, right) => (left.remainder > right.remainder ? -1 : left.remainder < right.remainder ? 1 : 0));
  const left = total - shares.reduce((sum, share) => sum + share, 0n);
  for (const { index } of remainders.slice(0, Number(left))) shares[index] = shares[index]! + 1n;
  return shares;
};

/** An amount of money: a whole number of minor units of an ISO 4217 currency. Immutable; may be negative (a credit). */
export class Money {
  private constructor(
    /** In minor units: cents, yen, fils. */
    readonly minor: bigint,
    readonly currency: string,
  ) {}

  /** Refuses a code that is no currency with `unknown_currency`. */
  static of(minor: bigint, currencyCode: string): Money {
    return new Money(minor, currency(currencyCode).code);
  }

  static zero(currencyCode: string): Money {
    return Money.of(0n, currencyCode);
  }

  /** Rounds an amount of major units once, to the digits of the currency. Refuses with `unknown_currency`. */
  static fromDecimal(major: Decimal, currencyCode: string, rounding: Rounding): Money {
    const { exponent } = currency(currencyCode);
    return new Money(major.round(exponent, rounding).coefficientAt(exponent), currencyCode);
  }

  /**
   * Reads an amount of major units, "49.00". Refuses with `invalid_decimal`, `unknown_currency`, and `money_precision`
   * where more digits are written than the currency has: who writes them expects something that will not happen.
   */
  static parse(text: string, currencyCode: string): Money {
    const { exponent } = currency(currencyCode);
    const major = Decimal.parse(text);
    const point = text.indexOf('.');
    if (point !== -1 && text.length - point - 1 > exponent)
      throw new Refused('money_precision', `${currencyCode} has ${exponent} digits after the point`);
    return new Money(major.coefficientAt(exponent), currencyCode);
  }

  /** The sum; of nothing, zero of the currency. Another currency among the amounts is a mistake of the caller: `TypeError`. */
  static sum(amounts: Iterable<Money>, currencyCode: string): Money {
    let total = Money.zero(currencyCode);
    for (const amount of amounts) total = total.add(amount);
    return total;
  }

  /** Another currency is a mistake of the caller: `TypeError`. */
  add(other: Money): Money {
    this.assertSameCurrency(other);
    return new Money(this.minor + other.minor, this.currency);
  }

  /** Another currency is a mistake of the caller: `TypeError`. */
  subtract(other: Money): Money {
    this.assertSameCurrency(other);
    return new Money(this.minor - other.minor, this.currency);
  }

  negate(): Money {
    return new Money(-this.minor, this.currency);
  }

  abs(): Money {
    return this.minor < 0n ? this.negate() : this;
  }

  /** Another currency is a mistake of the caller: `TypeError`. */
  compare(other: Money): -1 | 0 | 1 {
    this.assertSameCurrency(other);
    return this.minor < other.minor ? -1 : this.minor > other.minor ? 1 : 0;
  }

  /** Whether currency and amount are the same. */
  equals(other: Money): boolean {
    return this.currency === other.currency && this.minor === other.minor;
  }

  isZero(): boolean {
    return this.minor === 0n;
  }

  isNegative(): boolean {
    return this.minor < 0n;
  }

  isPositive(): boolean {
    return this.minor > 0n;
  }

  /** The lesser of the two. Another currency is a mistake of the caller: `TypeError`. */
  min(other: Money): Money {
    return this.compare(other) <= 0 ? this : other;
  }

  /** The greater of the two. Another currency is a mistake of the caller: `TypeError`. */
  max(other: Money): Money {
    return this.compare(other) >= 0 ? this : other;
  }

  /** `this x numerator / denominator`, rounded once to the minor unit. */
  timesFraction(numerator: bigint, denominator: bigint, rounding: Rounding): Money {
    return new Money(divideRounded(this.minor * numerator, denominator, rounding), this.currency);
  }

  /**
   * Splits the amount in proportion to the weights so that the parts add up to it exactly (largest remainder; of two
   * equal remainders the earlier wins). A negative amount splits like its opposite. Negative weights, and weights that
   * are all zero for an amount that is not, are mistakes of the caller: `RangeError`.
   */
  allocate(weights: readonly (Decimal | bigint)[]): Money[] {
    const whole = wholeWeights(weights);
    if (whole.some((weight) => weight < 0n)) throw new RangeError('a negative weight');
    const weightTotal = whole.reduce((sum, weight) => sum + weight, 0n);
    if (this.minor === 0n) return whole.map(() => this);
    if (weightTotal === 0n) throw new RangeError('an amount and nothing to allocate it by');
    const sign = this.minor < 0n ? -1n : 1n;
    return byLargestRemainder(this.minor * sign, whole, weightTotal).map((share) => new Money(share * sign, this.currency));
  }

  /** The exact amount of major units. */
  toDecimal(): Decimal {
    return Decimal.scaled(this.minor, currency(this.currency).exponent);
  }

  /** Major units with exactly the digits of the currency: "49.00" in USD, "49" in JPY. `Money.parse` reads it back. */
  toString(): string {
    return this.toDecimal().toFixed(currency(this.currency).exponent);
  }

  /** As `toString`: the currency stands beside the amount in every document. */
  toJSON(): string {
    return this.toString();
  }

  private assertSameCurrency(other: Money): void {
    if (other.currency !== this.currency) throw new TypeError(`${this.currency} and ${other.currency} do not mix`);
  }
}
