/** Keys that the first part of a filter holds where nothing is known of their number; each further part holds as many as all before it. */
const FIRST_PART_KEYS = 131_072;
const BITS_PER_KEY = 20;
/** A key's bits are all in one block, which is a line of the processor's cache: a look at a filter that is larger than the cache is one miss, not one for each bit. */
const BLOCK_BITS = 512;
const BLOCK_WORDS = BLOCK_BITS / 32;
/** Each look is at the upper bits of a key's second word times one of these: odd numbers without a pattern, so that two keys which share one look share no other. */
const LOOKS = [0x428a2f99, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a5, 0xab1c5ed5] as const;
const BIT_SHIFT = 32 - Math.log2(BLOCK_BITS);
const WORD = 2 ** 32;

interface Part { readonly words: Uint32Array; readonly blocks: number; free: number }

const partFor = (keys: number): Part => {
  const blocks = Math.max(1, Math.ceil(keys * BITS_PER_KEY / BLOCK_BITS));
  return { words: new Uint32Array(blocks * BLOCK_WORDS), blocks, free: keys };
};

/**
 * Says of a key that it is not there, or that it may be: a Bloom filter that grows by parts. About one "perhaps" in two thousand looks for nothing: a look at all days of the window asks 35 of them, and each
 * "perhaps" costs a look at the index. It never says "not there" of a key that was added. Keys are hashes, so their own bits are the looks. A duplicate and an id that is reused under another subject share the first half of their keys, and only that is looked at: two words.
 */
export class KeyFilter {
  private readonly parts: Part[] = [];
  private keys = 0;

  /** `expected`: how many keys will be there at once, where that is known. */
  constructor(private readonly expected = FIRST_PART_KEYS) {}

  /** By the key's first two words, as `perhaps` is asked. */
  add(first: number, second: number): void {
    let part = this.parts[this.parts.length - 1];
    if (part === undefined || part.free === 0) this.parts.push(part = partFor(Math.max(this.keys, this.expected, FIRST_PART_KEYS)));
    part.free -= 1;
    this.keys += 1;
    const block = blockOf(part, first);
    for (const look of LOOKS) {
      const bit = Math.imul(second, look) >>> BIT_SHIFT;
      part.words[block + (bit >>> 5)] = part.words[block + (bit >>> 5)]! | (1 << (bit & 31));
    }
  }

  /** Of keys, by the first two words of each one after the other, the places of those that may be there, ascending. */
  perhaps(words: Uint32Array): number[] {
    if (this.parts.length === 1) return [...perhapsIn(this.parts[0]!, words)];
    return [...new Set(this.parts.flatMap((part) => [...perhapsIn(part, words)]))].sort((left, right) => left - right);
  }

  get bytes(): number { return this.parts.reduce((bytes, { words }) => bytes + words.byteLength, 0); }
}

const blockOf = ({ blocks }: Part, first: number): number => Math.floor(first / WORD * blocks) * BLOCK_WORDS;

/**
 * One look at all keys, then the next one at those that are left. A look decides nothing on its way, so the processor fetches the lines of many keys at once: most of what it costs to ask a filter is to
 * wait for memory.
 */
const perhapsIn = (part: Part, words: Uint32Array): Uint32Array => {
  let left = words.length / 2;
  const places = new Uint32Array(left);
  for (let place = 0; place < left; place++) places[place] = place;
  for (const look of LOOKS) {
    let kept = 0;
    for (let nth = 0; nth < left; nth++) {
      const place = places[nth]!;
      const bit = Math.imul(words[2 * place + 1]!, look) >>> BIT_SHIFT;
      places[kept] = place;
      kept += (part.words[blockOf(part, words[2 * place]!) + (bit >>> 5)]! >>> (bit & 31)) & 1;
    }
    left = kept;
  }
  return places.subarray(0, left);
};
