import type { AddOnCreated, CouponCreated, FeatureCreated, ProductCreated, TaxRateCreated } from '@valueverse/contracts';
import type { CouponSpec } from '../../coupons/domain/coupon-shape';
import type { TaxRateSpec } from '../../taxes/domain/tax-rate-shape';
import type { AddOnSpec, FeatureSpec, ProductSpec } from './item-shapes';

/** The fact of making each kind of thing, from what was asked for. A coupon without a name is called by its key, and stacks if nothing else is said. */
export const CREATED = {
  product: ({ key, metadata = {}, ...spec }: ProductSpec, createdAt: string): ProductCreated => ({ ...spec, type: 'ProductCreated', productKey: key, metadata, createdAt }),
  feature: ({ key, type: featureType, metadata = {}, ...spec }: FeatureSpec, createdAt: string): FeatureCreated => ({ ...spec, type: 'FeatureCreated', featureKey: key, featureType, metadata, createdAt }),
  add_on: ({ key, metadata = {}, ...spec }: AddOnSpec, createdAt: string): AddOnCreated => ({ ...spec, type: 'AddOnCreated', addOnKey: key, metadata, createdAt }),
  coupon: ({ key, name = key, stackable = true, metadata = {}, ...spec }: CouponSpec, createdAt: string): CouponCreated => ({ ...spec, type: 'CouponCreated', couponKey: key, name, stackable, metadata, createdAt }),
  tax_rate: ({ key, metadata = {}, ...spec }: TaxRateSpec, createdAt: string): TaxRateCreated => ({ ...spec, type: 'TaxRateCreated', taxRateKey: key, metadata, createdAt }),
};
