/** The name of the hash below. It is stored beside the partition count and checked at boot, because partitions never change. */
export const HASH_NAME = 'fnv1a32-fmix32/1';

const FNV_OFFSET_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const NEWLINE = 10;
const REPLACEMENT_CHARACTER = 0xfffd;

const withByte = (hash: number, byte: number): number => Math.imul(hash ^ byte, FNV_PRIME);

const withCodePoint = (hash: number, code: number): number => {
  if (code < 0x80) return withByte(hash, code);
  if (code < 0x800) return withByte(withByte(hash, 0xc0 | (code >> 6)), 0x80 | (code & 0x3f));
  const last = (start: number): number => withByte(withByte(start, 0x80 | ((code >> 6) & 0x3f)), 0x80 | (code & 0x3f));
  if (code < 0x10000) return last(withByte(hash, 0xe0 | (code >> 12)));
  return last(withByte(withByte(hash, 0xf0 | (code >> 18)), 0x80 | ((code >> 12) & 0x3f)));
};

/** FNV-1a, 32 bit, continued over the UTF-8 bytes of `text`. A lone surrogate counts as U+FFFD, as it does in every UTF-8 encoder. */
const withText = (start: number, text: string): number => {
  let hash = start;
  for (let index = 0; index < text.length; index++) {
    const code = text.codePointAt(index)!;
    if (code > 0xffff) index++;
    hash = withCodePoint(hash, code >= 0xd800 && code <= 0xdfff ? REPLACEMENT_CHARACTER : code);
  }
  return hash;
};

/** The finalizer of MurmurHash3 (Austin Appleby, public domain): FNV-1a alone leaves the low bits of similar keys alike. */
const fmix32 = (hash: number): number => {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
};

/** The 32-bit hash of a tenant and a key: fmix32 of FNV-1a over the UTF-8 bytes of the tenant, a line feed, and the key. */
export const partitionHash = (tenant: string, key: string): number =>
  fmix32(withText(withByte(withText(FNV_OFFSET_BASIS, tenant), NEWLINE), key));

/**
 * The partition, 0 to `count - 1`, of a stream id or subject of a tenant: `partitionHash` modulo `count`. The hash is
 * our own and written down, so that it is the same on every feed and in every release.
 */
export const partitionOf = (tenant: string, key: string, count: number): number => {
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`${count} partitions`);
  return partitionHash(tenant, key) % count;
};
