import { canonicalJson, dispatch, Refused, type Decider } from '@valueverse/kernel';
import type { AccountChanged, AccountOpened } from '@valueverse/contracts';

/** Opens an account: the one who is billed. Money in `currency`, local time in `timezone` (IANA). It may have been opened before `at`, elsewhere. */
export type OpenAccount = { readonly type: 'OpenAccount'; readonly at: string } & Omit<AccountOpened, 'type'>;
/** Everything that it says from now on. */
export type ChangeAccount = { readonly type: 'ChangeAccount'; readonly at: string } & Omit<AccountChanged, 'type' | 'changedAt'>;
export type AccountCommand = OpenAccount | ChangeAccount;
export type AccountEvent = AccountOpened | AccountChanged;
export interface Account { readonly said?: string }

const sayingOf = ({ type: _, openedAt: __, changedAt: ___, currency: ____, testClockId: _____, externalId: ______, subjects: _______, ...said }: AccountEvent & { openedAt?: string; changedAt?: string; currency?: string; testClockId?: string; externalId?: string; subjects?: unknown }): string => canonicalJson(said);

/** Refuses with `account_not_found` to change what was never opened. */
export const account: Decider<AccountCommand, AccountEvent, Account> = {
  initial: {},
  decide: dispatch<AccountCommand, Account, readonly AccountEvent[]>({
    OpenAccount: ({ at: __, type: _, ...facts }, { said }) => (said === undefined ? [{ ...facts, type: 'AccountOpened' }] : []),
    ChangeAccount: ({ at, type: _, ...facts }, { said }) => {
      if (said === undefined) throw new Refused('account_not_found', `there is no account ${facts.accountId}`);
      const changed: AccountChanged = { ...facts, type: 'AccountChanged', changedAt: at };
      return sayingOf(changed) === said ? [] : [changed];
    },
  }),
  evolve: dispatch<AccountEvent, Account, Account>({ AccountOpened: (opened) => ({ said: sayingOf(opened) }), AccountChanged: (changed) => ({ said: sayingOf(changed) }) }),
};
