import type { Period } from '@valueverse/kernel';
import type { Charge, CitedStatement, InvoiceItem } from '@valueverse/contracts';
import type { ApplyPayment, DraftInvoice, FinalizeInvoice, StateUsage } from './invoice.decider';
import type { IssueTerms } from './issue-invoice';

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

const item = (kind: 'fee' | 'usage', charge: Charge, period: Period): InvoiceItem => ({
  itemId: `item_${charge.key}`, kind, subscriptionId: 'sub_1', planKey: 'payg', planVersion: 1, charge, aligned: period, served: period, zone: 'UTC',
  ...(kind === 'usage' ? { requests: [{ requestId: `req_${charge.key}` }] } : {}),
});
/** The invoice of 1 December: November's usage and December's fee. */
export const draft = (arrears: readonly Charge[], advance: readonly Charge[] = [platform], currency = 'USD'): DraftInvoice => ({
  type: 'DraftInvoice', invoiceId: INVOICE, accountId: 'acc_1', subscriptionId: 'sub_1', kind: 'cycle', currency, zone: 'UTC', rounding: 'half_up',
  items: [...arrears.map((charge) => item(charge.type === 'usage' ? 'usage' : 'fee', charge, NOVEMBER)), ...advance.map((charge) => item('fee', charge, DECEMBER))],
  requests: arrears.filter(({ type }) => type === 'usage').map(({ key }) => ({
    requestId: `req_${key}`, subscriptionId: 'sub_1', chargeKey: key, meterKey: key, meterVersion: 1, usage: [{ subject: 'acme', ...NOVEMBER }], groupBy: [],
  })),
  finalizeAt: AT, at: DECEMBER.from,
});
export const statement = (...values: readonly string[]): CitedStatement =>
  ({ statementId: 'ust_1', quantities: values.map((value, index) => ({ group: values.length > 1 ? { model: String(index) } : {}, value, events: 1 })), asOf: { 0: '1' }, evidence: 'e' });
export const state = (chargeKey: string, ...values: readonly string[]): StateUsage =>
  ({ type: 'StateUsage', invoiceId: INVOICE, stated: [{ requestId: `req_${chargeKey}`, chargeKey, statement: statement(...values) }], at: AT });
export const NO_TERMS: IssueTerms = { taxRounding: 'invoice', inclusiveRounding: 'net', coupons: [], lineTaxes: {}, credited: {}, interim: [] };
export const finalize: FinalizeInvoice = { type: 'FinalizeInvoice', invoiceId: INVOICE, number: 'INV-000001', dueAt: AT, terms: NO_TERMS, balance: '0', billTo: { name: 'Acme' }, at: AT };
export const pay = (paymentId: string, amount: string, currency = 'USD'): ApplyPayment => ({ type: 'ApplyPayment', invoiceId: INVOICE, paymentId, amount, currency, at: AT });
