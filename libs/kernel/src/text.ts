/** How deep a value may be nested. A cycle would otherwise end in an overflow of the stack. */
export const CANONICAL_DEPTH_MAX = 64;

const areSorted = (keys: readonly string[]): boolean => {
  for (let nth = 1; nth < keys.length; nth++) if (keys[nth - 1]! > keys[nth]!) return false;
  return true;
};

/** A key that JavaScript puts into an order of its own, or takes for something else. */
const ODD_KEY = /^\d|^__proto__$/;
const isPlain = (property: unknown): boolean => typeof property === 'string' || typeof property === 'boolean' || property === null || (typeof property === 'number' && Number.isFinite(property));

/** An object of texts, numbers and truth values, as most are: for it the engine's own writer gives the same text, in a part of the time. Undefined for others. */
const flatObject = (value: Readonly<Record<string, unknown>>, keys: readonly string[], sorted: boolean): string | undefined => {
  for (const key of keys) if (!isPlain(value[key]) || (!sorted && ODD_KEY.test(key))) return undefined;
  if (sorted) return JSON.stringify(value);
  const inOrder: Record<string, unknown> = {};
  for (const key of keys) inOrder[key] = value[key];
  return JSON.stringify(inOrder);
};

const canonicalObject = (value: object, depth: number): string => {
  const keys = Object.keys(value);
  const sorted = areSorted(keys);
  if (!sorted) keys.sort();
  const flat = depth < CANONICAL_DEPTH_MAX ? flatObject(value as Record<string, unknown>, keys, sorted) : undefined;
  if (flat !== undefined) return flat;
  let text = '';
  for (const key of keys) {
    const property = (value as Record<string, unknown>)[key];
    if (property !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonical(property, depth + 1)}`;
  }
  return `{${text}}`;
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
