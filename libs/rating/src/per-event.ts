import { Decimal } from '@valueverse/kernel';
import { percentOf } from './percent';

/** What a percentage price says of single events, in percent and major units. */
export interface PercentageTerms {
  readonly rate: Decimal;
  readonly fixedAmount?: Decimal | undefined;
  readonly freeEvents?: number | undefined;
  readonly freeAmount?: Decimal | undefined;
  readonly minAmountPerEvent?: Decimal | undefined;
  readonly maxAmountPerEvent?: Decimal | undefined;
}
/** What some events cost, exactly: nothing is rounded before the line. */
export interface PricedEvents {
  readonly amount: Decimal;
  readonly freeEvents: number;
  readonly paidEvents: number;
  /** The part of the values that was paid for. */
  readonly paidValue: Decimal;
}

/**
 * Prices events one after the other, in the order in which they are given: of their time. An event is free while neither the free events nor the free amount is
 * used up; the one that crosses the free amount pays for the part above it. The bounds are of its rate part and the fixed amount together.
 */
export class PercentageEvents {
  private seen = 0;
  private value = Decimal.zero;
  private amount = Decimal.zero;
  private free = 0;
  private paidValue = Decimal.zero;

  constructor(private readonly terms: PercentageTerms) {}

  add(value: Decimal): void {
    const paid = this.paidPart(value);
    this.seen += 1;
    this.value = this.value.plus(value);
    if (paid === undefined) { this.free += 1; return; }
    this.paidValue = this.paidValue.plus(paid);
    this.amount = this.amount.plus(this.bounded(percentOf(paid, this.terms.rate).plus(this.terms.fixedAmount ?? Decimal.zero)));
  }

  get result(): PricedEvents { return { amount: this.amount, freeEvents: this.free, paidEvents: this.seen - this.free, paidValue: this.paidValue }; }

  /** The part of an event's value that is paid for; undefined where the event is free. */
  private paidPart(value: Decimal): Decimal | undefined {
    const { freeEvents, freeAmount } = this.terms;
    if (freeEvents === undefined && freeAmount === undefined) return value;
    const isFree = (freeEvents === undefined || this.seen < freeEvents) && (freeAmount === undefined || this.value.lt(freeAmount));
    if (!isFree) return value;
    const after = this.value.plus(value);
    return freeAmount !== undefined && after.gt(freeAmount) ? after.minus(freeAmount) : undefined;
  }

  private bounded(amount: Decimal): Decimal {
    const { minAmountPerEvent: least, maxAmountPerEvent: most } = this.terms;
    const raised = least === undefined ? amount : Decimal.max(amount, least);
    return most === undefined ? raised : Decimal.min(raised, most);
  }
}
