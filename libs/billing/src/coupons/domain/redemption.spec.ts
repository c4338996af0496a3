import { given } from '@valueverse/testing';
import { redemption } from './redemption.decider';

const AT = '2026-06-15T12:00:00Z';
test('a coupon is redeemed and removed once', () => {
  const redeem = { type: 'RedeemCoupon' as const, redemptionId: 'r', couponKey: 'tenth', accountId: 'acc', at: AT };
  const redeemed = { type: 'CouponRedeemed' as const, redemptionId: 'r', couponKey: 'tenth', accountId: 'acc', redeemedAt: AT };
  const removed = { type: 'CouponRemoved' as const, redemptionId: 'r', couponKey: 'tenth', accountId: 'acc', removedAt: AT };
  const remove = { type: 'RemoveCoupon' as const, redemptionId: 'r', at: AT };
  given(redemption).when(redeem).then(redeemed);
  given(redemption, redeemed).when(redeem).then();
  given(redemption).when(remove).thenRefused('redemption_not_found');
  given(redemption, redeemed).when(remove).then(removed);
  given(redemption, redeemed, removed).when(remove).then();
});
