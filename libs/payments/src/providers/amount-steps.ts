import { Money, Refused } from '@valueverse/kernel';
import type { PaymentProvider } from './provider';

/** What is finer than a provider counts: it is not asked for that. */
export const AMOUNT_TOO_FINE = 'amount_too_fine';
export const takesSteps = (provider: string, currency: string, step: bigint): string => `${provider} takes ${currency} in steps of ${Money.of(step, currency).toString()}`;

/** Whether a provider cannot count an amount; one that is not set up here is asked nothing. */
export const isTooFine = (provider: Pick<PaymentProvider, 'stepOf'> | undefined, { minor, currency }: Money): boolean => provider !== undefined && minor % provider.stepOf(currency) !== 0n;
/** Refuses with `amount_too_fine` an amount that a provider cannot count. */
export const refuseTooFine = (provider: Pick<PaymentProvider, 'name' | 'stepOf'> | undefined, amount: Money): void => {
  if (provider !== undefined && isTooFine(provider, amount)) throw new Refused(AMOUNT_TOO_FINE, takesSteps(provider.name, amount.currency, provider.stepOf(amount.currency)), '/amount');
};
