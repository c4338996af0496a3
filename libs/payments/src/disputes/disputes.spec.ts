import { rebuildAndCompare } from '@valueverse/event-log';
import { eventually } from '@valueverse/testing';
import { paymentDecider } from '../collection/payments';
import { paymentsShape } from '../index';
import { type Answered, paymentsSpec } from '../payments-bed.spec-kit';
import { Providers } from '../providers/provider';
import { Sandbox } from '../providers/sandbox/sandbox';

// What banks ask about and take back, heard of by webhook, on a real socket.
const AT = '2026-03-01T00:00:00Z';
const TIMEOUT_MS = 60_000;
const spec = paymentsSpec();
beforeAll(() => spec.hearWebhooks(), TIMEOUT_MS);

const pay = async (...tokens: readonly string[]) => {
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  for (const token of tokens) await spec.bed.attach(spec.process, spec.acme.tenant, accountId, token);
  const invoiceId = await spec.bed.finalize(spec.acme.tenant, accountId, { total: '49.00', at: AT });
  return spec.payment(invoiceId, 'succeeded');
};
const act = async (id: string, action: string): Promise<void> => expect((await spec.ask('POST', `/sandbox/actions/${id}/${action}`)).status).toBe(204);
const dispute = (paymentId: string, status: string): Promise<Answered> => eventually(`the dispute to be ${status}`, async (saw) => {
  const { body } = await spec.ask('GET', '/disputes');
  const found = (body['data'] as Answered[]).find((one) => one['paymentId'] === paymentId);
  saw(found);
  return found?.['status'] === status ? found : undefined;
});
const names = async (id: string): Promise<string[]> => (await spec.facts(`payment-${id}`)).map(({ type }) => type as string).slice(3);
const control = (path: string): Promise<unknown> => spec.host.app.get(Sandbox).control(spec.acme.tenant, path, {});

test('an inquiry is kept with the day until which it can be answered; it books nothing, and a refund ends it', async () => {
  const { id } = await pay('tok_ok');
  await act(id, 'inquire');
  expect(await dispute(id, 'inquiry')).toMatchObject({ amount: '49.00', attempt: 1, heldBack: '0.00', fee: null, bookings: [], closedAt: null, evidenceDueBy: expect.stringMatching(/Z$/) as string });
  expect((await spec.ask('GET', `/${id}`)).body).toMatchObject({ amountDisputed: '0.00' });
  expect(await spec.ask('POST', `/${id}/refunds`, { reason: 'they asked' })).toMatchObject({ status: 201, body: { amount: '49.00' } });
  expect(await dispute(id, 'inquiry_closed')).toMatchObject({ heldBack: '0.00', bookings: [], closedAt: expect.stringMatching(/Z$/) as string });
  await eventually('the refund', async () => ((await spec.ask('GET', `/${id}`)).body['amountRefunded'] === '49.00' || undefined));
  expect((await names(id)).sort()).toEqual(['InquiryClosed', 'InquiryOpened', 'RefundRequested', 'RefundSucceeded']);
  expect((await spec.ask('GET', '/reconciliation?provider=sandbox&from=2026-01-01T00:00:00Z&to=2099-01-01T00:00:00Z')).body).toMatchObject({ agree: true, differences: [] });
}, TIMEOUT_MS);

test('an inquiry that becomes a dispute takes the money then, under one id', async () => {
  const { id } = await pay('tok_ok');
  await act(id, 'inquire');
  const { id: disputeId, providerReference } = await dispute(id, 'inquiry');
  await act(id, 'dispute');
  expect(await dispute(id, 'open')).toMatchObject({ id: disputeId as string, providerReference: providerReference as string, heldBack: '49.00', fee: '15.00', bookings: [{ debit: 'disputes' }, { debit: 'provider_fees' }] });
  expect((await spec.ask('GET', `/${id}`)).body).toMatchObject({ amountDisputed: '49.00' });
  expect((await spec.ask('POST', `/${id}/refunds`, { reason: 'late' })).body).toMatchObject({ code: 'nothing_to_refund' });
  await control(`disputes/${String(providerReference)}/lost`);
  await dispute(id, 'lost');
  expect((await spec.ask('GET', '/disputes?status=inquiry')).body['data']).toEqual([]);
  expect((await spec.ask('GET', '/disputes?status=doubtful')).status).toBe(400);
}, TIMEOUT_MS);

test('a dispute of what another attempt took too is that attempt\'s: the payment itself can be given back', async () => {
  const { id, accountId, attempts } = await pay('tok_ok', 'tok_declined_expired_card');
  // The attempt that was declined took money after all: the provider and we hear of it late.
  const provider = spec.host.app.get(Providers).find('sandbox')!;
  const now = spec.process.clock.now();
  const { signal } = new AbortController();
  const customer = await provider.customer({ tenant: spec.acme.tenant, now, accountId }, signal) as { reference: string };
  const [first] = attempts;
  const charged = await provider.charge({ tenant: spec.acme.tenant, now, key: `${first!.providerKey}:late`, paymentId: id, amountMinor: 4_900n, currency: 'USD', customer: customer.reference, token: 'tok_ok', description: 'late', returnUrl: 'https://pay.example.com' }, signal) as { reference: string };
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'rate_limit', operation: 'refund' });
  await spec.process.service.log.executeOne(paymentDecider, { type: 'RecordSuccess', paymentId: id, attempt: 1, amount: '49.00', currency: 'USD', providerReference: charged.reference, at: AT }, { tenant: spec.acme.tenant, at: AT, actor: 'spec' });
  await eventually('it to be on its way back', async (saw) => {
    const { body } = await spec.ask('GET', `/${id}`);
    saw(body);
    return body['refunds'].length === 1 || undefined;
  });
  await control(`intents/${charged.reference}/dispute`);
  expect(await dispute(id, 'open')).toMatchObject({ attempt: 1, amount: '49.00', heldBack: '49.00' });
  await spec.bed.disarm(spec.process, spec.acme.tenant);
  // The bank has it: the provider does not give it back a second time.
  await eventually('the refund of it to fail', async (saw) => {
    const [refund] = (await spec.ask('GET', `/${id}`)).body['refunds'] as Answered[];
    saw(refund);
    return refund!['status'] === 'failed' || undefined;
  });
  expect(await spec.ask('POST', `/${id}/refunds`, { reason: 'the payment' })).toMatchObject({ status: 201, body: { attempt: 2, amount: '49.00' } });
  await eventually('it to be given back', async () => ((await spec.ask('GET', `/${id}`)).body['amountRefunded'] === '49.00' || undefined));
  for (const model of paymentsShape.readModels) {
    const { live, rebuilt } = await rebuildAndCompare(spec.process.service.log.store, 'payments', model);
    expect(rebuilt).toBe(live);
  }
}, TIMEOUT_MS);

test('a dispute of money that nobody here has heard of yet is recorded after the money, so that both reach the invoice', async () => {
  // No news comes of what happens to the payment before the dispute.
  spec.acme = await spec.bed.tenant(spec.process);
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  await spec.bed.attach(spec.process, spec.acme.tenant, accountId, 'tok_pending_3_days');
  const invoiceId = await spec.bed.finalize(spec.acme.tenant, accountId, { total: '49.00', at: AT });
  const { id, attempts } = await eventually('the payment to be on its way', async (saw) => {
    const found = await spec.payment(invoiceId, 'processing');
    saw(found);
    return found.attempts[0]?.providerReference === undefined ? undefined : found;
  });
  await control(`intents/${attempts[0]!.providerReference!}/complete`);
  await spec.hearWebhooks();
  await control(`intents/${attempts[0]!.providerReference!}/dispute`);
  const { providerReference } = await dispute(id, 'open');
  await control(`disputes/${String(providerReference)}/lost`);
  expect(await dispute(id, 'lost')).toMatchObject({ attempt: 1, heldBack: '49.00' });
  expect(await names(id)).toEqual(['PaymentSucceeded', 'DisputeOpened', 'DisputeClosed']);
}, TIMEOUT_MS);
