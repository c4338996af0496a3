import type { Host } from '@valueverse/platform';
import { eventually } from '@valueverse/testing';
import { PaymentsBed, type PaymentsProcess } from './payments-bed.spec-kit';

const AT = '2026-03-01T00:00:00Z';
let bed: PaymentsBed;
let process: PaymentsProcess;
let host: Host;
let acme: { tenant: string; key: string };
let other: { tenant: string; key: string };

beforeAll(async () => {
  bed = await PaymentsBed.make();
  ({ process, host } = await bed.hosted());
  [acme, other] = [await bed.tenant(process), await bed.tenant(process)];
}, 60_000);
afterAll(() => bed.close(), 30_000);

const send = async (key: string, method: 'GET' | 'POST', url: string, payload?: object, headers: Record<string, string> = {}) => {
  const answer = await host.app.inject({ method, url, headers: { authorization: `Bearer ${key}`, ...headers }, ...(payload === undefined ? {} : { payload }) });
  return { status: answer.statusCode, headers: answer.headers, body: answer.json<Record<string, unknown> & { data: Record<string, unknown>[] }>() };
};
const attach = (accountId: string, token: string, more: object = {}, headers: Record<string, string> = {}, key = acme.key) =>
  send(key, 'POST', '/api/v1/payments/methods', { accountId, provider: 'sandbox', token, ...more }, headers);

test('the first method is the default, a new default replaces it, and no token is answered', async () => {
  const accountId = await bed.openAccount(acme.tenant, AT);
  const first = await attach(accountId, 'tok_ok');
  expect(first).toMatchObject({ status: 201, body: { accountId, provider: 'sandbox', default: true } });
  const place = String(first.headers['location']);
  expect((await send(acme.key, 'GET', place)).body).toEqual(first.body);
  expect(await send(other.key, 'GET', place)).toMatchObject({ status: 404, body: { code: 'payment_method_not_found' } });
  expect(await attach(accountId, 'tok_lost_reply')).toMatchObject({ body: { default: false } });
  expect(await attach(accountId, 'tok_declined_insufficient_funds', { default: true })).toMatchObject({ body: { default: true } });
  const { body } = await send(acme.key, 'GET', `/api/v1/payments/methods?accountId=${accountId}`);
  expect(body.data.map((method) => method['default'])).toEqual([true, false, false]);
  expect(JSON.stringify(body)).not.toMatch(/tok_/);
}, 30_000);

test('a request that is sent again attaches nothing again', async () => {
  const accountId = await bed.openAccount(acme.tenant, AT);
  const once = await attach(accountId, 'tok_ok', {}, { 'idempotency-key': 'once' });
  const again = await attach(accountId, 'tok_ok', {}, { 'idempotency-key': 'once' });
  expect(again.headers['idempotency-replayed']).toBe('true');
  expect(again.body['id']).toBe(once.body['id']);
}, 30_000);

test('what is not known is named', async () => {
  const accountId = await bed.openAccount(acme.tenant, AT);
  await attach(accountId, 'tok_ok');
  expect(await attach(accountId, 'tok_of_nobody')).toMatchObject({ status: 400, body: { code: 'unknown_token', errors: [{ pointer: '/token' }] } });
  expect(await attach(accountId, 'toString')).toMatchObject({ status: 400, body: { code: 'unknown_token' } });
  expect(await attach(accountId, 'tok_ok', { provider: 'nobody' })).toMatchObject({ status: 400, body: { code: 'unknown_provider', errors: [{ pointer: '/provider' }] } });
  expect(await attach('acc_nobody', 'tok_ok')).toMatchObject({ status: 404, body: { code: 'account_not_found' } });
  expect(await attach(accountId, 'tok_ok', {}, {}, other.key)).toMatchObject({ status: 404, body: { code: 'account_not_found' } });
}, 30_000);

test('a payment is shown with its attempts to its own tenant, and to no other', async () => {
  const accountId = await bed.openAccount(acme.tenant, AT);
  await attach(accountId, 'tok_ok');
  const invoiceId = await bed.finalize(acme.tenant, accountId, { total: '49.00', at: AT });
  const found = await eventually('the payment', async (saw) => {
    const { body } = await send(acme.key, 'GET', `/api/v1/payments?invoiceId=${invoiceId}`);
    saw(body);
    return body.data.find(({ status }) => status === 'succeeded');
  });
  expect(found).toEqual({
    id: expect.stringMatching(/^pay_/) as string, invoiceId, accountId, status: 'succeeded', amount: '49.00', currency: 'USD', methodId: expect.stringMatching(/^pm_/) as string,
    attempts: [{ number: 1, status: 'succeeded', providerReference: expect.stringMatching(/^pi_/) as string, amount: '49.00', startedAt: expect.any(String) as string, endedAt: expect.any(String) as string }],
    // 2.9 % of 49.00 and 0.30
    refunds: [], amountRefunded: '0.00', amountDisputed: '0.00', fee: '1.72', nextAttemptAt: null, createdAt: expect.any(String) as string,
  });
  const own = `/api/v1/payments/${String(found['id'])}`;
  expect((await send(acme.key, 'GET', own)).body).toEqual(found);
  expect((await send(acme.key, 'GET', `/api/v1/payments?accountId=${accountId}`)).body.data).toHaveLength(1);
  const receipt = await host.app.inject({ method: 'GET', url: `${own}/receipt`, headers: { authorization: `Bearer ${acme.key}` } });
  expect([receipt.statusCode, receipt.headers.location]).toEqual([307, `/api/v1/billing/payments/${String(found['id'])}/receipt`]);
  expect((await host.app.inject({ method: 'GET', url: `${own}/receipt`, headers: { authorization: `Bearer ${other.key}` } })).statusCode).toBe(404);
  expect(await send(other.key, 'GET', own)).toMatchObject({ status: 404, body: { code: 'payment_not_found' } });
  for (const list of ['/api/v1/payments', '/api/v1/payments/methods', '/api/v1/payments/sandbox/book']) {
    expect((await send(other.key, 'GET', list)).body.data).toEqual([]);
  }
  const { body: book } = await send(acme.key, 'GET', '/api/v1/payments/sandbox/book?limit=1');
  expect(book).toMatchObject({ data: [{ amount: '49.00', currency: 'USD', status: 'succeeded', token: 'tok_ok' }] });
}, 30_000);
