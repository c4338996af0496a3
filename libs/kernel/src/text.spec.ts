import fc from 'fast-check';
import { runs } from '@valueverse/testing';
import { Decimal } from './decimal';
import { CANONICAL_DEPTH_MAX, canonicalJson } from './text';

test('equal values have one text, whatever the order of their keys', () => {
  expect(canonicalJson({ b: [1, 'x', null, true], a: { d: 1.5, c: 'é"\n' } })).toBe('{"a":{"c":"é\\"\\n","d":1.5},"b":[1,"x",null,true]}');
  expect(canonicalJson({ b: 1, a: undefined, B: 2 })).toBe('{"B":2,"b":1}');
  expect(canonicalJson({ amount: Decimal.of('1.50') })).toBe('{"amount":"1.5"}');
});

test('keys are in the order of their code units, also those that JavaScript orders in its own way or takes for something else', () => {
  expect(canonicalJson({ 9: 'a', 10: 'b', a: 1 })).toBe('{"10":"b","9":"a","a":1}');
  expect(canonicalJson(JSON.parse('{"z":1,"__proto__":"x","a":"\\ud800"}'))).toBe('{"__proto__":"x","a":"\\ud800","z":1}');
  expect(canonicalJson({ b: -0, a: 1e21, toJSON: 'no function' })).toBe('{"a":1e+21,"b":0,"toJSON":"no function"}');
  expect(() => canonicalJson({ b: NaN, a: 1 })).toThrow(TypeError);
});

/** The same, as RFC 8785 says it: each value by itself, keys compared one code unit after the other. */
const plainly = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(plainly).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const units = (text: string): number[] => text.split('').map((unit) => unit.charCodeAt(0));
  const isLess = (left: number[], right: number[]): boolean => {
    const at = left.findIndex((unit, index) => unit !== right[index]);
    return at === -1 ? left.length < right.length : at >= right.length ? false : left[at]! < right[at]!;
  };
  const entries = Object.entries(value).filter(([, property]) => property !== undefined);
  const sorted = entries.sort(([left], [right]) => (isLess(units(left), units(right)) ? -1 : isLess(units(right), units(left)) ? 1 : 0));
  return `{${sorted.map(([key, property]) => `${JSON.stringify(key)}:${plainly(property)}`).join(',')}}`;
};

test('any value has the text that a plain reading of the rule gives it, in any order of its keys', () => {
  const key = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', 'toString', 'toJSON', 'length', '', '0', '10', '9', '-1', '01', '4294967295', '\ud800', '\uffff', '\u{1f600}', 'é'));
  const leaf = fc.oneof(fc.string({ unit: 'binary' }), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.maxSafeInteger(), fc.boolean(), fc.constantFrom(null, undefined, -0, 1e21, 5e-324, '\udfff', '\u2028'));
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie('value').filter((item) => item !== undefined), { maxLength: 4 }), tie('object')),
    object: fc.array(fc.tuple(key, tie('value')), { maxLength: 7 }).map((entries) => Object.defineProperties({}, Object.fromEntries(entries.map(([name, property]) => [`${name}`, { value: property, enumerable: true, configurable: true, writable: true }])))),
  }));
  fc.assert(fc.property(value.filter((one) => one !== undefined), (one) => {
    expect(canonicalJson(one)).toBe(plainly(one));
    expect(canonicalJson(JSON.parse(JSON.stringify(one)))).toBe(plainly(one));
  }), runs(20261122, 3_000));
});

test('what has no one text is an error', () => {
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  for (const value of [1n, undefined, NaN, Infinity, () => 1, Symbol('s'), [undefined], { a: 1n }, cycle]) expect(() => canonicalJson(value)).toThrow(TypeError);
  let deep: unknown = 0;
  for (let depth = 0; depth < CANONICAL_DEPTH_MAX; depth++) deep = [deep];
  expect(canonicalJson(deep)).toHaveLength(2 * CANONICAL_DEPTH_MAX + 1);
});
