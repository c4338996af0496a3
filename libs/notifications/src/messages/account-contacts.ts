import type { AccountChanged, AccountOpened, InvoiceFinalized } from '@valueverse/contracts';
import { ERASED, grantSql, ident, tenantPolicySql, type KeyRing, NotYetKnown, type Tx } from '@valueverse/event-log';
import type { Migration } from '@valueverse/platform';
import { type Contact, documentLanguageOf, LANGUAGE_DEFAULT } from './bill-to';

export const ACCOUNT_CONTACTS: Migration = {
  number: 130, name: 'who gets mail about an account', sql: (schema) => `
CREATE TABLE ${ident(schema)}.account_contacts (
  tenant text NOT NULL, account_id text NOT NULL, timezone text, sealed text, language text, document_language text, PRIMARY KEY (tenant, account_id));
${tenantPolicySql(schema, 'account_contacts')}
${grantSql(schema, 'account_contacts')}`,
};

/** Who gets mail about an account itself, `undefined` when it was erased; its dates are local ones of `timezone`. */
export interface AccountContact { readonly contact: Contact | undefined; readonly timezone: string }
type AccountTold = AccountOpened | AccountChanged;

/** A part of the seal: a text that was moved to another account does not open. */
const sealName = (accountId: string): string => `contact ${accountId}`;
const PATH = 'contact';

/** The last fact of each account, in the order of their names: everybody takes the rows in one order. */
const lastOfEach = <E extends { readonly accountId: string }>(told: readonly { readonly tenant: string; readonly event: E }[]): { readonly tenant: string; readonly event: E }[] => {
  const last = new Map(told.map((one) => [`${one.tenant} ${one.event.accountId}`, one]));
  return [...last.keys()].sort().map((name) => last.get(name)!);
};

/** What accounts say of themselves, for mail that is about no invoice. Names and addresses are sealed with the customer's own key. */
export class AccountContacts {
  constructor(private readonly keys: KeyRing) {}

  async keep(tx: Tx, told: readonly { readonly tenant: string; readonly event: AccountTold }[]): Promise<void> {
    const accounts = lastOfEach(told);
    const known = accounts.filter(({ event }) => event.name !== ERASED);
    if (known.length > 0) await this.keys.fetch(tx, known.map(({ tenant, event: { accountId } }) => ({ tenant, keyId: accountId })));
    const sealed = accounts.map(({ tenant, event: { accountId, name, email } }) => (name === ERASED ? null : this.keys.encrypt(tenant, accountId, sealName(accountId), PATH, { name, email })));
    await tx.query(
      `INSERT INTO account_contacts (tenant, account_id, timezone, sealed, language) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
       ON CONFLICT (tenant, account_id) DO UPDATE SET timezone = excluded.timezone, sealed = excluded.sealed, language = excluded.language`,
      [accounts.map(({ tenant }) => tenant), accounts.map(({ event }) => event.accountId), accounts.map(({ event }) => event.timezone), sealed, accounts.map(({ event }) => event.language ?? null)]);
  }

  /** The language of an account's last document is the one of its mail, where the account itself names none: its seller has said it then. */
  async noteLanguages(tx: Tx, issued: readonly { readonly tenant: string; readonly event: InvoiceFinalized }[]): Promise<void> {
    const invoices = lastOfEach(issued);
    await tx.query(
      `INSERT INTO account_contacts AS c (tenant, account_id, document_language) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
       ON CONFLICT (tenant, account_id) DO UPDATE SET document_language = excluded.document_language WHERE c.document_language IS DISTINCT FROM excluded.document_language`,
      [invoices.map(({ tenant }) => tenant), invoices.map(({ event }) => event.accountId), invoices.map(({ event }) => documentLanguageOf(event))]);
  }

  /** Throws `NotYetKnown` while the account itself is still on its way. */
  async of(tx: Tx, tenant: string, accountId: string): Promise<AccountContact> {
    const { rows: [row] } = await tx.query<{ timezone: string | null; sealed: string | null; language: string | null; document_language: string | null }>(
      'SELECT timezone, sealed, language, document_language FROM account_contacts WHERE tenant = $1 AND account_id = $2', [tenant, accountId]);
    if (row === undefined || row.timezone === null) throw new NotYetKnown(`the account ${accountId} has not arrived yet`);
    const { timezone, sealed } = row;
    if (sealed === null) return { contact: undefined, timezone };
    await this.keys.fetch(tx, [{ tenant, keyId: accountId }]);
    const opened = this.keys.decrypt(tenant, accountId, sealName(accountId), PATH, sealed) as { name: string; email?: string } | typeof ERASED;
    return { contact: opened === ERASED ? undefined : { accountId, name: opened.name, email: opened.email, language: row.language ?? row.document_language ?? LANGUAGE_DEFAULT }, timezone };
  }
}
