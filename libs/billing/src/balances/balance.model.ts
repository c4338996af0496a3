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
    BalanceTakenBack: ({ accountId, currency, amount }, row) => moved(accountId, currency, row, Money.parse(amount, currency).negate()),
    BalanceReturned: ({ accountId, currency, amount }, row) => moved(accountId, currency, row, Money.parse(amount, currency).negate()),
  },
  columns: { account_id: ({ accountId }) => accountId }, sortBy: ({ currency }) => currency,
};

export const balanceDecider: DeciderDefinition<BalanceCommand, BalanceEvent, Balance> = {
  name: 'balance', decider: balance, stream: ({ accountId, currency }) => `balance-${accountId}-${currency}`, views: [balancesModel],
};

/** What an account has to its credit, for previews. */
export const balanceOf = async (tx: Tx, tenant: string, accountId: string, currency: string): Promise<Money> => {
  const { rows } = await tx.query<{ row: BalanceRow }>(`SELECT row FROM ${ident(tableOf(balancesModel))} WHERE tenant = $1 AND key = $2`, [tenant, balanceKey(accountId, currency)]);
  return rows[0] === undefined ? Money.zero(currency) : Money.parse(rows[0].row.amount, currency);
};

/** What accounts have to their credit, those that have something, by account and currency (`<account>/<currency>`); about to be used, so they are held. */
export const balancesHeld = async (tx: Tx, tenant: string, accountIds: readonly string[]): Promise<ReadonlyMap<string, Money>> => {
  const { rows } = await tx.query<{ row: BalanceRow }>(`SELECT row FROM ${ident(tableOf(balancesModel))} WHERE tenant = $1 AND account_id = ANY($2) ORDER BY key FOR UPDATE`, [tenant, accountIds]);
  return new Map(rows.map(({ row: { accountId, currency, amount } }) => [balanceKey(accountId, currency), Money.parse(amount, currency)]));
};
