import type { InvoiceFinalized, InvoicePaid, InvoiceReopened, InvoiceVoided } from '@valueverse/contracts';
import { type Fact, grantSql, ident, tenantPolicySql, type Projector, type Tx } from '@valueverse/event-log';
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
export const KNOWN_INVOICE_REOPENINGS: Migration = { number: 118, name: 'reopenings of known invoices', sql: (schema) => `ALTER TABLE ${ident(schema)}.known_invoices ADD COLUMN reopened_by int;
COMMENT ON COLUMN ${ident(schema)}.known_invoices.reopened_by IS 'the version of the fact in the stream of the invoice by which it was last owed again';` };

/** A lost dispute makes an invoice payable again. */
const STATUS_AFTER = { InvoicePaid: 'paid', InvoiceVoided: 'void', InvoiceReopened: 'issued' } as const satisfies Record<string, KnownInvoice['status']>;

/** Remembers which invoices there are. What they are for stays where it is. */
export const knownInvoicesProjector: Projector = {
  kind: 'projector', name: 'payments-known-invoices', version: 2, topics: ['billing.invoices'], events: ['InvoiceFinalized', 'InvoicePaid', 'InvoiceVoided', 'InvoiceReopened'], tables: ['known_invoices'],
  project: async (tx, facts) => {
    const nameOf = ({ tenant, event }: Fact): string => `${tenant} ${(event as InvoiceFinalized).invoiceId}`;
    const [issued, others] = [facts.filter(({ event }) => event.type === 'InvoiceFinalized'), facts.filter(({ event }) => event.type !== 'InvoiceFinalized')].map((own) => [...new Map(own.map((fact) => [nameOf(fact), fact])).values()]) as [Fact<InvoiceFinalized>[], Fact<InvoicePaid | InvoiceVoided | InvoiceReopened>[]];
    const reopenings = new Map(facts.filter(({ event }) => event.type === 'InvoiceReopened').map((fact) => [nameOf(fact), fact.version]));
    // An invoice that is issued says nothing of its status where something else was heard before: so these can go first.
    if (issued.length > 0) {
      await tx.query(
        `INSERT INTO known_invoices (tenant, invoice_id, account_id, currency, amount_due, number, status) SELECT g.*, 'issued' FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) g
         ON CONFLICT (tenant, invoice_id) DO UPDATE SET account_id = excluded.account_id, currency = excluded.currency, amount_due = excluded.amount_due, number = excluded.number`,
        [issued.map(({ tenant }) => tenant), ...(['invoiceId', 'accountId', 'currency', 'amountDue', 'number'] as const).map((name) => issued.map(({ event }) => event[name]))]);
    }
    if (others.length > 0) {
      await tx.query(
        `INSERT INTO known_invoices AS k (tenant, invoice_id, status, reopened_by) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[])
         ON CONFLICT (tenant, invoice_id) DO UPDATE SET status = excluded.status, reopened_by = coalesce(excluded.reopened_by, k.reopened_by)`,
        [others.map(({ tenant }) => tenant), others.map(({ event }) => event.invoiceId), others.map(({ event }) => STATUS_AFTER[event.type]), others.map((fact) => reopenings.get(nameOf(fact)) ?? null)]);
    }
  },
};

export const invoiceIn = async (tx: Tx, tenant: string, invoiceId: string): Promise<KnownInvoice | undefined> => {
  const { rows: [row] } = await tx.query<{ account_id: string | null; currency: string; amount_due: string; number: string | null; status: KnownInvoice['status'] }>('SELECT account_id, currency, amount_due, number, status FROM known_invoices WHERE tenant = $1 AND invoice_id = $2', [tenant, invoiceId]);
  return row?.account_id == null ? undefined : { invoiceId, number: row.number ?? invoiceId, accountId: row.account_id, currency: row.currency, amountDue: row.amount_due, status: row.status };
};

/** Whether an invoice is owed again by a fact that comes after this version of its stream. */
export const isReopenedAfter = async (tx: Tx, tenant: string, invoiceId: string, version: number): Promise<boolean> =>
  (await tx.query('SELECT FROM known_invoices WHERE tenant = $1 AND invoice_id = $2 AND reopened_by > $3', [tenant, invoiceId, version])).rowCount === 1;

/** The accounts of some invoices, without those that are not known. */
export const accountsOf = async (tx: Tx, tenant: string, invoiceIds: readonly string[]): Promise<string[]> => {
  const { rows } = await tx.query<{ account_id: string }>('SELECT DISTINCT account_id FROM known_invoices WHERE tenant = $1 AND invoice_id = ANY($2) AND account_id IS NOT NULL', [tenant, invoiceIds]);
  return rows.map((row) => row.account_id);
};
