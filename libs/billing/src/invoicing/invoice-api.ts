import { Money } from '@valueverse/kernel';
import type { InvoiceLine, UsageReader } from '@valueverse/contracts';
import { addLines } from '@valueverse/rating';
import { priceLines } from './domain/lines';
import type { InvoiceRow } from './invoice.model';
import { lateInAll, type LateByCharge } from './late-usage';
import { liveStatements } from './upcoming-invoice';

/** Lines that an invoice shows by itself; the rest is under `/lines`. */
export const LINES_SHOWN_MAX = 100;

export const lineToApi = ({ lineId, steps: _, statement: __, ...line }: InvoiceLine, late?: LateByCharge): Record<string, unknown> => {
  const lateUsage = line.type === 'usage' ? late?.get(line.chargeKey) : undefined;
  return { id: lineId, ...line, taxes: [], discounts: [], ...(lateUsage === undefined ? {} : { lateUsage }) };
};

/** An invoice as it is answered. A draft shows the numbers that metering has now. */
export const invoiceToApi = async (row: InvoiceRow, tenant: string, usage: UsageReader, late: LateByCharge | undefined): Promise<Record<string, unknown>> => {
  const { invoiceId, accountId, subscriptionId, status, paymentStatus, amountPaid, amountRemaining, issued } = row;
  const head = { id: invoiceId, number: issued?.number ?? null, accountId, subscriptionId, status, paymentStatus, currency: row.drafted.currency, lateUsage: lateInAll(late) };
  if (issued === undefined) return { ...head, ...(await draftNumbers(row, tenant, usage)) };
  const { servicePeriod, issuedAt, dueAt, subtotal, discountTotal, taxTotal, total, lines } = issued;
  return {
    ...head, servicePeriod, issuedAt, dueAt, subtotal, discountTotal, taxTotal, total, amountPaid, amountRemaining,
    lines: lines.slice(0, LINES_SHOWN_MAX).map((line) => lineToApi(line, late)), hasMore: lines.length > LINES_SHOWN_MAX,
  };
};

const draftNumbers = async ({ drafted, amountPaid }: InvoiceRow, tenant: string, usage: UsageReader): Promise<Record<string, unknown>> => {
  const { currency } = drafted;
  const { statements, asOf } = await liveStatements(usage, tenant, drafted);
  const lines = priceLines(drafted, statements, drafted);
  const subtotal = addLines(lines.map(({ amount }) => ({ amount: Money.parse(amount, currency) })), currency).toString();
  const zero = Money.zero(currency).toString();
  return {
    servicePeriod: { from: drafted.arrears?.usageFrom ?? (drafted.arrears ?? drafted.advance).period.from, to: drafted.advance.period.to }, finalizesAt: drafted.finalizeAt, ...(asOf === undefined ? {} : { usageAsOf: asOf }),
    subtotal, discountTotal: zero, taxTotal: zero, total: subtotal, amountPaid, amountRemaining: zero, lines: lines.slice(0, LINES_SHOWN_MAX).map((line) => lineToApi(line)), hasMore: lines.length > LINES_SHOWN_MAX,
  };
};
