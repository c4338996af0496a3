import type { InvoiceDrafted, InvoiceFinalized } from '@valueverse/contracts';
import type { DeciderDefinition, ReadModel } from '@valueverse/event-log';
import { Money } from '@valueverse/kernel';
import { invoice, type Invoice, type InvoiceCommand, type InvoiceEvent } from './domain/invoice.decider';

/** An invoice without the one it is billed to: that is sealed in the log and read from there. */
export interface InvoiceRow {
  readonly invoiceId: string;
  readonly accountId: string;
  readonly subscriptionId: string;
  readonly status: 'draft' | 'finalized';
  readonly paymentStatus: 'unpaid' | 'partially_paid' | 'paid';
  readonly drafted: Omit<InvoiceDrafted, 'type'>;
  readonly stated: readonly string[];
  readonly issued?: Omit<InvoiceFinalized, 'type' | 'billTo'>;
  readonly amountPaid: string;
  readonly amountRemaining: string;
}

const paid = (row: InvoiceRow, amount: string): InvoiceRow => {
  const { currency } = row.drafted;
  const amountPaid = Money.parse(row.amountPaid, currency).add(Money.parse(amount, currency));
  return { ...row, paymentStatus: 'partially_paid', amountPaid: amountPaid.toString(), amountRemaining: Money.parse(row.issued!.total, currency).subtract(amountPaid).toString() };
};

export const invoicesModel: ReadModel<InvoiceEvent, InvoiceRow> = {
  table: 'invoices', version: 1, key: ({ invoiceId }) => invoiceId, initial: { stated: [] } as unknown as InvoiceRow,
  on: {
    InvoiceDrafted: ({ type: _, ...drafted }) => ({
      invoiceId: drafted.invoiceId, accountId: drafted.accountId, subscriptionId: drafted.subscriptionId, status: 'draft', paymentStatus: 'unpaid', drafted, stated: [],
      amountPaid: Money.zero(drafted.currency).toString(), amountRemaining: Money.zero(drafted.currency).toString(),
    }),
    InvoiceUsageStated: ({ chargeKey }, row) => ({ ...row, stated: [...row.stated, chargeKey] }),
    InvoiceFinalized: ({ type: _, billTo: __, ...issued }, row) => ({ ...row, status: 'finalized', issued, amountRemaining: issued.total }),
    InvoicePaymentApplied: ({ amount }, row) => paid(row, amount),
    InvoicePaid: (_, row) => ({ ...row, paymentStatus: 'paid' }),
  },
  columns: {
    account_id: ({ accountId }) => accountId ?? null, subscription_id: ({ subscriptionId }) => subscriptionId ?? null, status: ({ status }) => status ?? null,
    payment_status: ({ paymentStatus }) => paymentStatus ?? null, number: ({ issued }) => issued?.number ?? null,
  },
  sortBy: ({ drafted }) => drafted?.advance.period.from ?? '',
};

export const invoiceStream = (invoiceId: string): string => `invoice-${invoiceId}`;
export const invoiceDecider: DeciderDefinition<InvoiceCommand, InvoiceEvent, Invoice> = {
  name: 'invoice', decider: invoice, stream: ({ invoiceId }) => invoiceStream(invoiceId), views: [invoicesModel],
};

/** The charges whose usage is not stated yet. */
export const unstated = (row: InvoiceRow): readonly string[] => row.drafted.requests.map(({ chargeKey }) => chargeKey).filter((key) => !row.stated.includes(key));
