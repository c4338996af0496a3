import type { AccountOpened } from '@valueverse/contracts';
import type { DeciderDefinition, ReadModel } from '@valueverse/event-log';
import { account, type Account, type OpenAccount } from './domain/account.decider';

/** An account without its personal fields: those stay sealed in the log and are read from there. */
export type AccountRow = Pick<AccountOpened, 'accountId' | 'currency' | 'timezone' | 'testClockId' | 'externalId' | 'metadata' | 'openedAt' | 'subjects'>;

export const accountsModel: ReadModel<AccountOpened, AccountRow> = {
  table: 'accounts', version: 1, key: ({ accountId }) => accountId, initial: {} as AccountRow,
  on: {
    AccountOpened: ({ accountId, currency, timezone, testClockId, externalId, metadata, openedAt, subjects }) => ({
      accountId, currency, timezone, metadata, openedAt, ...(testClockId === undefined ? {} : { testClockId }), ...(externalId === undefined ? {} : { externalId }),
      ...(subjects === undefined ? {} : { subjects }),
    }),
  },
  columns: { external_id: ({ externalId }) => externalId ?? null }, unique: ['external_id'], sortBy: ({ openedAt }) => openedAt,
};

export const accountDecider: DeciderDefinition<OpenAccount, AccountOpened, Account> = {
  name: 'account', decider: account, stream: ({ accountId }) => accountStream(accountId), views: [accountsModel],
};
export const accountStream = (accountId: string): string => `account-${accountId}`;
