import { dispatch, Money, Refused, type Decider } from '@valueverse/kernel';
import type { BalanceCredited, BalanceReturned, BalanceReturnRefused, BalanceTakenBack, BalanceUsed } from '@valueverse/contracts';

export type CreditBalance = { readonly type: 'CreditBalance'; readonly at: string } & Omit<BalanceCredited, 'type' | 'creditedAt'>;
export type UseBalance = { readonly type: 'UseBalance'; readonly at: string } & Omit<BalanceUsed, 'type' | 'usedAt'>;
/** Payments ask for a part of it to be paid out. */
export type ReturnBalance = { readonly type: 'ReturnBalance'; readonly at: string } & Omit<BalanceReturned, 'type' | 'returnedAt'>;
/** Payments say that money which had become the balance is gone. */
export type TakeBackBalance = { readonly type: 'TakeBackBalance'; readonly at: string } & Omit<BalanceTakenBack, 'type' | 'takenBackAt'>;
export type BalanceCommand = CreditBalance | UseBalance | ReturnBalance | TakeBackBalance;
export type BalanceEvent = BalanceCredited | BalanceUsed | BalanceReturned | BalanceReturnRefused | BalanceTakenBack;
export interface Balance { readonly amount?: Money; readonly sources: readonly string[]; readonly invoices: readonly string[]; readonly returns: readonly string[]; readonly takenBack: readonly string[] }

const after = ({ amount }: Balance, currency: string, change: Money): Money => (amount ?? Money.zero(currency)).add(change);

/** What an account has to its credit in one currency; never below zero by what is used of it or paid out; what is taken back of money that was used before is owed, and what comes next fills that. Each source credits it once, each invoice uses it once; a return is answered once, also that it is not there any more. Refuses with `balance_too_low`. */
export const balance: Decider<BalanceCommand, BalanceEvent, Balance> = {
  initial: { sources: [], invoices: [], returns: [], takenBack: [] },
  decide: dispatch<BalanceCommand, Balance, readonly BalanceEvent[]>({
    CreditBalance: ({ at, type: _, ...facts }, { sources }) => (sources.includes(`${facts.source}/${facts.sourceId}`) ? [] : [{ ...facts, type: 'BalanceCredited', creditedAt: at }]),
    UseBalance: ({ at, type: _, ...facts }, state) => {
      if (state.invoices.includes(facts.invoiceId)) return [];
      if (after(state, facts.currency, Money.parse(facts.amount, facts.currency).negate()).isNegative()) throw new Refused('balance_too_low', `the account has ${state.amount?.toString() ?? '0'}`);
      return [{ ...facts, type: 'BalanceUsed', usedAt: at }];
    },
    ReturnBalance: ({ at, type: _, ...facts }, state) => {
      if (state.returns.includes(facts.refundId)) return [];
      const { currency } = facts;
      const isThere = !after(state, currency, Money.parse(facts.amount, currency).negate()).isNegative();
      return [isThere ? { ...facts, type: 'BalanceReturned', returnedAt: at } : { ...facts, type: 'BalanceReturnRefused', available: (state.amount ?? Money.zero(currency)).toString(), refusedAt: at }];
    },
    // It is gone, whatever became of it here.
    TakeBackBalance: ({ at, type: _, ...facts }, { takenBack }) => (takenBack.includes(facts.takenBackId) ? [] : [{ ...facts, type: 'BalanceTakenBack', takenBackAt: at }]),
  }),
  evolve: dispatch<BalanceEvent, Balance, Balance>({
    BalanceCredited: ({ amount, currency, source, sourceId }, state) => ({ ...state, amount: after(state, currency, Money.parse(amount, currency)), sources: [...state.sources, `${source}/${sourceId}`] }),
    BalanceUsed: ({ amount, currency, invoiceId }, state) => ({ ...state, amount: after(state, currency, Money.parse(amount, currency).negate()), invoices: [...state.invoices, invoiceId] }),
    BalanceReturned: ({ amount, currency, refundId }, state) => ({ ...state, amount: after(state, currency, Money.parse(amount, currency).negate()), returns: [...state.returns, refundId] }),
    BalanceTakenBack: ({ amount, currency, takenBackId }, state) => ({ ...state, amount: after(state, currency, Money.parse(amount, currency).negate()), takenBack: [...state.takenBack, takenBackId] }),
    BalanceReturnRefused: ({ refundId }, state) => ({ ...state, returns: [...state.returns, refundId] }),
  }),
};
