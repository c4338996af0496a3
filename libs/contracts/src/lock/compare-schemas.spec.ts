import { flag, list, mapOf, nullable, object, oneOf, optional, personal, text, whole, type Schema } from '../schema';
import { compareSchemas } from './compare-schemas';

const before = object({
  id: text(64), count: whole(1), kind: oneOf('a', 'b'), note: optional(text()), name: personal(text()), lines: list(object({ amount: text(), tags: mapOf(text()) }), 10), until: nullable(text()),
});
type Parts = Record<string, Schema<unknown, boolean>>;
const parts: Parts = {
  id: text(64), count: whole(1), kind: oneOf('a', 'b'), note: optional(text()), name: personal(text()), lines: list(object({ amount: text(), tags: mapOf(text()) }), 10), until: nullable(text()),
};
const changed = (change: Parts): readonly string[] => compareSchemas(before.json, object({ ...parts, ...change }).json).map(({ pointer, detail }) => `${pointer}: ${detail}`);
const without = (name: string): readonly string[] => compareSchemas(before.json, object(Object.fromEntries(Object.entries(parts).filter(([key]) => key !== name))).json).map(({ pointer }) => pointer);

test.each<[string, Parts]>([
  ['the same', {}],
  ['an optional property', { later: optional(text()) }],
  ['an optional property of a line', { lines: list(object({ amount: text(), tags: mapOf(text()), later: optional(flag()) }), 10) }],
])('%s breaks nothing', (_, change) => expect(changed(change)).toEqual([]));

test.each<[string, Parts, RegExp]>([
  ['a new property that is required', { later: text() }, /^\/properties\/later: a new property is required/],
  ['an optional property that becomes required', { note: text() }, /^\/properties\/note: the property became required/],
  ['a required property that becomes optional', { id: optional(text(64)) }, /^\/properties\/id: the property became optional/],
  ['another type', { count: text() }, /^\/properties\/count\/type: the type "integer" became "string"/],
  ['a value that is gone', { kind: oneOf('a') }, /^\/properties\/kind\/enum: the values were narrowed by \["b"\]/],
  ['a new value', { kind: oneOf('a', 'b', 'c') }, /^\/properties\/kind\/enum: the values \["c"\] are new/],
  ['a shorter text', { id: text(32) }, /^\/properties\/id\/maxLength: the limit maxLength was narrowed from 64 to 32/],
  ['a longer text', { id: text(128) }, /^\/properties\/id\/maxLength: the limit maxLength was widened/],
  ['a greater minimum', { count: whole(2) }, /^\/properties\/count\/minimum: the limit minimum was narrowed from 1 to 2/],
  ['a shorter list', { lines: list(object({ amount: text(), tags: mapOf(text()) }), 5) }, /^\/properties\/lines\/maxItems: .* narrowed/],
  ['a property of a line that is gone', { lines: list(object({ amount: text() }), 10) }, /^\/properties\/lines\/items\/properties\/tags: the property was removed/],
  ['another type in a map', { lines: list(object({ amount: text(), tags: mapOf(whole()) }), 10) }, /^\/properties\/lines\/items\/properties\/tags\/additionalProperties\/type: /],
  ['a property that is no longer personal', { name: text() }, /^\/properties\/name: the property is no longer personal/],
  ['a property that becomes personal', { id: personal(text(64)) }, /^\/properties\/id: the property became personal/],
  ['a choice more', { until: { json: { anyOf: [{ type: 'string', maxLength: 4_096 }, { type: 'null' }, { type: 'integer' }] }, optional: false } }, /^\/properties\/until\/anyOf: 2 choices became 3/],
  ['another pattern', { id: { json: { type: 'string', maxLength: 64, pattern: '^x' }, optional: false } }, /^\/properties\/id\/pattern: /],
  ['a keyword that nobody has used before', { id: { json: { type: 'string', maxLength: 64, format: 'uuid' }, optional: false } }, /^\/properties\/id\/format: nothing became "uuid"/],
])('%s is a break', (_, change, sentence) => {
  const [found, ...more] = changed(change);
  expect(found).toMatch(sentence);
  expect(more).toEqual([]);
});

test('a property that is gone is a break, optional or not', () => {
  expect(without('id')).toEqual(['/properties/id']);
  expect(without('note')).toEqual(['/properties/note']);
});
