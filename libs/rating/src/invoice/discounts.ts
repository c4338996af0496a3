import { Decimal, Money, type Rounding } from '@valueverse/kernel';
import { percentOf } from '../percent';
import type { AppliedCoupon } from './invoice-terms';

/** What one coupon took: of each line, and together. All amounts are as priced. */
export interface Discounted {
  readonly coupon: AppliedCoupon;
  /** The sum of what was left of the lines that it is for. */
  readonly base: Money;
  /** Of each line of the invoice, in their order. */
  readonly taken: readonly Money[];
  readonly total: Money;
}

interface LineState {
  readonly lineId: string;
  rest: Money;
  isDiscounted: boolean;
  /** A coupon that goes with no other one has it. */
  isClosed: boolean;
}

const wantedOf = ({ discount: { type, value } }: AppliedCoupon, base: Money, rounding: Rounding): Money => {
  const wanted = Money.fromDecimal(type === 'percent' ? percentOf(base.toDecimal(), Decimal.parse(value)) : Decimal.parse(value), base.currency, rounding);
  return wanted.min(base);
};

const applyCoupon = (coupon: AppliedCoupon, states: readonly LineState[], currency: string, rounding: Rounding): Discounted => {
  const zero = Money.zero(currency);
  const wanted = coupon.lineIds === undefined ? undefined : new Set(coupon.lineIds);
  const isFor = ({ lineId, rest, isClosed, isDiscounted }: LineState): boolean =>
    rest.isPositive() && !isClosed && (coupon.stackable || !isDiscounted) && wanted?.has(lineId) !== false;
  const bases = states.map((state) => (isFor(state) ? state.rest : zero));
  const base = Money.sum(bases, currency);
  const total = wantedOf(coupon, base, rounding);
  const taken = total.allocate(bases.map(({ minor }) => minor));
  for (const [nth, state] of states.entries()) {
    if (taken[nth]!.isZero()) continue;
    state.rest = state.rest.subtract(taken[nth]!);
    state.isDiscounted = true;
    state.isClosed ||= !coupon.stackable;
  }
  return { coupon, base, taken, total };
};

/**
 * Coupons one after the other, those for lines first, each on what the ones before have left. What a coupon takes is rounded once and spread over its lines by what is left
 * of each (largest remainder, the earlier line wins a tie); it never takes more than that. Lines below zero are left alone: what they give back was discounted when it was billed.
 */
export const applyCoupons = (lines: readonly { readonly lineId: string; readonly amount: Money }[], coupons: readonly AppliedCoupon[], currency: string, rounding: Rounding): readonly Discounted[] => {
  const states = lines.map(({ lineId, amount }): LineState => ({ lineId, rest: amount, isDiscounted: false, isClosed: false }));
  const ordered = [...coupons.filter(({ lineIds }) => lineIds !== undefined), ...coupons.filter(({ lineIds }) => lineIds === undefined)];
  return ordered.map((coupon) => applyCoupon(coupon, states, currency, rounding));
};
