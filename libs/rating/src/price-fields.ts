import { Decimal } from '@valueverse/kernel';
import { type Fault, pointerTo } from './fault';

/** What stands in for a number that could not be read. The price that holds it is thrown away, since there is a fault. */
const PLACEHOLDER = '0';

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Reads the fields of one object of a price and notes every fault instead of stopping at the first. `null` counts as
 * absent. Whatever was not read by the end is unknown: `finish` says so.
 */
export class PriceFields {
  private readonly known = new Set<string>();

  private constructor(
    private readonly fields: Readonly<Record<string, unknown>>,
    private readonly pointer: string,
    private readonly faults: Fault[],
  ) {}

  /** Notes `object_expected`, and reads an empty object, where the value is none. */
  static of(value: unknown, pointer: string, faults: Fault[]): PriceFields | undefined {
    if (isObject(value)) return new PriceFields(value, pointer, faults);
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

  /** A decimal; `undefined` where it is absent or could not be read. Notes `decimal_string_expected` and `invalid_decimal`. */
  decimal(name: string): Decimal | undefined {
    const value = this.optional(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') {
      this.note(name, 'decimal_string_expected', 'a decimal in a string belongs here, such as "0.05": a JSON number is not exact');
      return undefined;
    }
    const decimal = Decimal.tryParse(value);
    if (decimal === undefined) this.note(name, 'invalid_decimal', 'not a decimal number such as "0.05"');
    return decimal;
  }

  /** A list of objects. Notes `missing_field`, `list_expected`, and `object_expected` for each item that is none. */
  objects(name: string): readonly (PriceFields | undefined)[] | undefined {
    const value = this.required(name);
    if (value === undefined) return undefined;
    if (Array.isArray(value)) return value.map((item, index) => PriceFields.of(item, pointerTo(this.pointerTo(name), index), this.faults));
    this.note(name, 'list_expected', 'a list belongs here');
    return undefined;
  }

  note(name: string, code: string, detail: string): void {
    this.faults.push({ pointer: this.pointerTo(name), code, detail });
  }

  /** Notes `unknown_field` for each field that nobody has asked for. A null is absent, under any name. */
  finish(): void {
    for (const [name, value] of Object.entries(this.fields))
      if (value !== null && value !== undefined && !this.known.has(name)) this.note(name, 'unknown_field', `a price of this model has no such field`);
  }

  private pointerTo(name: string): string {
    return pointerTo(this.pointer, name);
  }
}
