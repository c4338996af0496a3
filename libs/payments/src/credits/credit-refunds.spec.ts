import { rebuildAndCompare } from '@valueverse/event-log';
import { eventually } from '@valueverse/testing';
import { paymentsShape } from '../index';
import { type Answered, paymentsSpec } from '../payments-bed.spec-kit';

// Money that was left to an account is paid out once billing has taken it from the balance. Here the spec speaks for billing.
const AT = '2026-03-01T00:00:00Z';
const day = (days: number): string => new Date(Date.parse(AT) + days * 86_400_000).toISOString().replace('.000', '');
const TIMEOUT_MS = 60_000;
const spec = paymentsSpec({ each: true });
interface Who { readonly accountId: string; readonly clockId: string }

/** An account that has paid ahead by card. */
const ahead = async (amount = '100.00', token = 'tok_ok'): Promise<Who & { id: string; creditId: string }> => {
  const who = await spec.customer(AT, token);
  const { body } = await spec.ask('POST', '', { accountId: who.accountId, amount });
  const { id, creditId } = body['payments'][0] as { id: string; creditId: string };
  await eventually('the money', async () => ((await spec.ask('GET', `/${id}`)).body['status'] === 'succeeded' || undefined));
  return { ...who, id, creditId };
};
const refund = (creditId: string, amount?: string) => spec.ask('POST', `/credits/${creditId}/refunds`, { reason: 'moved away', ...(amount === undefined ? {} : { amount }) });
const answer = (type: 'BalanceReturned' | 'BalanceReturnRefused', { accountId, clockId }: Who, { id: refundId, amount }: Answered, currency = 'USD') =>
  spec.bed.say(spec.acme.tenant, `balance-${accountId}-${currency}`, { type, accountId, currency, amount, refundId, ...(type === 'BalanceReturned' ? { returnedAt: AT } : { available: '0.00', refusedAt: AT }) } as never, AT, clockId);
const ends = (creditId: string, refundId: string, status: string) => eventually(`the refund to be ${status}`, async (saw) => {
  const { body } = await spec.ask('GET', `/credits/${creditId}/refunds`);
  saw(body);
  return (body['data'] as Answered[]).find((one) => one['id'] === refundId && one['status'] === status);
});
const givenBack = async (): Promise<number[]> => {
  const { rows } = await spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query<{ body: string }>(`SELECT body FROM sandbox_objects WHERE tenant = $1 AND kind = 'refund' ORDER BY nth`, [spec.acme.tenant]));
  return rows.map(({ body }) => (JSON.parse(body) as { amount: number }).amount);
};
const credits = async (accountId: string) => (await spec.ask('GET', `/credits?accountId=${accountId}`)).body['data'] as Answered[];

test('what was paid ahead and is not used goes back by its provider, once billing has let it go, however often it says so; what was used does not', async () => {
  const who = await ahead();
  const first = await refund(who.creditId, '40.00');
  expect(first).toMatchObject({ status: 202, headers: { location: `/api/v1/payments/credits/${who.creditId}/refunds` }, body: { creditId: who.creditId, paymentId: who.id, amount: '40.00', currency: 'USD', status: 'pending', code: null } });
  expect(await givenBack()).toEqual([]);
  for (let times = 0; times < 2; times++) await answer('BalanceReturned', who, first.body);
  expect(await ends(who.creditId, first.body['id'] as string, 'succeeded')).toMatchObject({ code: null, endedAt: AT });
  expect(await spec.ask('GET', `/${who.id}`)).toMatchObject({ body: { amountRefunded: '40.00' } });
  expect(await refund(who.creditId, '60.01')).toMatchObject({ status: 409, body: { code: 'refund_exceeds_credit', errors: [{ pointer: '/amount' }] } });
  const used = await refund(who.creditId);
  expect(used).toMatchObject({ status: 202, body: { amount: '60.00' } });
  expect(await refund(who.creditId, '0.01')).toMatchObject({ status: 409, body: { code: 'nothing_to_refund' } });
  await answer('BalanceReturnRefused', who, used.body);
  expect(await ends(who.creditId, used.body['id'] as string, 'refused')).toMatchObject({ code: 'credit_used' });
  // Billing changes its mind no more.
  await answer('BalanceReturned', who, used.body);
  const last = await refund(who.creditId, '10.00');
  await answer('BalanceReturned', who, last.body);
  await ends(who.creditId, last.body['id'] as string, 'succeeded');
  expect(await givenBack()).toEqual([4_000, 1_000]);
  const report = (await spec.ask('GET', '/reconciliation?provider=sandbox&from=2026-02-01T00:00:00Z&to=2026-04-01T00:00:00Z')).body;
  expect(report).toMatchObject({ agree: true, sums: [{ charged: '100.00', refunded: '-50.00' }] });
  for (const model of paymentsShape.readModels) {
    const { live, rebuilt } = await rebuildAndCompare(spec.process.service.log.store, 'payments', model);
    expect(rebuilt).toBe(live);
  }
}, TIMEOUT_MS);

test('twenty at once never come to more than the credit, and the payment itself gives nothing back beside them', async () => {
  const who = await ahead();
  const answers = await Promise.all([...Array.from({ length: 20 }, () => refund(who.creditId, '15.00')), spec.ask('POST', `/${who.id}/refunds`, { reason: 'beside' })]);
  const asked = answers.filter(({ status }) => status === 202);
  expect(asked).toHaveLength(6);
  for (const { status, body } of answers.filter((one) => one.status !== 202)) expect([status, ['refund_exceeds_credit', 'nothing_to_refund'].includes(String(body['code']))]).toEqual([409, true]);
  for (const { body } of asked) await answer('BalanceReturned', who, body);
  for (const { body } of asked) await ends(who.creditId, body['id'] as string, 'succeeded');
  expect(await givenBack()).toEqual(Array.from({ length: 6 }, () => 1_500));
  expect(await spec.ask('POST', `/${who.id}/refunds`, { reason: 'more' })).toMatchObject({ status: 409, body: { code: 'nothing_to_refund' } });
}, TIMEOUT_MS);

test('what the provider could not give back, and what a dispute took first, is the balance of the account again', async () => {
  await spec.hearWebhooks();
  const late = await ahead();
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'refund_fails_later', operation: 'refund', times: 1, days: 1 });
  const { body } = await refund(late.creditId, '70.00');
  await answer('BalanceReturned', late, body);
  await eventually('the refund to be at the provider', async () => ((await givenBack()).length === 1 || undefined));
  for (const at of [day(0.1), day(0.5), day(2), day(3)]) await spec.bed.step(spec.acme.tenant, late.clockId, at);
  expect(await ends(late.creditId, body['id'] as string, 'failed')).toMatchObject({ code: 'lost_or_stolen_card' });
  const again = (await credits(late.accountId)).find(({ id }) => id !== late.creditId)!;
  expect(again).toMatchObject({ amount: '70.00', paymentId: late.id });
  const next = await refund(again['id'] as string);
  await answer('BalanceReturned', late, next.body);
  await ends(again['id'] as string, next.body['id'] as string, 'succeeded');
  // Billing is told whose money went and came back: the balance of the account, and none of an invoice's.
  const facts = await spec.process.service.database.transaction({ role: 'api', tenant: spec.acme.tenant }, async (tx) => (await spec.process.service.log.store.read(tx, spec.acme.tenant, `payment-${late.id}`)).map(({ event }) => event));
  expect(facts.filter(({ type }) => type === 'RefundSucceeded')).toMatchObject([{ refundId: next.body['id'], creditId: again['id'] }]);
  expect(facts.filter(({ type }) => type === 'MoneyCredited').map((fact) => (fact as { refundId?: string }).refundId)).toEqual([undefined, body['id']]);

  const disputed = await ahead('50.00');
  const asked = await refund(disputed.creditId);
  await spec.ask('POST', `/sandbox/actions/${disputed.id}/dispute`);
  await eventually('the dispute', async () => ((await spec.ask('GET', `/${disputed.id}`)).body['amountDisputed'] === '50.00' || undefined));
  await answer('BalanceReturned', disputed, asked.body);
  expect(await ends(disputed.creditId, asked.body['id'] as string, 'refused')).toMatchObject({ code: 'payment_disputed' });
  expect((await credits(disputed.accountId)).map(({ amount }) => amount as string)).toEqual(['50.00', '50.00']);
  for (const { id } of await credits(disputed.accountId)) expect(await refund(id as string)).toMatchObject({ status: 409, body: { code: 'nothing_to_refund' } });
  expect((await givenBack()).reduce((sum, one) => sum + one, 0)).toBe(14_000);
}, TIMEOUT_MS);

test('what came by hand goes by hand: no provider is asked; what is not there is named, and nobody else\'s is seen', async () => {
  const who = await spec.customer(AT, 'tok_ok');
  const { body: credit } = await spec.ask('POST', '/credits', { accountId: who.accountId, amount: '250.00', currency: 'USD', reference: 'line 10', receivedAt: AT });
  const asked = await refund(credit['id'] as string, '200.00');
  expect(asked).toMatchObject({ status: 202, body: { paymentId: null, status: 'pending' } });
  await answer('BalanceReturned', who, asked.body);
  await ends(credit['id'] as string, asked.body['id'] as string, 'succeeded');
  expect(await refund(credit['id'] as string, '50.01')).toMatchObject({ status: 409, body: { code: 'refund_exceeds_credit' } });
  expect(await refund(credit['id'] as string, '0.00')).toMatchObject({ status: 400, body: { code: 'refund_not_positive' } });
  expect(await refund('crd_none')).toMatchObject({ status: 404, body: { code: 'credit_not_found' } });
  const stranger = await spec.bed.tenant(spec.process);
  for (const method of ['GET', 'POST'] as const) expect(await spec.ask(method, `/credits/${String(credit['id'])}/refunds`, method === 'GET' ? undefined : { reason: 'x' }, { as: stranger })).toMatchObject({ status: 404, body: { code: 'credit_not_found' } });
  expect(await spec.bed.book(spec.process, spec.acme.tenant)).toEqual([]);
  // What is over of an invoice that was paid by hand is of a payment, and goes by hand too.
  const invoiceId = await spec.bed.finalize(spec.acme.tenant, who.accountId, { total: '49.00', at: AT, clockId: who.clockId });
  await spec.payment(invoiceId, 'succeeded');
  const cash = (await spec.ask('POST', '', { invoiceId, amount: '49.00', manual: { reference: 'line 9', receivedAt: AT } })).body['payments'][0].id as string;
  await spec.bed.say(spec.acme.tenant, `invoice-${invoiceId}`, { type: 'InvoicePaymentUnmatched', invoiceId, paymentId: cash, amount: '49.00', currency: 'USD', reason: 'nothing_due', unmatchedAt: AT } as never, AT, who.clockId);
  const over = await eventually('the credit', async () => (await credits(who.accountId)).find(({ paymentId }) => paymentId === cash));
  const back = await refund(over['id'] as string);
  await answer('BalanceReturned', who, back.body);
  await ends(over['id'] as string, back.body['id'] as string, 'succeeded');
  expect(await givenBack()).toEqual([]);
}, TIMEOUT_MS);
