import { Decimal, derivedId, Money } from '@valueverse/kernel';
import type { PaymentEvent } from './payment-event';
import type { PaymentState } from './payment';
import { held, leftToAccount } from './refunds';

/** What of the money that a payment left to its account is there no more: what its invoice took bears what went back first. */
const missingOf = (state: PaymentState): Decimal => {
  const left = leftToAccount(state);
  return Decimal.max(Decimal.min(left.minus(held(state)), left), Decimal.zero);
};

/**
 * Says what of the account's money a dispute, or a refund that was made at the provider, has taken with it, and what of that is there again: after each decision as much is taken back as is missing. It is computed from sums alone, so that the order in which banks
 * and providers are heard of changes nothing.
 */
export const takenBack = (state: PaymentState, at: string): readonly PaymentEvent[] => {
  const { credits: [credit], captures: [capture], request, takenBack: before } = state;
  if (credit === undefined || capture === undefined || request === undefined) return [];
  const change = missingOf(state).minus(before.amount);
  if (change.isZero()) return [];
  const { paymentId, accountId, currency } = request;
  const of = { creditId: credit.creditId, accountId, amount: Money.parse(change.abs().toString(), currency).toString(), currency, paymentId };
  const id = derivedId('tbk', paymentId, String(before.times));
  return [change.isPositive() ? { ...of, type: 'CreditTakenBack', takenBackId: id, takenBackAt: at } : { ...of, type: 'CreditRestored', restoredId: id, restoredAt: at }];
};
