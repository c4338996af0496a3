/** Keys that the first part of a filter holds where nothing is known of their number; each further part holds as many as all before it. */
const FIRST_PART_KEYS = 131_072;
const BITS_PER_KEY = 16;
/** A key's bits are all in one block, which is a line of the processor's cache: a look at a filter that is larger than the cache is one miss, not one for each bit. */
const BLOCK_BITS = 512;
const BLOCK_WORDS = BLOCK_BITS / 32;
const LOOKS = 8;
const WORD = 2 ** 32;

interface Part { readonly words: Uint32Array; readonly blocks: number; free: number }

const partFor = (keys: number): Part => {
  const blocks = Math.max(1, Math.ceil(keys * BITS_PER_KEY / BLOCK_BITS));
  return { words: new Uint32Array(blocks * BLOCK_WORDS), blocks, free: keys };
};

/**
 * Says of a key that it is not there, or that it may be: a Bloom filter that grows by parts, about one "perhaps" in a thousand looks for nothing. It never says "not there" of a key that was
 * added. Keys are hashes, so their own bits are the looks. A duplicate and an id that is reused under another subject share the first half of their keys, and only that is looked at: two words.
 */
export class KeyFilter {
  private readonly parts: Part[] = [];
  private keys = 0;

  /** `expected`: how many keys will be there at once, where that is known. */
  constructor(private readonly expected = FIRST_PART_KEYS) {}

  /** By the key's first two words, as `mayHave` is asked. */
  add(first: number, second: number): void {
    let part = this.parts[this.parts.length - 1];
    if (part === undefined || part.free === 0) this.parts.push(part = partFor(Math.max(this.keys, this.expected, FIRST_PART_KEYS)));
    part.free -= 1;
    this.keys += 1;
    const block = blockOf(part, first);
    for (let look = 0, bit = second & (BLOCK_BITS - 1); look < LOOKS; look++, bit = (bit + stepOf(second)) & (BLOCK_BITS - 1)) {
      part.words[block + (bit >>> 5)] = part.words[block + (bit >>> 5)]! | (1 << (bit & 31));
    }
  }

  /** By the key's first two words, which who asks many filters reads once. */
  mayHave(first: number, second: number): boolean {
    for (const part of this.parts) if (isIn(part, first, second)) return true;
    return false;
  }

  get bytes(): number { return this.parts.reduce((bytes, { words }) => bytes + words.byteLength, 0); }
}

const blockOf = ({ blocks }: Part, first: number): number => Math.floor(first / WORD * blocks) * BLOCK_WORDS;
/** Odd, so that the looks come to every bit of a block before they come again. */
const stepOf = (second: number): number => ((second >>> 9) | 1) & (BLOCK_BITS - 1);

const isIn = (part: Part, first: number, second: number): boolean => {
  const block = blockOf(part, first);
  const step = stepOf(second);
  for (let look = 0, bit = second & (BLOCK_BITS - 1); look < LOOKS; look++, bit = (bit + step) & (BLOCK_BITS - 1)) {
    if ((part.words[block + (bit >>> 5)]! & (1 << (bit & 31))) === 0) return false;
  }
  return true;
};
