import { Decimal, dispatch } from '@valueverse/kernel';
import type {
  InvoiceDisputeClosed, InvoicePaymentApplied, InvoicePaymentCredited, InvoicePaymentDisputed, InvoicePaymentDuplicated, InvoicePaymentRefunded, InvoicePaymentUnmatched, InvoiceRefundReturned,
} from '@valueverse/contracts';

/** What an invoice is told of a payment. */
export type ReceivedFact = InvoicePaymentApplied | InvoicePaymentUnmatched | InvoicePaymentDuplicated | InvoicePaymentCredited | InvoicePaymentRefunded | InvoiceRefundReturned | InvoicePaymentDisputed | InvoiceDisputeClosed;

/** A refund. One that was returned did not reach the customer after all; one with a `creditId` paid out what was the account's balance. */
export interface RefundOfPayment { readonly id: string; readonly amount: string; readonly attempt?: number; readonly creditId?: string; readonly status: 'succeeded' | 'returned'; readonly refundedAt: string }
export interface DisputeOfPayment { readonly id: string; readonly amount: string; readonly attempt?: number; readonly status: 'open' | 'won' | 'lost'; readonly openedAt: string; readonly closedAt?: string }
/** One payment's money as billing is told of it. Amounts are decimals of major units. */
export interface ReceivedMoney {
  /** What the invoice took, and what it did not. */
  readonly applied?: string | undefined;
  readonly unapplied?: string | undefined;
  /** What of that has become the account's balance. */
  readonly credited?: string;
  /** What further attempts took too: no invoice takes it. */
  readonly duplicates?: readonly { readonly attempt: number; readonly amount: string }[];
  readonly refunds?: readonly RefundOfPayment[];
  readonly disputes?: readonly DisputeOfPayment[];
}

/** Money after one more fact about it. */
export const afterFact = (fact: ReceivedFact, money: ReceivedMoney): ReceivedMoney => dispatch<ReceivedFact, ReceivedMoney, ReceivedMoney>({
  InvoicePaymentApplied: ({ amount }, before) => ({ ...before, applied: amount }),
  InvoicePaymentUnmatched: ({ amount }, before) => ({ ...before, unapplied: amount }),
  InvoicePaymentDuplicated: ({ attempt, amount }, before) => ({ ...before, duplicates: [...before.duplicates ?? [], { attempt, amount }] }),
  InvoicePaymentCredited: ({ amount }, before) => ({ ...before, credited: add(before.credited, amount) }),
  InvoicePaymentRefunded: ({ refundId: id, amount, attempt, creditId, refundedAt }, before) => ({ ...before, refunds: [...before.refunds ?? [], { id, amount, ...(attempt === undefined ? {} : { attempt }), ...(creditId === undefined ? {} : { creditId }), status: 'succeeded', refundedAt }] }),
  InvoiceRefundReturned: ({ refundId }, before) => ({ ...before, refunds: (before.refunds ?? []).map((one) => (one.id === refundId ? { ...one, status: 'returned' } : one)) }),
  InvoicePaymentDisputed: ({ disputeId: id, amount, attempt, disputedAt: openedAt }, before) => ({ ...before, disputes: [...before.disputes ?? [], { id, amount, ...(attempt === undefined ? {} : { attempt }), status: 'open', openedAt }] }),
  InvoiceDisputeClosed: ({ disputeId, outcome, closedAt }, before) => ({ ...before, disputes: (before.disputes ?? []).map((one) => (one.id === disputeId ? { ...one, status: outcome, closedAt } : one)) }),
})(fact, money);

/** What went back: given back by us, taken by a dispute that is open, and by disputes that were lost. */
export interface WentBack { readonly refunded: Decimal; readonly disputed: Decimal; readonly lost: Decimal }
/** The whole of a payment, and of it what its invoice took. */
export interface Standing extends WentBack { readonly amount: Decimal; readonly unapplied: Decimal; readonly ofInvoice: WentBack & { readonly applied: Decimal } }

/**
 * Where money stands. What goes back is taken from what no invoice took first, less what became the account's balance, which bears what is paid out of it: the invoice has it as long as anything else is there. What a further attempt took is given
 * back by itself, and bears its own disputes. It is computed from sums alone, so that the order in which refunds and disputes come changes nothing.
 */
export const standingOf = ({ applied, unapplied, credited, duplicates = [], refunds = [], disputes = [] }: ReceivedMoney): Standing => {
  const [taken, over, twice] = [parse(applied), parse(unapplied), sumOf(duplicates)];
  const given = refunds.filter(({ status }) => status === 'succeeded');
  const isTwice = ({ attempt }: { readonly attempt?: number }): boolean => duplicates.some((one) => one.attempt === attempt);
  const [lostOnes, openOnes] = [disputes.filter(({ status }) => status === 'lost'), disputes.filter(({ status }) => status === 'open')];
  const [refunded, lost, disputed] = [sumOf(given), sumOf(lostOnes), sumOf(openOnes)];
  let spare = atLeastNothing(over.minus(parse(credited)));
  let left = taken;
  /** How much of a sum the invoice's money has to bear. */
  const borne = (sum: Decimal): Decimal => {
    const fromSpare = Decimal.min(sum, spare);
    const fromInvoice = Decimal.min(sum.minus(fromSpare), left);
    spare = spare.minus(fromSpare);
    left = left.minus(fromInvoice);
    return fromInvoice;
  };
  const ofInvoice = {
    applied: taken, refunded: borne(sumOf(given.filter((one) => one.creditId === undefined && !isTwice(one)))), lost: borne(sumOf(lostOnes.filter((one) => !isTwice(one)))), disputed: borne(sumOf(openOnes.filter((one) => !isTwice(one)))),
  };
  return { amount: Decimal.sum([taken, over, twice]), unapplied: over.plus(twice), refunded, disputed, lost, ofInvoice };
};

const parse = (amount = '0'): Decimal => Decimal.parse(amount);
const add = (before: string | undefined, amount: string): string => parse(before).plus(parse(amount)).toString();
const sumOf = (parts: readonly { readonly amount: string }[]): Decimal => Decimal.sum(parts.map(({ amount }) => parse(amount)));
const atLeastNothing = (amount: Decimal): Decimal => Decimal.max(amount, Decimal.zero);
