import { couponDiscount, flag, instant, list, object, optional, text, whole } from '@valueverse/contracts';
import { CREATED } from '../catalog/domain/item-created';
import { itemsController } from '../catalog/items.controller';
import { coupon, type CouponSpec } from './domain/coupon-shape';

/** Coupons: what accounts may redeem. What a coupon takes off never changes. */
export const CouponsController = itemsController<CouponSpec>({
  kind: 'coupon', path: 'coupons', name: 'CouponsController', shape: coupon, references: () => [],
  created: CREATED.coupon,
  answer: {
    discount: couponDiscount, appliesTo: optional(object({ planKeys: optional(list(text())), chargeKeys: optional(list(text())) })), periods: optional(whole(1)), maxRedemptions: optional(whole(1)),
    maxRedemptionsPerAccount: optional(whole(1)), stackable: flag(), validFrom: optional(instant()), validTo: optional(instant()),
  },
});
