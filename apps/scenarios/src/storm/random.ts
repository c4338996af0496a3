/** Chance that a seed decides: the same seed, the same choices. */
export class Random {
  private state: number;
  constructor(seed: number) { this.state = seed >>> 0; }

  /** From 0 up to, and without, 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  whole(from: number, to: number): number { return from + Math.floor(this.next() * (to - from + 1)); }
  isLucky(probability: number): boolean { return this.next() < probability; }
  one<T>(list: readonly T[]): T { return list[this.whole(0, list.length - 1)]!; }
  weighted<T extends { readonly weight: number }>(list: readonly T[]): T {
    let left = this.next() * list.reduce((sum, { weight }) => sum + weight, 0);
    return list.find(({ weight }) => (left -= weight) < 0) ?? list.at(-1)!;
  }
}
