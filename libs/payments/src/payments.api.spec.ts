import { eventually } from '@valueverse/testing';
import { type Answered, paymentsSpec, type SpecTenant } from './payments-bed.spec-kit';

const AT = '2026-03-01T00:00:00Z';
const spec = paymentsSpec();
let other: SpecTenant;
beforeAll(async () => { other = await spec.bed.tenant(spec.process); });

const attach = (accountId: string, token: string, more: object = {}, asking: { once?: string; as?: SpecTenant } = {}) => spec.ask('POST', '/methods', { accountId, provider: 'sandbox', token, ...more }, asking);
const seen = (path: string, as = spec.acme) => spec.ask('GET', path, undefined, { as });

test('the first method is the default, a new default replaces it, and no token is answered', async () => {
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  const first = await attach(accountId, 'tok_ok');
  expect(first).toMatchObject({ status: 201, body: { accountId, provider: 'sandbox', default: true } });
  const place = String(first.headers['location']).replace('/api/v1/payments', '');
  expect((await seen(place)).body).toEqual(first.body);
  expect(await seen(place, other)).toMatchObject({ status: 404, body: { code: 'payment_method_not_found' } });
  expect(await attach(accountId, 'tok_lost_reply')).toMatchObject({ body: { default: false } });
  expect(await attach(accountId, 'tok_declined_insufficient_funds', { default: true })).toMatchObject({ body: { default: true } });
  const { body } = await seen(`/methods?accountId=${accountId}`);
  expect((body.data as Answered[]).map((method) => method['default'] as boolean)).toEqual([true, false, false]);
  expect(JSON.stringify(body)).not.toMatch(/tok_/);
}, 30_000);

test('a request that is sent again attaches nothing again', async () => {
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  const once = await attach(accountId, 'tok_ok', {}, { once: 'once' });
  const again = await attach(accountId, 'tok_ok', {}, { once: 'once' });
  expect(again.headers['idempotency-replayed']).toBe('true');
  expect(again.body['id']).toBe(once.body['id']);
}, 30_000);

test('what is not known is named', async () => {
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  await attach(accountId, 'tok_ok');
  expect(await attach(accountId, 'tok_of_nobody')).toMatchObject({ status: 400, body: { code: 'unknown_token', errors: [{ pointer: '/token' }] } });
  expect(await attach(accountId, 'toString')).toMatchObject({ status: 400, body: { code: 'unknown_token' } });
  expect(await attach(accountId, 'tok_ok', { provider: 'nobody' })).toMatchObject({ status: 400, body: { code: 'unknown_provider', errors: [{ pointer: '/provider' }] } });
  expect(await attach('acc_nobody', 'tok_ok')).toMatchObject({ status: 404, body: { code: 'account_not_found' } });
  expect(await attach(accountId, 'tok_ok', {}, { as: other })).toMatchObject({ status: 404, body: { code: 'account_not_found' } });
}, 30_000);

test('a payment is shown with its attempts to its own tenant, and to no other', async () => {
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  await attach(accountId, 'tok_ok');
  const invoiceId = await spec.bed.finalize(spec.acme.tenant, accountId, { total: '49.00', at: AT });
  const found = await eventually('the payment', async (saw) => {
    const { body } = await seen(`?invoiceId=${invoiceId}`);
    saw(body);
    return (body.data as Answered[]).find(({ status }) => status === 'succeeded');
  });
  expect(found).toEqual({
    id: expect.stringMatching(/^pay_/) as string, invoiceId, accountId, status: 'succeeded', amount: '49.00', currency: 'USD', methodId: expect.stringMatching(/^pm_/) as string,
    attempts: [{ number: 1, status: 'succeeded', providerReference: expect.stringMatching(/^pi_/) as string, amount: '49.00', startedAt: expect.any(String) as string, endedAt: expect.any(String) as string }],
    // 2.9 % of 49.00 and 0.30
    refunds: [], amountRefunded: '0.00', amountDisputed: '0.00', fee: '1.72', nextAttemptAt: null, createdAt: expect.any(String) as string,
  });
  const own = `/${String(found['id'])}`;
  expect((await seen(own)).body).toEqual(found);
  expect((await seen(`?accountId=${accountId}`)).body.data).toHaveLength(1);
  const receipt = await seen(`${own}/receipt`);
  expect([receipt.status, receipt.headers['location']]).toEqual([307, `/api/v1/billing/payments/${String(found['id'])}/receipt`]);
  expect((await seen(`${own}/receipt`, other)).status).toBe(404);
  expect(await seen(own, other)).toMatchObject({ status: 404, body: { code: 'payment_not_found' } });
  for (const list of ['', '/methods', '/sandbox/book']) {
    expect((await seen(list, other)).body.data).toEqual([]);
  }
  const { body: book } = await seen('/sandbox/book?limit=1');
  expect(book).toMatchObject({ data: [{ amount: '49.00', currency: 'USD', status: 'succeeded', token: 'tok_ok' }] });
}, 30_000);
