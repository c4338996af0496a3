import { rebuildAndCompare } from '@valueverse/event-log';
import { eventually } from '@valueverse/testing';
import { paymentsShape } from '../index';
import { paymentsSpec } from '../payments-bed.spec-kit';

// What people enter of cash, cheques and transfers, and what of it does not last.
const spec = paymentsSpec();
const AT = '2026-03-01T00:00:00Z';
const LATER = '2026-03-09T00:00:00Z';
const LAST = '2026-03-10T00:00:00Z';
const SPAN = 'provider=manual&from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z';
const { ask } = { ask: (...asked: Parameters<typeof spec.ask>) => spec.ask(...asked) };
const manual = (reference: string) => ({ reference, receivedAt: AT });
const paid = async (total: string, reference: string): Promise<{ id: string; invoiceId: string }> => {
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  const invoiceId = await spec.bed.finalize(spec.acme.tenant, accountId, { total, at: AT });
  await spec.knows(invoiceId, total);
  const { body } = await ask('POST', '', { invoiceId, manual: manual(reference) });
  return { id: body['payments'][0].id as string, invoiceId };
};

test('a cheque that bounces is money that is lost, once, and never more than came in; both books agree', async () => {
  const { id, invoiceId } = await paid('49.00', 'cheque 1001');
  const bounce = (body: object, once?: string) => ask('POST', `/${id}/reversals`, { reason: 'no funds', reversedAt: LATER, ...body }, once === undefined ? {} : { once });
  const first = await bounce({ amount: '9.00' }, 'bounce-1');
  expect(first).toMatchObject({ status: 201, body: { id, status: 'succeeded', amount: '49.00', amountDisputed: '9.00', amountRefunded: '0.00' } });
  expect((await bounce({ amount: '9.00' }, 'bounce-1')).body).toEqual(first.body);
  expect(await bounce({ amount: '40.01' })).toMatchObject({ status: 409, body: { code: 'reversal_exceeds_payment', errors: [{ pointer: '/amount' }] } });
  expect(await bounce({ amount: '0' })).toMatchObject({ status: 400, body: { code: 'reversal_not_positive' } });
  expect(await bounce({ reversedAt: LAST })).toMatchObject({ status: 201, body: { amountDisputed: '49.00' } });
  expect(await bounce({})).toMatchObject({ status: 409, body: { code: 'nothing_to_reverse' } });
  // Nothing of it can be given back any more.
  expect(await ask('POST', `/${id}/refunds`, { reason: 'x' })).toMatchObject({ status: 409, body: { code: 'nothing_to_refund' } });
  expect((await ask('GET', '/disputes?status=lost')).body['data']).toMatchObject([
    { paymentId: id, invoiceId, amount: '40.00', reason: 'no funds', status: 'lost', heldBack: '40.00', openedAt: LAST, closedAt: LAST, fee: null, evidenceDueBy: null }, { paymentId: id, amount: '9.00', openedAt: LATER },
  ]);
  expect((await ask('GET', `/reconciliation?${SPAN}`)).body).toMatchObject({ agree: true, differences: [], lines: 3, sums: [{ currency: 'USD', charged: '49.00', disputed: '-49.00', refunded: '0.00', fees: '0.00' }] });
});

test('twenty that say at once that a cheque bounced lose it once', async () => {
  const { id } = await paid('30.00', 'cheque 1002');
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask('POST', `/${id}/reversals`, { amount: '10.00', reason: 'no funds', reversedAt: LATER })));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
  expect(new Set(answers.filter(({ status }) => status !== 201).map(({ body }) => body['code']))).toEqual(new Set(['nothing_to_reverse']));
  expect((await ask('GET', `/${id}`)).body).toMatchObject({ amountDisputed: '30.00' });
});

test('a transfer over several invoices is one line: what is paid out of each by hand stands in the book, and both books agree', async () => {
  const [first, second] = [await paid('20.00', 'line 3'), await paid('5.00', 'line 3')];
  for (const [of, amount] of [[first, '20.00'], [second, '2.00']] as const) {
    const { id } = (await ask('POST', `/${of.id}/refunds`, { amount, reason: 'not wanted' })).body;
    await eventually('the refund to be recorded', async (saw) => {
      const { refunds } = (await ask('GET', `/${of.id}`)).body as { refunds: { id: string; status: string; providerReference?: string }[] };
      saw(refunds);
      return refunds.find((refund) => refund.id === id && refund.status === 'succeeded' && refund.providerReference === id);
    });
  }
  expect((await ask('GET', `/reconciliation?${SPAN}`)).body).toMatchObject({ agree: true, differences: [] });
});

test('money that came by hand for no invoice, and did not last, is said to be taken back, once, and is not paid out any more', async () => {
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  const { id } = await eventually('the account to be known', async () => {
    const { status, body } = await ask('POST', '/credits', { accountId, amount: '60.00', currency: 'USD', reference: 'cheque 7', receivedAt: AT });
    return status === 201 ? body : undefined;
  });
  const bounce = (body: object, once?: string) => ask('POST', `/credits/${String(id)}/reversals`, { reason: 'no funds', reversedAt: LATER, ...body }, once === undefined ? {} : { once });
  const first = await bounce({ amount: '20.00' }, 'bounce-2');
  expect(first).toMatchObject({ status: 201, body: { id, amount: '60.00', takenBack: '20.00' } });
  expect((await bounce({ amount: '20.00' }, 'bounce-2')).body).toEqual(first.body);
  expect(await bounce({ amount: '40.01' })).toMatchObject({ status: 409, body: { code: 'reversal_exceeds_credit', errors: [{ pointer: '/amount' }] } });
  expect(await ask('POST', `/credits/${String(id)}/refunds`, { amount: '40.01', reason: 'x' })).toMatchObject({ status: 409, body: { code: 'refund_exceeds_credit' } });
  expect(await bounce({})).toMatchObject({ status: 201, body: { takenBack: '60.00' } });
  expect(await bounce({})).toMatchObject({ status: 409, body: { code: 'nothing_to_reverse' } });
  expect(await ask('POST', `/credits/${String(id)}/refunds`, { reason: 'x' })).toMatchObject({ status: 409, body: { code: 'nothing_to_refund' } });
  expect((await spec.facts(`credit-${String(id)}`)).map(({ type, amount }) => `${String(type)} ${String(amount)}`)).toEqual(['MoneyCredited 60.00', 'CreditTakenBack 20.00', 'CreditTakenBack 40.00']);
  for (const model of paymentsShape.readModels) {
    const { live, rebuilt } = await rebuildAndCompare(spec.process.service.log.store, 'payments', model);
    expect(rebuilt).toBe(live);
  }
});

test('only what came in by hand is said to be gone by hand', async () => {
  const { accountId } = await spec.customer(AT, 'tok_ok');
  const invoiceId = await spec.bed.finalize(spec.acme.tenant, accountId, { total: '49.00', at: AT });
  const { id } = await spec.payment(invoiceId, 'succeeded');
  const say = (paymentId: string) => ask('POST', `/${paymentId}/reversals`, { reason: 'no funds', reversedAt: LATER });
  expect(await say(id)).toMatchObject({ status: 409, body: { code: 'not_manual' } });
  expect(await say('pay_none')).toMatchObject({ status: 404, body: { code: 'payment_not_found' } });
});

test('what cannot be done by hand is refused with its code: no cards, no pages, no rules that charge, no webhooks', async () => {
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  await eventually('the account to be known', async () => ((await ask('POST', '/methods', { accountId, provider: 'sandbox', token: 'tok_ok' })).status === 201 || undefined));
  const refused = (code: string, pointer?: string) => ({ status: 400, body: { code, ...(pointer === undefined ? {} : { errors: [{ pointer }] }) } });
  expect(await ask('POST', '/methods', { accountId, provider: 'manual', token: 'tok_ok' })).toMatchObject(refused('methods_not_supported', '/provider'));
  expect(await ask('POST', '/methods/setups', { accountId, provider: 'manual' })).toMatchObject(refused('pages_not_supported', '/provider'));
  expect(await ask('POST', '/portal', { accountId, provider: 'manual' })).toMatchObject(refused('pages_not_supported', '/provider'));
  expect(await ask('PUT', '/settings', { routing: [{ provider: 'manual' }] })).toMatchObject(refused('charges_not_supported', '/routing/0/provider'));
  expect(await ask('PUT', '/providers/manual', { webhookSecrets: ['whsec_0123456789abcdef'] })).toMatchObject(refused('webhooks_not_supported'));
});
