import type { InvoiceFinalized, InvoicePaid, InvoiceReopened, InvoiceVoided } from '@valueverse/contracts';
import { grantSql, ident, tenantPolicySql, type Projector, type Tx } from '@valueverse/event-log';
import type { Migration } from '@valueverse/platform';

/** An invoice of billing as payments knows it: what was due of it when it was issued. What is still due is for billing to say. */
export interface KnownInvoice {
  readonly invoiceId: string; /** As the customer knows it; its id where it was heard of before numbers were kept. */ readonly number: string; readonly accountId: string; readonly currency: string; readonly amountDue: string; readonly status: 'issued' | 'paid' | 'void';
}

export const KNOWN_INVOICES: Migration = {
  number: 115, name: 'known invoices', sql: (schema) => `
CREATE TABLE ${ident(schema)}.known_invoices (
  tenant text NOT NULL, invoice_id text NOT NULL, account_id text, currency text, amount_due text, status text NOT NULL, PRIMARY KEY (tenant, invoice_id));
${tenantPolicySql(schema, 'known_invoices')}
${grantSql(schema, 'known_invoices')}`,
};

export const KNOWN_INVOICE_NUMBERS: Migration = { number: 116, name: 'numbers of known invoices', sql: (schema) => `ALTER TABLE ${ident(schema)}.known_invoices ADD COLUMN number text;` };

/** A lost dispute makes an invoice payable again. */
const STATUS_AFTER = { InvoicePaid: 'paid', InvoiceVoided: 'void', InvoiceReopened: 'issued' } as const satisfies Record<string, KnownInvoice['status']>;

/** Remembers which invoices there are. What they are for stays where it is. */
export const knownInvoicesProjector: Projector = {
  kind: 'projector', name: 'payments-known-invoices', version: 2, topics: ['billing.invoices'], events: ['InvoiceFinalized', 'InvoicePaid', 'InvoiceVoided', 'InvoiceReopened'], tables: ['known_invoices'],
  project: async (tx, facts) => {
    for (const { tenant, event } of facts) {
      if (event.type === 'InvoiceFinalized') {
        const { invoiceId, accountId, currency, amountDue, number } = event as InvoiceFinalized;
        await tx.query(`INSERT INTO known_invoices (tenant, invoice_id, account_id, currency, amount_due, number, status) VALUES ($1, $2, $3, $4, $5, $6, 'issued')
          ON CONFLICT (tenant, invoice_id) DO UPDATE SET account_id = excluded.account_id, currency = excluded.currency, amount_due = excluded.amount_due, number = excluded.number`, [tenant, invoiceId, accountId, currency, amountDue, number]);
      } else {
        const { invoiceId } = event as InvoicePaid | InvoiceVoided | InvoiceReopened;
        const status = STATUS_AFTER[event.type as keyof typeof STATUS_AFTER];
        await tx.query('INSERT INTO known_invoices (tenant, invoice_id, status) VALUES ($1, $2, $3) ON CONFLICT (tenant, invoice_id) DO UPDATE SET status = excluded.status', [tenant, invoiceId, status]);
      }
    }
  },
};

export const invoiceIn = async (tx: Tx, tenant: string, invoiceId: string): Promise<KnownInvoice | undefined> => {
  const { rows: [row] } = await tx.query<{ account_id: string | null; currency: string; amount_due: string; number: string | null; status: KnownInvoice['status'] }>('SELECT account_id, currency, amount_due, number, status FROM known_invoices WHERE tenant = $1 AND invoice_id = $2', [tenant, invoiceId]);
  return row?.account_id == null ? undefined : { invoiceId, number: row.number ?? invoiceId, accountId: row.account_id, currency: row.currency, amountDue: row.amount_due, status: row.status };
};

/** The accounts of some invoices, without those that are not known. */
export const accountsOf = async (tx: Tx, tenant: string, invoiceIds: readonly string[]): Promise<string[]> => {
  const { rows } = await tx.query<{ account_id: string }>('SELECT DISTINCT account_id FROM known_invoices WHERE tenant = $1 AND invoice_id = ANY($2) AND account_id IS NOT NULL', [tenant, invoiceIds]);
  return rows.map((row) => row.account_id);
};
