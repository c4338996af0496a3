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

test('what has no one text is an error', () => {
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  for (const value of [1n, undefined, NaN, Infinity, () => 1, Symbol('s'), [undefined], { a: 1n }, cycle]) expect(() => canonicalJson(value)).toThrow(TypeError);
  let deep: unknown = 0;
  for (let depth = 0; depth < CANONICAL_DEPTH_MAX; depth++) deep = [deep];
  expect(canonicalJson(deep)).toHaveLength(2 * CANONICAL_DEPTH_MAX + 1);
});
