import { createHash } from 'node:crypto';
import { canonicalJson } from '@valueverse/kernel';
import fc from 'fast-check';
import { runs } from '@valueverse/testing';
import { contentOf } from './dedupe';

test('the content of an event is the hash of its type and data as canonical JSON, as it is stored of events that came before', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), fc.option(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), { nil: undefined }), (type, data) => {
    const event = { id: 'e', source: 's', subject: 'c', time: '2026-01-01T00:00:00Z', type, ...(data === undefined ? {} : { data }) };
    expect(Buffer.from(contentOf(event as never), 'latin1')).toEqual(createHash('sha256').update(canonicalJson([type, data ?? {}])).digest().subarray(0, 8));
  }), runs(57, 200));
});
