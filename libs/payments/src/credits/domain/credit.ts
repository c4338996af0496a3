import { Decimal, dispatch, type Decider, Money, Refused } from '@valueverse/kernel';
import type { CreditTakenBack, MoneyCredited } from '@valueverse/contracts';
import { afterCreditFact, type ApproveCreditRefund, type CreditRefundEvent, type CreditRefundState, openRefund, type RefuseCreditRefund, type RequestCreditRefund, requestCreditRefund } from './credit-refunds';

/** Money that came in for no invoice: the account's, until its next invoices take it. */
export interface ReceiveCredit { readonly type: 'ReceiveCredit'; readonly creditId: string; readonly accountId: string; readonly amount: string; readonly currency: string; readonly reference: string; readonly receivedAt: string; readonly at: string }
/** It did not last: a cheque bounced, a transfer was called back. All that is not gone already where no amount is given. */
export interface ReverseCredit { readonly type: 'ReverseCredit'; readonly creditId: string; readonly takenBackId: string; readonly amount?: string; readonly reason: string; readonly at: string }
export type CreditCommand = ReceiveCredit | RequestCreditRefund | ApproveCreditRefund | RefuseCreditRefund | ReverseCredit;
export type CreditEvent = MoneyCredited | CreditRefundEvent | CreditTakenBack;
export interface CreditState { readonly credit?: MoneyCredited; readonly refunds: readonly CreditRefundState[]; readonly takenBack: Decimal; readonly reversals: readonly string[] }

const creditOf = ({ credit }: CreditState): MoneyCredited => {
  if (credit === undefined) throw new Refused('credit_not_found', 'there is no credit with this id');
  return credit;
};

/** What of it came, and did not bounce. */
const lastedOf = (state: CreditState): Decimal => Decimal.parse(creditOf(state).amount).minus(state.takenBack);
const reverse = ({ creditId, takenBackId, amount, reason, at }: ReverseCredit, state: CreditState): readonly CreditEvent[] => {
  const { accountId, currency } = creditOf(state);
  if (state.reversals.includes(takenBackId)) return [];
  const most = Money.parse(lastedOf(state).toString(), currency);
  if (!most.isPositive()) throw new Refused('nothing_to_reverse', 'all of this credit is gone already');
  const money = amount === undefined ? most : Money.parse(amount, currency);
  if (!money.isPositive()) throw new Refused('reversal_not_positive', 'an amount above zero is expected', '/amount');
  if (money.compare(most) > 0) throw new Refused('reversal_exceeds_credit', `${most.toString()} ${currency} of this credit is not gone already`, '/amount');
  return [{ type: 'CreditTakenBack', creditId, accountId, amount: money.toString(), currency, takenBackId, reason, takenBackAt: at }];
};

/** Money that came by hand, and goes back by hand. Refuses with `amount_not_positive`, `credit_not_found`, as refunds of credits do, and `nothing_to_reverse`, `reversal_not_positive`, `reversal_exceeds_credit`. */
export const credit: Decider<CreditCommand, CreditEvent, CreditState> = {
  initial: { refunds: [], takenBack: Decimal.zero, reversals: [] },
  decide: dispatch<CreditCommand, CreditState, readonly CreditEvent[]>({
    ReceiveCredit: ({ at, amount, ...command }, state) => {
      const money = Money.parse(amount, command.currency);
      if (!money.isPositive()) throw new Refused('amount_not_positive', 'an amount above zero is expected', '/amount');
      return state.credit === undefined ? [{ ...command, type: 'MoneyCredited', amount: money.toString(), creditedAt: at }] : [];
    },
    RequestCreditRefund: (command, state) => requestCreditRefund(command, { ...creditOf(state), refunds: state.refunds, most: lastedOf(state).minus(outOf(state.refunds)) }),
    ApproveCreditRefund: ({ refundId, at }, state) => answered(state, refundId).map((facts) => ({ ...facts, type: 'CreditRefundApproved', approvedAt: at })),
    RefuseCreditRefund: ({ refundId, at }, state) => answered(state, refundId).map((facts) => ({ ...facts, type: 'CreditRefundRefused', code: 'credit_used', refusedAt: at })),
    ReverseCredit: reverse,
  }),
  evolve: dispatch<CreditEvent, CreditState, CreditState>({
    MoneyCredited: (fact, state) => ({ ...state, credit: fact }),
    CreditTakenBack: ({ amount, takenBackId }, state) => ({ ...state, takenBack: state.takenBack.plus(Decimal.parse(amount)), reversals: [...state.reversals, takenBackId] }),
    CreditRefundRequested: (fact, state) => ({ ...state, refunds: afterCreditFact(state.refunds, fact) }),
    CreditRefundApproved: (fact, state) => ({ ...state, refunds: afterCreditFact(state.refunds, fact) }),
    CreditRefundRefused: (fact, state) => ({ ...state, refunds: afterCreditFact(state.refunds, fact) }),
  }),
};
/** What was paid out of it, or is asked for. */
const outOf = (refunds: readonly CreditRefundState[]): Decimal => Decimal.sum(refunds.filter(({ status }) => status !== 'refused').map(({ amount }) => Decimal.parse(amount)));
const answered = (state: CreditState, refundId: string): readonly { readonly refundId: string; readonly creditId: string; readonly accountId: string; readonly amount: string; readonly currency: string }[] => {
  const { creditId, accountId, currency } = creditOf(state);
  const open = openRefund(state.refunds, refundId);
  return open === undefined ? [] : [{ refundId, creditId, accountId, amount: open.amount, currency }];
};
