import { dispatch, type Decider, Money, Refused } from '@valueverse/kernel';
import type { MoneyCredited } from '@valueverse/contracts';
import { afterCreditFact, type ApproveCreditRefund, type CreditRefundEvent, type CreditRefundState, openRefund, type RefuseCreditRefund, type RequestCreditRefund, requestCreditRefund } from './credit-refunds';

/** Money that came in for no invoice: the account's, until its next invoices take it. */
export interface ReceiveCredit { readonly type: 'ReceiveCredit'; readonly creditId: string; readonly accountId: string; readonly amount: string; readonly currency: string; readonly reference: string; readonly receivedAt: string; readonly at: string }
export type CreditCommand = ReceiveCredit | RequestCreditRefund | ApproveCreditRefund | RefuseCreditRefund;
export type CreditEvent = MoneyCredited | CreditRefundEvent;
export interface CreditState { readonly credit?: MoneyCredited; readonly refunds: readonly CreditRefundState[] }

const creditOf = ({ credit }: CreditState): MoneyCredited => {
  if (credit === undefined) throw new Refused('credit_not_found', 'there is no credit with this id');
  return credit;
};

/** Money that came by hand, and goes back by hand. Refuses with `amount_not_positive`, `credit_not_found`, and as refunds of credits do. */
export const credit: Decider<CreditCommand, CreditEvent, CreditState> = {
  initial: { refunds: [] },
  decide: dispatch<CreditCommand, CreditState, readonly CreditEvent[]>({
    ReceiveCredit: ({ at, amount, ...command }, state) => {
      const money = Money.parse(amount, command.currency);
      if (!money.isPositive()) throw new Refused('amount_not_positive', 'an amount above zero is expected', '/amount');
      return state.credit === undefined ? [{ ...command, type: 'MoneyCredited', amount: money.toString(), creditedAt: at }] : [];
    },
    RequestCreditRefund: (command, state) => requestCreditRefund(command, { ...creditOf(state), refunds: state.refunds }),
    ApproveCreditRefund: ({ refundId, at }, state) => answered(state, refundId).map((facts) => ({ ...facts, type: 'CreditRefundApproved', approvedAt: at })),
    RefuseCreditRefund: ({ refundId, at }, state) => answered(state, refundId).map((facts) => ({ ...facts, type: 'CreditRefundRefused', code: 'credit_used', refusedAt: at })),
  }),
  evolve: dispatch<CreditEvent, CreditState, CreditState>({
    MoneyCredited: (fact, state) => ({ ...state, credit: fact }),
    CreditRefundRequested: (fact, state) => ({ ...state, refunds: afterCreditFact(state.refunds, fact) }),
    CreditRefundApproved: (fact, state) => ({ ...state, refunds: afterCreditFact(state.refunds, fact) }),
    CreditRefundRefused: (fact, state) => ({ ...state, refunds: afterCreditFact(state.refunds, fact) }),
  }),
};
const answered = (state: CreditState, refundId: string): readonly { readonly refundId: string; readonly creditId: string; readonly accountId: string; readonly amount: string; readonly currency: string }[] => {
  const { creditId, accountId, currency } = creditOf(state);
  const open = openRefund(state.refunds, refundId);
  return open === undefined ? [] : [{ refundId, creditId, accountId, amount: open.amount, currency }];
};
