import type { Host } from '@valueverse/platform';
import { eventually } from '@valueverse/testing';
import { PaymentsBed, type PaymentsProcess } from '../payments-bed.spec-kit';
import { Sandbox } from '../providers/sandbox/sandbox';

const AT = '2026-03-01T00:00:00Z';
const SECRET = 'whsec_0123456789abcdef';
const TIMEOUT_MS = 60_000;
let bed: PaymentsBed;
let process: PaymentsProcess;
let host: Host;
let acme: { tenant: string; key: string };
beforeAll(async () => {
  bed = await PaymentsBed.make();
  ({ process, host } = await bed.hosted());
  acme = await bed.tenant(process);
  const base = await host.listen();
  const { body } = await ask('PUT', '/providers/sandbox', { webhookSecrets: [SECRET] });
  await ask('POST', '/sandbox/endpoints', { url: base + String(body['webhookPath']), secret: SECRET });
}, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

const ask = async (method: 'GET' | 'POST' | 'PUT', url: string, payload?: object) => {
  const answer = await host.app.inject({ method, url: `/api/v1/payments${url}`, headers: { authorization: `Bearer ${acme.key}` }, ...(payload === undefined ? {} : { payload }) });
  return { status: answer.statusCode, body: (answer.body === '' ? {} : answer.json()) as Record<string, unknown> };
};
const factsOf = (accountId: string) => process.service.database.transaction({ role: 'api', tenant: acme.tenant }, async (tx) => (await process.service.log.store.read(tx, acme.tenant, `methods-${accountId}`)).map(({ event }) => event as { type: string; expires?: string; toldAt?: string }));

test('a card that a bank replaced is taken over by webhook; its end is told 30 days before, once, and that of the old one never', async () => {
  const clockId = await bed.openClock(acme.tenant, AT);
  const accountId = await bed.openAccount(acme.tenant, AT, clockId);
  const { body: card } = await ask('POST', '/methods', { accountId, provider: 'sandbox', token: 'tok_ok' });
  expect(card).toMatchObject({ brand: 'visa', last4: '4242', expires: '2034-12', default: true });
  const bank = host.app.get(Sandbox);
  const replaced = (last4: string, expires: string) => eventually(`the card that ends in ${last4}`, async (saw) => {
    const { body } = await ask('GET', `/methods/${String(card['id'])}`);
    saw(body);
    return (body['last4'] === last4 && body['expires'] === expires) || undefined;
  });
  await bank.control(acme.tenant, 'cards/tok_ok', { last4: '1881', expires: '2026-04' });
  await replaced('1881', '2026-04');
  await bed.step(acme.tenant, clockId, '2026-03-31T12:00:00Z');
  expect((await factsOf(accountId)).map(({ type }) => type)).toEqual(['PaymentMethodAttached', 'PaymentMethodUpdated']);
  await bed.step(acme.tenant, clockId, '2026-04-01T00:00:00Z');
  expect((await factsOf(accountId)).at(-1)).toMatchObject({ type: 'PaymentMethodExpiryAnnounced', last4: '1881', expires: '2026-04', toldAt: '2026-04-01T00:00:00Z' });
  await bank.control(acme.tenant, 'cards/tok_ok', { last4: '1999', expires: '2026-05' });
  await replaced('1999', '2026-05');
  await bank.control(acme.tenant, 'cards/tok_ok', { last4: '2000', expires: '2030-05' });
  await replaced('2000', '2030-05');
  // The card that would have ended in May is gone.
  await bed.step(acme.tenant, clockId, '2026-06-01T12:00:00Z');
  expect((await factsOf(accountId)).map(({ type }) => type)).toEqual(['PaymentMethodAttached', 'PaymentMethodUpdated', 'PaymentMethodExpiryAnnounced', 'PaymentMethodUpdated', 'PaymentMethodUpdated']);
}, TIMEOUT_MS);

test('news of a method that nobody here pays with is noted', async () => {
  await host.app.get(Sandbox).control(acme.tenant, 'cards/tok_slow', { last4: '0001' });
  await eventually('it to be noted', async (saw) => {
    const { body } = await ask('GET', '/webhook-events?status=noted');
    saw(body);
    return (body['data'] as { reason: string }[]).some(({ reason }) => reason === 'no account here pays with this method') || undefined;
  });
}, TIMEOUT_MS);

test('a customer enters a card at the page of the provider, and may be charged later: the bank asks no more; without a webhook the page is looked at', async () => {
  const clockId = await bed.openClock(acme.tenant, AT);
  const accountId = await bed.openAccount(acme.tenant, AT, clockId);
  const invoiceId = await bed.finalize(acme.tenant, accountId, { total: '12.00', at: AT, clockId });
  const setUp = async () => (await ask('POST', '/methods/setups', { accountId, provider: 'sandbox', default: true, returnUrl: 'https://shop.example.com/account?a=1&b=2' })).body as { id: string; url: string };
  const methods = (count: number) => eventually(`${count} methods`, async (saw) => {
    const { body } = await ask('GET', `/methods?accountId=${accountId}`);
    saw(body);
    return (body['data'] as unknown[]).length === count ? body['data'] as { default: boolean; last4: string }[] : undefined;
  });
  const { id, url } = await setUp();
  expect([id, url]).toEqual([expect.stringMatching(/^set_/), expect.stringMatching(/^http:\/\/127.*\/setup\/cs_/)]);
  expect(await (await fetch(url)).text()).toMatch(/<button>tok_authentication_required<\/button>/);
  const enter = async (at: string, token: string): Promise<string> => (await fetch(`${at}/${token}`, { method: 'POST' })).text();
  for (let times = 0; times < 2; times++) expect(await enter(url, 'tok_authentication_required')).toMatch(/Your card is saved.*href="https:\/\/shop.example.com\/account\?a=1&amp;b=2"/);
  expect(await methods(1)).toMatchObject([{ default: true, last4: '4242' }]);
  expect((await bed.payment(process, acme.tenant, invoiceId, 'succeeded')).attempts).toHaveLength(1);
  await ask('POST', '/sandbox/faults', { fault: 'webhook_dropped' });
  await enter((await setUp()).url, 'tok_ok');
  await bed.step(acme.tenant, clockId, '2026-03-01T00:10:00Z');
  expect((await methods(2)).filter((one) => one.default)).toHaveLength(1);
  expect((await fetch(`${url.slice(0, -2)}00`)).status).toBe(404);
  expect(await ask('POST', '/methods/setups', { accountId, provider: 'sandbox', returnUrl: 'javascript:alert(1)' })).toMatchObject({ status: 400, body: { errors: [{ pointer: '/returnUrl' }] } });
  expect(await ask('POST', '/portal', { accountId, provider: 'nobody' })).toMatchObject({ status: 400, body: { code: 'unknown_provider' } });
  expect(await ask('POST', '/portal', { accountId, provider: 'sandbox' })).toMatchObject({ status: 201, body: { url: expect.stringMatching(/\/portal$/) as string } });
}, TIMEOUT_MS);
