import { Decimal, derivedId, Money, Refused } from '@valueverse/kernel';
import type { DisputeClosed, PaymentRequested, RefundRequested } from '@valueverse/contracts';
import { creditOfRefund, openRefund, type ApproveCreditRefund, type RefuseCreditRefund, requestCreditRefund, type RequestCreditRefund } from '../../credits/domain/credit-refunds';
import type { CreditAccount, OfPayment, RecordProviderRefund, RecordRefund, RecordRefundFailure, RequestRefund } from './payment-command';
import type { PaymentEvent } from './payment-event';
import { heldBack } from './disputes';
import type { Capture, PaymentState } from './payment';

type Holdings = Pick<PaymentState, 'captures' | 'refunds' | 'disputes' | 'credits' | 'creditRefunds'>;
const sumOf = (parts: readonly { readonly amount: string }[]): Decimal => Decimal.sum(parts.map(({ amount }) => Decimal.parse(amount)));

/** What of an attempt's money can still be given back: what it took, less what was or may be given back, less what of it is disputed or lost to a dispute, less what was left to the account. */
export const refundable = ({ captures, refunds, disputes, credits, creditRefunds }: Holdings, attempt: number): Decimal => {
  const capture = captures.find((one) => one.attempt === attempt);
  if (capture === undefined) return Decimal.zero;
  const given = sumOf(refunds.filter((one) => one.attempt === attempt && one.status !== 'failed'));
  const left = Decimal.parse(capture.amount).minus(given).minus(heldBack({ captures, disputes }, attempt));
  if (attempt !== captures[0]!.attempt) return left;
  return left.minus(leftToAccount({ credits, creditRefunds }));
};
/** What of a payment is the account's: its balance, as billing knows it, or what that was used for. */
export const leftToAccount = ({ credits, creditRefunds }: Pick<PaymentState, 'credits' | 'creditRefunds'>): Decimal => sumOf(credits).minus(sumOf(creditRefunds.filter(({ status }) => status === 'approved' || status === 'returned')));
/** What of a payment is still there to be paid out, be it the account's or not: nothing of it was given back, or is disputed. */
export const held = ({ captures, refunds, disputes }: Holdings): Decimal => {
  const [capture] = captures;
  if (capture === undefined) return Decimal.zero;
  return Decimal.parse(capture.amount).minus(sumOf(refunds.filter((one) => one.attempt === capture.attempt && one.status !== 'failed'))).minus(heldBack({ captures, disputes }, capture.attempt));
};

/** One key per refund, however often it is sent. */
export const refundKeyOf = (refundId: string): string => `ref:${refundId}`;

/**
 * Gives back an amount, or all that is left, of what an attempt took. All refunds of a payment are one stream: two at once cannot give back more than came in.
 * Refuses with `nothing_to_refund`, and with `refund_exceeds_payment` an amount above what is left.
 */
export const requestRefund = ({ paymentId, refundId, amount, attempt, reason, isAutomatic, at }: RequestRefund, { currency }: PaymentRequested, state: PaymentState): readonly PaymentEvent[] => {
  if (state.refunds.some((one) => one.refundId === refundId)) return [];
  const capture = attempt === undefined ? state.captures[0] : state.captures.find((one) => one.attempt === attempt);
  if (capture === undefined) throw new Refused('nothing_to_refund', 'this payment has taken no money');
  const left = refundable(state, capture.attempt);
  if (isAutomatic === true) return goesBack({ paymentId, refundId, amount, reason, at }, capture, left, state);
  if (!left.isPositive()) throw new Refused('nothing_to_refund', 'all that came in was given back, is disputed, or is the credit of the account: POST /api/v1/payments/credits/{id}/refunds pays that out');
  const most = Money.parse(left.toString(), currency);
  const asked = amount === undefined ? most : Money.parse(amount, currency);
  if (!asked.isPositive()) throw new Refused('refund_not_positive', 'an amount above zero is expected', '/amount');
  if (asked.compare(most) > 0) throw new Refused('refund_exceeds_payment', `${most.toString()} ${currency} of this payment can be given back`, '/amount');
  return [requestedOf({ paymentId, refundId, amount: asked.toString(), reason, at }, capture)];
};
interface Wanted { readonly paymentId: string; readonly refundId: string; readonly amount?: string | undefined; readonly reason: string; readonly at: string }
const requestedOf = ({ paymentId, refundId, amount, reason, at }: Wanted & { readonly amount: string }, { attempt, currency, providerReference }: Capture): RefundRequested =>
  ({ type: 'RefundRequested', paymentId, refundId, amount, currency, reason, providerKey: refundKeyOf(refundId), providerReference, attempt, requestedAt: at });

/** As much as is left of the money goes back now; what of the rest is disputed just now goes back when the bank lets it go. */
const goesBack = ({ amount, ...of }: Wanted, capture: Capture, left: Decimal, { disputes, captures, held: before }: PaymentState): readonly PaymentEvent[] => {
  if (before.some(({ refundId }) => refundId === of.refundId)) return [];
  const { attempt, currency } = capture;
  const there = Decimal.max(left, Decimal.zero);
  const wanted = amount === undefined ? there : Decimal.parse(amount);
  const now = Decimal.min(wanted, there);
  const open = Decimal.sum(disputes.filter((one) => one.status === 'open' && (one.attempt ?? captures[0]?.attempt) === attempt).map((one) => Decimal.parse(one.amount)));
  const later = Decimal.min(wanted.minus(now), open);
  const text = (sum: Decimal): string => Money.parse(sum.toString(), currency).toString();
  return [
    ...(now.isPositive() ? [requestedOf({ ...of, amount: text(now) }, capture)] : []),
    ...(later.isPositive() ? [{ type: 'RefundHeldBack', paymentId: of.paymentId, refundId: of.refundId, amount: text(later), currency, reason: of.reason, attempt, heldBackAt: of.at } as const] : []),
  ];
};
/** What a bank has let go of goes back where it was to go back before. `state` is that after the end of the dispute. */
export const giveBackHeld = ({ paymentId, disputeId, outcome, closedAt: at }: DisputeClosed, state: PaymentState): readonly PaymentEvent[] => {
  if (outcome !== 'won') return [];
  const left = new Map(state.captures.map(({ attempt }) => [attempt, refundable(state, attempt)]));
  return state.held.flatMap(({ refundId: heldBackId, attempt, amount, reason }) => {
    const there = Decimal.min(Decimal.parse(amount), left.get(attempt)!);
    if (!there.isPositive()) return [];
    left.set(attempt, left.get(attempt)!.minus(there));
    const capture = state.captures.find((one) => one.attempt === attempt)!;
    return [{ ...requestedOf({ paymentId, refundId: derivedId('ref', heldBackId, disputeId), amount: Money.parse(there.toString(), capture.currency).toString(), reason, at }, capture), heldBackId }];
  });
};

/** What a second attempt took goes back by itself, and where a bank held it until now, it goes back when that lets it go. `state` is that after the end of the dispute. */
export const giveBackDuplicate = ({ paymentId, disputeId, outcome, closedAt: at }: DisputeClosed, request: PaymentRequested, state: PaymentState): readonly PaymentEvent[] => {
  const attempt = state.disputes.find((one) => one.disputeId === disputeId)?.attempt;
  const isDuplicate = state.captures.slice(1).some((capture) => capture.attempt === attempt);
  if (outcome !== 'won' || attempt === undefined || !isDuplicate) return [];
  return requestRefund({ type: 'RequestRefund', paymentId, refundId: derivedId('ref', disputeId), attempt, reason: SECOND_ATTEMPT, isAutomatic: true, at }, request, state);
};
/** Why the money of a duplicate goes back. */
export const SECOND_ATTEMPT = 'a second attempt took money too';

/** What no invoice took is the account's: the next invoice takes it, unless it is paid out before. */
export const creditAccount = ({ paymentId, creditId, amount, at }: CreditAccount, { accountId, invoiceId, currency }: PaymentRequested, state: PaymentState): readonly PaymentEvent[] => {
  const [capture] = state.captures;
  if (capture === undefined || state.credits.some((one) => one.creditId === creditId)) return [];
  // Disputed money is the account's too: it is taken back at once, and is there again when the bank lets it go.
  const left = refundable({ ...state, disputes: [] }, capture.attempt);
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
  const creditId = state.creditRefunds.find((one) => one.refundId === refundId)?.creditId;
  return status === 'requested' ? [{ type: 'RefundSucceeded', paymentId, refundId, invoiceId, accountId, attempt, amount, currency, providerReference, refundedAt: at, ...(creditId === undefined ? {} : { creditId }) }] : [];
};
/** A refund may fail after it had succeeded; what failed stays so, and another one is made. */
export const recordRefundFailure = ({ paymentId, refundId, code, at }: RecordRefundFailure, request: PaymentRequested, state: PaymentState): readonly PaymentEvent[] => {
  const { invoiceId, currency } = request;
  const { status, amount } = refundOf(state, refundId);
  if (status === 'failed') return [];
  const failed: PaymentEvent = { type: 'RefundFailed', paymentId, refundId, invoiceId, amount, currency, code, failedAt: at };
  // What was taken from the balance for it goes back there.
  return state.creditRefunds.some((one) => one.refundId === refundId) ? [failed, creditedAgain({ paymentId, refundId, amount, at }, request)] : [failed];
};
/**
 * A refund as the provider has it now: one of ours by its key, else one that was made at the provider's own pages, which is recorded once its money has gone, whatever we think could still be given back. Nothing is sent for it. Money that nobody here has
 * heard of cannot be given back: refuses with `nothing_to_refund`, and with `currency_mismatch` what is in another currency than it was taken in.
 */
export const recordProviderRefund = (command: RecordProviderRefund, request: PaymentRequested, state: PaymentState): readonly PaymentEvent[] => {
  const { paymentId, key, providerReference, chargeReference, amount, currency, status, code, reason, at } = command;
  const own = state.refunds.find(({ refundId }) => refundId === command.refundId || refundKeyOf(refundId) === key);
  if (own !== undefined) {
    const of = { paymentId, refundId: own.refundId, at };
    if (status === 'failed') return recordRefundFailure({ type: 'RecordRefundFailure', ...of, code: code ?? status }, request, state);
    return status === 'succeeded' ? recordRefund({ type: 'RecordRefund', ...of, providerReference }, request, state) : [];
  }
  if (status !== 'succeeded') return [];
  const { refundId } = command;
  const { invoiceId, accountId } = request;
  const capture = state.captures.find((one) => one.providerReference === chargeReference);
  if (capture === undefined) throw new Refused('nothing_to_refund', 'this payment has taken no money under this reference');
  if (capture.currency !== currency) throw new Refused('currency_mismatch', `what was taken is in ${capture.currency}`);
  const { attempt } = capture;
  return [
    { type: 'RefundRequested', paymentId, refundId, amount, currency, reason, providerKey: refundKeyOf(refundId), providerReference: chargeReference, attempt, requestedAt: at, origin: 'provider' },
    { type: 'RefundSucceeded', paymentId, refundId, invoiceId, accountId, attempt, amount, currency, providerReference, refundedAt: at },
  ];
};

const creditedAgain = ({ paymentId, refundId, amount, at }: { readonly paymentId: string; readonly refundId: string; readonly amount: string; readonly at: string }, { invoiceId, accountId, currency }: PaymentRequested): PaymentEvent =>
  ({ type: 'MoneyCredited', creditId: creditOfRefund(refundId), accountId, amount, currency, paymentId, invoiceId, creditedAt: at, refundId });

/** Asks for a credit that this payment left. Refuses with `credit_not_found`, and as refunds of credits do. */
export const requestCredit = (command: OfPayment<RequestCreditRefund>, { accountId, currency }: PaymentRequested, state: PaymentState): readonly PaymentEvent[] => {
  const { creditId, paymentId } = command;
  const credit = state.credits.find((one) => one.creditId === creditId);
  if (credit === undefined) throw new Refused('credit_not_found', 'this payment has left no such credit');
  const most = held(state).minus(sumOf(state.creditRefunds.filter(({ status }) => status === 'requested')));
  return requestCreditRefund(command, { ...credit, accountId, currency, paymentId, refunds: state.creditRefunds, most });
};
/** Gives it back as any refund of this payment, under the same id. Where a dispute took the money meanwhile, it is the account's again. */
export const approveCredit = ({ paymentId, refundId, at }: OfPayment<ApproveCreditRefund>, request: PaymentRequested, state: PaymentState): readonly PaymentEvent[] => {
  const open = openRefund(state.creditRefunds, refundId);
  if (open === undefined) return [];
  const { creditId, amount, reason } = open;
  const { accountId, currency } = request;
  const of = { refundId, creditId, accountId, amount, currency, paymentId };
  if (held(state).compare(Decimal.parse(amount)) < 0) return [{ ...of, type: 'CreditRefundRefused', code: 'payment_disputed', refusedAt: at }, creditedAgain({ paymentId, refundId, amount, at }, request)];
  const { attempt, providerReference } = state.captures[0]!;
  return [{ ...of, type: 'CreditRefundApproved', approvedAt: at }, { type: 'RefundRequested', paymentId, refundId, amount, currency, reason, providerKey: refundKeyOf(refundId), providerReference, attempt, requestedAt: at }];
};
export const refuseCredit = ({ paymentId, refundId, at }: OfPayment<RefuseCreditRefund>, { accountId, currency }: PaymentRequested, state: PaymentState): readonly PaymentEvent[] => {
  const open = openRefund(state.creditRefunds, refundId);
  return open === undefined ? [] : [{ type: 'CreditRefundRefused', refundId, creditId: open.creditId, accountId, amount: open.amount, currency, paymentId, code: 'credit_used', refusedAt: at }];
};
