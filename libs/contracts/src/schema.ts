/**
 * The few shapes that facts are made of. Each is a JSON Schema (2020-12) and a TypeScript type at once, so that
 * what is checked when a fact is appended and what the compiler checks cannot differ.
 */
export interface Schema<T, Optional extends boolean = false> {
  readonly json: Readonly<Record<string, unknown>>;
  readonly optional: Optional;
  /** Only for the compiler. */
  readonly _type?: T;
}
export type TypeOf<S> = S extends Schema<infer T, boolean> ? T : never;

type Shape = Readonly<Record<string, Schema<unknown, boolean>>>;
type OptionalKeys<P extends Shape> = { [K in keyof P]: P[K]['optional'] extends true ? K : never }[keyof P];
type RequiredKeys<P extends Shape> = Exclude<keyof P, OptionalKeys<P>>;
export type ObjectOf<P extends Shape> =
  { readonly [K in RequiredKeys<P>]: TypeOf<P[K]> } & { readonly [K in OptionalKeys<P>]?: TypeOf<P[K]> };

const TEXT_LENGTH_MAX = 4_096;
const LIST_LENGTH_MAX = 100_000;

const schema = <T>(json: Record<string, unknown>): Schema<T> => ({ json, optional: false });

export const text = (maxLength = TEXT_LENGTH_MAX): Schema<string> => schema({ type: 'string', maxLength });
/** An amount, price or quantity: a decimal string in major units, never a JSON number. */
export const decimal = (): Schema<string> => schema({ type: 'string', pattern: '^-?[0-9]+(\\.[0-9]+)?$', maxLength: 80 });
/** RFC 3339 in UTC. */
export const instant = (): Schema<string> => schema({ type: 'string', pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?Z$' });
export const whole = (minimum = 0): Schema<number> => schema({ type: 'integer', minimum });
export const flag = (): Schema<boolean> => schema({ type: 'boolean' });
export const oneOf = <const V extends readonly string[]>(...values: V): Schema<V[number]> => schema({ enum: values });
export const object = <P extends Shape>(properties: P): Schema<ObjectOf<P>> => schema({
  type: 'object',
  properties: Object.fromEntries(Object.entries(properties).map(([name, { json }]) => [name, json])),
  required: Object.entries(properties).filter(([, { optional: isOptional }]) => !isOptional).map(([name]) => name),
  additionalProperties: false,
});
export const list = <T>(item: Schema<T>, maxItems = LIST_LENGTH_MAX): Schema<readonly T[]> => schema({ type: 'array', items: item.json, maxItems });
/** Keys that are data, such as the dimensions of a group. */
export const mapOf = <T>(value: Schema<T>): Schema<Readonly<Record<string, T>>> => schema({ type: 'object', additionalProperties: value.json });
export const nullable = <T>(inner: Schema<T>): Schema<T | null> => schema({ anyOf: [inner.json, { type: 'null' }] });
export const anyOf = <S extends readonly Schema<unknown>[]>(...choices: S): Schema<TypeOf<S[number]>> =>
  schema({ anyOf: choices.map(({ json }) => json) });
/** Whatever JSON holds: for what was said outside and is kept as it was said. */
export const anything = (): Schema<unknown> => schema({});
export const optional = <T>(inner: Schema<T>): Schema<T, true> => ({ json: inner.json, optional: true });
/** Personal data: encrypted at rest with the key of the customer that the event's `personalKey` names. */
export const personal = <T>(inner: Schema<T>): Schema<T> => schema({ ...inner.json, 'x-personal': true });
