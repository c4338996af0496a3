import { Decimal } from '@valueverse/kernel';

/** Adds up exactly. Whole numbers, which most values are, are added as such while that is exact. */
export class ExactSum {
  private whole = 0;
  private rest = Decimal.zero;

  add(value: number | Decimal): void {
    if (typeof value !== 'number') { this.rest = this.rest.plus(value); return; }
    const next = this.whole + value;
    if (Number.isSafeInteger(next)) { this.whole = next; return; }
    this.rest = this.rest.plus(Decimal.of(this.whole));
    this.whole = value;
  }

  get total(): Decimal { return this.rest.plus(Decimal.of(this.whole)); }
}
