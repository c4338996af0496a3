import { dispatch, Money, Refused, type Decider } from '@valueverse/kernel';
import type { BalanceCredited, BalanceUsed } from '@valueverse/contracts';

export type CreditBalance = { readonly type: 'CreditBalance'; readonly at: string } & Omit<BalanceCredited, 'type' | 'creditedAt'>;
export type UseBalance = { readonly type: 'UseBalance'; readonly at: string } & Omit<BalanceUsed, 'type' | 'usedAt'>;
export type BalanceCommand = CreditBalance | UseBalance;
export type BalanceEvent = BalanceCredited | BalanceUsed;
export interface Balance { readonly amount?: Money; readonly sources: readonly string[]; readonly invoices: readonly string[] }

const after = ({ amount }: Balance, currency: string, change: Money): Money => (amount ?? Money.zero(currency)).add(change);

/** What an account has to its credit in one currency; never below zero. Each source credits it once, each invoice uses it once. Refuses with `balance_too_low`. */
export const balance: Decider<BalanceCommand, BalanceEvent, Balance> = {
  initial: { sources: [], invoices: [] },
  decide: dispatch<BalanceCommand, Balance, readonly BalanceEvent[]>({
    CreditBalance: ({ at, type: _, ...facts }, { sources }) => (sources.includes(`${facts.source}/${facts.sourceId}`) ? [] : [{ ...facts, type: 'BalanceCredited', creditedAt: at }]),
    UseBalance: ({ at, type: _, ...facts }, state) => {
      if (state.invoices.includes(facts.invoiceId)) return [];
      if (after(state, facts.currency, Money.parse(facts.amount, facts.currency).negate()).isNegative()) throw new Refused('balance_too_low', `the account has ${state.amount?.toString() ?? '0'}`);
      return [{ ...facts, type: 'BalanceUsed', usedAt: at }];
    },
  }),
  evolve: dispatch<BalanceEvent, Balance, Balance>({
    BalanceCredited: ({ amount, currency, source, sourceId }, state) => ({ ...state, amount: after(state, currency, Money.parse(amount, currency)), sources: [...state.sources, `${source}/${sourceId}`] }),
    BalanceUsed: ({ amount, currency, invoiceId }, state) => ({ ...state, amount: after(state, currency, Money.parse(amount, currency).negate()), invoices: [...state.invoices, invoiceId] }),
  }),
};
