import { ident, tableOf, type DeciderDefinition, type ReadModel, type Tx } from '@valueverse/event-log';
import { Money } from '@valueverse/kernel';
import { balance, type Balance, type BalanceCommand, type BalanceEvent } from './domain/balance.decider';

/** What an account has to its credit in a currency, in major units. */
export interface BalanceRow { readonly accountId: string; readonly currency: string; readonly amount: string }

const balanceKey = (accountId: string, currency: string): string => `${accountId}/${currency}`;
const moved = (accountId: string, currency: string, row: BalanceRow, change: Money): BalanceRow => ({ accountId, currency, amount: Money.parse(row.amount ?? '0', currency).add(change).toString() });

export const balancesModel: ReadModel<BalanceEvent, BalanceRow> = {
  table: 'balances', version: 1, key: ({ accountId, currency }) => balanceKey(accountId, currency), initial: {} as BalanceRow,
  on: {
    BalanceCredited: ({ accountId, currency, amount }, row) => moved(accountId, currency, row, Money.parse(amount, currency)),
    BalanceUsed: ({ accountId, currency, amount }, row) => moved(accountId, currency, row, Money.parse(amount, currency).negate()),
  },
  columns: { account_id: ({ accountId }) => accountId }, sortBy: ({ currency }) => currency,
};

export const balanceDecider: DeciderDefinition<BalanceCommand, BalanceEvent, Balance> = {
  name: 'balance', decider: balance, stream: ({ accountId, currency }) => `balance-${accountId}-${currency}`, views: [balancesModel],
};

/** What an account has to its credit. `isIssue`: it is about to be used in this transaction, and is held. */
export const balanceOf = async (tx: Tx, tenant: string, accountId: string, currency: string, isIssue = false): Promise<Money> => {
  const table = ident(tableOf(balancesModel));
  const { rows } = await tx.query<{ row: BalanceRow }>(isIssue ? `SELECT row FROM ${table} WHERE tenant = $1 AND key = $2 FOR UPDATE` : `SELECT row FROM ${table} WHERE tenant = $1 AND key = $2`, [tenant, balanceKey(accountId, currency)]);
  return rows[0] === undefined ? Money.zero(currency) : Money.parse(rows[0].row.amount, currency);
};
