import { ApiError, type ApiClient } from '../http/api-client';
import { traffic } from './traffic';

export const SUBJECT = 'acme-prod';
const BATCH_SIZE = 1_000;
const FROM = '2023-11-01T00:00:00Z';
const TO = '2023-12-01T12:00:00Z';
const WAIT_MS_MAX = 120_000;
const LOOK_EVERY_MS = 50;
const BATCH_TYPE = 'application/cloudevents-batch+json';

export interface Invoice {
  readonly id: string; readonly number: string; readonly status: string; readonly paymentStatus: string; readonly currency: string; readonly total: string; readonly issuedAt: string;
  readonly lines: readonly { readonly id: string; readonly chargeKey: string; readonly type: string; readonly description: string; readonly quantity: string; readonly amount: string }[];
}
export interface Message { readonly id: string; readonly subject: string; readonly to: string; readonly status: string }
export interface TourResult { readonly accountId: string; readonly clockId: string; readonly subscriptionId: string; readonly invoices: readonly Invoice[]; readonly messages: readonly Message[]; readonly events: number; readonly tokens: number }
export type Say = (line: string) => void;

/**
 * The tour: from a meter to two paid invoices, by the public interface alone. Every step can be repeated without harm: things that are made
 * carry an Idempotency-Key, usage events their own ids; so a tour that was killed goes on from its start and ends the same.
 */
export const tour = async (api: ApiClient, say: Say): Promise<TourResult> => {
  const once = (step: string): { headers: Record<string, string> } => ({ headers: { 'idempotency-key': `"tour-${step}"` } });
  await api.post('/api/v1/usage/meters', {
    key: 'prompt_tokens', name: 'Prompt tokens', eventType: 'llm.completion', aggregation: 'sum', valueProperty: '$.promptTokens', groupBy: { model: '$.model' },
  }, once('meter'));
  await api.post('/api/v1/usage/meters', { key: 'requests', name: 'Requests', eventType: 'llm.completion', aggregation: 'count', groupBy: { model: '$.model' } }, once('meter-requests'));
  await api.post('/api/v1/billing/plans', {
    key: 'payg', name: 'Pay as you go', currency: 'USD', interval: { unit: 'month', count: 1 },
    charges: [
      { key: 'platform', name: 'Platform', type: 'recurring', timing: 'in_advance', price: { model: 'flat', amount: '49.00' } },
      { key: 'prompt', name: 'Prompt tokens', type: 'usage', meterKey: 'prompt_tokens', price: { model: 'graduated', tiers: [{ upTo: '10000000', unitAmount: '0.0000025' }, { upTo: null, unitAmount: '0.000002' }] } },
    ],
  }, once('plan'));
  say('two meters, one plan');
  const clock = await api.post<{ id: string }>('/api/v1/billing/clocks', { name: 'tour', now: FROM }, once('clock'));
  const account = await api.post<{ id: string }>('/api/v1/billing/accounts', {
    name: 'Acme', email: 'billing@acme.example', currency: 'USD', timezone: 'UTC', address: { country: 'US', state: 'NY' }, testClockId: clock.id,
  }, once('account'));
  await api.post('/api/v1/payments/methods', { accountId: account.id, provider: 'sandbox', token: 'tok_ok', default: true }, once('method'));
  const subscription = await api.post<{ id: string }>('/api/v1/billing/subscriptions', { accountId: account.id, planKey: 'payg', startsAt: FROM, subjects: [SUBJECT] }, once('subscription'));
  say('Acme on the plan from 1 November 2023, a sandbox card, a test clock');
  const sent = await sendUsage(api, say);
  const upcoming = await api.get<{ total: string; currency: string }>(`/api/v1/billing/subscriptions/${subscription.id}/upcoming-invoice`);
  say(`the upcoming invoice says ${upcoming.total} ${upcoming.currency}`);
  await advance(api, clock.id, say);
  const { data } = await api.get<{ data: Invoice[] }>(`/api/v1/billing/invoices?accountId=${account.id}`);
  const messages = await api.get<{ data: Message[] }>(`/api/v1/notifications/messages?accountId=${account.id}`);
  return { accountId: account.id, clockId: clock.id, subscriptionId: subscription.id, invoices: [...data].sort((a, b) => (a.issuedAt < b.issuedAt ? -1 : 1)), messages: messages.data, ...sent };
};

const sendUsage = async (api: ApiClient, say: Say): Promise<{ events: number; tokens: number }> => {
  const events = traffic(SUBJECT);
  for (let from = 0; from < events.length; from += BATCH_SIZE) {
    const { rejected } = await api.post<{ accepted: number; rejected: unknown[] }>('/api/v1/usage/events', events.slice(from, from + BATCH_SIZE), { contentType: BATCH_TYPE });
    if (rejected.length > 0) throw new Error(`usage was rejected: ${JSON.stringify(rejected[0])}`);
    if ((from / BATCH_SIZE) % 10 === 9) say(`${(from + BATCH_SIZE).toLocaleString('en')} usage events sent`);
  }
  const tokens = events.reduce((sum, { data }) => sum + data.promptTokens, 0);
  say(`${events.length.toLocaleString('en')} usage events, ${tokens.toLocaleString('en')} prompt tokens`);
  return { events: events.length, tokens };
};

const advance = async (api: ApiClient, clockId: string, say: Say): Promise<void> => {
  try {
    await api.post(`/api/v1/billing/clocks/${clockId}/advance`, { to: TO });
  } catch (error) {
    // A tour that was killed may find the clock on its way.
    if (!(error instanceof ApiError) || error.code !== 'clock_is_advancing') throw error;
  }
  say('the test clock moves to 1 December');
  const deadline = performance.now() + WAIT_MS_MAX;
  for (;;) {
    const clock = await api.get<{ status: string; now: string; waitingFor?: string[] }>(`/api/v1/billing/clocks/${clockId}`);
    if (clock.status === 'ready') return;
    if (performance.now() > deadline) throw new Error(`the clock stands at ${clock.now} and waits for ${clock.waitingFor?.join('; ')}`);
    await new Promise((resolve) => { setTimeout(resolve, LOOK_EVERY_MS); });
  }
};
