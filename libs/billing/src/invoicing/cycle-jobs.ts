import { derivedId } from '@valueverse/kernel';
import type { NewJob } from '@valueverse/event-log';
import type { Draft } from './bill-subscription';

/** The kinds of jobs of a run. */
export const BILL_PERIOD = 'billing.bill-period';
export const CLOSE_INVOICE = 'billing.close-invoice';
export const FINALIZE_INVOICE = 'billing.finalize-invoice';

export interface BillPeriod { readonly subscriptionId: string }
export interface OfInvoice { readonly invoiceId: string }

/** A run of a subscription at an instant. What causes it, a change for example, tells it from the run that a boundary at the same instant causes. */
export const billJob = (tenant: string, subscriptionId: string, dueAt: string, cause = ''): NewJob =>
  ({ id: derivedId('job', BILL_PERIOD, subscriptionId, dueAt, cause), kind: BILL_PERIOD, tenant, dueAt, payload: { subscriptionId } satisfies BillPeriod });
export const closeJob = (tenant: string, { invoiceId, finalizeAt }: Pick<Draft, 'invoiceId' | 'finalizeAt'>): NewJob =>
  ({ id: derivedId('job', CLOSE_INVOICE, invoiceId), kind: CLOSE_INVOICE, tenant, dueAt: finalizeAt, payload: { invoiceId } satisfies OfInvoice });
export const finalizeJob = (tenant: string, invoiceId: string, dueAt: string): NewJob =>
  ({ id: derivedId('job', FINALIZE_INVOICE, invoiceId), kind: FINALIZE_INVOICE, tenant, dueAt, payload: { invoiceId } satisfies OfInvoice });
