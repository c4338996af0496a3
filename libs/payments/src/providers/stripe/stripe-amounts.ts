import { currency as currencyOf } from '@valueverse/kernel';

/** Currencies that Stripe counts in other units than ISO 4217, by the digits of its unit: https://docs.stripe.com/currencies#special-cases and #zero-decimal. */
const DIGITS: Readonly<Record<string, number>> = { ISK: 2, UGX: 2, MGA: 0 };
const moreDigits = (currency: string): number => (DIGITS[currency] ?? currencyOf(currency).exponent) - currencyOf(currency).exponent;
const unit = (digits: number): bigint => 10n ** BigInt(Math.abs(digits));

/** The last of three digits has to be 0: https://docs.stripe.com/currencies#three-decimal. */
const THREE_DIGITS = 3;
const STEP_OF_THREE_DIGITS = 10n;

/** What amounts have to be multiples of at Stripe, in minor units. */
export const stripeStep = (currency: string): bigint => {
  const more = moreDigits(currency);
  if (more < 0) return unit(more);
  return currencyOf(currency).exponent === THREE_DIGITS ? STEP_OF_THREE_DIGITS : 1n;
};
/** An amount as Stripe counts it; `undefined` for one that is not a multiple of its step. */
export const toStripe = (minor: bigint, currency: string): number | undefined => {
  if (minor % stripeStep(currency) !== 0n) return undefined;
  const more = moreDigits(currency);
  return Number(more >= 0 ? minor * unit(more) : minor / unit(more));
};
/** An amount that Stripe says, in minor units. What is taken comes out even; a fee is rounded to the nearest unit. */
export const fromStripe = (amount: number, currency: string): bigint => {
  const more = moreDigits(currency.toUpperCase());
  if (more <= 0) return BigInt(amount) * unit(more);
  const half = unit(more) / 2n;
  return (BigInt(amount) + (amount < 0 ? -half : half)) / unit(more);
};
