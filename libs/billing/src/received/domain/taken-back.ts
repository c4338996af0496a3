import { Money } from '@valueverse/kernel';
import type { InvoiceDisputeClosed, InvoicePaymentDisputed } from '@valueverse/contracts';
import type { Invoice, InvoiceEvent } from '../../invoicing/domain/invoice.decider';
import { afterFact, type ReceivedFact, type ReceivedMoney, standingOf } from './received-money';

interface OfPayment { readonly invoiceId: string; readonly paymentId: string; readonly amount: string; readonly currency: string; readonly at: string }
/** A further attempt took money too. */
export type RecordDuplicate = { readonly type: 'RecordDuplicate'; readonly attempt: number } & OfPayment;
/** What no invoice took has become the account's balance. */
export type RecordCredited = { readonly type: 'RecordCredited'; readonly creditId: string } & OfPayment;
/** `attempt` is the one whose money went back, where payments say it; `creditId` where it was the balance of the account. */
export type RecordRefund = { readonly type: 'RecordRefund'; readonly refundId: string; readonly attempt?: number | undefined; readonly creditId?: string | undefined } & OfPayment;
/** A refund failed, before or after it had succeeded. */
export type RecordRefundReturned = { readonly type: 'RecordRefundReturned'; readonly refundId: string } & OfPayment;
/** `attempt` is the one whose money is disputed, where payments say it. */
export type OpenDispute = { readonly type: 'OpenDispute'; readonly disputeId: string; readonly attempt?: number | undefined } & OfPayment;
/** What a lost dispute makes of the invoice: owed again, owed and given up, or paid as it was. */
export type LostDisputes = 'reopen' | 'write_off' | 'leave_paid';
export type CloseDispute = { readonly type: 'CloseDispute'; readonly disputeId: string; readonly outcome: InvoiceDisputeClosed['outcome']; readonly whenLost: LostDisputes } & OfPayment;

/** What happened outside cannot be refused: what is told twice, or of a payment that never came here, says nothing. */
const known = ({ received }: Invoice, { paymentId }: { readonly paymentId: string }): ReceivedMoney | undefined => received.get(paymentId);

export const recordDuplicate = ({ type: _, at, ...facts }: RecordDuplicate, state: Invoice): readonly InvoiceEvent[] => {
  const money = known(state, facts);
  return money === undefined || money.duplicates?.some(({ attempt }) => attempt === facts.attempt) === true ? [] : [{ ...facts, type: 'InvoicePaymentDuplicated', duplicatedAt: at }];
};

export const recordCredited = ({ type: _, at, ...facts }: RecordCredited, state: Invoice): readonly InvoiceEvent[] =>
  (known(state, facts) === undefined || state.credits.includes(facts.creditId) ? [] : [{ ...facts, type: 'InvoicePaymentCredited', creditedAt: at }]);

/** A refund changes nothing about what is owed: giving up what an invoice asks for is a credit note. */
export const recordRefund = ({ type: _, at, attempt, creditId, ...facts }: RecordRefund, state: Invoice): readonly InvoiceEvent[] => {
  const money = known(state, facts);
  return money === undefined || money.refunds?.some(({ id }) => id === facts.refundId) === true ? [] : [{ ...facts, type: 'InvoicePaymentRefunded', ...(attempt === undefined ? {} : { attempt }), ...(creditId === undefined ? {} : { creditId }), refundedAt: at }];
};

export const recordRefundReturned = ({ type: _, at, ...facts }: RecordRefundReturned, state: Invoice): readonly InvoiceEvent[] => {
  const refund = known(state, facts)?.refunds?.find(({ id }) => id === facts.refundId);
  return refund?.status === 'succeeded' ? [{ ...facts, type: 'InvoiceRefundReturned', returnedAt: at }] : [];
};

export const openDispute = ({ type: _, at, attempt, ...facts }: OpenDispute, state: Invoice): readonly InvoiceEvent[] => {
  const money = known(state, facts);
  if (money === undefined || money.disputes?.some(({ id }) => id === facts.disputeId) === true) return [];
  const disputed: InvoicePaymentDisputed = { ...facts, type: 'InvoicePaymentDisputed', ofInvoice: '0', ...(attempt === undefined ? {} : { attempt }), disputedAt: at };
  const ofInvoice = standingOf(afterFact(disputed, money)).ofInvoice.disputed.minus(standingOf(money).ofInvoice.disputed);
  return [{ ...disputed, ofInvoice: Money.parse(ofInvoice.toString(), facts.currency).toString() }];
};

/** A lost dispute takes what the invoice has lost with it: that is owed again, or given up, as the tenant says. */
export const closeDispute = ({ type: _, at, whenLost, ...facts }: CloseDispute, state: Invoice): readonly InvoiceEvent[] => {
  const money = known(state, facts);
  if (money?.disputes?.find(({ id }) => id === facts.disputeId)?.status !== 'open') return [];
  const { invoiceId, paymentId, disputeId, currency, outcome } = facts;
  const closed: ReceivedFact = { type: 'InvoiceDisputeClosed', invoiceId, paymentId, disputeId, amount: facts.amount, currency, outcome, closedAt: at };
  const lost = standingOf(afterFact(closed, money)).ofInvoice.lost.minus(standingOf(money).ofInvoice.lost);
  if (outcome === 'won' || whenLost === 'leave_paid' || !lost.isPositive() || state.status !== 'finalized') return [closed];
  return [closed, { type: 'InvoiceReopened', invoiceId, accountId: state.accountId!, paymentId, disputeId, amount: Money.parse(lost.toString(), state.currency!).toString(), currency: state.currency!, isCollectible: whenLost === 'reopen', reopenedAt: at }];
};
