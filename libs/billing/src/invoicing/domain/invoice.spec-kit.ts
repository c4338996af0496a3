import type { Charge, InvoiceUsageStated } from '@valueverse/contracts';
import type { ApplyPayment, DraftInvoice, FinalizeInvoice, StateUsage } from './invoice.decider';

export const INVOICE = 'inv_1';
export const NOVEMBER = { from: '2023-11-01T00:00:00Z', to: '2023-12-01T00:00:00Z' };
export const DECEMBER = { from: '2023-12-01T00:00:00Z', to: '2024-01-01T00:00:00Z' };
export const AT = '2023-12-01T01:00:00Z';

export const platform: Charge = { key: 'platform', name: 'Platform', type: 'recurring', timing: 'in_advance', price: { model: 'flat', amount: '49.00' } };
export const usageCharge = (key: string, unitAmount: string): Charge => ({ key, name: key, type: 'usage', meterKey: key, price: { model: 'per_unit', unitAmount } });
export const prompt: Charge = {
  key: 'prompt', name: 'Prompt tokens', type: 'usage', meterKey: 'prompt',
  price: { model: 'graduated', tiers: [{ upTo: '10000000', unitAmount: '0.0000025' }, { upTo: null, unitAmount: '0.000002' }] },
};

/** The invoice of 1 December: November's usage and December's fee. */
export const draft = (arrears: readonly Charge[], advance: readonly Charge[] = [platform], currency = 'USD'): DraftInvoice => ({
  type: 'DraftInvoice', invoiceId: INVOICE, accountId: 'acc_1', subscriptionId: 'sub_1', currency, planKey: 'payg', planVersion: 1, zone: 'UTC', rounding: 'half_up',
  advance: { period: DECEMBER, aligned: DECEMBER, charges: advance },
  arrears: arrears.length === 0 ? null : { period: NOVEMBER, aligned: NOVEMBER, charges: arrears },
  requests: arrears.filter(({ type }) => type === 'usage').map(({ key }) => ({
    requestId: `req_${key}`, subscriptionId: 'sub_1', chargeKey: key, meterKey: key, meterVersion: 1, usage: [{ subject: 'acme', ...NOVEMBER }], groupBy: [],
  })),
  finalizeAt: AT, at: DECEMBER.from,
});
export const statement = (...values: readonly string[]): InvoiceUsageStated['statement'] =>
  ({ statementId: 'ust_1', quantities: values.map((value, index) => ({ group: values.length > 1 ? { model: String(index) } : {}, value, events: 1 })), asOf: { 0: '1' }, evidence: 'e' });
export const state = (chargeKey: string, ...values: readonly string[]): StateUsage =>
  ({ type: 'StateUsage', invoiceId: INVOICE, requestId: `req_${chargeKey}`, chargeKey, statement: statement(...values), at: AT });
export const finalize: FinalizeInvoice = { type: 'FinalizeInvoice', invoiceId: INVOICE, number: 'INV-000001', billTo: { name: 'Acme' }, at: AT };
export const pay = (paymentId: string, amount: string, currency = 'USD'): ApplyPayment => ({ type: 'ApplyPayment', invoiceId: INVOICE, paymentId, amount, currency, at: AT });
