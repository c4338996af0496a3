import { systemIds } from '@valueverse/platform';
import { eventually } from '@valueverse/testing';
import { type Answered, paymentsSpec } from '../payments-bed.spec-kit';
import { Providers } from '../providers/provider';
import { Sandbox } from '../providers/sandbox/sandbox';
import { payByHand } from './by-hand';
import { paymentDecider, type PaymentRow } from './payments';

// What is asked for is what is due still, as billing says, whatever came in, was taken off or given back meanwhile.
const AT = '2026-03-01T00:00:00Z';
const day = (days: number): string => new Date(Date.parse(AT) + days * 86_400_000).toISOString().replace('.000', '');
const TIMEOUT_MS = 60_000;
const spec = paymentsSpec({ each: true });
const usd = (amount: string) => ({ amount, currency: 'USD' });
const invoice = (who: { accountId: string; clockId?: string }, total = '49.00') => spec.bed.finalize(spec.acme.tenant, who.accountId, { total, at: AT, ...(who.clockId === undefined ? {} : { clockId: who.clockId }) });
const credited = (invoiceId: string, amount: string) => spec.tell(invoiceId, { type: 'InvoiceCredited', creditNoteId: `cn_${amount}`, amount, lines: [], creditedAt: AT });
const cash = (invoiceId: string, amount?: string, reference = 'line 1') => spec.ask('POST', '', { invoiceId, ...(amount === undefined ? {} : { amount }), manual: { reference, receivedAt: AT } });
const pay = (invoiceId: string, amount?: string) => spec.ask('POST', '', { invoiceId, ...(amount === undefined ? {} : { amount }) });
const page = async (invoiceId: string): Promise<string> => (await spec.host.app.inject({ method: 'GET', url: String((await spec.ask('POST', '/links', { invoiceId })).body['path']) })).body;
/** Billing takes what a payment took, as much as fits. */
const applied = async (invoiceId: string, paymentId: string, amount: string, isAll: boolean): Promise<void> => {
  await spec.tell(invoiceId, { type: 'InvoicePaymentApplied', paymentId, ...usd(amount), appliedAt: AT });
  if (isAll) await spec.tell(invoiceId, { type: 'InvoicePaid', paidAt: AT });
};
const scheduled = (invoiceId: string): Promise<PaymentRow> => eventually('the next attempt to be scheduled', async (saw) => {
  const row = await spec.payment(invoiceId, 'pending', 'processing');
  saw(row);
  return row.nextAttemptAt === null ? undefined : row;
});
const started = async (paymentId: string): Promise<unknown[]> => (await spec.facts(`payment-${paymentId}`)).filter(({ type }) => type === 'PaymentAttemptStarted').map(({ amount }) => amount as unknown);

test('by hand and at its page an invoice is asked for what credit notes, refunds and lost disputes leave of it', async () => {
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  const invoiceId = await invoice({ accountId });
  await spec.knows(invoiceId, '49.00');
  await credited(invoiceId, '9.00');
  await spec.knows(invoiceId, '40.00');
  await spec.bed.attach(spec.process, spec.acme.tenant, accountId, 'tok_declined_expired_card');
  // What waited for a method is charged for what is left of it.
  expect(await spec.payment(invoiceId, 'failed')).toMatchObject(usd('40.00'));
  await spec.bed.attach(spec.process, spec.acme.tenant, accountId, 'tok_ok');
  expect(await page(invoiceId)).toMatch(/<button>Pay 40.00 USD now<\/button>/);
  expect(await pay(invoiceId, '40.01')).toMatchObject({ status: 409, body: { code: 'invoice_not_payable', errors: [{ pointer: '/amount' }], detail: '40.00 USD is left to be paid' } });
  const [{ id: paymentId }] = (await pay(invoiceId)).body['payments'] as [Answered];
  await spec.bed.paymentsOf(spec.process, spec.acme.tenant, invoiceId, 'succeeded');
  // Billing has not answered yet: it is not asked for again, and once, not twice, when it has.
  expect((await pay(invoiceId)).body).toMatchObject({ code: 'invoice_not_payable' });
  await applied(invoiceId, paymentId as string, '40.00', true);
  await eventually('the invoice to be paid here', async () => ((await pay(invoiceId)).body['detail'] === 'the invoice is paid' || undefined));
  // A refund leaves it paid; what a lost dispute takes of the rest is owed again, and no more.
  expect((await spec.ask('POST', `/${String(paymentId)}/refunds`, { amount: '10.00', reason: 'an outage' })).status).toBe(201);
  expect((await pay(invoiceId)).body).toMatchObject({ detail: 'the invoice is paid' });
  await spec.tell(invoiceId, { type: 'InvoiceReopened', accountId, paymentId, disputeId: 'dsp_1', ...usd('30.00'), isCollectible: true, reopenedAt: AT });
  await spec.knows(invoiceId, '30.00');
  expect(await page(invoiceId)).toMatch(/<button>Pay 30.00 USD now<\/button>/);
  expect((await pay(invoiceId, '30.01')).body).toMatchObject({ code: 'invoice_not_payable' });
  const answers = await Promise.all(Array.from({ length: 5 }, () => pay(invoiceId)));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  await eventually('it to be paid again', async () => ((await spec.taken()).length === 2 || undefined));
  expect((await spec.taken()).map(({ amount }) => amount)).toEqual([3_000, 4_000]);
}, TIMEOUT_MS);

test('a retry charges what is left of the invoice by then, each time under a key of its own', async () => {
  const who = await spec.customer(AT, 'tok_ok_after_2');
  const invoiceId = await invoice(who);
  const { id } = await scheduled(invoiceId);
  expect((await cash(invoiceId, '20.00')).status).toBe(201);
  expect(await page(invoiceId)).toMatch(/<button>Pay 29.00 USD now<\/button>/);
  await spec.bed.step(spec.acme.tenant, who.clockId, day(1));
  expect(await scheduled(invoiceId)).toMatchObject({ ...usd('29.00'), attempts: [{ status: 'declined' }, { status: 'declined', asked: '29.00' }] });
  await credited(invoiceId, '9.00');
  await spec.knows(invoiceId, '20.00');
  await spec.bed.step(spec.acme.tenant, who.clockId, day(3));
  expect(await spec.payment(invoiceId, 'succeeded')).toMatchObject({ ...usd('20.00'), attempts: [{}, {}, { asked: '20.00', amount: '20.00' }] });
  expect(await started(id)).toEqual([undefined, '29.00', '20.00']);
  expect((await spec.taken()).map(({ amount }) => amount)).toEqual([2_000]);
  // What the customer is told of the second decline is what was asked for.
  expect((await spec.facts(`payment-${id}`)).filter(({ type }) => type === 'PaymentRetryScheduled').map(({ amount }) => amount as unknown)).toEqual(['49.00', '29.00']);
}, TIMEOUT_MS);

test('an attempt that its provider has turned away is not sent once an earlier one has taken the money after all', async () => {
  const who = await spec.customer(AT, 'tok_ok_after_2');
  const invoiceId = await invoice(who);
  const { id } = await scheduled(invoiceId);
  await cash(invoiceId, '20.00');
  await spec.bed.step(spec.acme.tenant, who.clockId, day(1));
  await scheduled(invoiceId);
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'rate_limit', operation: 'charge' });
  await spec.bed.say(spec.acme.tenant, `clock-${who.clockId}`, { type: 'ClockStepped', clockId: who.clockId, now: day(3) } as never, day(3), who.clockId);
  await eventually('the third attempt to begin', async (saw) => { const found = await started(id); saw(found); return found.length === 3 || undefined; });
  await spec.process.service.log.executeOne(paymentDecider, { type: 'RecordSuccess', paymentId: id, attempt: 1, ...usd('49.00'), providerReference: 'pi_late', at: AT }, { tenant: spec.acme.tenant, at: AT, actor: 'spec' });
  // The provider goes on turning orders away: a run that began before would else be let in just now.
  const paid = await eventually('the third attempt to be given up', async (saw) => {
    const row = await spec.payment(invoiceId, 'succeeded');
    saw(row.attempts);
    return row.attempts[2]?.endedAt === null ? undefined : row;
  });
  expect(paid).toMatchObject({ ...usd('49.00'), attempts: [{ status: 'succeeded', amount: '49.00' }, { status: 'declined' }, { status: 'declined', declineCode: 'already_paid' }] });
  expect(await spec.taken()).toEqual([]);
}, TIMEOUT_MS);

test('F98: an order that waits for its provider is not sent once the invoice is paid in another way, or void', async () => {
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'rate_limit', operation: 'charge' });
  for (const settling of [{ type: 'InvoicePaid', paidAt: AT }, { type: 'InvoiceVoided', accountId: 'acc_1', reason: 'a mistake', voidedAt: AT }]) {
    const who = await spec.customer(AT, 'tok_ok');
    const invoiceId = await invoice(who);
    expect(await spec.payment(invoiceId, 'processing')).toMatchObject({ attempts: [{ endedAt: null }] });
    await spec.tell(invoiceId, settling);
    const { id } = await eventually('the order to be given up', async (saw) => { const found = await spec.payment(invoiceId, 'pending', 'processing', 'cancelled'); saw(found); return found.attempts[0]!.endedAt === null ? undefined : found; });
    expect((await spec.facts(`payment-${id}`)).find(({ type }) => type === 'PaymentAttemptDeclined')).toMatchObject({ declineCode: 'nothing_due', declineClass: 'technical' });
    await spec.bed.step(spec.acme.tenant, who.clockId, day(1));
    await spec.payment(invoiceId, 'cancelled');
  }
  expect(await spec.taken()).toEqual([]);
}, TIMEOUT_MS);

test('F98: an order whose answer was lost, and that never arrived, is not sent again once the invoice is paid in another way, or void', async () => {
  for (const settling of [{ type: 'InvoicePaid', paidAt: AT }, { type: 'InvoiceVoided', accountId: 'acc_1', reason: 'a mistake', voidedAt: AT }]) {
    await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'lose_request', operation: 'charge', times: 2 });
    await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'rate_limit', operation: 'read' });
    const who = await spec.customer(AT, 'tok_ok');
    const invoiceId = await invoice(who);
    const { id } = await spec.payment(invoiceId, 'unknown');
    await spec.tell(invoiceId, settling);
    await eventually('it to be heard of', async () => ((await pay(invoiceId)).body['detail']?.startsWith('the invoice is') || undefined));
    await spec.bed.disarm(spec.process, spec.acme.tenant);
    await eventually('the order to be given up', async (saw) => { const found = await spec.facts(`payment-${id}`); saw(found); return found.find(({ type, declineCode }) => type === 'PaymentAttemptDeclined' && declineCode === 'nothing_due'); });
    await spec.bed.step(spec.acme.tenant, who.clockId, day(1));
    await spec.payment(invoiceId, 'cancelled');
  }
  expect(await spec.taken()).toEqual([]);
}, TIMEOUT_MS);

test('F95, F98: an order that arrives after the look for it had found nothing, and that was given up, is found by the last look: its money is this payment\'s', async () => {
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'arrive_late', operation: 'charge', times: 2, milliseconds: 4_000 });
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'rate_limit', operation: 'read' });
  const who = await spec.customer(AT, 'tok_ok');
  const invoiceId = await invoice(who);
  const { id } = await spec.payment(invoiceId, 'unknown');
  await spec.tell(invoiceId, { type: 'InvoicePaid', paidAt: AT });
  await eventually('it to be heard of', async () => ((await pay(invoiceId)).body['detail'] === 'the invoice is paid' || undefined));
  await spec.bed.disarm(spec.process, spec.acme.tenant);
  await eventually('the order to be given up', async (saw) => { const found = await spec.facts(`payment-${id}`); saw(found); return found.find(({ declineCode }) => declineCode === 'nothing_due'); });
  expect(await spec.taken()).toEqual([]);
  await eventually('it to arrive', async () => ((await spec.taken()).length === 1 || undefined));
  await spec.bed.step(spec.acme.tenant, who.clockId, '2026-03-01T00:11:00Z');
  expect(await spec.payment(invoiceId, 'succeeded')).toMatchObject({ attempts: [{ status: 'succeeded', amount: '49.00' }] });
  await spec.bed.step(spec.acme.tenant, who.clockId, day(1));
  expect([await spec.taken(), (await spec.facts(`payment-${id}`)).filter(({ type }) => type === 'PaymentSucceeded')]).toEqual([[expect.anything()], [expect.anything()]]);
}, TIMEOUT_MS);

test('an order that arrives after it was sent again is the same order', async () => {
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'arrive_late', operation: 'charge', times: 2, milliseconds: 1_000 });
  const who = await spec.customer(AT, 'tok_ok');
  expect((await spec.payment(await invoice(who), 'succeeded')).attempts).toHaveLength(1);
  const sandbox = spec.host.app.get(Sandbox);
  await eventually('it to arrive', async () => (sandbox.late === 0 || undefined));
  expect(await spec.taken()).toHaveLength(1);
}, TIMEOUT_MS);

test('a retry for which nothing is left is given up without an attempt, also before billing has said that the invoice is paid', async () => {
  const who = await spec.customer(AT, 'tok_declined_insufficient_funds');
  const invoiceId = await invoice(who);
  const { id } = await scheduled(invoiceId);
  await cash(invoiceId, '49.00');
  await spec.bed.step(spec.acme.tenant, who.clockId, day(1));
  expect((await spec.payment(invoiceId, 'cancelled')).attempts).toHaveLength(1);
  expect((await spec.facts(`payment-${id}`)).at(-1)).toMatchObject({ type: 'PaymentCancelled', ...usd('49.00'), reason: 'nothing is due of the invoice any more' });
}, TIMEOUT_MS);

test('a retry that begins while money is being recorded waits for it, and asks for the rest', async () => {
  const who = await spec.customer(AT, 'tok_ok_after_2');
  const invoiceId = await invoice(who);
  await scheduled(invoiceId);
  const { database } = spec.process.service;
  const [held, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const recording = spec.process.service.log.transact({ role: 'api', tenant: spec.acme.tenant }, async (tx) => {
    const caller = { tenant: spec.acme.tenant, actor: 'spec' };
    await payByHand({ tx, service: spec.process.service, providers: spec.host.app.get(Providers), ids: systemIds, caller }, { shares: [{ invoiceId, amount: '20.00' }], manual: { reference: 'line 1', receivedAt: AT } });
    held.resolve();
    await release.promise;
  });
  await held.promise;
  const stepping = spec.bed.step(spec.acme.tenant, who.clockId, day(1));
  await eventually('the retry to wait for the account', async () => ((await database.transaction({ role: 'worker' }, (tx) => tx.query(`SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`))).rowCount === 0 ? undefined : true)).finally(release.resolve);
  await Promise.all([recording, stepping]);
  expect((await scheduled(invoiceId)).attempts).toMatchObject([{ status: 'declined' }, { status: 'declined', asked: '29.00' }]);
}, TIMEOUT_MS);

test('what waits for its next day is paid by hand for what is left; with a part of that nobody would collect the rest', async () => {
  const who = await spec.customer(AT, 'tok_declined_insufficient_funds');
  const invoiceId = await invoice(who);
  const { id } = await scheduled(invoiceId);
  await cash(invoiceId, '20.00');
  await spec.bed.attach(spec.process, spec.acme.tenant, who.accountId, 'tok_declined_insufficient_funds');
  const methodId = await spec.bed.attach(spec.process, spec.acme.tenant, who.accountId, 'tok_ok', 'sandbox', false);
  expect((await spec.ask('POST', '', { invoiceId, methodId, amount: '5.00' })).body).toMatchObject({ code: 'payment_open', errors: [{ pointer: '/amount' }] });
  const answer = await eventually('it to wait again', async (saw) => {
    const asked = await spec.ask('POST', '', { invoiceId, methodId });
    saw(asked.body);
    return asked.status === 201 ? asked : undefined;
  });
  expect(answer.body['payments']).toMatchObject([{ id, amount: '29.00' }]);
  expect(await spec.payment(invoiceId, 'succeeded')).toMatchObject(usd('29.00'));
}, TIMEOUT_MS);

test('money that was seen elsewhere, and of which nobody says how much it is, is what is due still; the same line is booked once', async () => {
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  const invoiceId = await invoice({ accountId });
  await spec.knows(invoiceId, '49.00');
  await credited(invoiceId, '9.00');
  await spec.knows(invoiceId, '40.00');
  const first = await cash(invoiceId);
  expect(first.body['payments']).toMatchObject([usd('40.00')]);
  expect((await cash(invoiceId)).body).toEqual(first.body);
  expect(await cash(invoiceId, undefined, 'line 2')).toMatchObject({ status: 400, body: { code: 'amount_missing', errors: [{ pointer: '/amount' }] } });
  expect((await cash(invoiceId, '7.00', 'line 2')).body['payments']).toMatchObject([usd('7.00')]);
}, TIMEOUT_MS);
