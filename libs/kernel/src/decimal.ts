import { Refused } from './decider';
import { divideRounded, type Rounding } from './rounding';

/** The most digits that a decimal text may have, before and after the point together. It bounds the work that a stranger's text can cause. */
export const DECIMAL_DIGITS_MAX = 128;

/** The most digits after the point that a caller may ask for when dividing or rounding. */
export const DECIMAL_SCALE_MAX = 128;

/** A double carries any number of up to 15 significant digits there and back; one of 16 may have been changed on the way. */
export const NUMBER_DIGITS_MAX = 15;

/** Below this every whole double has at most `NUMBER_DIGITS_MAX` digits. */
const NUMBER_WHOLE_LIMIT = 1e15;

const POWERS_OF_TEN: bigint[] = [1n];
const powerOfTen = (exponent: number): bigint => {
  for (let known = POWERS_OF_TEN.length; known <= exponent; known++) POWERS_OF_TEN.push(POWERS_OF_TEN[known - 1]! * 10n);
  return POWERS_OF_TEN[exponent]!;
};

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** Position of the point, `text.length` where there is none, -1 where the text is not a decimal. */
const pointOf = (text: string): number => {
  const first = text.charCodeAt(0);
  const start = first === 45 || first === 43 ? 1 : 0;
  if (text.length === start || text.length - start > DECIMAL_DIGITS_MAX + 1) return -1;
  let point = text.length;
  for (let index = start; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (isDigit(code)) continue;
    if (code !== 46 || point !== text.length || index === start || index === text.length - 1) return -1;
    point = index;
  }
  const digits = text.length - start - (point === text.length ? 0 : 1);
  return digits > DECIMAL_DIGITS_MAX ? -1 : point;
};

const assertScale = (scale: number): void => {
  if (!Number.isInteger(scale) || scale < 0 || scale > DECIMAL_SCALE_MAX) throw new RangeError(`a scale of ${scale} digits`);
};

/**
 * An exact decimal number: `coefficient / 10^scale`. It is immutable and always in lowest terms, so equal numbers are
 * equal objects to a test and to `toString`. Plus, minus and times are exact; only what is told a rounding rounds.
 */
export class Decimal {
  static readonly zero = new Decimal(0n, 0);
  static readonly one = new Decimal(1n, 0);

  private constructor(
    readonly coefficient: bigint,
    readonly scale: number,
  ) {}

  /** `coefficient / 10^scale`, brought to lowest terms. */
  static scaled(coefficient: bigint, scale: number): Decimal {
    if (coefficient === 0n) return Decimal.zero;
    let [rest, digits] = [coefficient, scale];
    while (digits > 0 && rest % 10n === 0n) [rest, digits] = [rest / 10n, digits - 1];
    return new Decimal(rest, digits);
  }

  /**
   * Reads a decimal text: an optional sign, digits, and optionally a point and more digits. No exponent, no spaces.
   * Refuses everything else, and more than `DECIMAL_DIGITS_MAX` digits, with `invalid_decimal`.
   */
  static parse(text: string): Decimal {
    const decimal = Decimal.tryParse(text);
    if (decimal === undefined) throw new Refused('invalid_decimal', 'not a decimal number such as "12.34"');
    return decimal;
  }

  /** As `parse`, but answers `undefined` instead of refusing. */
  static tryParse(text: string): Decimal | undefined {
    const point = typeof text === 'string' ? pointOf(text) : -1;
    if (point === -1) return undefined;
    const unsigned = text.charCodeAt(0) === 43 ? 1 : 0;
    if (point === text.length) return Decimal.scaled(BigInt(text.slice(unsigned)), 0);
    return Decimal.scaled(BigInt(text.slice(unsigned, point) + text.slice(point + 1)), text.length - point - 1);
  }

  /** A decimal of a decimal text, a bigint, or a safe whole number. A fraction in a double is a mistake of the caller: `RangeError`. */
  static of(value: string | bigint | number): Decimal {
    if (typeof value === 'string') return Decimal.parse(value);
    if (typeof value === 'bigint') return Decimal.scaled(value, 0);
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a safe whole number`);
    return Decimal.scaled(BigInt(value), 0);
  }

  /**
   * The shortest decimal form of a double (the one that ECMAScript prints), exponents written out: 1.5e-7 is 0.00000015.
   * Refuses infinities and NaN with `invalid_decimal`, and a form of more than `NUMBER_DIGITS_MAX` significant digits
   * with `unsafe_number`, because the sender may have meant another number: such values are sent as texts.
   */
  static fromNumberShortest(value: number): Decimal {
    if (Number.isInteger(value) && Math.abs(value) < NUMBER_WHOLE_LIMIT) return Decimal.scaled(BigInt(value), 0);
    if (!Number.isFinite(value)) throw new Refused('invalid_decimal', 'not a finite number');
    const [mantissa = '', exponentText = '0'] = String(value).split('e');
    const [whole = '', fraction = ''] = mantissa.split('.');
    const digits = `${whole}${fraction}`.replace('-', '').replace(/^0+/, '').replace(/0+$/, '');
    if (digits.length > NUMBER_DIGITS_MAX)
      throw new Refused('unsafe_number', `a number of ${digits.length} digits may have been changed on its way; send it as a string`);
    const scale = fraction.length - Number(exponentText);
    const coefficient = BigInt(whole + fraction);
    return scale >= 0 ? Decimal.scaled(coefficient, scale) : Decimal.scaled(coefficient * powerOfTen(-scale), 0);
  }

  static sum(decimals: Iterable<Decimal>): Decimal {
    let total = Decimal.zero;
    for (const decimal of decimals) total = total.plus(decimal);
    return total;
  }

  static min(first: Decimal, ...others: readonly Decimal[]): Decimal {
    return others.reduce((least, other) => (other.lt(least) ? other : least), first);
  }

  static max(first: Decimal, ...others: readonly Decimal[]): Decimal {
    return others.reduce((most, other) => (other.gt(most) ? other : most), first);
  }

  plus(other: Decimal): Decimal {
    if (this.scale === other.scale) return Decimal.scaled(this.coefficient + other.coefficient, this.scale);
    const scale = Math.max(this.scale, other.scale);
    return Decimal.scaled(this.coefficientAt(scale) + other.coefficientAt(scale), scale);
  }

  minus(other: Decimal): Decimal {
    return this.plus(other.negate());
  }

  times(other: Decimal): Decimal {
    return Decimal.scaled(this.coefficient * other.coefficient, this.scale + other.scale);
  }

  /** The quotient, rounded to `scale` digits after the point. Division by zero is a mistake of the caller: `RangeError`. */
  dividedBy(other: Decimal, scale: number, rounding: Rounding): Decimal {
    assertScale(scale);
    const shift = scale + other.scale - this.scale;
    const dividend = shift >= 0 ? this.coefficient * powerOfTen(shift) : this.coefficient;
    const divisor = shift >= 0 ? other.coefficient : other.coefficient * powerOfTen(-shift);
    return Decimal.scaled(divideRounded(dividend, divisor, rounding), scale);
  }

  /** `this x numerator / denominator`, rounded once to `scale` digits after the point. */
  timesFraction(numerator: bigint, denominator: bigint, scale: number, rounding: Rounding): Decimal {
    return Decimal.scaled(this.coefficient * numerator, this.scale).dividedBy(Decimal.of(denominator), scale, rounding);
  }

  /** The nearest number with at most `scale` digits after the point. */
  round(scale: number, rounding: Rounding): Decimal {
    assertScale(scale);
    if (this.scale <= scale) return this;
    return Decimal.scaled(divideRounded(this.coefficient, powerOfTen(this.scale - scale), rounding), scale);
  }

  compare(other: Decimal): -1 | 0 | 1 {
    const scale = Math.max(this.scale, other.scale);
    const [left, right] = [this.coefficientAt(scale), other.coefficientAt(scale)];
    return left < right ? -1 : left > right ? 1 : 0;
  }

  equals(other: Decimal): boolean {
    return this.coefficient === other.coefficient && this.scale === other.scale;
  }

  lt(other: Decimal): boolean {
    return this.compare(other) < 0;
  }

  lte(other: Decimal): boolean {
    return this.compare(other) <= 0;
  }

  gt(other: Decimal): boolean {
    return this.compare(other) > 0;
  }

  gte(other: Decimal): boolean {
    return this.compare(other) >= 0;
  }

  isZero(): boolean {
    return this.coefficient === 0n;
  }

  isNegative(): boolean {
    return this.coefficient < 0n;
  }

  isPositive(): boolean {
    return this.coefficient > 0n;
  }

  /** Whether there is nothing after the point. */
  isWhole(): boolean {
    return this.scale === 0;
  }

  negate(): Decimal {
    return this.coefficient === 0n ? this : new Decimal(-this.coefficient, this.scale);
  }

  abs(): Decimal {
    return this.coefficient < 0n ? this.negate() : this;
  }

  /** The coefficient that this number has with `scale` digits after the point. Presumes that they are enough: `RangeError`. */
  coefficientAt(scale: number): bigint {
    if (scale < this.scale) throw new RangeError(`${this.toString()} has more than ${scale} digits after the point`);
    return scale === this.scale ? this.coefficient : this.coefficient * powerOfTen(scale - this.scale);
  }

  /** The canonical text: no exponent, no trailing zeros, never "-0". `Decimal.parse` reads it back. */
  toString(): string {
    return this.padded(this.scale);
  }

  /** The text with exactly `scale` digits after the point, rounded half-up where there are more. */
  toFixed(scale: number, rounding: Rounding = 'half_up'): string {
    return this.round(scale, rounding).padded(scale);
  }

  toJSON(): string {
    return this.toString();
  }

  private padded(scale: number): string {
    if (scale === 0) return this.coefficient.toString();
    const coefficient = this.coefficientAt(scale);
    const digits = (coefficient < 0n ? -coefficient : coefficient).toString().padStart(scale + 1, '0');
    return `${coefficient < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  }
}
