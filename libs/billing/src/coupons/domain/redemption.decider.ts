import { dispatch, Refused, type Decider } from '@valueverse/kernel';
import type { CouponRedeemed, CouponRemoved } from '@valueverse/contracts';

/** Whether the coupon may be redeemed is checked before, where its counter is held. */
export interface RedeemCoupon { readonly type: 'RedeemCoupon'; readonly redemptionId: string; readonly couponKey: string; readonly accountId: string; readonly at: string }
export interface RemoveCoupon { readonly type: 'RemoveCoupon'; readonly redemptionId: string; readonly at: string }
export type RedemptionCommand = RedeemCoupon | RemoveCoupon;
export type RedemptionFact = CouponRedeemed | CouponRemoved;
export interface Redemption { readonly redeemed?: Pick<CouponRedeemed, 'couponKey' | 'accountId'>; readonly isRemoved: boolean }

/** Refuses with `redemption_not_found`. */
export const redemption: Decider<RedemptionCommand, RedemptionFact, Redemption> = {
  initial: { isRemoved: false },
  decide: dispatch<RedemptionCommand, Redemption, readonly RedemptionFact[]>({
    RedeemCoupon: ({ type: _, at, ...said }, { redeemed }) => (redeemed === undefined ? [{ ...said, type: 'CouponRedeemed', redeemedAt: at }] : []),
    RemoveCoupon: ({ redemptionId, at }, { redeemed, isRemoved }) => {
      if (redeemed === undefined) throw new Refused('redemption_not_found', `there is no redemption ${redemptionId}`);
      return isRemoved ? [] : [{ type: 'CouponRemoved', redemptionId, ...redeemed, removedAt: at }];
    },
  }),
  evolve: dispatch<RedemptionFact, Redemption, Redemption>({
    CouponRedeemed: ({ couponKey, accountId }) => ({ redeemed: { couponKey, accountId }, isRemoved: false }),
    CouponRemoved: (_, state) => ({ ...state, isRemoved: true }),
  }),
};
