import { ident, tableOf, type Tx } from '@valueverse/event-log';
import type { Cursors, Page } from '@valueverse/platform';
import type { Instant } from '@valueverse/kernel';
import { accountsModel } from '../accounts/account.model';
import { NAME_OF_CLOCK_SQL } from '../clocks/clock-time';
import { invoicesModel, type InvoiceRow } from './invoice.model';

export interface OverdueQuery { readonly limit: number; readonly cursor?: string; readonly accountId?: string; readonly subscriptionId?: string; readonly number?: string; readonly status?: string }

/**
 * Invoices that are not paid although the local day on which they were due is over, by the clock of their account: the wall clock, or its test clock. The same rule shows `overdue` on an invoice; here the
 * database keeps it, because time alone makes an invoice overdue and writes no row.
 */
export const overdueInvoices = async (tx: Tx, tenant: string, query: OverdueQuery, cursors: Cursors, wallNow: Instant): Promise<Page<InvoiceRow>> => {
  const filters = [query.accountId ?? null, query.subscriptionId ?? null, query.number ?? null, query.status ?? null];
  const list = JSON.stringify(['overdue', tenant, filters]);
  const after = cursors.read(query.cursor, list);
  const { rows } = await tx.query<{ row: InvoiceRow; key: string; sort_by: string }>(
    `SELECT i.row, i.key, i.sort_by FROM ${ident(tableOf(invoicesModel))} i JOIN ${ident(tableOf(accountsModel))} a ON a.tenant = i.tenant AND a.key = i.account_id
     ${NAME_OF_CLOCK_SQL} LEFT JOIN clocks c ON c.tenant = i.tenant AND c.clock = its.clock
     WHERE i.tenant = $1 AND i.status = 'finalized' AND i.payment_status IN ('unpaid', 'partially_paid') AND ($3::text IS NULL OR i.account_id = $3) AND ($4::text IS NULL OR i.subscription_id = $4) AND ($5::text IS NULL OR i.number = $5) AND ($6::text IS NULL OR i.status = $6)
       AND ((i.row->'issued'->>'dueAt')::timestamptz AT TIME ZONE (i.row->'drafted'->>'zone'))::date < (coalesce(c.now, $2::timestamptz) AT TIME ZONE (i.row->'drafted'->>'zone'))::date
       AND ($7::text IS NULL OR (i.sort_by, i.key) < ($7, $8))
     ORDER BY i.sort_by DESC, i.key DESC LIMIT $9`,
    [tenant, wallNow, ...filters, after?.[0] ?? null, after?.[1] ?? null, query.limit + 1]);
  return cursors.page(rows, query, list, ({ sort_by: sortBy, key }) => [sortBy, key], ({ row }) => row);
};
