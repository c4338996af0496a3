import { randomBytes } from 'node:crypto';
import type { Edition, Json } from './edition.spec-kit';

/** What is personal in the month below. */
export const BILLED = { name: 'Ada Lovelace', email: 'ada@lovelace.example', line1: '12 St James Square' } as const;

/** Three usage events in one traced request, and the month that they are billed in: a paid invoice over 0.06 USD and its mails. */
export const billMonth = async (edition: Edition): Promise<{ readonly usageTrace: string; readonly sent: Json; readonly invoice: Json }> => {
  await edition.post('/api/v1/usage/meters', { key: 'prompts', eventType: 'model.call', aggregation: 'sum', valueProperty: '$.prompts' });
  await edition.post('/api/v1/billing/plans', { key: 'models', name: 'Models', currency: 'USD', interval: { unit: 'month', count: 1 },
    charges: [{ key: 'prompts', name: 'Prompts', type: 'usage', meterKey: 'prompts', price: { model: 'per_unit', unitAmount: '0.01' } }] });
  const clock = await edition.post('/api/v1/billing/clocks', { name: 'c', now: '2024-01-01T00:00:00Z' });
  const { name, email, line1 } = BILLED;
  const account = await edition.post('/api/v1/billing/accounts', { name, email, address: { line1, country: 'GB' }, currency: 'USD', timezone: 'UTC', testClockId: clock.id });
  await edition.post('/api/v1/payments/methods', { accountId: account.id, provider: 'sandbox', token: 'tok_ok', default: true });
  await edition.post('/api/v1/billing/subscriptions', { accountId: account.id, planKey: 'models', startsAt: '2024-01-01T00:00:00Z', subjects: ['acme'] });
  const usageTrace = randomBytes(16).toString('hex');
  const sent = await edition.ask('/api/v1/usage/events?secret=in-a-query', {
    method: 'POST', headers: { traceparent: `00-${usageTrace}-00f067aa0ba902b7-01`, 'content-type': 'application/cloudevents-batch+json' },
    raw: JSON.stringify([1, 2, 3].map((nth) => ({ specversion: '1.0', id: `e${nth}`, source: 's', type: 'model.call', subject: 'acme', time: '2024-01-10T00:00:00Z', data: { prompts: nth } }))),
  });
  await edition.advance(clock.id, '2024-02-02T00:00:00Z');
  const { data: [invoice] } = await edition.get(`/api/v1/billing/invoices?accountId=${account.id}`);
  return { usageTrace, sent, invoice };
};
