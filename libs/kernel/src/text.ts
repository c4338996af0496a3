/** How deep a value may be nested. A cycle would otherwise end in an overflow of the stack. */
export const CANONICAL_DEPTH_MAX = 64;

const canonicalObject = (value: object, depth: number): string => {
  const properties = Object.entries(value)
    .filter(([, property]) => property !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, property]) => `${JSON.stringify(key)}:${canonical(property, depth + 1)}`);
  return `{${properties.join(',')}}`;
};

const canonical = (value: unknown, depth: number): string => {
  if (depth > CANONICAL_DEPTH_MAX) throw new TypeError(`JSON nested deeper than ${CANONICAL_DEPTH_MAX}`);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return JSON.stringify(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (typeof value !== 'object') throw new TypeError(`a ${typeof value} has no canonical JSON`);
  if ('toJSON' in value && typeof value.toJSON === 'function') return canonical(value.toJSON(), depth + 1);
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, depth + 1)).join(',')}]`;
  return canonicalObject(value, depth);
};

/**
 * One text for one value, made for hashing: keys sorted by UTF-16 code units, no white space, strings and numbers as
 * ECMAScript prints them (the form of RFC 8785). `toJSON` is honoured, properties that are `undefined` are left out.
 *
 * A bigint, `undefined` in a list, NaN, a function and nesting deeper than `CANONICAL_DEPTH_MAX` are mistakes of the
 * caller: `TypeError`. Money and quantities travel as decimal strings.
 */
export const canonicalJson = (value: unknown): string => canonical(value, 0);
