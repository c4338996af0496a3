import { Decimal, derivedId, Money, Refused } from '@valueverse/kernel';
import type { CreditRefundApproved, CreditRefundRefused, CreditRefundRequested } from '@valueverse/contracts';

export type CreditRefundEvent = CreditRefundRequested | CreditRefundApproved | CreditRefundRefused;
/** Asks for a part of a credit, or all that is left of it, to be paid out. Whoever decides knows what is left: see `requestCreditRefund`. */
export interface RequestCreditRefund { readonly type: 'RequestCreditRefund'; readonly creditId: string; readonly paymentId?: string; readonly refundId: string; readonly amount?: string; readonly reason: string; readonly at: string }
/** It was taken from the balance of the account. */
export interface ApproveCreditRefund { readonly type: 'ApproveCreditRefund'; readonly creditId: string; readonly paymentId?: string; readonly refundId: string; readonly at: string }
export interface RefuseCreditRefund { readonly type: 'RefuseCreditRefund'; readonly creditId: string; readonly paymentId?: string; readonly refundId: string; readonly at: string }

/** `returned`: it was taken from the balance, and is a credit of its own again. */
export interface CreditRefundState { readonly refundId: string; readonly creditId: string; readonly amount: string; readonly reason: string; readonly status: 'requested' | 'approved' | 'refused' | 'returned' }
/** A credit that a part is asked of: what it came to, whose it is, and what was asked of it before. */
export interface RefundableCredit { readonly creditId: string; readonly accountId: string; readonly amount: string; readonly currency: string; readonly paymentId?: string; readonly refunds: readonly CreditRefundState[]; /** No more than this is there, whatever the credit comes to. */ readonly most?: Decimal }

/** What of a credit can still be asked for: together its refunds never come to more than it. */
const leftOf = ({ creditId, amount, refunds, most }: RefundableCredit): Decimal => {
  const left = refunds.filter((one) => one.creditId === creditId && one.status !== 'refused').reduce((sum, one) => sum.minus(Decimal.parse(one.amount)), Decimal.parse(amount));
  return most === undefined ? left : Decimal.min(left, most);
};

/** Refuses with `nothing_to_refund`, `refund_not_positive`, and `refund_exceeds_credit` an amount above what is left of the credit. */
export const requestCreditRefund = ({ refundId, amount, reason, at }: RequestCreditRefund, credit: RefundableCredit): readonly CreditRefundRequested[] => {
  const { creditId, accountId, currency, paymentId, refunds } = credit;
  if (refunds.some((one) => one.refundId === refundId)) return [];
  const left = leftOf(credit);
  if (!left.isPositive()) throw new Refused('nothing_to_refund', 'all of this credit was paid out, or is disputed');
  const money = Money.parse(amount ?? Money.parse(left.toString(), currency).toString(), currency);
  if (!money.isPositive()) throw new Refused('refund_not_positive', 'an amount above zero is expected', '/amount');
  if (Decimal.parse(money.toString()).compare(left) > 0) throw new Refused('refund_exceeds_credit', `${Money.parse(left.toString(), currency).toString()} ${currency} of this credit can be paid out`, '/amount');
  return [{ type: 'CreditRefundRequested', refundId, creditId, accountId, amount: money.toString(), currency, ...(paymentId === undefined ? {} : { paymentId }), reason, requestedAt: at }];
};

/** One that is still open; `undefined` for one that was answered. Refuses with `refund_not_found`. */
export const openRefund = (refunds: readonly CreditRefundState[], refundId: string): CreditRefundState | undefined => {
  const found = refunds.find((one) => one.refundId === refundId);
  if (found === undefined) throw new Refused('refund_not_found', 'there is no such refund of a credit');
  return found.status === 'requested' ? found : undefined;
};
/** The refunds of credits after one more fact. */
export const afterCreditFact = (refunds: readonly CreditRefundState[], fact: CreditRefundEvent): readonly CreditRefundState[] => {
  if (fact.type === 'CreditRefundRequested') return [...refunds, { refundId: fact.refundId, creditId: fact.creditId, amount: fact.amount, reason: fact.reason, status: 'requested' }];
  const status = fact.type === 'CreditRefundApproved' ? 'approved' : fact.code === 'credit_used' ? 'refused' : 'returned';
  return refunds.map((one) => (one.refundId === fact.refundId ? { ...one, status } : one));
};
/** What a refund that did not arrive becomes again: a credit of its own. */
export const creditOfRefund = (refundId: string): string => derivedId('crd', refundId);
