import { applyDecorators } from '@nestjs/common';
import { ApiProperty, type ApiPropertyOptions } from '@nestjs/swagger';
import { parseInstant, Refused } from '@valueverse/kernel';
import { Transform, type TransformFnParams, Type } from 'class-transformer';
import { Allow, ValidateBy, ValidateNested, type ValidationArguments } from 'class-validator';
import {
  currencyRule, decimalRule, flagRule, instantRule, KEY_LENGTH_MAX, keyRule, LIST_LENGTH_MAX, listRule, METADATA_ENTRIES_MAX, metadataRule,
  objectRule, oneOfRule, type Rule, textRule, TEXT_LENGTH_MAX, wholeRule, zoneRule,
} from './field-rules';

/** What every field may say. */
export interface FieldOptions {
  /** May be absent. */
  readonly optional?: boolean;
  /** `null` is a value of its own: it removes the field in a merge patch. Elsewhere `null` is the same as absent. */
  readonly nullable?: boolean;
  readonly description?: string;
  readonly example?: unknown;
}

type Class = abstract new (...parameters: never[]) => object;
const MISSING = { code: 'missing_field', detail: 'is required' };

/** How a fault travels through class-validator, whose faults are plain texts. */
export const packFault = (fault: { code: string; detail: string; within?: string }): string => JSON.stringify([fault.code, fault.detail, fault.within ?? '']);

/** A field under one rule: at most one fault, the rule's. The other decorators of this file are made of it. */
export function Field(rule: Rule, options: FieldOptions, schema: ApiPropertyOptions, ...more: PropertyDecorator[]): PropertyDecorator {
  const faultOf = (value: unknown) => {
    if (value === undefined) return options.optional ? undefined : MISSING;
    if (value === null && options.nullable) return undefined;
    return rule(value);
  };
  const { description, example } = options;
  return applyDecorators(
    Transform(({ value }: TransformFnParams): unknown => (value === null && !options.nullable ? undefined : value)),
    ValidateBy({
      name: 'field',
      validator: {
        validate: (value: unknown) => faultOf(value) === undefined,
        defaultMessage: (argument?: ValidationArguments) => packFault(faultOf(argument?.value) ?? MISSING),
      },
    }),
    ApiProperty({
      ...schema,
      required: !options.optional,
      ...(options.nullable ? { nullable: true } : {}),
      ...(description === undefined ? {} : { description }),
      ...(example === undefined ? {} : { example }),
    } as ApiPropertyOptions),
    ...more,
  );
}

const transformed = (change: (value: unknown) => unknown): PropertyDecorator => Transform(({ value }: TransformFnParams): unknown => change(value));

const inNormalForm = (value: unknown): unknown => (typeof value === 'string' ? value.normalize('NFC') : value);

/** Free text for people, in normal form C. */
export const Text = (options: FieldOptions & { max?: number; min?: number; pattern?: RegExp } = {}): PropertyDecorator => {
  const { max = TEXT_LENGTH_MAX, min = 1, pattern } = options;
  return Field(textRule(max, min, pattern), options, { type: String, maxLength: max, minLength: min, ...(pattern ? { pattern: pattern.source } : {}) },
    transformed(inNormalForm));
};

/** A name that the tenant chooses and uses in paths. */
export const Key = (options: FieldOptions = {}): PropertyDecorator =>
  Field(keyRule, options, { type: String, maxLength: KEY_LENGTH_MAX, minLength: 1, pattern: '^[A-Za-z0-9][A-Za-z0-9._:-]*$' });

/** An exact decimal in a string: a quantity, a price, a rate. `min` and `max` are decimals too. */
export const DecimalString = (options: FieldOptions & { min?: string; max?: string } = {}): PropertyDecorator =>
  Field(decimalRule(options.min, options.max), options, { type: String, format: 'decimal', pattern: '^-?\\d+(\\.\\d+)?$', example: '12.34' });

/** An amount in major units beside a currency; not negative unless `min` says so. How many digits it may have is its currency's rule. */
export const MoneyString = (options: FieldOptions & { min?: string; max?: string } = {}): PropertyDecorator =>
  DecimalString({ ...options, min: options.min ?? '0' });

/** An instant with any offset; the handler sees it in UTC. */
export const InstantField = (options: FieldOptions = {}): PropertyDecorator =>
  Field(instantRule, options, { type: String, format: 'date-time' }, transformed((value) => {
    try {
      return typeof value === 'string' ? parseInstant(value) : value;
    } catch (error) {
      // The rule sees the text as it came and says what is wrong with it.
      if (error instanceof Refused) return value;
      throw error;
    }
  }));

/** The name of an IANA time zone. */
export const ZoneField = (options: FieldOptions = {}): PropertyDecorator => Field(zoneRule, options, { type: String, example: 'Europe/Berlin' });

/** A currency code of ISO 4217. */
export const CurrencyField = (options: FieldOptions = {}): PropertyDecorator =>
  Field(currencyRule, options, { type: String, minLength: 3, maxLength: 3, example: 'USD' });

/** One of a few words. */
export const OneOf = (values: readonly string[], options: FieldOptions = {}): PropertyDecorator =>
  Field(oneOfRule(values), options, { type: String, enum: [...values] });

/** True or false; of a query also the words. */
export const Flag = (options: FieldOptions & { fromText?: boolean } = {}): PropertyDecorator =>
  Field(flagRule, options, { type: Boolean }, ...(options.fromText ? [transformed((value) => (value === 'true' ? true : value === 'false' ? false : value))] : []));

/** A whole number; of a query (`fromText`) also its digits. */
export const Whole = (options: FieldOptions & { min?: number; max?: number; fromText?: boolean } = {}): PropertyDecorator => {
  const { min = 0, max = Number.MAX_SAFE_INTEGER, fromText } = options;
  return Field(wholeRule(min, max), options, { type: 'integer', minimum: min, maximum: max },
    ...(fromText ? [transformed((value) => (typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value))] : []));
};

/** By its name `type` the document's maker tells a function that answers a class from a class. */
const ofClass = (type: () => Class): { readonly type: () => new () => object } => ({ type: () => type() as new () => object });

/** An object with fields of its own. */
export const Nested = (type: () => Class, options: FieldOptions = {}): PropertyDecorator =>
  Field(objectRule, options, ofClass(type), ValidateNested(), Type(type as () => new () => object));

/** A list of objects with fields of their own. */
export const ListOf = (type: () => Class, options: FieldOptions & { min?: number; max?: number } = {}): PropertyDecorator => {
  const { min = 0, max = LIST_LENGTH_MAX } = options;
  return Field(listRule(min, max, objectRule), options, { ...ofClass(type), isArray: true, minItems: min, maxItems: max },
    ValidateNested({ each: true }), Type(type as () => new () => object));
};

/** A list of short texts, in normal form C: a name is the same wherever it is said. */
export const TextList = (options: FieldOptions & { min?: number; max?: number; each?: Rule } = {}): PropertyDecorator => {
  const { min = 0, max = LIST_LENGTH_MAX, each = textRule(TEXT_LENGTH_MAX, 1) } = options;
  return Field(listRule(min, max, each), options, { type: String, isArray: true, minItems: min, maxItems: max },
    transformed((value) => (Array.isArray(value) ? value.map(inNormalForm) : value)));
};

/** Up to 50 pairs of strings that mean something to the tenant alone. Optional. */
export const Metadata = (options: FieldOptions = {}): PropertyDecorator =>
  Field(metadataRule, { optional: true, ...options }, { type: 'object', additionalProperties: { type: 'string' }, maxProperties: METADATA_ENTRIES_MAX });

/** Anything: the handler validates it. */
export const Free = (options: FieldOptions & { schema?: ApiPropertyOptions } = {}): PropertyDecorator => applyDecorators(
  Allow(),
  ApiProperty({ ...(options.schema ?? { type: 'object', additionalProperties: true }), required: !options.optional, ...(options.description === undefined ? {} : { description: options.description }) } as ApiPropertyOptions),
);
