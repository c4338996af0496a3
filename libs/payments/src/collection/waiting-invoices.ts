import { grantSql, ident, tenantPolicySql, type Tx } from '@valueverse/event-log';
import type { Migration } from '@valueverse/platform';

/** What an invoice asks for; the amount is a decimal of major units. */
export interface Collectable { readonly invoiceId: string; readonly accountId: string; readonly amount: string; readonly currency: string }

export const WAITING_INVOICES: Migration = {
  number: 101, name: 'invoices that wait for a method', sql: (schema) => `
CREATE TABLE ${ident(schema)}.waiting_invoices (
  tenant text NOT NULL, invoice_id text NOT NULL, account_id text NOT NULL, amount text NOT NULL, currency text NOT NULL, issued_at timestamptz NOT NULL, PRIMARY KEY (tenant, invoice_id));
CREATE INDEX ON ${ident(schema)}.waiting_invoices (tenant, account_id, issued_at, invoice_id);
${tenantPolicySql(schema, 'waiting_invoices')}
${grantSql(schema, 'waiting_invoices')}`,
};

/**
 * Lets one transaction at a time decide about an account's invoices. An invoice and a method may arrive at the same moment: whoever comes second sees
 * what the first one did, so neither is overlooked. It is held to the end of the transaction.
 */
export const lockAccount = (tx: Tx, tenant: string, accountId: string): Promise<void> => lockAccounts(tx, tenant, [accountId]);
/** Several, in one order for everybody. */
export const lockAccounts = async (tx: Tx, tenant: string, accountIds: readonly string[]): Promise<void> => {
  await tx.query('SELECT pg_advisory_xact_lock(k.key) FROM (SELECT DISTINCT hashtextextended(n, 0) AS key FROM unnest($1::text[]) n ORDER BY key) k', [accountIds.map((accountId) => JSON.stringify(['collect', tenant, accountId]))]);
};

/** Remembers invoices for the day on which there is something to charge. */
export const remember = async (tx: Tx, tenant: string, invoices: readonly (Collectable & { readonly issuedAt: string })[]): Promise<void> => {
  if (invoices.length === 0) return;
  await tx.query(
    `INSERT INTO waiting_invoices (tenant, invoice_id, account_id, amount, currency, issued_at)
     SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[]) ON CONFLICT DO NOTHING`,
    [tenant, invoices.map(({ invoiceId }) => invoiceId), invoices.map(({ accountId }) => accountId), invoices.map(({ amount }) => amount), invoices.map(({ currency }) => currency), invoices.map(({ issuedAt }) => issuedAt)]);
};

/** An invoice that was paid in another way waits no longer. */
export const forget = async (tx: Tx, tenant: string, invoiceId: string): Promise<void> => {
  await tx.query('DELETE FROM waiting_invoices WHERE tenant = $1 AND invoice_id = $2', [tenant, invoiceId]);
};

/** Takes what waits for an account, oldest first. */
export const takeWaiting = async (tx: Tx, tenant: string, accountId: string): Promise<Collectable[]> => {
  const { rows } = await tx.query<{ invoice_id: string; amount: string; currency: string }>(
    `WITH taken AS (DELETE FROM waiting_invoices WHERE tenant = $1 AND account_id = $2 RETURNING invoice_id, amount, currency, issued_at)
     SELECT invoice_id, amount, currency FROM taken ORDER BY issued_at, invoice_id`, [tenant, accountId]);
  return rows.map(({ invoice_id: invoiceId, amount, currency }) => ({ invoiceId, accountId, amount, currency }));
};
