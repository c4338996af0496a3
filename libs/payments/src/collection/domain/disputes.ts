import { Decimal, Money, Refused } from '@valueverse/kernel';
import type { DisputeOpened, InquiryOpened, PaymentRequested } from '@valueverse/contracts';
import type { CloseDispute, CloseInquiry, OpenDispute, OpenInquiry, RecordReversal } from './payment-command';
import type { PaymentEvent } from './payment-event';
import type { DisputeState, PaymentState } from './payment';

/** What both say. The attempt is the one whose money the provider names; it is not said where nobody has heard yet that it took any. */
const headOf = ({ paymentId, disputeId, amount, currency, reason, providerReference, chargeReference, evidenceDueBy, at }: OpenDispute | OpenInquiry, { invoiceId, accountId }: PaymentRequested, { captures }: PaymentState): Omit<InquiryOpened, 'type'> => {
  const attempt = captures.find((capture) => capture.providerReference === chargeReference)?.attempt;
  return { paymentId, disputeId, invoiceId, accountId, amount, currency, reason, providerReference, openedAt: at, ...(evidenceDueBy === undefined ? {} : { evidenceDueBy }), ...(attempt === undefined ? {} : { attempt }) };
};
const isInquiry = ({ status }: DisputeState): boolean => status === 'inquiry' || status === 'inquiry_closed';
const found = ({ disputes }: PaymentState, disputeId: string): DisputeState => {
  const one = disputes.find((dispute) => dispute.disputeId === disputeId);
  if (one === undefined) throw new Refused('dispute_not_found', 'this payment has no such dispute');
  return one;
};

/** Once; also after an inquiry, which became a dispute. */
export const openDispute = (command: OpenDispute, request: PaymentRequested, state: PaymentState): readonly PaymentEvent[] => {
  const { disputeId, fee } = command;
  if (state.disputes.some((one) => one.disputeId === disputeId && !isInquiry(one))) return [];
  const opened: DisputeOpened = { type: 'DisputeOpened', ...headOf(command, request, state), ...(fee === undefined ? {} : { fee }) };
  return [opened];
};

/** A bank decides once; one that has decided against us may let go of the money after all, and then that is how it ends. Refuses with `dispute_not_found`. */
export const closeDispute = ({ paymentId, disputeId, outcome, at }: CloseDispute, { invoiceId, accountId, currency }: PaymentRequested, state: PaymentState): readonly PaymentEvent[] => {
  const { status, amount } = found(state, disputeId);
  return status === 'open' || (status === 'lost' && outcome === 'won') ? [{ type: 'DisputeClosed', paymentId, disputeId, invoiceId, accountId, amount, currency, outcome, closedAt: at }] : [];
};

/** Once, and never of what is a dispute by now: what was asked of the provider before comes late. */
export const openInquiry = (command: OpenInquiry, request: PaymentRequested, state: PaymentState): readonly PaymentEvent[] =>
  (state.disputes.some((one) => one.disputeId === command.disputeId) ? [] : [{ type: 'InquiryOpened', ...headOf(command, request, state) }]);

/** What an older release took for a dispute ends as one that the customer has not won: nothing was ever taken. Refuses with `dispute_not_found`. */
export const closeInquiry = ({ type: _type, ...command }: CloseInquiry, request: PaymentRequested, state: PaymentState): readonly PaymentEvent[] => {
  const { paymentId, disputeId, at } = command;
  const { status, amount, wasInquiry } = found(state, disputeId);
  if (status === 'open' && wasInquiry !== true) return closeDispute({ type: 'CloseDispute', ...command, outcome: 'won' }, request, state);
  const { invoiceId, accountId, currency } = request;
  return status === 'inquiry' ? [{ type: 'InquiryClosed', paymentId, disputeId, invoiceId, accountId, amount, currency, closedAt: at }] : [];
};

/** What bounced is a dispute that was lost before it began. Refuses with `nothing_to_reverse`, `reversal_not_positive`, and `reversal_exceeds_payment` an amount above what is not gone already. */
export const recordReversal = ({ paymentId, disputeId, providerReference, amount, reason, at }: RecordReversal, request: PaymentRequested, state: PaymentState): readonly PaymentEvent[] => {
  if (state.disputes.some((one) => one.disputeId === disputeId)) return [];
  const [capture] = state.captures;
  const left = capture === undefined ? Decimal.zero : Decimal.parse(capture.amount).minus(heldBack(state, capture.attempt));
  if (capture === undefined || !left.isPositive()) throw new Refused('nothing_to_reverse', 'nothing came in under this payment that is not gone already');
  const { currency } = capture;
  const most = Money.parse(left.toString(), currency);
  const money = amount === undefined ? most : Money.parse(amount, currency);
  if (!money.isPositive()) throw new Refused('reversal_not_positive', 'an amount above zero is expected', '/amount');
  if (money.compare(most) > 0) throw new Refused('reversal_exceeds_payment', `${most.toString()} ${currency} of this payment is not gone already`, '/amount');
  const { invoiceId, accountId } = request;
  const of = { paymentId, disputeId, invoiceId, accountId, amount: money.toString(), currency };
  return [{ type: 'DisputeOpened', ...of, reason, providerReference, openedAt: at, attempt: capture.attempt }, { type: 'DisputeClosed', ...of, outcome: 'lost', closedAt: at }];
};

/** The disputes of a payment after one more was opened, or asked about. */
export const withDispute = (disputes: readonly DisputeState[], { disputeId, amount, attempt }: DisputeOpened | InquiryOpened, status: DisputeState['status']): readonly DisputeState[] => {
  const wasInquiry = disputes.some((one) => one.disputeId === disputeId && isInquiry(one));
  return [...disputes.filter((one) => one.disputeId !== disputeId), { disputeId, amount, ...(attempt === undefined ? {} : { attempt }), ...(wasInquiry ? { wasInquiry } : {}), status }];
};
/** What of an attempt's money banks hold back, or have taken for good. */
export const heldBack = ({ captures, disputes }: Pick<PaymentState, 'captures' | 'disputes'>, attempt: number): Decimal =>
  Decimal.sum(disputes.filter((one) => (one.status === 'open' || one.status === 'lost') && (one.attempt ?? captures[0]?.attempt) === attempt).map(({ amount }) => Decimal.parse(amount)));
