import { compareInstants, Decimal, isBefore } from '@valueverse/kernel';
import type { CouponCreated } from '@valueverse/contracts';
import type { AppliedCoupon } from '@valueverse/rating';

/** What a redemption takes off invoices in a currency. An amount is in major units of it and comes off the price as it is written: with the tax in it where that is inclusive. */
export interface Discount {
  readonly redemptionId: string;
  readonly couponKey: string;
  readonly name: string;
  readonly discount: AppliedCoupon['discount'];
  /** The lines that it lowers: of these plans and of these charges, where either is said. Of the whole invoice where neither is. */
  readonly planKeys?: readonly string[];
  readonly chargeKeys?: readonly string[];
  /** Whether others may lower the same lines. */
  readonly stackable: boolean;
}
export interface RedeemedCoupon { readonly redemptionId: string; readonly redeemedAt: string; readonly couponKey: string; readonly name: string; readonly coupon: CouponCreated; readonly uses: number }

/** Charges, then plans, then the whole invoice: what is said more narrowly is taken first. */
const widthOf = ({ planKeys, chargeKeys }: Discount): number => (chargeKeys !== undefined ? 0 : planKeys !== undefined ? 1 : 2);

const discountOf = ({ redemptionId, couponKey, name, coupon: { discount, appliesTo = {}, stackable } }: RedeemedCoupon, currency: string): Discount | undefined => {
  const { type } = discount;
  const value = type === 'percent' || discount.currency === currency ? discount.value : discount.currencyValues?.[currency];
  if (value === undefined || Decimal.parse(value).isZero()) return undefined;
  return { redemptionId, couponKey, name, discount: { type, value }, ...appliesTo, stackable };
};

/**
 * What may lower an invoice in a currency at an instant, in the order in which it is taken: coupons of charges, of plans, of the whole invoice; of two of a kind the one that was redeemed first.
 * Not what was redeemed later, has lowered as many invoices as it may, or is an amount in other currencies. The source of the order: Lago.
 */
export const orderedDiscounts = (redeemed: readonly RedeemedCoupon[], currency: string, at: string): readonly Discount[] => {
  const inForce = redeemed.filter(({ redeemedAt, uses, coupon: { periods } }) => !isBefore(at, redeemedAt) && (periods === undefined || uses < periods));
  const ordered = inForce.flatMap((one) => {
    const discount = discountOf(one, currency);
    return discount === undefined ? [] : [{ discount, redeemedAt: one.redeemedAt }];
  }).sort((left, right) => widthOf(left.discount) - widthOf(right.discount) || compareInstants(left.redeemedAt, right.redeemedAt) || (left.discount.redemptionId < right.discount.redemptionId ? -1 : 1));
  return ordered.map(({ discount }) => discount);
};
