/** Keys that one part of a filter holds. */
const PART_KEYS = 262_144;
/** Bits per key and looks per key: about one look in a hundred says "perhaps" where there is nothing. */
const BITS_PER_KEY = 10;
const LOOKS = 6;
const PART_BITS = PART_KEYS * BITS_PER_KEY;
/** Bytes of a part. */
export const PART_BYTES = PART_BITS / 8;

/**
 * Says of a key that it is not there, or that it may be: a Bloom filter that grows by parts. It never says "not there" of a key that was added. Keys are hashes as texts of
 * bytes (latin1), so their own bits are the looks. A duplicate and an id that is reused under another subject share the first half of their keys, and only that is looked at.
 */
export class KeyFilter {
  private readonly parts: Uint32Array[] = [];
  private free = 0;

  /** `at`: where the key begins in the text. */
  add(key: string, at = 0): void {
    if (this.free === 0) { this.parts.push(new Uint32Array(PART_BITS / 32)); this.free = PART_KEYS; }
    this.free -= 1;
    const part = this.parts[this.parts.length - 1]!;
    const [first, step] = [wordAt(key, at), wordAt(key, at + 4) | 1];
    for (let look = 0, place = first; look < LOOKS; look++, place = (place + step) >>> 0) {
      const bit = place % PART_BITS;
      part[bit >>> 5] = part[bit >>> 5]! | (1 << (bit & 31));
    }
  }

  mayHave(key: string): boolean {
    const [first, step] = [wordAt(key, 0), wordAt(key, 4) | 1];
    for (const part of this.parts) if (isIn(part, first, step)) return true;
    return false;
  }

  get bytes(): number { return this.parts.length * PART_BYTES; }
}

const wordAt = (text: string, at: number): number => (text.charCodeAt(at) | (text.charCodeAt(at + 1) << 8) | (text.charCodeAt(at + 2) << 16) | (text.charCodeAt(at + 3) << 24)) >>> 0;

const isIn = (part: Uint32Array, first: number, step: number): boolean => {
  for (let look = 0, at = first; look < LOOKS; look++, at = (at + step) >>> 0) {
    const bit = at % PART_BITS;
    if ((part[bit >>> 5]! & (1 << (bit & 31))) === 0) return false;
  }
  return true;
};
