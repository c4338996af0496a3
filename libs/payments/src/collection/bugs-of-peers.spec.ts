import { eventually } from '@valueverse/testing';
import { paymentsSpec } from '../payments-bed.spec-kit';

// What peers have shipped as bugs, on a real socket: the decider's own specs say the same of the rules.
const AT = '2026-03-01T00:00:00Z';
const day = (days: number): string => new Date(Date.parse(AT) + days * 86_400_000).toISOString().replace('.000', '');
const TIMEOUT_MS = 60_000;
const spec = paymentsSpec({ each: true });
const invoice = (who: { accountId: string; clockId: string }, total = '49.00') => spec.bed.finalize(spec.acme.tenant, who.accountId, { total, at: AT, clockId: who.clockId });
const names = async (id: string): Promise<string[]> => (await spec.facts(`payment-${id}`)).map(({ type }) => type as string);
/** A payment of which nobody knows what became of it, because its answer was lost and nothing that is asked is answered. */
const unknown = async (who: { accountId: string; clockId: string }) => {
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'lose_reply', operation: 'charge', times: 2 });
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'rate_limit', operation: 'read' });
  const invoiceId = await invoice(who);
  return { invoiceId, id: (await spec.payment(invoiceId, 'unknown')).id };
};

test('F102: the provider took another amount than it was asked for: that is what came in, and what can be given back', async () => {
  const who = await spec.customer(AT, 'tok_pending_3_days');
  const invoiceId = await invoice(who);
  await eventually('it to be at the provider', async () => ((await spec.payment(invoiceId, 'processing')).attempts[0]!.providerReference === undefined ? undefined : true));
  await spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query(`UPDATE sandbox_objects SET body = replace(body, '"amount":4900', '"amount":4800') WHERE tenant = $1 AND kind = 'payment_intent'`, [spec.acme.tenant]));
  for (const at of [1, 2, 3, 4]) await spec.bed.step(spec.acme.tenant, who.clockId, day(at));
  const { id } = await spec.payment(invoiceId, 'succeeded');
  expect((await spec.facts(`payment-${id}`)).find(({ type }) => type === 'PaymentSucceeded')).toMatchObject({ amount: '48.00' });
  expect(await spec.ask('POST', `/${id}/refunds`, { amount: '48.01', reason: 'too much' })).toMatchObject({ status: 409, body: { code: 'refund_exceeds_payment' } });
  expect((await spec.ask('POST', `/${id}/refunds`, { reason: 'all' })).body).toMatchObject({ amount: '48.00' });
}, TIMEOUT_MS);

test('B40: what is given back in parts comes to all of it, to the cent, on both sides', async () => {
  const who = await spec.customer(AT, 'tok_ok');
  const { id } = await spec.payment(await invoice(who, '49.99'), 'succeeded');
  for (const amount of ['16.66', '0.01', '16.66', '16.65']) expect(await spec.ask('POST', `/${id}/refunds`, { amount, reason: 'a part' })).toMatchObject({ status: 201, body: { amount } });
  expect((await spec.ask('POST', `/${id}/refunds`, { amount: '0.02', reason: 'too much' })).body).toMatchObject({ code: 'refund_exceeds_payment', detail: '0.01 USD of this payment can be given back' });
  expect((await spec.ask('POST', `/${id}/refunds`, { reason: 'the rest' })).body).toMatchObject({ amount: '0.01' });
  await eventually('all of it', async (saw) => { const { body } = await spec.ask('GET', `/${id}`); saw(body); return body['amountRefunded'] === '49.99' || undefined; });
  expect((await spec.ask('GET', '/reconciliation?provider=sandbox&from=2026-01-01T00:00:00Z&to=2099-01-01T00:00:00Z')).body).toMatchObject({ agree: true, lines: 6, sums: [{ charged: '49.99', refunded: '-49.99' }] });
}, TIMEOUT_MS);

test('B43, B46: while nobody knows what became of an attempt, another card and later hours begin none; however often and by whichever card, keys say the payment and the attempt alone', async () => {
  const who = await spec.customer(AT, 'tok_ok');
  const { id, invoiceId } = await unknown(who);
  await spec.bed.attach(spec.process, spec.acme.tenant, who.accountId, 'tok_ok');
  expect((await spec.ask('POST', '', { invoiceId })).body).toMatchObject({ code: 'payment_open' });
  const later = '2026-03-01T12:00:00Z';
  await spec.bed.say(spec.acme.tenant, `clock-${who.clockId}`, { type: 'ClockStepped', clockId: who.clockId, now: later } as never, later, who.clockId);
  expect(await spec.payment(invoiceId, 'unknown')).toMatchObject({ attempts: [{ number: 1 }] });
  await spec.bed.disarm(spec.process, spec.acme.tenant);
  expect((await spec.payment(invoiceId, 'succeeded')).attempts).toHaveLength(1);
  for (const at of [1, 3]) await spec.bed.step(spec.acme.tenant, who.clockId, day(at));
  const declined = await spec.customer(AT, 'tok_declined_insufficient_funds');
  const other = await invoice(declined);
  await eventually('the decline', async () => ((await spec.payment(other, 'pending', 'processing')).nextAttemptAt === null ? undefined : true));
  await spec.bed.attach(spec.process, spec.acme.tenant, declined.accountId, 'tok_ok');
  const { id: second } = await spec.payment(other, 'succeeded');
  expect((await spec.bed.book(spec.process, spec.acme.tenant)).map(({ key }) => key)).toEqual([`pay:${second}:att:2`, `pay:${second}:att:1`, `pay:${id}:att:1`]);
}, TIMEOUT_MS);

test('B56: a void invoice cancels nothing of which nobody knows what became of it; the money that was taken is found, and goes back once', async () => {
  const who = await spec.customer(AT, 'tok_ok');
  const { id, invoiceId } = await unknown(who);
  await spec.tell(invoiceId, { type: 'InvoiceVoided', accountId: who.accountId, reason: 'a mistake', voidedAt: AT }, who.clockId);
  await eventually('it to be heard of', async () => ((await spec.ask('POST', '', { invoiceId })).body['detail'] === 'the invoice is void' || undefined));
  expect(await names(id)).not.toContain('PaymentCancelled');
  await spec.bed.disarm(spec.process, spec.acme.tenant);
  await spec.payment(invoiceId, 'succeeded');
  await spec.tell(invoiceId, { type: 'InvoicePaymentUnmatched', paymentId: id, amount: '49.00', currency: 'USD', reason: 'nothing_due', unmatchedAt: AT }, who.clockId);
  await eventually('it to be given back', async () => ((await spec.ask('GET', `/${id}`)).body['amountRefunded'] === '49.00' || undefined));
  expect((await names(id)).filter((name) => name === 'PaymentSucceeded' || name === 'RefundRequested')).toEqual(['PaymentSucceeded', 'RefundRequested']);
}, TIMEOUT_MS);
