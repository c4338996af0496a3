import { localDateOf, Money } from '@valueverse/kernel';
import type { InvoiceLine } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import type { BillingHost } from '../billing-host';
import { servicePeriodOf } from './domain/issue-invoice';
import { statementsOf, type InvoiceRow } from './invoice.model';
import { lateInAll, type LateByCharge } from './late-usage';
import { previewDraft, previewIn, previewToApi, type Preview } from './preview';

/** Lines that an invoice shows by itself; the rest is under `/lines`. */
export const LINES_SHOWN_MAX = 100;

export const lineToApi = ({ lineId, steps: _, statement: __, ...line }: InvoiceLine, late?: LateByCharge): Record<string, unknown> => {
  const lateUsage = line.type === 'usage' ? late?.get(line.chargeKey) : undefined;
  return { id: lineId, ...line, ...(lateUsage === undefined ? {} : { lateUsage }) };
};

/** An invoice that is owed is overdue once the local day on which it is due is over, by the account's clock. */
const paymentStatusOf = ({ status, paymentStatus, issued, drafted: { zone } }: InvoiceRow, now: string): string =>
  (status === 'finalized' && (paymentStatus === 'unpaid' || paymentStatus === 'partially_paid') && localDateOf(issued!.dueAt, zone) < localDateOf(now, zone) ? 'overdue' : paymentStatus);

const previewOf = (host: BillingHost, tenant: string, row: InvoiceRow, inside: Tx | undefined): Promise<Preview> =>
  (inside === undefined ? previewDraft(host, tenant, row.drafted, row.drafted.finalizeAt) : previewIn(host, inside, tenant, row.drafted, { statements: statementsOf(row), asOf: undefined }, row.drafted.finalizeAt));

/** An invoice as it is answered. A draft shows the numbers that metering has now; inside a transaction, where nobody is asked, those of its other lines. `now` is the account's. */
export const invoiceToApi = async (host: BillingHost, row: InvoiceRow, tenant: string, late: LateByCharge | undefined, now: string, inside?: Tx): Promise<Record<string, unknown>> => {
  const { invoiceId, accountId, subscriptionId, status, amountPaid, amountCredited, amountRemaining, issued, drafted, voided } = row;
  const head = {
    id: invoiceId, number: issued?.number ?? null, accountId, subscriptionId: subscriptionId ?? null, kind: drafted.kind, status, paymentStatus: paymentStatusOf(row, now), currency: drafted.currency, lateUsage: lateInAll(late),
    ...(voided === undefined ? {} : { voidedAt: voided.at, voidReason: voided.reason }),
  };
  if (issued === undefined) {
    const preview = status === 'dropped' ? { money: undefined, notes: [], asOf: undefined } : await previewOf(host, tenant, row, inside);
    const { lines, ...sums } = previewToApi(preview, Money.zero(drafted.currency).toString()) as { lines: unknown[] };
    return { ...head, servicePeriod: servicePeriodOf(drafted.items, drafted.draftedAt), finalizesAt: drafted.finalizeAt, ...sums, lines: lines.slice(0, LINES_SHOWN_MAX), amountPaid, amountCredited, amountRemaining, hasMore: lines.length > LINES_SHOWN_MAX };
  }
  const { servicePeriod, issuedAt, dueAt, subtotal, discountTotal, taxTotal, total, creditApplied, amountDue, totalSteps, lines, entityKey, memo } = issued;
  return {
    ...head, servicePeriod, issuedAt, dueAt, subtotal, discountTotal, taxTotal, total, creditApplied, amountDue, amountPaid, amountCredited, amountRemaining, totalSteps, ...(entityKey === undefined ? {} : { entityKey }), ...(memo === undefined ? {} : { memo }),
    lines: lines.slice(0, LINES_SHOWN_MAX).map((line) => lineToApi(line, late)), hasMore: lines.length > LINES_SHOWN_MAX,
  };
};
