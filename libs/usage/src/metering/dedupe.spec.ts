import { createHash } from 'node:crypto';
import { canonicalJson } from '@valueverse/kernel';
import fc from 'fast-check';
import { runs } from '@valueverse/testing';
import { contentOf } from './dedupe';
import { KEY_BYTES, KeyBytes, keyOf, uuidOfKey } from './key-bytes';

test('the content of an event is the hash of its type and data as canonical JSON, as it is stored of events that came before', () => {
  fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\udfff', '\ud800x', '\u2028', '"\\')), fc.option(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), { nil: undefined }), (type, data) => {
    const event = { id: 'e', source: 's', subject: 'c', time: '2026-01-01T00:00:00Z', type, ...(data === undefined ? {} : { data }) };
    expect(Buffer.from(contentOf(event as never), 'latin1')).toEqual(createHash('sha256').update(canonicalJson([type, data ?? {}])).digest().subarray(0, 8));
  }), runs(57, 200));
});

test('a key is half of the hash that a reused id shares and half of the one with the subject, in a list of keys as alone', () => {
  const halfOf = (...parts: string[]): string => createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16);
  const names = ['a', 'ä', '客'].map((subject, nth) => ({ subject, source: `s${nth}`, id: 'e' }));
  const keys = new KeyBytes(names.length);
  for (const [place, name] of names.entries()) keys.put(place, 't', name);
  for (const [place, name] of names.entries()) {
    const { subject, source, id } = name;
    const hex = halfOf('t', source, id) + halfOf('t', subject, source, id);
    expect(uuidOfKey(keyOf('t', name))).toBe(hex);
    expect(keys.text(place)).toBe(keyOf('t', name));
    const bytes = Buffer.from(hex, 'hex');
    expect([keys.prefix(place), keys.word(place, 0), keys.word(place, 1)]).toEqual([bytes.readUInt32BE(0), bytes.readUInt32LE(0), bytes.readUInt32LE(4)]);
    const row = new DataView(new ArrayBuffer(KEY_BYTES + 3));
    keys.copyTo(row, 3, place);
    expect(Buffer.from(row.buffer).subarray(3)).toEqual(bytes);
  }
});
