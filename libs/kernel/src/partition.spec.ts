import * as fc from 'fast-check';
import { runs } from '@valueverse/testing';
import { HASH_NAME, partitionHash, partitionOf } from './partition';

test('the hash is the one that is written down', () => {
  expect(HASH_NAME).toBe('fnv1a32-fmix32/1');
  const vectors: readonly (readonly [string, string, number])[] = [
    ['', '', 579050429],
    ['ten_1', 'acme-prod', 3657918216],
    ['ten_1', 'acme-dev', 3702191404],
    ['ten_2', 'acme-prod', 112133930],
    ['münchen', 'straße', 3619727563],
    ['東京', '支払い', 2670099016],
    ['a', '😀', 3899692267],
    ['org_01h2xcejqtf2nbrexx3vqjhp41:test', 'sub_01h455vb4pex5vsknk084sn02q', 3890713830],
  ];
  for (const [tenant, key, hash] of vectors) {
    expect(partitionHash(tenant, key)).toBe(hash);
    expect([partitionOf(tenant, key, 16), partitionOf(tenant, key, 32)]).toEqual([hash % 16, hash % 32]);
  }
});

test('the bytes hashed are those of UTF-8, lone surrogates too', () =>
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), (tenant, key) => {
      let hash = 0x811c9dc5;
      for (const byte of Buffer.from(`${tenant}\n${key}\ud800`, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193);
      hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
      hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
      expect(partitionHash(tenant, `${key}\ud800`)).toBe((hash ^ (hash >>> 16)) >>> 0);
    }),
    runs(32, 300),
  ));

test('keys that differ in one digit spread over all partitions evenly', () => {
  const counts = new Array<number>(32).fill(0);
  for (let n = 0; n < 32_000; n++) counts[partitionOf('org_1:test', `subject-${n}`, 32)]! += 1;
  // A thousand each on average; five standard deviations are 156.
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(156);
});

test('no partitions is a mistake', () => {
  for (const count of [0, -1, 1.5]) expect(() => partitionOf('t', 'k', count)).toThrow(RangeError);
});
