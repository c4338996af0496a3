import { eventually } from '@valueverse/testing';
import { type PaymentsSpec, paymentsSpec } from '../payments-bed.spec-kit';
import { NOW_HEADER, sandboxKeyOf } from '../providers/sandbox/sandbox-server';
import { StripeProvider } from '../providers/stripe/stripe-provider';

// Two providers with a book each, on real sockets: whatever the first one does, an invoice is paid once over both of them.
const AT = '2026-03-01T00:00:00Z';
const TIMEOUT_MS = 60_000;
const PROVIDER_TIMEOUT_MS = 1_500;
const NOWHERE = 'http://127.0.0.1:1';
let isFirstDown = false;
const secondOf = (tenant: string): string => `${tenant}.second`;
const spec = paymentsSpec({ each: true, wrap: (_, sandbox) => [
  new StripeProvider({ name: 'sandbox', timeoutMs: PROVIDER_TIMEOUT_MS, account: async (tenant) => ({ apiKey: sandboxKeyOf(tenant), url: isFirstDown ? NOWHERE : await sandbox.url }), headersOf: ({ now }) => ({ [NOW_HEADER]: now }) }),
  new StripeProvider({ name: 'second', timeoutMs: PROVIDER_TIMEOUT_MS, account: async (tenant) => ({ apiKey: sandboxKeyOf(secondOf(tenant)), url: await sandbox.url }), headersOf: ({ now }) => ({ [NOW_HEADER]: now }) }),
] });
beforeEach(() => { isFirstDown = false; });
const ask: PaymentsSpec['ask'] = (...asked) => spec.ask(...asked);

/** An account of a tenant with a card at each provider; the one at the first is the default. */
const customer = async ({ tenant } = spec.acme) => {
  const clockId = await spec.bed.openClock(tenant, AT);
  const accountId = await spec.bed.openAccount(tenant, AT, clockId);
  const cards = [await spec.bed.attach(spec.process, tenant, accountId, 'tok_ok'), await spec.bed.attach(spec.process, tenant, accountId, 'tok_ok', 'second', false)] as const;
  const bill = (total: string): Promise<string> => spec.bed.finalize(tenant, accountId, { total, at: AT, clockId });
  return { accountId, clockId, cards, bill, paid: async (total: string) => spec.bed.payment(spec.process, tenant, await bill(total), 'succeeded') };
};
const payment: PaymentsSpec['payment'] = (...asked) => spec.payment(...asked);
/** What each of the two has taken of a tenant, in minor units. */
const taken = async ({ tenant } = spec.acme) => Promise.all([tenant, secondOf(tenant)].map(async (one) => (await spec.taken(one)).map(({ amount }) => amount).sort((a, b) => a - b)));

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
  await eventually('it to be tried', async () => ((await spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query('SELECT FROM jobs WHERE tenant = $1 AND waits_for IS NOT NULL', [spec.acme.tenant]))).rowCount === 0 ? undefined : true));
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
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'decline', operation: 'charge', code: 'processing_error', times: 1 });
  expect((await payment(await who.bill('10.00'), 'succeeded')).attempts.map(({ provider }) => provider)).toEqual(['sandbox', 'second']);
  for (const tenant of [spec.acme.tenant, secondOf(spec.acme.tenant)]) await spec.bed.fault(spec.process, tenant, { fault: 'rate_limit', operation: 'charge' });
  const invoiceId = await who.bill('20.00');
  await eventually('the second to be waited for', async (saw) => {
    const { rows } = await spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query<{ waits_for: string }>(`SELECT waits_for FROM jobs WHERE tenant = $1 AND payload LIKE '%"attempt":2%' AND waits_for IS NOT NULL`, [spec.acme.tenant]));
    saw(rows);
    return rows.length > 0 || undefined;
  });
  await spec.bed.disarm(spec.process, secondOf(spec.acme.tenant));
  expect((await payment(invoiceId, 'succeeded')).attempts).toHaveLength(2);
  expect(await taken()).toEqual([[], [1_000, 2_000]]);
}, TIMEOUT_MS);

test('B41, B42: of a provider that hangs or loses its answers nobody knows what it did, so that nobody else is asked: one charge, at the first', async () => {
  // Before or after the money was taken: whoever waits cannot tell. An organization for each of them, so that none waits for another one.
  await Promise.all((['lose_reply', 'fail_after', 'hang_after', 'lose_request', 'hang_before'] as const).map(async (fault) => {
    const as = await spec.bed.tenant(spec.process);
    await spec.ask('PUT', '/settings', { failover: 'other_provider' }, { as });
    const who = await customer(as);
    await spec.bed.fault(spec.process, as.tenant, { fault, operation: 'charge', times: fault.startsWith('lose') ? 2 : 1 });
    expect((await who.paid('5.00')).attempts.map(({ provider }) => provider)).toEqual(['sandbox']);
    expect(await taken(as)).toEqual([[500], []]);
  }));
}, TIMEOUT_MS);

test('a card that was removed stands in for nobody: the provider that is down is waited for', async () => {
  await ask('PUT', '/settings', { failover: 'other_provider' });
  const who = await customer();
  isFirstDown = true;
  expect((await ask('DELETE', `/methods/${who.cards[1]}`)).status).toBe(204);
  const invoiceId = await who.bill('10.00');
  await eventually('the first to be waited for', async () => ((await spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query('SELECT FROM jobs WHERE tenant = $1 AND waits_for IS NOT NULL', [spec.acme.tenant]))).rowCount === 0 ? undefined : true));
  isFirstDown = false;
  expect((await payment(invoiceId, 'succeeded')).attempts).toMatchObject([{ provider: 'sandbox' }]);
  expect(await taken()).toEqual([[1_000], []]);
}, TIMEOUT_MS);

test('everything at once: whatever becomes of each order, each invoice is paid once over both books', async () => {
  await ask('PUT', '/settings', { failover: 'other_provider' });
  const who = await customer();
  for (const [nth, tenant] of [spec.acme.tenant, secondOf(spec.acme.tenant)].entries()) for (const fault of ['lose_reply', 'fail_after', 'lose_request', 'rate_limit'] as const) await spec.bed.fault(spec.process, tenant, { fault, operation: 'charge', chance: 0.25, seed: 40 + nth });
  const cents = Array.from({ length: 12 }, (_, nth) => 101 + nth);
  const invoices = await Promise.all(cents.map((one) => who.bill((one / 100).toFixed(2))));
  for (const invoiceId of invoices) await payment(invoiceId, 'succeeded');
  expect((await taken()).flat().sort((a, b) => a - b)).toEqual(cents);
}, TIMEOUT_MS);
