import { Decimal, dispatch, Refused, type Decider } from '@valueverse/kernel';
import type { PaymentAttemptDeclined, PaymentRequested } from '@valueverse/contracts';
import { afterDecline } from './after-decline';
import { takenBack } from './taken-back';
import type { PaymentCommand } from './payment-command';
import type { PaymentEvent } from './payment-event';
import { closeDispute, closeInquiry, openDispute, openInquiry, recordReversal, withDispute } from './disputes';
import { afterCreditFact, type CreditRefundState } from '../../credits/domain/credit-refunds';
import { approveCredit, creditAccount, giveBackDuplicate, giveBackHeld, recordProviderRefund, recordRefund, recordRefundFailure, refuseCredit, requestCredit, requestRefund } from './refunds';
import { isOver, isUnderWay, type Mover, nextStatus, type PaymentStatus } from './states';

export type { PaymentCommand } from './payment-command';
export type { PaymentEvent } from './payment-event';

/** Money that an attempt took, as a decimal of major units. */
export interface Capture { readonly attempt: number; readonly amount: string; readonly currency: string; readonly providerReference: string }
export interface RefundState { readonly refundId: string; readonly attempt: number; readonly amount: string; readonly status: 'requested' | 'succeeded' | 'failed' }
/** An inquiry is a question of the bank, which holds nothing back. */
export interface DisputeState { readonly disputeId: string; readonly amount: string; /** Whose money it is. */ readonly attempt?: number; /** The bank had asked before. */ readonly wasInquiry?: boolean; readonly status: 'inquiry' | 'inquiry_closed' | 'open' | 'won' | 'lost' }
export interface PaymentState {
  readonly status: 'none' | PaymentStatus;
  /** The number of the last attempt; 0 before the first. */
  readonly attempt: number;
  /** The last attempt that took nothing. */
  readonly declined?: number;
  /** With what the last attempt asks for. */
  readonly request?: PaymentRequested;
  /** What was taken: one of them is the payment, others came in against what their provider had said. */
  readonly captures: readonly Capture[];
  readonly refunds: readonly RefundState[];
  readonly disputes: readonly DisputeState[];
  /** What was to go back by itself, and is disputed; what of it has not gone yet. */
  readonly held: readonly { readonly refundId: string; readonly attempt: number; readonly amount: string; readonly reason: string }[];
  /** What was left to the account, and what is paid out of that. */
  readonly credits: readonly { readonly creditId: string; readonly amount: string }[];
  readonly creditRefunds: readonly CreditRefundState[];
  /** What of that is gone with a dispute, or a refund at the provider, and how often that was said. */
  readonly takenBack: { readonly amount: Decimal; readonly times: number };
}

/** One key per attempt: however often the attempt is sent, the provider charges once. */
export const providerKeyOf = (paymentId: string, attempt: number): string => `pay:${paymentId}:att:${attempt}`;
const PROVIDER_KEY = /^pay:(pay_[0-9a-z]{26}):att:(\d{1,6})$/;
/** The attempt of such a key; `undefined` for any other text. */
export const attemptOfKey = (key: string): { readonly paymentId: string; readonly attempt: number } | undefined => {
  const [, paymentId, number] = PROVIDER_KEY.exec(key) ?? [];
  return paymentId === undefined ? undefined : { paymentId, attempt: Number(number) };
};

const requested = (state: PaymentState): PaymentRequested => {
  if (state.request === undefined) throw new Refused('payment_not_found', 'there is no payment with this id');
  return state.request;
};
/** What was asked, of a payment that there is and an attempt that was started. */
const requestOf = (state: PaymentState, attempt: number): PaymentRequested => {
  const request = requested(state);
  if (attempt < 1 || attempt > state.attempt) throw new Refused('unknown_attempt', 'this attempt was never started');
  return request;
};
/** Whether a fact about the last attempt can happen now. News of an earlier one, or of one that is over, says nothing. */
const canBe = (state: PaymentState, attempt: number, by: Mover): boolean => state.status !== 'none' && attempt === state.attempt && isUnderWay(state.status) && nextStatus(state.status, by) !== undefined;

/** Whether an attempt goes on though one before it has taken the money after all: the payment is over, and the attempt is not. */
const isLeftOver = ({ status, attempt: last, declined, captures }: PaymentState, attempt: number): boolean =>
  status === 'succeeded' && attempt === last && attempt !== declined && !captures.some((capture) => capture.attempt === attempt);

const decide = dispatch<PaymentCommand, PaymentState, readonly PaymentEvent[]>({
  RequestPayment: ({ at, ...command }, { request }) => (request === undefined ? [{ ...command, type: 'PaymentRequested', requestedAt: at }] : []),
  StartAttempt: ({ paymentId, attempt, amount, methodId, provider, at }, state) => {
    const before = requested(state).amount;
    if (attempt <= state.attempt || isOver(state.status as PaymentStatus)) return [];
    if (attempt !== state.attempt + 1 || isUnderWay(state.status as PaymentStatus)) throw new Refused('attempt_out_of_order', 'the attempt before this one is not over');
    return [{ type: 'PaymentAttemptStarted', paymentId, attempt, providerKey: providerKeyOf(paymentId, attempt), startedAt: at, ...(methodId === undefined ? {} : { methodId }), ...(provider === undefined ? {} : { provider }), ...(amount === undefined || amount === before ? {} : { amount }) }];
  },
  RecordSuccess: ({ paymentId, attempt, amount, currency, providerReference, fee, at }, state) => {
    const { invoiceId, accountId, creditId } = requestOf(state, attempt);
    if (state.captures.some((capture) => capture.attempt === attempt)) return [];
    if (state.status === 'succeeded') return [{ type: 'PaymentDuplicated', paymentId, attempt, accountId, invoiceId, amount, currency, providerReference, foundAt: at, ...(fee === undefined ? {} : { fee }) }];
    const succeeded: PaymentEvent = { type: 'PaymentSucceeded', paymentId, invoiceId, accountId, amount, currency, attempt, providerReference, succeededAt: at, ...(fee === undefined ? {} : { fee }) };
    // What is prepaid is the account's from the moment on at which it is there.
    return creditId === undefined ? [succeeded] : [succeeded, { type: 'MoneyCredited', creditId, accountId, amount, currency, paymentId, invoiceId, creditedAt: at }];
  },
  RecordDecline: ({ paymentId, attempt, declineCode, declineClass, next, at }, state) => {
    const request = requestOf(state, attempt);
    const declined: PaymentAttemptDeclined = { type: 'PaymentAttemptDeclined', paymentId, attempt, declineCode, declineClass, declinedAt: at };
    if (canBe(state, attempt, 'PaymentAttemptDeclined')) return [declined, ...afterDecline(request, declined, next)];
    return isLeftOver(state, attempt) ? [declined] : [];
  },
  RecordLoss: ({ paymentId, attempt, reason, at }, state) => {
    requestOf(state, attempt);
    return canBe(state, attempt, 'PaymentAttemptLost') ? [{ type: 'PaymentAttemptLost', paymentId, attempt, reason, lostAt: at }] : [];
  },
  RecordPending: ({ paymentId, attempt, providerReference, at }, state) => {
    requestOf(state, attempt);
    return canBe(state, attempt, 'PaymentAttemptAccepted') ? [{ type: 'PaymentAttemptAccepted', paymentId, attempt, providerReference, acceptedAt: at }] : [];
  },
  RecordAction: ({ paymentId, attempt, providerReference, url, at }, state) => {
    const { invoiceId, accountId } = requestOf(state, attempt);
    return canBe(state, attempt, 'PaymentActionRequired') ? [{ type: 'PaymentActionRequired', paymentId, attempt, invoiceId, accountId, providerReference, url, requiredAt: at }] : [];
  },
  CancelPayment: ({ paymentId, reason, at }, state) => {
    const { invoiceId, accountId, amount, currency } = requested(state);
    return state.status === 'pending' ? [{ type: 'PaymentCancelled', paymentId, invoiceId, accountId, amount, currency, reason, cancelledAt: at }] : [];
  },
  RequestRefund: (command, state) => requestRefund(command, requested(state), state),
  RecordRefund: (command, state) => recordRefund(command, requested(state), state),
  RecordRefundFailure: (command, state) => recordRefundFailure(command, requested(state), state),
  RecordProviderRefund: (command, state) => recordProviderRefund(command, requested(state), state),
  CreditAccount: (command, state) => creditAccount(command, requested(state), state),
  RequestCreditRefund: (command, state) => requestCredit(command, requested(state), state),
  ApproveCreditRefund: (command, state) => approveCredit(command, requested(state), state),
  RefuseCreditRefund: (command, state) => refuseCredit(command, requested(state), state),
  OpenDispute: (command, state) => openDispute(command, requested(state), state),
  CloseDispute: (command, state) => closing(closeDispute(command, requested(state), state), state),
  RecordReversal: (command, state) => recordReversal(command, requested(state), state),
  OpenInquiry: (command, state) => openInquiry(command, requested(state), state),
  CloseInquiry: (command, state) => closing(closeInquiry(command, requested(state), state), state),
});

/**
 * One invoice's money on its way. What a provider says may come late, twice and in any order: a success is recorded once and always, also
 * after a failure, because the money is there; anything else counts only for an attempt that is under way.
 * Refuses with `payment_not_found`, `unknown_attempt`, and `attempt_out_of_order` for an attempt before its turn.
 */
export const payment: Decider<PaymentCommand, PaymentEvent, PaymentState> = {
  initial: { status: 'none', attempt: 0, captures: [], refunds: [], disputes: [], held: [], credits: [], creditRefunds: [], takenBack: { amount: Decimal.zero, times: 0 } },
  decide: (command, state) => withTakenBack(decide(command, state), command.at, state),
  evolve: dispatch<PaymentEvent, PaymentState, PaymentState>({
    PaymentRequested: (request, state) => ({ ...state, status: 'pending', request }),
    PaymentAttemptStarted: (fact, state) => ({ ...moved(fact, state), attempt: fact.attempt, ...(fact.amount === undefined ? {} : { request: { ...state.request!, amount: fact.amount } }) }),
    PaymentAttemptDeclined: (fact, state) => ({ ...moved(fact, state), declined: fact.attempt }),
    PaymentAttemptLost: (fact, state) => moved(fact, state),
    PaymentAttemptAccepted: (fact, state) => moved(fact, state),
    PaymentActionRequired: (fact, state) => moved(fact, state),
    PaymentRetryScheduled: (_, state) => state,
    PaymentSucceeded: (fact, state) => ({ ...moved(fact, state), captures: [...state.captures, captureOf(fact)] }),
    PaymentFailed: (fact, state) => moved(fact, state),
    PaymentCancelled: (fact, state) => moved(fact, state),
    PaymentDuplicated: (fact, state) => ({ ...state, captures: [...state.captures, captureOf(fact)] }),
    RefundRequested: ({ refundId, attempt, amount, heldBackId }, state) => ({ ...state, held: lessHeld(state.held, heldBackId, amount), refunds: [...state.refunds, { refundId, attempt, amount, status: 'requested' }] }),
    RefundHeldBack: ({ refundId, attempt, amount, reason }, state) => ({ ...state, held: [...state.held, { refundId, attempt, amount, reason }] }),
    RefundSucceeded: ({ refundId }, state) => withRefund(state, refundId, 'succeeded'),
    RefundFailed: ({ refundId }, state) => withRefund(state, refundId, 'failed'),
    MoneyCredited: ({ creditId, amount }, state) => ({ ...state, credits: [...state.credits, { creditId, amount }] }),
    CreditRefundRequested: (fact, state) => ({ ...state, creditRefunds: afterCreditFact(state.creditRefunds, fact) }),
    CreditRefundApproved: (fact, state) => ({ ...state, creditRefunds: afterCreditFact(state.creditRefunds, fact) }),
    CreditRefundRefused: (fact, state) => ({ ...state, creditRefunds: afterCreditFact(state.creditRefunds, fact) }),
    CreditTakenBack: ({ amount }, state) => withTaken(state, Decimal.parse(amount)),
    CreditRestored: ({ amount }, state) => withTaken(state, Decimal.parse(amount).negate()),
    DisputeOpened: (fact, state) => ({ ...state, disputes: withDispute(state.disputes, fact, 'open') }),
    DisputeClosed: ({ disputeId, outcome }, state) => endDispute(state, disputeId, outcome),
    InquiryOpened: (fact, state) => ({ ...state, disputes: withDispute(state.disputes, fact, 'inquiry') }),
    InquiryClosed: ({ disputeId }, state) => endDispute(state, disputeId, 'inquiry_closed'),
  }),
};

/** With what of the account's money is gone, or there again, after it. */
const withTakenBack = (decided: readonly PaymentEvent[], at: string, state: PaymentState): readonly PaymentEvent[] =>
  (decided.length === 0 ? decided : [...decided, ...takenBack(decided.reduce((before, event) => payment.evolve(event, before), state), at)]);
/** With what follows from the end of a dispute. */
const closing = (closed: readonly PaymentEvent[], state: PaymentState): readonly PaymentEvent[] =>
  closed.flatMap((event) => {
    if (event.type !== 'DisputeClosed') return [event];
    const after = payment.evolve(event, state);
    const held = giveBackHeld(event, after);
    return [event, ...held, ...giveBackDuplicate(event, requested(state), held.reduce((before, one) => payment.evolve(one, before), after))];
  });
const lessHeld = (held: PaymentState['held'], refundId: string | undefined, amount: string): PaymentState['held'] =>
  held.map((one) => (one.refundId === refundId ? { ...one, amount: Decimal.parse(one.amount).minus(Decimal.parse(amount)).toString() } : one));
const moved = ({ type }: { readonly type: Mover }, state: PaymentState): PaymentState => ({ ...state, status: (state.status === 'none' ? undefined : nextStatus(state.status, type)) ?? state.status });
const withTaken = (state: PaymentState, change: Decimal): PaymentState => ({ ...state, takenBack: { amount: state.takenBack.amount.plus(change), times: state.takenBack.times + 1 } });
const captureOf = ({ attempt, amount, currency, providerReference }: Capture): Capture => ({ attempt, amount, currency, providerReference });
const withRefund = (state: PaymentState, refundId: string, status: RefundState['status']): PaymentState => ({ ...state, refunds: state.refunds.map((one) => (one.refundId === refundId ? { ...one, status } : one)) });
const endDispute = (state: PaymentState, disputeId: string, status: DisputeState['status']): PaymentState => ({ ...state, disputes: state.disputes.map((one) => (one.disputeId === disputeId ? { ...one, status } : one)) });
