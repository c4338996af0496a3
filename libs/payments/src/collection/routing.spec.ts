import type { Host } from '@valueverse/platform';
import { eventually } from '@valueverse/testing';
import { PaymentsBed, type PaymentsProcess } from '../payments-bed.spec-kit';
import { NOW_HEADER, sandboxKeyOf } from '../providers/sandbox/sandbox-server';
import { StripeProvider } from '../providers/stripe/stripe-provider';

// Two providers with a book each, on real sockets: whatever the first one does, an invoice is paid once over both of them.
const AT = '2026-03-01T00:00:00Z';
const TIMEOUT_MS = 60_000;
const PROVIDER_TIMEOUT_MS = 1_500;
const NOWHERE = 'http://127.0.0.1:1';
let bed: PaymentsBed;
let process: PaymentsProcess;
let host: Host;
let acme: { tenant: string; key: string };
let isFirstDown = false;
const secondOf = (tenant: string): string => `${tenant}.second`;

beforeAll(async () => {
  bed = await PaymentsBed.make();
  ({ process, host } = await bed.hosted((_, sandbox) => [
    new StripeProvider({ name: 'sandbox', timeoutMs: PROVIDER_TIMEOUT_MS, account: async (tenant) => ({ apiKey: sandboxKeyOf(tenant), url: isFirstDown ? NOWHERE : await sandbox.url }), headersOf: ({ now }) => ({ [NOW_HEADER]: now }) }),
    new StripeProvider({ name: 'second', timeoutMs: PROVIDER_TIMEOUT_MS, account: async (tenant) => ({ apiKey: sandboxKeyOf(secondOf(tenant)), url: await sandbox.url }), headersOf: ({ now }) => ({ [NOW_HEADER]: now }) }),
  ]));
}, TIMEOUT_MS);
beforeEach(async () => { isFirstDown = false; acme = await bed.tenant(process); });
afterAll(() => bed.close(), TIMEOUT_MS);

const ask = async (method: 'GET' | 'PUT', url: string, payload?: object) => {
  const answer = await host.app.inject({ method, url: `/api/v1/payments${url}`, headers: { authorization: `Bearer ${acme.key}` }, ...(payload === undefined ? {} : { payload }) });
  return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() };
};
/** An account with a card at each provider; the one at the first is the default. */
const customer = async (first = 'tok_ok', second = 'tok_ok') => {
  const clockId = await bed.openClock(acme.tenant, AT);
  const accountId = await bed.openAccount(acme.tenant, AT, clockId);
  const cards = [await bed.attach(process, acme.tenant, accountId, first), await bed.attach(process, acme.tenant, accountId, second, 'second', false)] as const;
  return { accountId, clockId, cards, bill: (total: string) => bed.finalize(acme.tenant, accountId, { total, at: AT, clockId }) };
};
const payment = (invoiceId: string, ...statuses: string[]) => bed.payment(process, acme.tenant, invoiceId, ...statuses);
/** What each of the two has taken, in minor units. */
const taken = async () => Promise.all([acme.tenant, secondOf(acme.tenant)].map(async (tenant) => (await bed.book(process, tenant)).filter(({ status }) => status === 'succeeded').map(({ amount }) => amount).sort((a, b) => a - b)));

test('rules say which card is charged first: by amount, in order; what they name has to be there', async () => {
  const who = await customer();
  expect(await ask('PUT', '/settings', { routing: [{ provider: 'second', currency: 'USD', amountFrom: '100.00' }] })).toMatchObject({ status: 200, body: { failover: 'none', routing: [{ provider: 'second', currency: 'USD', amountFrom: '100.00' }] } });
  const invoices = [await who.bill('99.99'), await who.bill('100.00')];
  for (const invoiceId of invoices) await payment(invoiceId, 'succeeded');
  expect(await taken()).toEqual([[9_999], [10_000]]);
  expect(await ask('PUT', '/settings', { routing: [{ provider: 'nobody' }] })).toMatchObject({ status: 400, body: { code: 'unknown_provider', errors: [{ pointer: '/routing/0/provider' }] } });
  expect(await ask('PUT', '/settings', { routing: [{ provider: 'second' }, { provider: 'second', amountTo: '5.00' }] })).toMatchObject({ status: 400, body: { code: 'amount_without_currency', errors: [{ pointer: '/routing/1/currency' }] } });
}, TIMEOUT_MS);

test('B42: a provider that is down is replaced at once; without the setting it is waited for, and no attempt is burnt', async () => {
  const who = await customer();
  isFirstDown = true;
  const waits = await who.bill('10.00');
  await eventually('it to be tried', async () => ((await process.service.database.transaction({ role: 'worker' }, (tx) => tx.query('SELECT FROM jobs WHERE tenant = $1 AND waits_for IS NOT NULL', [acme.tenant]))).rowCount === 0 ? undefined : true));
  expect((await payment(waits, 'processing')).attempts).toHaveLength(1);
  expect(await ask('PUT', '/settings', { failover: 'other_provider' })).toMatchObject({ status: 200 });
  for (const invoiceId of [waits, await who.bill('20.00')]) {
    expect((await payment(invoiceId, 'succeeded')).attempts).toMatchObject([{ status: 'declined', declineCode: 'provider_unavailable', declineClass: 'technical', provider: 'sandbox' }, { status: 'succeeded', provider: 'second', methodId: who.cards[1] }]);
  }
  expect(await taken()).toEqual([[], [1_000, 2_000]]);
}, TIMEOUT_MS);

test('what a bank could not do for technical reasons is tried at the other provider at once; where both are away it is waited for', async () => {
  await ask('PUT', '/settings', { failover: 'other_provider' });
  const who = await customer();
  await bed.fault(process, acme.tenant, { fault: 'decline', operation: 'charge', code: 'processing_error', times: 1 });
  expect((await payment(await who.bill('10.00'), 'succeeded')).attempts.map(({ provider }) => provider)).toEqual(['sandbox', 'second']);
  for (const tenant of [acme.tenant, secondOf(acme.tenant)]) await bed.fault(process, tenant, { fault: 'rate_limit', operation: 'charge' });
  const invoiceId = await who.bill('20.00');
  await eventually('the second to be waited for', async (saw) => {
    const { rows } = await process.service.database.transaction({ role: 'worker' }, (tx) => tx.query<{ waits_for: string }>(`SELECT waits_for FROM jobs WHERE tenant = $1 AND payload LIKE '%"attempt":2%' AND waits_for IS NOT NULL`, [acme.tenant]));
    saw(rows);
    return rows.length > 0 || undefined;
  });
  await bed.disarm(process, secondOf(acme.tenant));
  expect((await payment(invoiceId, 'succeeded')).attempts).toHaveLength(2);
  expect(await taken()).toEqual([[], [1_000, 2_000]]);
}, TIMEOUT_MS);

test('B41, B42: of a provider that hangs or loses its answers nobody knows what it did, so that nobody else is asked: one charge, at the first', async () => {
  await ask('PUT', '/settings', { failover: 'other_provider' });
  const who = await customer();
  // Before or after the money was taken: whoever waits cannot tell.
  for (const [nth, fault] of (['lose_reply', 'fail_after', 'hang_after', 'lose_request', 'hang_before'] as const).entries()) {
    await bed.fault(process, acme.tenant, { fault, operation: 'charge', times: fault.startsWith('lose') ? 2 : 1 });
    expect((await payment(await who.bill(`${nth + 1}.00`), 'succeeded')).attempts.map(({ provider }) => provider)).toEqual(['sandbox']);
    await bed.disarm(process, acme.tenant);
  }
  expect(await taken()).toEqual([[100, 200, 300, 400, 500], []]);
}, TIMEOUT_MS);

test('everything at once: whatever becomes of each order, each invoice is paid once over both books', async () => {
  await ask('PUT', '/settings', { failover: 'other_provider' });
  const who = await customer();
  for (const [nth, tenant] of [acme.tenant, secondOf(acme.tenant)].entries()) for (const fault of ['lose_reply', 'fail_after', 'lose_request', 'rate_limit'] as const) await bed.fault(process, tenant, { fault, operation: 'charge', chance: 0.25, seed: 40 + nth });
  const cents = Array.from({ length: 12 }, (_, nth) => 101 + nth);
  const invoices = await Promise.all(cents.map((one) => who.bill((one / 100).toFixed(2))));
  for (const invoiceId of invoices) await payment(invoiceId, 'succeeded');
  expect((await taken()).flat().sort((a, b) => a - b)).toEqual(cents);
}, TIMEOUT_MS);
