import { currency as currencyOf } from '@valueverse/kernel';

/** Currencies that Stripe counts in other units than ISO 4217, by the digits of its unit: https://docs.stripe.com/currencies#special-cases and #zero-decimal. */
const DIGITS: Readonly<Record<string, number>> = { ISK: 2, UGX: 2, MGA: 0 };
const moreDigits = (currency: string): number => (DIGITS[currency] ?? currencyOf(currency).exponent) - currencyOf(currency).exponent;
const unit = (digits: number): bigint => 10n ** BigInt(Math.abs(digits));

/** An amount as Stripe counts it; `undefined` for one that its unit is too large for. */
export const toStripe = (minor: bigint, currency: string): number | undefined => {
  const more = moreDigits(currency);
  if (more >= 0) return Number(minor * unit(more));
  return minor % unit(more) === 0n ? Number(minor / unit(more)) : undefined;
};
/** An amount that Stripe says, in minor units. What is taken comes out even; a fee is rounded to the nearest unit. */
export const fromStripe = (amount: number, currency: string): bigint => {
  const more = moreDigits(currency.toUpperCase());
  if (more <= 0) return BigInt(amount) * unit(more);
  const half = unit(more) / 2n;
  return (BigInt(amount) + (amount < 0 ? -half : half)) / unit(more);
};
