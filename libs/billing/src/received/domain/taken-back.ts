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

/** What credit notes have promised to refund, and nobody has refunded yet. */
const stillPromised = ({ promised, settledByLoss, received, currency }: Invoice): Money => {
  const nothing = Money.zero(currency!);
  const refunded = [...received.values()].reduce((sum, money) => sum.add(Money.parse(standingOf(money).ofInvoice.refunded.toString(), currency!)), nothing);
  return [...settledByLoss.values()].reduce((left, settled) => left.subtract(settled), (promised ?? nothing).subtract(refunded)).max(nothing);
};
/** What was owed again is owed no more. Where the invoice was paid in another way meanwhile, that is as much as is owed still. */
const recover = ({ invoiceId, paymentId, disputeId, at }: CloseDispute, { reopened, owed, accountId, currency }: Invoice): readonly InvoiceEvent[] => {
  const again = reopened.get(disputeId);
  if (again === undefined || owed?.isPositive() !== true) return [];
  const amount = again.min(owed);
  return [{ type: 'InvoiceRecovered', invoiceId, accountId: accountId!, paymentId, disputeId, amount: amount.toString(), currency: currency!, recoveredAt: at }, ...(amount.equals(owed) ? [{ type: 'InvoicePaid', invoiceId, paidAt: at } as const] : [])];
};

/**
 * A lost dispute takes what the invoice has lost with it: that is owed again, or given up, as the tenant says; but not what credit notes had promised to refund, which the customer has by it. A bank that has decided so may let go of the money after all.
 */
export const closeDispute = (command: CloseDispute, state: Invoice): readonly InvoiceEvent[] => {
  const { invoiceId, paymentId, disputeId, amount, currency, outcome, whenLost, at } = command;
  const money = known(state, command);
  const before = money?.disputes?.find(({ id }) => id === disputeId)?.status;
  if (money === undefined || (before !== 'open' && !(before === 'lost' && outcome === 'won'))) return [];
  const closed: ReceivedFact = { type: 'InvoiceDisputeClosed', invoiceId, paymentId, disputeId, amount, currency, outcome, closedAt: at };
  if (state.status !== 'finalized') return [closed];
  if (outcome === 'won') return [closed, ...recover(command, state)];
  const lost = Money.parse(standingOf(afterFact(closed, money)).ofInvoice.lost.minus(standingOf(money).ofInvoice.lost).toString(), state.currency!);
  if (whenLost === 'leave_paid' || !lost.isPositive()) return [closed];
  const promised = lost.min(stillPromised(state));
  const again = lost.subtract(promised);
  return [
    promised.isPositive() ? { ...closed, promised: promised.toString() } : closed,
    ...(again.isPositive() ? [{ type: 'InvoiceReopened', invoiceId, accountId: state.accountId!, paymentId, disputeId, amount: again.toString(), currency: state.currency!, isCollectible: whenLost === 'reopen', reopenedAt: at } as const] : []),
  ];
};
