import { Money } from '@valueverse/kernel';
import type { InvoiceCredited, InvoiceFinalized, InvoicePaid, InvoicePaymentApplied, InvoicePaymentUnmatched, InvoiceRecovered, InvoiceReopened, InvoiceVoided } from '@valueverse/contracts';
import { type Fact, grantSql, ident, tenantPolicySql, type Projector, type Tx } from '@valueverse/event-log';
import type { Migration } from '@valueverse/platform';

/** An invoice of billing as payments knows it. */
export interface KnownInvoice {
  readonly invoiceId: string; /** As the customer knows it; its id where it was heard of before numbers were kept. */ readonly number: string; readonly accountId: string; readonly currency: string; readonly status: 'issued' | 'paid' | 'void';
  /** What was due of it when it was issued. */
  readonly amountDue: string;
  /**
   * What can still be asked for: what is due by the facts of billing (at issue, less what it took of payments and what credit notes took off, and again what lost disputes took from it), less what came in here and billing has
   * not answered yet. Zero where it is paid or void; never below zero.
   */
  readonly left: Money;
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
export const KNOWN_INVOICE_MOVES: Migration = {
  number: 120, name: 'what changes what is due of known invoices', sql: (schema) => `
CREATE TABLE ${ident(schema)}.known_invoice_moves (
  tenant text NOT NULL, invoice_id text NOT NULL, kind text NOT NULL, subject text NOT NULL, amount numeric NOT NULL, PRIMARY KEY (tenant, invoice_id, kind, subject));
COMMENT ON COLUMN ${ident(schema)}.known_invoice_moves.subject IS 'the payment, credit note or dispute that the fact is about: each of them changes what is due once';
ALTER TABLE ${ident(schema)}.known_invoices ADD COLUMN status_by int;
COMMENT ON COLUMN ${ident(schema)}.known_invoices.status_by IS 'the version of the fact in the stream of the invoice that gave it its status; none for its issue';
${tenantPolicySql(schema, 'known_invoice_moves')}
${grantSql(schema, 'known_invoice_moves')}`,
};

/** A lost dispute makes an invoice payable again. */
const STATUS_AFTER = { InvoicePaid: 'paid', InvoiceVoided: 'void', InvoiceReopened: 'issued' } as const satisfies Record<string, KnownInvoice['status']>;
type Settling = InvoicePaid | InvoiceVoided | InvoiceReopened;
type Moving = InvoicePaymentApplied | InvoicePaymentUnmatched | InvoiceCredited | InvoiceReopened | InvoiceRecovered;
interface Move { readonly kind: 'applied' | 'unmatched' | 'credited' | 'reopened' | 'recovered'; readonly subject: string; readonly amount: string }

/** What a fact changes of what is due. Money that the invoice did not take changes nothing, but billing has answered it. */
const moveOf = (event: Moving): Move => {
  switch (event.type) {
    case 'InvoicePaymentApplied': return { kind: 'applied', subject: event.paymentId, amount: `-${event.amount}` };
    case 'InvoicePaymentUnmatched': return { kind: 'unmatched', subject: event.paymentId, amount: '0' };
    case 'InvoiceCredited': return { kind: 'credited', subject: event.creditNoteId, amount: `-${event.amount}` };
    case 'InvoiceReopened': return { kind: 'reopened', subject: event.disputeId, amount: event.amount };
    case 'InvoiceRecovered': return { kind: 'recovered', subject: event.disputeId, amount: `-${event.amount}` };
  }
};
const MOVING: readonly string[] = ['InvoicePaymentApplied', 'InvoicePaymentUnmatched', 'InvoiceCredited', 'InvoiceReopened', 'InvoiceRecovered'] satisfies Moving['type'][];
const nameOf = ({ tenant, event }: Fact): string => `${tenant} ${(event as InvoiceFinalized).invoiceId}`;
/** One fact per invoice: that of the highest version. */
const lastOf = <F extends Fact>(facts: readonly F[]): F[] => [...new Map([...facts].sort((a, b) => a.version - b.version).map((fact) => [nameOf(fact), fact])).values()];

/** Remembers which invoices there are and what is due of them. What they are for stays where it is. The rows follow from the set of facts, in whatever order and however often they come. */
export const knownInvoicesProjector: Projector = {
  kind: 'projector', name: 'payments-known-invoices', version: 3, topics: ['billing.invoices'], tables: ['known_invoices', 'known_invoice_moves'],
  events: ['InvoiceFinalized', 'InvoicePaid', 'InvoiceVoided', 'InvoiceReopened', 'InvoicePaymentApplied', 'InvoicePaymentUnmatched', 'InvoiceCredited', 'InvoiceRecovered'],
  project: async (tx, facts) => {
    // An invoice that is issued says nothing of its status where something else was heard before: so these can go first.
    await keepIssued(tx, lastOf(facts.filter((fact): fact is Fact<InvoiceFinalized> => fact.event.type === 'InvoiceFinalized')));
    await keepStatus(tx, facts.filter((fact): fact is Fact<Settling> => fact.event.type in STATUS_AFTER));
    await keepMoves(tx, facts.filter((fact): fact is Fact<Moving> => MOVING.includes(fact.event.type)));
  },
};

const keepIssued = async (tx: Tx, issued: readonly Fact<InvoiceFinalized>[]): Promise<void> => {
  if (issued.length === 0) return;
  await tx.query(
    `INSERT INTO known_invoices (tenant, invoice_id, account_id, currency, amount_due, number, status) SELECT g.*, 'issued' FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) g
     ON CONFLICT (tenant, invoice_id) DO UPDATE SET account_id = excluded.account_id, currency = excluded.currency, amount_due = excluded.amount_due, number = excluded.number`,
    [issued.map(({ tenant }) => tenant), ...(['invoiceId', 'accountId', 'currency', 'amountDue', 'number'] as const).map((name) => issued.map(({ event }) => event[name]))]);
};
const keepStatus = async (tx: Tx, settling: readonly Fact<Settling>[]): Promise<void> => {
  if (settling.length === 0) return;
  const reopenings = new Map(lastOf(settling.filter(({ event }) => event.type === 'InvoiceReopened')).map((fact) => [nameOf(fact), fact.version]));
  const last = lastOf(settling);
  await tx.query(
    `INSERT INTO known_invoices AS k (tenant, invoice_id, status, status_by, reopened_by) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[])
     ON CONFLICT (tenant, invoice_id) DO UPDATE SET status = CASE WHEN k.status_by > excluded.status_by THEN k.status ELSE excluded.status END, status_by = greatest(k.status_by, excluded.status_by), reopened_by = greatest(k.reopened_by, excluded.reopened_by)`,
    [last.map(({ tenant }) => tenant), last.map(({ event }) => event.invoiceId), last.map(({ event }) => STATUS_AFTER[event.type]), last.map(({ version }) => version), last.map((fact) => reopenings.get(nameOf(fact)) ?? null)]);
};
const keepMoves = async (tx: Tx, moving: readonly Fact<Moving>[]): Promise<void> => {
  if (moving.length === 0) return;
  const moves = moving.map(({ event }) => moveOf(event));
  await tx.query(
    'INSERT INTO known_invoice_moves (tenant, invoice_id, kind, subject, amount) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::numeric[]) ON CONFLICT DO NOTHING',
    [moving.map(({ tenant }) => tenant), moving.map(({ event }) => event.invoiceId), ...(['kind', 'subject', 'amount'] as const).map((name) => moves.map((move) => move[name]))]);
};

/** In one statement, so that what billing has answered and what it has not are of one moment: money that is in neither, or in both, there is none. */
const KNOWN_SQL = `SELECT k.invoice_id, k.account_id, k.currency, k.amount_due, k.number, k.status, k.amount_due::numeric + m.moved - p.unanswered AS left_of_it FROM known_invoices k
  CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS moved FROM known_invoice_moves WHERE tenant = k.tenant AND invoice_id = k.invoice_id) m
  CROSS JOIN LATERAL (SELECT coalesce(sum((o.row->>'amount')::numeric), 0) AS unanswered FROM payments o WHERE o.tenant = k.tenant AND o.invoice_id = k.invoice_id AND o.status = 'succeeded' AND o.row->>'currency' = k.currency
    AND NOT EXISTS (SELECT FROM known_invoice_moves a WHERE a.tenant = o.tenant AND a.invoice_id = o.invoice_id AND a.kind IN ('applied', 'unmatched') AND a.subject = o.key)) p
  WHERE k.tenant = $1 AND k.invoice_id = ANY($2) AND k.account_id IS NOT NULL`;

/** Invoices by their id, without those that are not known. */
export const invoicesIn = async (tx: Tx, tenant: string, invoiceIds: readonly string[]): Promise<ReadonlyMap<string, KnownInvoice>> => {
  if (invoiceIds.length === 0) return new Map();
  const { rows } = await tx.query<{ invoice_id: string; account_id: string; currency: string; amount_due: string; number: string | null; status: KnownInvoice['status']; left_of_it: string }>(KNOWN_SQL, [tenant, invoiceIds]);
  return new Map(rows.map(({ invoice_id: invoiceId, account_id: accountId, currency, amount_due: amountDue, number, status, left_of_it: left }) =>
    [invoiceId, { invoiceId, number: number ?? invoiceId, accountId, currency, amountDue, status, left: status === 'issued' ? Money.parse(left, currency).max(Money.zero(currency)) : Money.zero(currency) }]));
};
export const invoiceIn = async (tx: Tx, tenant: string, invoiceId: string): Promise<KnownInvoice | undefined> => (await invoicesIn(tx, tenant, [invoiceId])).get(invoiceId);

/** Whether an invoice is owed again by a fact that comes after this version of its stream. */
export const isReopenedAfter = async (tx: Tx, tenant: string, invoiceId: string, version: number): Promise<boolean> =>
  (await tx.query('SELECT FROM known_invoices WHERE tenant = $1 AND invoice_id = $2 AND reopened_by > $3', [tenant, invoiceId, version])).rowCount === 1;

/** The accounts of some invoices, without those that are not known. */
export const accountsOf = async (tx: Tx, tenant: string, invoiceIds: readonly string[]): Promise<string[]> => {
  const { rows } = await tx.query<{ account_id: string }>('SELECT DISTINCT account_id FROM known_invoices WHERE tenant = $1 AND invoice_id = ANY($2) AND account_id IS NOT NULL', [tenant, invoiceIds]);
  return rows.map((row) => row.account_id);
};
