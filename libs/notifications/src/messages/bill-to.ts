import type { InvoiceFinalized } from '@valueverse/contracts';
import { ERASED, grantSql, ident, tenantPolicySql, type KeyRing, NotYetKnown, type Tx } from '@valueverse/event-log';
import type { Migration } from '@valueverse/platform';

export const LANGUAGE_DEFAULT = 'en';

/** Who gets mail, and in which language. */
export interface Contact { readonly accountId: string; readonly name: string; readonly email: string | undefined; readonly language: string }
/** Who gets mail about an invoice, as it was when the invoice was issued. `number` is the invoice's. */
export interface BillTo extends Contact { readonly number: string }

export const INVOICE_CONTACTS: Migration = {
  number: 100, name: 'who gets mail about an invoice', sql: (schema) => `
CREATE TABLE ${ident(schema)}.invoice_contacts (
  tenant text NOT NULL, invoice_id text NOT NULL, account_id text NOT NULL, number text NOT NULL, sealed text, PRIMARY KEY (tenant, invoice_id));
${tenantPolicySql(schema, 'invoice_contacts')}
${grantSql(schema, 'invoice_contacts')}`,
};

export const CONTACT_LANGUAGES: Migration = {
  number: 120, name: 'the language of mail about an invoice', sql: (schema) => `ALTER TABLE ${ident(schema)}.invoice_contacts ADD COLUMN language text NOT NULL DEFAULT '${LANGUAGE_DEFAULT}'`,
};

/** A part of the seal: a text that was moved to another invoice does not open. */
const sealName = (invoiceId: string): string => `contact ${invoiceId}`;
const PATH = 'billTo';

/** An invoice of a tenant. */
interface Issued { readonly tenant: string; readonly invoice: InvoiceFinalized }
export const documentLanguageOf = ({ document }: InvoiceFinalized): string => document?.language ?? LANGUAGE_DEFAULT;
/** The field of an erased customer reads as a text and not as what it was. */
const billToOf = (issued: Issued): BillTo | undefined => {
  const { accountId, number } = issued.invoice;
  const billTo = issued.invoice.billTo as InvoiceFinalized['billTo'] | typeof ERASED;
  return billTo === ERASED ? undefined : { accountId, number, name: billTo.name, email: billTo.email, language: documentLanguageOf(issued.invoice) };
};

/** Names and addresses are kept sealed with the customer's own key, so that erasing the key erases them here too. */
export class BillToCopies {
  constructor(private readonly keys: KeyRing) {}

  /** Keeps who invoices were billed to and answers it, in their order; `undefined` of a customer who was erased. */
  async keep(tx: Tx, invoices: readonly Issued[]): Promise<(BillTo | undefined)[]> {
    const known = invoices.map(billToOf);
    const wanted = invoices.filter((_, nth) => known[nth] !== undefined).map(({ tenant, invoice: { accountId } }) => ({ tenant, keyId: accountId }));
    if (wanted.length > 0) await this.keys.fetch(tx, wanted);
    const sealed = invoices.map(({ tenant, invoice: { invoiceId, accountId } }, nth) => {
      const billTo = known[nth];
      return billTo === undefined ? null : this.keys.encrypt(tenant, accountId, sealName(invoiceId), PATH, { name: billTo.name, email: billTo.email });
    });
    await tx.query(
      `INSERT INTO invoice_contacts (tenant, invoice_id, account_id, number, sealed, language) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) ON CONFLICT DO NOTHING`,
      [invoices.map(({ tenant }) => tenant), invoices.map(({ invoice: { invoiceId } }) => invoiceId), invoices.map(({ invoice: { accountId } }) => accountId), invoices.map(({ invoice: { number } }) => number), sealed, invoices.map(({ invoice }) => documentLanguageOf(invoice))]);
    return known;
  }

  /** Who an invoice was billed to; `undefined` when the customer was erased. Throws `NotYetKnown` while the invoice itself is still on its way. */
  async of(tx: Tx, tenant: string, invoiceId: string): Promise<BillTo | undefined> {
    const { rows } = await tx.query<{ account_id: string; number: string; sealed: string | null; language: string }>(
      'SELECT account_id, number, sealed, language FROM invoice_contacts WHERE tenant = $1 AND invoice_id = $2', [tenant, invoiceId]);
    const row = rows[0];
    if (row === undefined) throw new NotYetKnown(`the invoice ${invoiceId} has not arrived yet`);
    if (row.sealed === null) return undefined;
    await this.keys.fetch(tx, [{ tenant, keyId: row.account_id }]);
    const opened = this.keys.decrypt(tenant, row.account_id, sealName(invoiceId), PATH, row.sealed) as { name: string; email?: string } | typeof ERASED;
    return opened === ERASED ? undefined : { accountId: row.account_id, number: row.number, name: opened.name, email: opened.email, language: row.language };
  }
}
