import { Money } from '@valueverse/kernel';
import { given } from '@valueverse/testing';
import { totalInvoice } from '@valueverse/rating';
import { appliedCoupons, type Discount } from './discount';
import { redemption } from './redemption.decider';

const AT = '2026-06-15T12:00:00Z';
const tenth = (redemptionId: string, more: Partial<Discount> = {}): Discount => ({ redemptionId, couponKey: 'tenth', name: 'Tenth', discount: { type: 'percent', value: '10' }, stackable: true, ...more });
const LINES = [{ lineId: 'fee', chargeKey: 'platform', planKey: 'payg' }, { lineId: 'calls', chargeKey: 'calls', planKey: 'payg' }, { lineId: 'extra', chargeKey: 'calls', planKey: 'other' }, { lineId: 'hand', chargeKey: 'calls' }];

test('a coupon is for the lines of its plans and of its charges, of both where both are said', () => {
  const lineIds = (more: Partial<Discount>): unknown => appliedCoupons([tenth('r', more)], LINES).map((coupon) => coupon.lineIds ?? 'all');
  expect(lineIds({})).toEqual(['all']);
  expect(lineIds({ planKeys: ['payg'] })).toEqual([['fee', 'calls']]);
  expect(lineIds({ chargeKeys: ['calls'] })).toEqual([['calls', 'extra', 'hand']]);
  expect(lineIds({ planKeys: ['payg', 'other'], chargeKeys: ['calls'] })).toEqual([['calls', 'extra']]);
  expect(lineIds({ planKeys: ['none'] })).toEqual([]);
});

// 100.00 less a tenth is 90.00, less a tenth of the rest is 81.00: the two coupons of an account lower one after the other.
test('rating takes them as they are, and says what each redemption took', () => {
  const lines = [{ lineId: 'fee', amount: Money.parse('100.00', 'USD'), taxBehavior: 'exclusive' as const, taxRates: [] }];
  const invoice = totalInvoice({ lines, coupons: appliedCoupons([tenth('r1', { planKeys: ['payg'] }), tenth('r2')], LINES), currency: 'USD', rounding: 'half_up', taxRounding: 'invoice', inclusiveRounding: 'net' });
  expect([invoice.total.toString(), invoice.lines[0]!.discounts.map(({ coupon, amount }) => `${coupon} ${amount.toString()}`)]).toEqual(['81.00', ['r1 10.00', 'r2 9.00']]);
});

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
