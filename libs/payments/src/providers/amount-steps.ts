import { Money, Refused } from '@valueverse/kernel';
import type { PaymentProvider } from './provider';

/** What is finer than a provider counts: it is not asked for that. */
export const AMOUNT_TOO_FINE = 'amount_too_fine';
export const takesSteps = (provider: string, currency: string, step: bigint): string => `${provider} takes ${currency} in steps of ${Money.of(step, currency).toString()}`;

/** Refuses with `amount_too_fine` an amount that a provider cannot count. */
export const refuseTooFine = ({ name, stepOf }: Pick<PaymentProvider, 'name' | 'stepOf'>, { minor, currency }: Money): void => {
  const step = stepOf(currency);
  if (minor % step !== 0n) throw new Refused(AMOUNT_TOO_FINE, takesSteps(name, currency, step), '/amount');
};
