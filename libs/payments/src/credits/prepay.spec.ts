import { eventually } from '@valueverse/testing';
import { paymentsSpec } from '../payments-bed.spec-kit';

// An account pays ahead by card: a payment for no invoice, whose money is its balance.
const AT = '2026-03-01T00:00:00Z';
const day = (days: number): string => new Date(Date.parse(AT) + days * 86_400_000).toISOString().replace('.000', '');
const TIMEOUT_MS = 60_000;
const spec = paymentsSpec({ each: true });

const prepay = async (accountId: string, amount = '100.00', more: object = {}) => {
  const { status, body } = await spec.ask('POST', '', { accountId, amount, ...more });
  return { status, body, id: String(body['payments']?.[0]?.id) };
};
const ends = (id: string, ...statuses: string[]) => eventually(`the payment to be ${statuses.join(' or ')}`, async (saw) => {
  const { body } = await spec.ask('GET', `/${id}`);
  saw(body);
  return statuses.includes(String(body['status'])) ? body : undefined;
});
const credits = async (accountId: string) => (await spec.ask('GET', `/credits?accountId=${accountId}`)).body['data'] as unknown[];

test('an account pays ahead: a payment as any other, whose money is the balance of the account once it is there', async () => {
  const { accountId } = await spec.customer(AT, 'tok_ok');
  const asked = await spec.ask('POST', '', { accountId, amount: '100' }, { once: 'ahead' });
  const [{ id, creditId }] = asked.body['payments'] as [{ id: string; creditId: string }];
  expect(asked).toMatchObject({ status: 201, headers: { location: `/api/v1/payments/${id}` }, body: { payments: [{ accountId, invoiceId: null, amount: '100.00', currency: 'USD' }] } });
  expect((await spec.ask('POST', '', { accountId, amount: '100' }, { once: 'ahead' })).body).toEqual(asked.body);
  expect(await ends(id, 'succeeded')).toMatchObject({ invoiceId: null, creditId, attempts: [{ status: 'succeeded', amount: '100.00' }], fee: '3.20' });
  expect((await spec.facts(`payment-${id}`)).map(({ type }) => type)).toEqual(['PaymentRequested', 'PaymentAttemptStarted', 'PaymentSucceeded', 'MoneyCredited']);
  expect(await credits(accountId)).toMatchObject([{ id: creditId, amount: '100.00', currency: 'USD', paymentId: id, reference: null }]);
  expect(await spec.taken()).toMatchObject([{ amount: 10_000, currency: 'usd', key: `pay:${id}:att:1` }]);
  expect((await spec.ask('GET', '/reconciliation?provider=sandbox&from=2026-02-01T00:00:00Z&to=2026-04-01T00:00:00Z')).body).toMatchObject({ agree: true, lines: 1, sums: [{ charged: '100.00' }] });
  // It is the balance of the account: what of it is not used goes back as that.
  expect(await spec.ask('POST', `/${id}/refunds`, { reason: 'changed my mind' })).toMatchObject({ status: 409, body: { code: 'nothing_to_refund' } });
}, TIMEOUT_MS);

test('what it cannot be is refused with a code and a place, and charges nothing', async () => {
  const { accountId } = await spec.customer(AT);
  const stranger = await spec.bed.tenant(spec.process);
  expect(await prepay(accountId)).toMatchObject({ status: 409, body: { code: 'no_payment_method' } });
  await spec.bed.attach(spec.process, spec.acme.tenant, accountId, 'tok_ok');
  expect(await prepay(accountId, '100.00', { currency: 'EUR' })).toMatchObject({ status: 409, body: { code: 'currency_mismatch', errors: [{ pointer: '/currency' }] } });
  expect(await prepay(accountId, '0.00')).toMatchObject({ status: 400, body: { code: 'amount_not_positive', errors: [{ pointer: '/amount' }] } });
  expect(await spec.ask('POST', '', { accountId })).toMatchObject({ status: 400, body: { code: 'amount_not_positive', errors: [{ pointer: '/amount' }] } });
  expect((await prepay(accountId, '1.005')).status).toBe(400);
  expect(await prepay(accountId, '1000000000.00')).toMatchObject({ status: 400, body: { code: 'amount_too_large', errors: [{ pointer: '/amount' }], detail: expect.stringContaining('999999999.99 USD') as string } });
  expect(await prepay(accountId, '1.00', { methodId: 'pm_none' })).toMatchObject({ status: 404, body: { code: 'payment_method_not_found', errors: [{ pointer: '/methodId' }] } });
  expect(await prepay(accountId, '1.00', { invoiceId: 'inv_1' })).toMatchObject({ status: 400, body: { code: 'allocations_or_invoice' } });
  expect(await prepay(accountId, '1.00', { manual: { reference: 'line 1', receivedAt: AT } })).toMatchObject({ status: 400, body: { code: 'not_by_hand', errors: [{ pointer: '/manual' }] } });
  expect(await prepay('acc_none')).toMatchObject({ status: 404, body: { code: 'account_not_found' } });
  expect(await spec.ask('POST', '', { accountId, amount: '1.00' }, { as: stranger })).toMatchObject({ status: 404, body: { code: 'account_not_found' } });
  expect((await spec.host.app.inject({ method: 'POST', url: '/api/v1/payments', headers: { authorization: `Bearer ${spec.acme.key}` }, payload: { accountId, amount: '1.00' } })).statusCode).toBe(400);
  expect(await spec.bed.book(spec.process, spec.acme.tenant)).toEqual([]);
}, TIMEOUT_MS);

test('it is charged now or not at all: no other day, no later hour, and nothing when the provider is away; another card of the account at once', async () => {
  const who = await spec.customer(AT, 'tok_declined_insufficient_funds');
  const soft = await prepay(who.accountId);
  expect(await ends(soft.id, 'failed')).toMatchObject({ nextAttemptAt: null, attempts: [{ declineClass: 'soft' }] });
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'decline', code: 'processing_error', operation: 'charge', times: 1 });
  expect(await ends((await prepay(who.accountId)).id, 'failed')).toMatchObject({ attempts: [{ declineClass: 'technical' }] });
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'rate_limit', operation: 'charge', times: 3 });
  expect(await ends((await prepay(who.accountId)).id, 'failed')).toMatchObject({ attempts: [{ declineCode: 'provider_unavailable' }] });
  // A new default is for invoices that wait, not for what is over.
  await spec.bed.attach(spec.process, spec.acme.tenant, who.accountId, 'tok_ok');
  for (const days of [1, 3, 8]) await spec.bed.step(spec.acme.tenant, who.clockId, day(days));
  expect(await spec.taken()).toEqual([]);
  const other = await spec.customer(AT, 'tok_declined_expired_card');
  await spec.bed.attach(spec.process, spec.acme.tenant, other.accountId, 'tok_ok', 'sandbox', false);
  expect(await ends((await prepay(other.accountId, '5.00')).id, 'failed', 'succeeded')).toMatchObject({ status: 'succeeded', attempts: [{ declineClass: 'hard' }, { status: 'succeeded' }] });
  expect(await spec.taken()).toMatchObject([{ amount: 500 }]);
}, TIMEOUT_MS);

test('a lost answer, ten at once and a late success: each order is charged once, and credited once', async () => {
  const { accountId } = await spec.customer(AT, 'tok_ok');
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'lose_reply', operation: 'charge', times: 4 });
  const asked = await Promise.all(Array.from({ length: 10 }, (_, nth) => prepay(accountId, `${nth + 1}.00`)));
  for (const { id } of asked) expect((await ends(id, 'succeeded'))['attempts']).toHaveLength(1);
  expect((await spec.taken()).map(({ amount }) => amount).sort((a, b) => a - b)).toEqual([100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000]);
  expect(await credits(accountId)).toHaveLength(10);
}, TIMEOUT_MS);

test('a bank that asks for its customer leads to its page and back to one that says how it went', async () => {
  // On wall time, by which links are valid.
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  await spec.bed.attach(spec.process, spec.acme.tenant, accountId, 'tok_requires_action');
  const { id } = await prepay(accountId, '30.00');
  const { attempts: [attempt] } = await ends(id, 'requires_action') as unknown as { attempts: [{ url: string }] };
  const done = await (await fetch(`${attempt.url}/complete`, { method: 'POST' })).text();
  const back = /href="http:\/\/localhost:8000(\/api\/v1\/payments\/pay\/[\w.-]+)"/.exec(done)![1]!;
  const page = async () => (await spec.host.app.inject({ method: 'GET', url: back })).body;
  expect(await page()).toMatch(/<h1>Your payment<\/h1><dl><dt>Amount<\/dt><dd>30.00 USD<\/dd>.*Go to your bank/);
  // Whoever presses a button that is not there charges nothing.
  expect((await spec.host.app.inject({ method: 'POST', url: back, headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload: '' })).statusCode).toBe(303);
  await spec.ask('POST', `/sandbox/actions/${id}/complete`);
  await ends(id, 'succeeded');
  expect(await page()).toMatch(/Your payment has come in/);
  expect(await spec.taken()).toHaveLength(1);
  expect(await credits(accountId)).toMatchObject([{ amount: '30.00' }]);
}, TIMEOUT_MS);

test('what its provider cannot count is refused before anybody is asked: a third digit that is not 0; an invoice over it says so', async () => {
  const { tenant } = spec.acme;
  const accountId = await spec.bed.openAccount(tenant, AT, undefined, 'KWD');
  await spec.bed.attach(spec.process, tenant, accountId, 'tok_ok');
  const invoiceId = await spec.bed.finalize(tenant, accountId, { total: '5.123', at: AT, currency: 'KWD' });
  expect(await spec.payment(invoiceId, 'failed')).toMatchObject({ attempts: [{ status: 'declined', declineCode: 'amount_too_fine' }] });
  const tooFine = { status: 400, body: { code: 'amount_too_fine', errors: [{ pointer: '/amount' }], detail: 'sandbox takes KWD in steps of 0.010' } };
  expect(await prepay(accountId, '1.234')).toMatchObject(tooFine);
  expect(await spec.ask('POST', '', { invoiceId })).toMatchObject(tooFine);
  const page = async () => (await spec.host.app.inject({ method: 'GET', url: String((await spec.ask('POST', '/links', { invoiceId })).body['path']) })).body;
  expect(await page()).toMatch(/<dd>5.123 KWD<\/dd>.*cannot be paid by the payment method on file/);
  expect(await spec.bed.book(spec.process, tenant)).toEqual([]);
  const { id } = await prepay(accountId, '1.230');
  expect(await ends(id, 'succeeded')).toMatchObject({ amount: '1.230', currency: 'KWD' });
  await spec.ask('POST', '', { invoiceId, amount: '5.12' });
  const paid = await spec.bed.paymentsOf(spec.process, tenant, invoiceId, 'succeeded');
  expect((await spec.taken()).map(({ amount, currency }) => `${amount} ${currency}`)).toEqual(['5120 kwd', '1230 kwd']);
  expect(await spec.ask('POST', `/${paid.id}/refunds`, { amount: '1.005', reason: 'x' })).toMatchObject(tooFine);
  // The rest is seen elsewhere: nobody has to count it.
  expect(await spec.ask('POST', '', { invoiceId, manual: { reference: 'line 1', receivedAt: AT } })).toMatchObject({ status: 201, body: { payments: [{ amount: '0.003' }] } });
}, TIMEOUT_MS);
