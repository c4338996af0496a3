import type { AccountChanged, AccountOpened, InvoiceFinalized } from '@valueverse/contracts';
import { ERASED, type DeciderDefinition, type ReadModel, type Tx } from '@valueverse/event-log';
import type { Service } from '@valueverse/platform';
import { account, type Account, type AccountCommand, type AccountEvent } from './domain/account.decider';

type Terms = Pick<AccountOpened, 'entityKey' | 'taxRateKeys' | 'taxExemption' | 'reverseCharge' | 'taxId' | 'consolidate' | 'paymentTerms' | 'language'>;
/** An account without its personal fields: those stay sealed in the log and are read from there. */
export type AccountRow = Pick<AccountOpened, 'accountId' | 'currency' | 'timezone' | 'testClockId' | 'externalId' | 'metadata' | 'openedAt' | 'subjects'> & Terms;

const termsIn = ({ entityKey, taxRateKeys, taxExemption, reverseCharge, taxId, consolidate, paymentTerms, language }: AccountEvent): Terms =>
  Object.fromEntries(Object.entries({ entityKey, taxRateKeys, taxExemption, reverseCharge, taxId, consolidate, paymentTerms, language }).filter(([, value]) => value !== undefined)) as Terms;

export const accountsModel: ReadModel<AccountEvent, AccountRow> = {
  table: 'accounts', version: 2, key: ({ accountId }) => accountId, initial: {} as AccountRow,
  on: {
    AccountOpened: (opened) => {
      const { accountId, currency, timezone, testClockId, externalId, metadata, openedAt, subjects } = opened;
      return {
        accountId, currency, timezone, metadata, openedAt, ...termsIn(opened), ...(testClockId === undefined ? {} : { testClockId }), ...(externalId === undefined ? {} : { externalId }), ...(subjects === undefined ? {} : { subjects }),
      };
    },
    AccountChanged: (changed, { accountId, currency, openedAt, testClockId, externalId, subjects }) => ({
      accountId, currency, timezone: changed.timezone, metadata: changed.metadata, openedAt, ...termsIn(changed), ...(testClockId === undefined ? {} : { testClockId }), ...(externalId === undefined ? {} : { externalId }),
      ...(subjects === undefined ? {} : { subjects }),
    }),
  },
  columns: { external_id: ({ externalId }) => externalId ?? null }, unique: ['external_id'], sortBy: ({ openedAt }) => openedAt,
};

export const accountDecider: DeciderDefinition<AccountCommand, AccountEvent, Account> = {
  name: 'account', decider: account, stream: ({ accountId }) => accountStream(accountId), views: [accountsModel],
};
export const accountStream = (accountId: string): string => `account-${accountId}`;

/** The personal fields of an account, as the log has them now. */
export type Personal = Pick<AccountOpened, 'name' | 'email' | 'address'>;
/** Read from the log, where erasing the account's key makes them unreadable. */
export const personalOf = async (service: Service, tx: Tx, tenant: string, accountId: string): Promise<Personal> => {
  const facts = await service.log.store.read<AccountOpened | AccountChanged>(tx, tenant, accountStream(accountId));
  return personalIn(facts.map(({ event }) => event));
};
/** The same of facts that were read already. */
export const personalIn = (facts: readonly (AccountOpened | AccountChanged)[]): Personal => {
  const { name, email, address } = facts.at(-1)!;
  return { name, ...(email === undefined ? {} : { email }), ...(address === undefined ? {} : { address }) };
};

/** Who was erased is billed without a name; what is owed stays. */
export const billToOf = (personal: Personal, { taxId }: Pick<AccountRow, 'taxId'>): InvoiceFinalized['billTo'] => (personal.name === ERASED ? { name: personal.name } : { ...personal, ...(taxId === undefined ? {} : { taxId }) });
