import type { CitedStatement, InvoiceDrafted, InvoiceFinalized, InvoiceItem } from '@valueverse/contracts';
import type { DeciderDefinition, ReadModel } from '@valueverse/event-log';
import { Decimal, Money } from '@valueverse/kernel';
import { receivedPaymentsModel } from '../received/received-payment.model';
import { invoice, type Invoice, type InvoiceCommand, type InvoiceEvent } from './domain/invoice.decider';

/** How much of a line credit notes have given back. */
export interface CreditedOfLine { readonly netAmount: string; readonly taxAmount: string }
/** An invoice without the one it is billed to: that is sealed in the log and read from there. */
export interface InvoiceRow {
  readonly invoiceId: string;
  readonly accountId: string;
  readonly subscriptionId?: string;
  readonly status: 'draft' | 'finalized' | 'void' | 'dropped';
  readonly paymentStatus: 'unpaid' | 'partially_paid' | 'paid' | 'disputed' | 'uncollectible';
  readonly drafted: Omit<InvoiceDrafted, 'type'>;
  /** Request -> its statement, until the invoice is issued: then its lines cite them. */
  readonly statements: Readonly<Record<string, CitedStatement>>;
  readonly issued?: Omit<InvoiceFinalized, 'type' | 'billTo'>;
  readonly amountPaid: string;
  readonly amountCredited: string;
  readonly amountRemaining: string;
  readonly credited: Readonly<Record<string, CreditedOfLine>>;
  /** Disputes over what was paid that are open. */
  readonly openDisputes?: readonly string[];
  /** A lost dispute took what was paid, and it is given up. */
  readonly isGivenUp?: boolean;
  readonly voided?: { readonly reason: string; readonly at: string };
}

const money = (row: InvoiceRow, amount: string): Money => Money.parse(amount, row.drafted.currency);
const lessRemaining = (row: InvoiceRow, amount: string): string => money(row, row.amountRemaining).subtract(money(row, amount)).toString();
const creditedIn = (row: InvoiceRow, lines: readonly ({ readonly lineId: string } & CreditedOfLine)[]): InvoiceRow['credited'] => {
  const all = { ...row.credited };
  for (const { lineId, netAmount, taxAmount } of lines) {
    const before = all[lineId] ?? { netAmount: '0', taxAmount: '0' };
    all[lineId] = { netAmount: money(row, before.netAmount).add(money(row, netAmount)).toString(), taxAmount: money(row, before.taxAmount).add(money(row, taxAmount)).toString() };
  }
  return all;
};
const isNothing = (row: InvoiceRow, amount: string): boolean => money(row, amount).isZero();
/** How much of an invoice is paid; one that is paid is `disputed` while a bank asks for it back. */
const withPaymentStatus = (row: InvoiceRow): InvoiceRow => {
  const { openDisputes = [], amountRemaining, amountPaid, isGivenUp = false } = row;
  const unpaid = isGivenUp ? 'uncollectible' : isNothing(row, amountPaid) ? 'unpaid' : 'partially_paid';
  return { ...row, paymentStatus: openDisputes.length > 0 ? 'disputed' : isNothing(row, amountRemaining) ? 'paid' : unpaid };
};
const withItems = (row: InvoiceRow, items: readonly InvoiceItem[]): InvoiceRow => ({ ...row, drafted: { ...row.drafted, items } });

/** The row of an invoice that was just drafted. */
export const draftedRow = ({ type: _, ...drafted }: InvoiceDrafted): InvoiceRow => {
  const zero = Money.zero(drafted.currency).toString();
  return {
    invoiceId: drafted.invoiceId, accountId: drafted.accountId, ...(drafted.subscriptionId === undefined ? {} : { subscriptionId: drafted.subscriptionId }), status: 'draft', paymentStatus: 'unpaid', drafted, statements: {},
    amountPaid: zero, amountCredited: zero, amountRemaining: zero, credited: {},
  };
};

export const invoicesModel: ReadModel<InvoiceEvent, InvoiceRow> = {
  table: 'invoices', version: 2, key: ({ invoiceId }) => invoiceId, initial: { statements: {}, credited: {} } as unknown as InvoiceRow,
  on: {
    InvoiceDrafted: (drafted) => draftedRow(drafted),
    InvoiceItemsChanged: ({ added, removed }, row) => withItems(row, [...row.drafted.items.filter(({ itemId }) => !removed.includes(itemId)), ...added]),
    InvoiceUsageStated: ({ stated }, row) => ({ ...row, statements: { ...row.statements, ...Object.fromEntries(stated.map(({ requestId, statement }) => [requestId, statement])) } }),
    InvoiceFinalized: ({ type: _, billTo: __, ...issued }, row) => ({ ...row, status: 'finalized', statements: {}, issued, amountRemaining: issued.amountDue }),
    InvoiceVoided: ({ reason, voidedAt }, row) => ({ ...row, status: 'void', amountRemaining: Money.zero(row.drafted.currency).toString(), voided: { reason, at: voidedAt } }),
    InvoiceDropped: ({ reason, droppedAt }, row) => ({ ...row, status: 'dropped', voided: { reason, at: droppedAt } }),
    InvoicePaymentApplied: ({ amount }, row) => withPaymentStatus({ ...row, amountPaid: money(row, row.amountPaid).add(money(row, amount)).toString(), amountRemaining: lessRemaining(row, amount) }),
    // What the invoice never took changes nothing about it.
    InvoicePaymentDisputed: ({ disputeId, ofInvoice }, row) => (Decimal.parse(ofInvoice).isPositive() ? withPaymentStatus({ ...row, openDisputes: [...row.openDisputes ?? [], disputeId] }) : row),
    InvoiceDisputeClosed: ({ disputeId }, row) => (row.openDisputes?.includes(disputeId) !== true ? row : withPaymentStatus({ ...row, openDisputes: row.openDisputes.filter((one) => one !== disputeId) })),
    InvoiceReopened: ({ amount, isCollectible }, row) => withPaymentStatus({
      ...row, isGivenUp: !isCollectible, amountPaid: money(row, row.amountPaid).subtract(money(row, amount)).toString(), amountRemaining: money(row, row.amountRemaining).add(money(row, amount)).toString(),
    }),
    InvoiceRecovered: ({ amount }, row) => withPaymentStatus({ ...row, isGivenUp: false, amountPaid: money(row, row.amountPaid).add(money(row, amount)).toString(), amountRemaining: lessRemaining(row, amount) }),
    InvoiceCredited: ({ amount, lines }, row) => ({ ...row, amountCredited: money(row, row.amountCredited).add(money(row, amount)).toString(), amountRemaining: lessRemaining(row, amount), credited: creditedIn(row, lines) }),
    InvoicePaid: (_, row) => withPaymentStatus(row),
  },
  columns: {
    account_id: ({ accountId }) => accountId ?? null, subscription_id: ({ subscriptionId }) => subscriptionId ?? null, status: ({ status }) => status ?? null,
    payment_status: ({ paymentStatus }) => paymentStatus ?? null, number: ({ issued }) => issued?.number ?? null,
  },
  sortBy: ({ drafted }) => drafted?.draftedAt ?? '',
};

export const invoiceStream = (invoiceId: string): string => `invoice-${invoiceId}`;
export const invoiceDecider: DeciderDefinition<InvoiceCommand, InvoiceEvent, Invoice> = {
  name: 'invoice', decider: invoice, stream: ({ invoiceId }) => invoiceStream(invoiceId), views: [invoicesModel, receivedPaymentsModel],
};

/** The requests of its usage that are not answered yet. */
export const unstated = ({ drafted, statements }: InvoiceRow): readonly string[] => drafted.requests.map(({ requestId }) => requestId).filter((requestId) => statements[requestId] === undefined);
export const statementsOf = ({ statements }: InvoiceRow): ReadonlyMap<string, CitedStatement> => new Map(Object.entries(statements));
