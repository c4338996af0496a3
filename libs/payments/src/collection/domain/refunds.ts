import { Decimal, Money, Refused } from '@valueverse/kernel';
import type { PaymentRequested } from '@valueverse/contracts';
import type { CreditAccount, RecordRefund, RecordRefundFailure, RequestRefund } from './payment-command';
import type { PaymentEvent } from './payment-event';
import type { PaymentState } from './payment';

/** What of an attempt's money can still be given back: what it took, less what was or may be given back, less what is disputed or lost to a dispute, less what was left to the account. */
export const refundable = ({ captures, refunds, disputes, credits }: Pick<PaymentState, 'captures' | 'refunds' | 'disputes' | 'credits'>, attempt: number): Decimal => {
  const capture = captures.find((one) => one.attempt === attempt);
  if (capture === undefined) return Decimal.zero;
  const given = refunds.filter((one) => one.attempt === attempt && one.status !== 'failed').map(({ amount }) => amount);
  const taken = attempt === captures[0]!.attempt ? [...disputes.filter(({ status }) => status !== 'won'), ...credits].map(({ amount }) => amount) : [];
  return [...given, ...taken].reduce((left, amount) => left.minus(Decimal.parse(amount)), Decimal.parse(capture.amount));
};

/** One key per refund, however often it is sent. */
export const refundKeyOf = (refundId: string): string => `ref:${refundId}`;

/**
 * Gives back an amount, or all that is left, of what an attempt took. All refunds of a payment are one stream: two at once cannot give back more than came in.
 * Refuses with `nothing_to_refund`, and with `refund_exceeds_payment` an amount above what is left.
 */
export const requestRefund = ({ paymentId, refundId, amount, attempt, reason, at }: RequestRefund, { currency }: PaymentRequested, state: PaymentState): readonly PaymentEvent[] => {
  if (state.refunds.some((one) => one.refundId === refundId)) return [];
  const capture = attempt === undefined ? state.captures[0] : state.captures.find((one) => one.attempt === attempt);
  if (capture === undefined) throw new Refused('nothing_to_refund', 'this payment has taken no money');
  const left = refundable(state, capture.attempt);
  if (!left.isPositive()) throw new Refused('nothing_to_refund', 'all that came in was given back, is disputed, or is the credit of the account');
  const money = Money.parse(amount ?? Money.parse(left.toString(), currency).toString(), currency);
  if (!money.isPositive()) throw new Refused('refund_not_positive', 'an amount above zero is expected', '/amount');
  if (Decimal.parse(money.toString()).compare(left) > 0) throw new Refused('refund_exceeds_payment', `${Money.parse(left.toString(), currency).toString()} ${currency} of this payment can be given back`, '/amount');
  return [{ type: 'RefundRequested', paymentId, refundId, amount: money.toString(), currency: capture.currency, reason, providerKey: refundKeyOf(refundId), providerReference: capture.providerReference, attempt: capture.attempt, requestedAt: at }];
};

/** What no invoice took is the account's. It cannot be given back then: the next invoice takes it. */
export const creditAccount = ({ paymentId, creditId, amount, at }: CreditAccount, { accountId, invoiceId, currency }: PaymentRequested, state: PaymentState): readonly PaymentEvent[] => {
  const [capture] = state.captures;
  if (capture === undefined || state.credits.some((one) => one.creditId === creditId)) return [];
  const left = refundable(state, capture.attempt);
  const wanted = Decimal.parse(amount);
  const credited = wanted.compare(left) > 0 ? left : wanted;
  return credited.isPositive() ? [{ type: 'MoneyCredited', creditId, accountId, amount: Money.parse(credited.toString(), currency).toString(), currency, paymentId, invoiceId, creditedAt: at }] : [];
};

const refundOf = ({ refunds }: PaymentState, refundId: string): PaymentState['refunds'][number] => {
  const found = refunds.find((one) => one.refundId === refundId);
  if (found === undefined) throw new Refused('refund_not_found', 'this payment has no such refund');
  return found;
};
export const recordRefund = ({ paymentId, refundId, providerReference, at }: RecordRefund, { invoiceId, accountId, currency }: PaymentRequested, state: PaymentState): readonly PaymentEvent[] => {
  const { status, amount, attempt } = refundOf(state, refundId);
  return status === 'requested' ? [{ type: 'RefundSucceeded', paymentId, refundId, invoiceId, accountId, attempt, amount, currency, providerReference, refundedAt: at }] : [];
};
/** A refund may fail after it had succeeded; what failed stays so, and another one is made. */
export const recordRefundFailure = ({ paymentId, refundId, code, at }: RecordRefundFailure, { invoiceId, currency }: PaymentRequested, state: PaymentState): readonly PaymentEvent[] => {
  const { status, amount } = refundOf(state, refundId);
  return status === 'failed' ? [] : [{ type: 'RefundFailed', paymentId, refundId, invoiceId, amount, currency, code, failedAt: at }];
};
