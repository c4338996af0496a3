import { Decimal } from '@valueverse/kernel';
import type { PricingModel } from './pricing-model';

/** Whole packages: one that was begun is paid. Nothing at zero; below zero the packages that are whole are given back. */
export interface PackagePrice {
  readonly model: 'package';
  /** Units in a package. */
  readonly packageSize: string;
  /** Major units for each. */
  readonly packageAmount: string;
}

export const packages: PricingModel<PackagePrice> = {
  read: (fields) => ({ model: 'package', packageSize: fields.positive('packageSize'), packageAmount: fields.amount('packageAmount') }),
  steps: (price, { quantity }) => {
    if (quantity.isZero()) return [];
    const [size, amount] = [Decimal.parse(price.packageSize), Decimal.parse(price.packageAmount)];
    const count = quantity.dividedBy(size, 0, 'ceiling');
    return [{
      kind: 'package',
      quantity: quantity.toString(),
      packageSize: size.toString(),
      packages: count.toString(),
      packageAmount: amount.toString(),
      amount: count.times(amount).toString(),
    }];
  },
};
