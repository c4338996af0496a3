import { Decimal } from '@valueverse/kernel';

const DIGITS_OF_PERCENT = 2;

/** `value x rate / 100`, exactly. */
export const percentOf = (value: Decimal, rate: Decimal): Decimal => {
  const product = value.times(rate);
  return Decimal.scaled(product.coefficient, product.scale + DIGITS_OF_PERCENT);
};
