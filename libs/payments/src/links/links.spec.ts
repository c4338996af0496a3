import { AsyncLocalStorage } from 'node:async_hooks';
import type { Tx } from '@valueverse/event-log';
import { systemIds } from '@valueverse/platform';
import { eventually } from '@valueverse/testing';
import { invoiceIn } from '../accounts/known-invoices';
import { payByHand } from '../collection/by-hand';
import type { PaymentCommand } from '../collection/domain/payment';
import { paymentDecider } from '../collection/payments';
import { paymentsSpec } from '../payments-bed.spec-kit';
import { MANUAL } from '../providers/manual/manual';
import { Providers } from '../providers/provider';
import { linkToken, readLink } from './link-token';
import { escaped } from './pay-page';

const AT = '2026-03-01T00:00:00Z';
const KEY = Buffer.alloc(32, 3);
const LINK = { tenant: 'org_1:test', invoiceId: 'inv_1', expiresAt: '2026-04-01T00:00:00Z' };
const TIMEOUT_MS = 60_000;
const spec = paymentsSpec();

test('a link leads to what it was made for, until it is over; one that was changed leads nowhere', () => {
  const token = linkToken(LINK, KEY);
  expect(readLink(token, KEY, AT)).toEqual(LINK);
  expect(readLink(token, KEY, LINK.expiresAt)).toBeUndefined();
  expect(readLink(token, Buffer.alloc(32, 4), AT)).toBeUndefined();
  const other = linkToken({ ...LINK, invoiceId: 'inv_2' }, KEY);
  for (const forged of [`${other.split('.')[0]!}.${token.split('.')[1]!}`, token.slice(0, -2), `${token}.x`.slice(1), '', '.', 'x.y']) expect(readLink(forged, KEY, AT)).toBeUndefined();
});
test('whatever stands in a name is text on the page', () => expect(escaped('<b onclick="x">&\'')).toBe('&lt;b onclick=&quot;x&quot;&gt;&amp;&#39;'));

test('a customer without a card enters one at the page of the provider, and is charged once for what waits; the link leads to nobody else\'s page', async () => {
  const { acme } = spec;
  spec.acme = await spec.bed.tenant(spec.process);
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  const invoiceId = await spec.bed.finalize(spec.acme.tenant, accountId, { total: '49.00', at: AT });
  await spec.knows(invoiceId, '49.00');
  const { path } = (await spec.ask('POST', '/links', { invoiceId })).body as { path: string };
  const show = async (query = ''): Promise<string> => (await spec.host.app.inject({ method: 'GET', url: path + query })).body;
  const card = (url = path) => spec.host.app.inject({ method: 'POST', url: `${url}/card`, headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload: '' });
  // Nobody is set up by whom a card could be taken.
  expect(await show()).toMatch(/There is no payment method on file/);
  expect((await card()).statusCode).toBe(303);
  await spec.ask('PUT', '/providers/sandbox', { webhookSecrets: spec.secrets });
  expect(await show()).toMatch(/There is no card on file.*<form method="post" action="[^"]+\/card"><button>Enter a card<\/button>/s);
  // Pressed at once it may lead back to the page; whatever it leads to else is one page.
  const pressed = [...await Promise.all(Array.from({ length: 5 }, () => card())), await card()];
  const urls = pressed.flatMap(({ body }) => /href="([^"]+)">Go on to enter your card/.exec(body)?.[1] ?? []);
  expect([new Set(urls).size, pressed.every(({ statusCode }) => statusCode === 200 || statusCode === 303)]).toEqual([1, true]);
  expect((await card(`${path.slice(0, -3)}xxx`)).statusCode).toBe(404);
  expect(await (await fetch(`${urls[0]!}/tok_ok`, { method: 'POST' })).text()).toMatch(/Your card is saved.*card=entered/s);
  expect(await show('?card=entered')).toMatch(/If you have entered a card.*Enter a card/s);
  await eventually('it to be paid', async (saw) => { const page = await show(); saw(page); return /This invoice is paid|A payment is under way/.test(page) || undefined; });
  await spec.payment(invoiceId, 'succeeded');
  await card();
  await spec.host.app.inject({ method: 'POST', url: path, headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload: '' });
  expect(await spec.taken()).toMatchObject([{ amount: 4_900 }]);
  expect((await spec.ask('GET', `/methods?accountId=${accountId}`)).body['data']).toMatchObject([{ default: true }]);
  spec.acme = acme;
}, TIMEOUT_MS);

test('a customer sees what is due and pays with the card on file; the page says how it stands, loads nothing and runs no script', async () => {
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  await spec.bed.attach(spec.process, spec.acme.tenant, accountId, 'tok_declined_expired_card');
  const invoiceId = await spec.bed.finalize(spec.acme.tenant, accountId, { total: '49.00', at: AT });
  await spec.payment(invoiceId, 'failed');
  const made = await spec.ask('POST', '/links', { invoiceId });
  expect(made.status).toBe(201);
  const { path } = made.body as { path: string };
  const show = async (): Promise<string> => {
    const page = await spec.host.app.inject({ method: 'GET', url: path });
    expect(page.statusCode).toBe(200);
    expect(page.headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'self'/);
    expect(page.body).not.toMatch(/<script|src=|http:|https:/);
    expect(page.body).toMatch(/<html lang="en">.*<title>.*<main><h1>/s);
    return page.body;
  };
  expect(await show()).toMatch(/<dd>INV-1<\/dd>.*<button>Pay 49.00 USD now<\/button>/);
  // A part that came in otherwise is not asked for again.
  const cash = { invoiceId, amount: '9.00', manual: { reference: 'line 1', receivedAt: AT } };
  expect((await spec.ask('POST', '', cash)).status).toBe(201);
  expect(await show()).toMatch(/<button>Pay 40.00 USD now<\/button>/);
  await spec.bed.attach(spec.process, spec.acme.tenant, accountId, 'tok_ok');
  const paid = await spec.host.app.inject({ method: 'POST', url: path, headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload: '' });
  expect([paid.statusCode, paid.headers.location]).toEqual([303, path]);
  await eventually('the page to say that it is paid', async () => /This invoice is paid/.test(await show()) || undefined);
  // Pressed again, nothing is charged again.
  await spec.host.app.inject({ method: 'POST', url: path, headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload: '' });
  expect(await spec.taken()).toMatchObject([{ amount: 4_000 }]);
}, TIMEOUT_MS);

test('what a lost dispute has taken is paid again, once', async () => {
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  await spec.bed.attach(spec.process, spec.acme.tenant, accountId, 'tok_ok');
  const invoiceId = await spec.bed.finalize(spec.acme.tenant, accountId, { total: '30.00', at: AT });
  const { id: paymentId } = await spec.payment(invoiceId, 'succeeded');
  const stream = `invoice-${invoiceId}`;
  await spec.bed.say(spec.acme.tenant, stream, { type: 'InvoicePaid', invoiceId, paidAt: AT } as never, AT);
  const pay = () => spec.ask('POST', '', { invoiceId });
  await eventually('the invoice to be paid here', async (saw) => {
    const { body } = await pay();
    saw(body);
    return body['detail'] === 'the invoice is paid' || undefined;
  });
  const of = { paymentId, disputeId: 'dsp_lost' };
  const commands = [{ type: 'OpenDispute', ...of, amount: '30.00', currency: 'USD', reason: 'fraudulent', providerReference: 'dp_1', chargeReference: 'pi_1', at: AT }, { type: 'CloseDispute', ...of, outcome: 'lost', at: AT }] as const;
  for (const command of commands) await spec.process.service.log.executeOne(paymentDecider, command, { tenant: spec.acme.tenant, at: AT, actor: 'spec' });
  // While billing has not said that it is owed again, nothing is charged again.
  expect((await pay()).body).toMatchObject({ code: 'invoice_not_payable' });
  await spec.bed.say(spec.acme.tenant, stream, { type: 'InvoiceReopened', invoiceId, accountId, ...of, amount: '30.00', currency: 'USD', isCollectible: true, reopenedAt: AT } as never, AT);
  await eventually('it to be payable again', async () => ((await pay()).status === 201 || undefined));
  await eventually('the second payment to be recorded', async (saw) => {
    const { rows } = await spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query<{ status: string }>('SELECT status FROM payments WHERE tenant = $1 AND invoice_id = $2', [spec.acme.tenant, invoiceId]));
    saw(rows);
    return (rows.length === 2 && rows.every(({ status }) => status === 'succeeded')) || undefined;
  });
  expect((await spec.taken()).filter(({ amount }) => amount === 3_000)).toHaveLength(2);
  expect((await pay()).body).toMatchObject({ code: 'invoice_not_payable' });
}, TIMEOUT_MS);

test('a payment that succeeds between the looks of another request is seen by one of them: nobody pays twice', async () => {
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  const invoiceId = await spec.bed.finalize(spec.acme.tenant, accountId, { total: '30.00', at: AT });
  await eventually('the invoice to be known', () => spec.process.service.database.transaction({ role: 'worker' }, async (tx) => (await invoiceIn(tx, spec.acme.tenant, invoiceId))));
  const money = { amount: '30.00', currency: 'USD' };
  const [paymentId, attempt] = ['pay_first', 1];
  const record = (command: PaymentCommand): Promise<unknown> => spec.process.service.log.executeOne(paymentDecider, command, { tenant: spec.acme.tenant, at: AT, actor: 'spec' });
  await record({ type: 'RequestPayment', paymentId, invoiceId, accountId, ...money, methodId: MANUAL, provider: MANUAL, at: AT });
  await record({ type: 'StartAttempt', paymentId, attempt, methodId: MANUAL, provider: MANUAL, at: AT });
  await spec.bed.attach(spec.process, spec.acme.tenant, accountId, 'tok_ok');
  const outside = AsyncLocalStorage.snapshot();
  let looks = 0;
  const asked = spec.process.service.database.transaction({ role: 'api', tenant: spec.acme.tenant }, (tx) => {
    const query: Tx['query'] = async (text, values) => {
      const answer = await tx.query(text, values);
      if (/FROM payments WHERE/.test(text) && ++looks === 1) await outside(() => record({ type: 'RecordSuccess', paymentId, attempt, ...money, providerReference: 'pi_1', at: AT }));
      return answer as never;
    };
    return payByHand({ tx: { ...tx, query }, service: spec.process.service, providers: spec.host.app.get(Providers), ids: systemIds, caller: { tenant: spec.acme.tenant, actor: 'spec' } }, { shares: [{ invoiceId }] });
  });
  await expect(asked).rejects.toMatchObject({ code: expect.stringMatching(/^(payment_open|invoice_not_payable)$/) as string });
  expect(looks).toBeGreaterThan(0);
}, TIMEOUT_MS);

test('what a second attempt took and was given back is not owed again by the invoice', async () => {
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  const invoiceId = await spec.bed.finalize(spec.acme.tenant, accountId, { total: '49.00', at: AT });
  await eventually('the invoice to be known', () => spec.process.service.database.transaction({ role: 'worker' }, async (tx) => (await invoiceIn(tx, spec.acme.tenant, invoiceId))));
  const [of, by, money] = [{ paymentId: 'pay_twice', at: AT }, { methodId: MANUAL, provider: MANUAL }, { amount: '20.00', currency: 'USD' }];
  const commands: readonly PaymentCommand[] = [
    { type: 'RequestPayment', ...of, invoiceId, accountId, ...money, ...by },
    { type: 'StartAttempt', ...of, attempt: 1, ...by }, { type: 'RecordDecline', ...of, attempt: 1, declineCode: 'processing_error', declineClass: 'technical', next: { ...by, retryAt: '2099-01-01T00:00:00Z' } },
    { type: 'StartAttempt', ...of, attempt: 2, ...by }, { type: 'RecordSuccess', ...of, attempt: 2, ...money, providerReference: 'pi_2' }, { type: 'RecordSuccess', ...of, attempt: 1, ...money, providerReference: 'pi_1' },
  ];
  for (const command of commands) await spec.process.service.log.executeOne(paymentDecider, command, { tenant: spec.acme.tenant, at: AT, actor: 'spec' });
  await eventually('the second one to be given back', async () => ((await spec.ask('GET', '/pay_twice')).body['amountRefunded'] === '20.00' || undefined));
  // By hand it can be named, for where what went back by itself was refused: nothing is left of it here, nor of an attempt that took nothing.
  for (const attempt of [1, 7]) expect(await spec.ask('POST', '/pay_twice/refunds', { attempt, reason: 'again' })).toMatchObject({ body: { code: 'nothing_to_refund' } });
  expect(await spec.ask('POST', '/pay_twice/refunds', { attempt: 0, reason: 'again' })).toMatchObject({ status: 400, body: { errors: [{ pointer: '/attempt' }] } });
  await spec.bed.attach(spec.process, spec.acme.tenant, accountId, 'tok_ok', 'sandbox', false);
  expect(await spec.ask('POST', '', { invoiceId, amount: '29.01' })).toMatchObject({ status: 409, body: { code: 'invoice_not_payable' } });
}, TIMEOUT_MS);

test('what waits for a method and was paid in part by hand is charged for the rest alone', async () => {
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  const invoiceId = await spec.bed.finalize(spec.acme.tenant, accountId, { total: '49.00', at: AT });
  await eventually('the invoice to wait', async () => ((await spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query('SELECT FROM waiting_invoices WHERE invoice_id = $1', [invoiceId]))).rowCount === 1 || undefined));
  await eventually('some of it to come in', async () => ((await spec.ask('POST', '', { invoiceId, amount: '20.00', manual: { reference: 'line 1', receivedAt: AT } })).status === 201 || undefined));
  await spec.bed.attach(spec.process, spec.acme.tenant, accountId, 'tok_ok');
  expect(await spec.payment(invoiceId, 'succeeded')).toMatchObject({ amount: '29.00' });
}, TIMEOUT_MS);

test('a link that is not ours, or of an invoice that is not there, is a page that says so', async () => {
  const page = await spec.host.app.inject({ method: 'GET', url: '/api/v1/payments/pay/x.y' });
  expect([page.statusCode, page.body]).toEqual([404, expect.stringMatching(/not valid/)]);
  expect((await spec.ask('POST', '/links', { invoiceId: 'inv_none' })).body).toMatchObject({ code: 'invoice_not_found' });
}, TIMEOUT_MS);
