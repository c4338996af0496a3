import { dispatch, type Decider, Money, Refused } from '@valueverse/kernel';
import type { MoneyCredited } from '@valueverse/contracts';

/** Money that came in for no invoice: the account's, until its next invoices take it. */
export interface ReceiveCredit { readonly type: 'ReceiveCredit'; readonly creditId: string; readonly accountId: string; readonly amount: string; readonly currency: string; readonly reference: string; readonly receivedAt: string; readonly at: string }
export interface CreditState { readonly isThere: boolean }

/** Refuses with `amount_not_positive`. */
export const credit: Decider<ReceiveCredit, MoneyCredited, CreditState> = {
  initial: { isThere: false },
  decide: dispatch<ReceiveCredit, CreditState, readonly MoneyCredited[]>({
    ReceiveCredit: ({ at, amount, ...command }, { isThere }) => {
      const money = Money.parse(amount, command.currency);
      if (!money.isPositive()) throw new Refused('amount_not_positive', 'an amount above zero is expected', '/amount');
      return isThere ? [] : [{ ...command, type: 'MoneyCredited', amount: money.toString(), creditedAt: at }];
    },
  }),
  evolve: dispatch<MoneyCredited, CreditState, CreditState>({ MoneyCredited: () => ({ isThere: true }) }),
};
