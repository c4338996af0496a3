import { currency, Decimal } from '@valueverse/kernel';
import { type Fault, pointerTo } from './fault';

/** What stands in for a number that could not be read. The price that holds it is thrown away, since there is a fault. */
const PLACEHOLDER = '0';

/** The most characters of a number in a price: with any quantity that metering can state, an amount still fits into the facts that carry it. */
export const PRICE_NUMBER_LENGTH_MAX = 32;

/** The most characters of a number that single events are priced by: with any value that an event can have, what all of them cost still fits into a statement. */
export const EVENT_NUMBER_LENGTH_MAX = 18;

/** The most characters of a name or value in a price: that of a dimension, say. */
export const PRICE_TEXT_LENGTH_MAX = 256;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Reads the fields of one object of a price and notes every fault instead of stopping at the first. `null` counts as
 * absent. Whatever was not read by the end is unknown: `finish` says so.
 */
export class PriceFields {
  private readonly known = new Set<string>();
  private readonly decimals = new Map<string, Decimal | undefined>();

  private constructor(
    private readonly fields: Readonly<Record<string, unknown>>,
    private readonly pointer: string,
    private readonly faults: Fault[],
    private readonly currencyCode: string | undefined,
  ) {}

  /** Notes `object_expected` where the value is none. With a currency, amounts that are due as they are may not have more digits than it has. */
  static of(value: unknown, pointer: string, faults: Fault[], currencyCode?: string): PriceFields | undefined {
    if (isObject(value)) return new PriceFields(value, pointer, faults, currencyCode);
    faults.push({ pointer, code: 'object_expected', detail: 'an object belongs here' });
    return undefined;
  }

  /** The value as it came; `undefined` where it is absent. */
  optional(name: string): unknown {
    this.known.add(name);
    return Object.hasOwn(this.fields, name) ? (this.fields[name] ?? undefined) : undefined;
  }

  /** The value as it came. Notes `missing_field` where it is absent. */
  required(name: string): unknown {
    const value = this.optional(name);
    if (value === undefined) this.note(name, 'missing_field', `"${name}" is missing`);
    return value;
  }

  /** An amount that must be there, as written. Notes what `optionalAmount` notes, and `missing_field`. */
  amount(name: string): string {
    return this.required(name) === undefined ? PLACEHOLDER : (this.optionalAmount(name) ?? PLACEHOLDER);
  }

  /** An amount of zero or more, as written. Notes `decimal_string_expected`, `invalid_decimal` and `negative_amount`. */
  optionalAmount(name: string): string | undefined {
    const decimal = this.decimal(name);
    if (decimal?.isNegative() === true) this.note(name, 'negative_amount', 'an amount of a price is zero or more');
    return decimal === undefined ? undefined : String(this.fields[name]);
  }

  /** As `amount`, for one that is due as it is. */
  due(name: string): string {
    return this.required(name) === undefined ? PLACEHOLDER : (this.optionalDue(name) ?? PLACEHOLDER);
  }

  /** As `optionalAmount`, for one that is due as it is: notes `money_precision` where more digits are written than the currency has. */
  optionalDue(name: string): string | undefined {
    const text = this.optionalAmount(name);
    if (text === undefined || this.currencyCode === undefined) return text;
    const [{ exponent }, point] = [currency(this.currencyCode), text.indexOf('.')];
    if (point !== -1 && text.length - point - 1 > exponent) this.note(name, 'money_precision', `${this.currencyCode} has ${exponent} digits after the point`);
    return text;
  }

  /** A number above zero, as written. Notes what `amount` notes, and `not_positive`. */
  positive(name: string): string {
    const text = this.amount(name);
    if (this.decimal(name)?.isZero() === true) this.note(name, 'not_positive', 'a number above zero belongs here');
    return text;
  }

  /** A whole number of zero or more, as a JSON number or a text. Notes `whole_number_expected`. */
  optionalWhole(name: string): number | undefined {
    const value = this.optional(name);
    if (value === undefined) return undefined;
    const whole = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
    if (typeof whole === 'number' && Number.isSafeInteger(whole) && whole >= 0) return whole;
    this.note(name, 'whole_number_expected', 'a whole number of zero or more belongs here');
    return undefined;
  }

  /** `true` or `false`. Notes `flag_expected`. */
  optionalFlag(name: string): boolean | undefined {
    const value = this.optional(name);
    if (value !== undefined && typeof value !== 'boolean') this.note(name, 'flag_expected', 'true or false belongs here');
    return typeof value === 'boolean' ? value : undefined;
  }

  /** A text that must be there, of 1 to `PRICE_TEXT_LENGTH_MAX` characters. Notes `missing_field`, `text_expected` and `too_long`. */
  text(name: string): string {
    const value = this.required(name);
    if (value === undefined) return '';
    if (typeof value !== 'string' || value === '') this.note(name, 'text_expected', 'a text belongs here');
    else if (value.length > PRICE_TEXT_LENGTH_MAX) this.note(name, 'too_long', `at most ${PRICE_TEXT_LENGTH_MAX} characters`);
    return typeof value === 'string' ? value : '';
  }

  /** Notes `too_long` for each of these numbers that is longer than what single events may be priced by. */
  noteLongOfEvents(names: readonly string[]): void {
    for (const name of names) {
      const value = this.optional(name);
      // What is too long for any number has been noted.
      if (typeof value === 'string' && value.length > EVENT_NUMBER_LENGTH_MAX && value.length <= PRICE_NUMBER_LENGTH_MAX)
        this.note(name, 'too_long', `at most ${EVENT_NUMBER_LENGTH_MAX} characters where single events have a price`);
    }
  }

  /** The names of the fields that are there. */
  get names(): readonly string[] {
    return Object.keys(this.fields).filter((name) => this.fields[name] !== null && this.fields[name] !== undefined);
  }

  /** A decimal; `undefined` where it is absent or could not be read. Notes `decimal_string_expected`, `too_long` and `invalid_decimal`. */
  decimal(name: string): Decimal | undefined {
    // What is wrong with a field is noted once, however often it is looked at.
    if (!this.decimals.has(name)) this.decimals.set(name, this.readDecimal(name));
    return this.decimals.get(name);
  }

  private readDecimal(name: string): Decimal | undefined {
    const value = this.optional(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') {
      this.note(name, 'decimal_string_expected', 'a decimal in a string belongs here, such as "0.05": a JSON number is not exact');
      return undefined;
    }
    if (value.length > PRICE_NUMBER_LENGTH_MAX) {
      this.note(name, 'too_long', `at most ${PRICE_NUMBER_LENGTH_MAX} characters`);
      return undefined;
    }
    // Facts hold numbers without a plus.
    const decimal = value.startsWith('+') ? undefined : Decimal.tryParse(value);
    if (decimal === undefined) this.note(name, 'invalid_decimal', 'not a decimal number such as "0.05"');
    return decimal;
  }

  /** An object in its place, to be read on. Notes `missing_field` and `object_expected`. */
  object(name: string): PriceFields | undefined {
    const value = this.required(name);
    return value === undefined ? undefined : PriceFields.of(value, this.pointerTo(name), this.faults, this.currencyCode);
  }

  /** As `object`, and nothing is noted where it is absent. */
  optionalObject(name: string): PriceFields | undefined {
    return this.optional(name) === undefined ? undefined : this.object(name);
  }

  /** A list of objects. Notes `missing_field`, `list_expected`, and `object_expected` for each item that is none. */
  objects(name: string): readonly (PriceFields | undefined)[] | undefined {
    const value = this.required(name);
    if (value === undefined) return undefined;
    if (Array.isArray(value)) return value.map((item, index) => PriceFields.of(item, pointerTo(this.pointerTo(name), index), this.faults, this.currencyCode));
    this.note(name, 'list_expected', 'a list belongs here');
    return undefined;
  }

  note(name: string, code: string, detail: string): void {
    this.faults.push({ pointer: this.pointerTo(name), code, detail });
  }

  /** Notes `unknown_field` for each field that nobody has asked for. A null is absent, under any name. */
  finish(): void {
    for (const [name, value] of Object.entries(this.fields))
      if (value !== null && value !== undefined && !this.known.has(name)) this.note(name, 'unknown_field', 'there is no such field here');
  }

  private pointerTo(name: string): string {
    return pointerTo(this.pointer, name);
  }
}
