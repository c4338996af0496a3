import { dispatch, type Decider } from '@valueverse/kernel';
import type { AccountOpened, PostalAddress } from '@valueverse/contracts';

/** Opens an account: the one who is billed. Money in `currency`, local time in `timezone` (IANA). */
export interface OpenAccount {
  readonly type: 'OpenAccount';
  readonly accountId: string;
  readonly name: string;
  readonly email?: string;
  readonly address?: PostalAddress;
  readonly currency: string;
  readonly timezone: string;
  readonly testClockId?: string;
  readonly externalId?: string;
  readonly subjects?: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly at: string;
}
export interface Account { readonly isOpen: boolean }

export const account: Decider<OpenAccount, AccountOpened, Account> = {
  initial: { isOpen: false },
  decide: dispatch<OpenAccount, Account, readonly AccountOpened[]>({
    OpenAccount: ({ at, ...facts }, { isOpen }) => (isOpen ? [] : [{ ...facts, type: 'AccountOpened', openedAt: at }]),
  }),
  evolve: dispatch<AccountOpened, Account, Account>({ AccountOpened: () => ({ isOpen: true }) }),
};
