import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '@valueverse/platform';
import { describeProvider } from '../provider.spec-kit';
import { SandboxBed } from '../sandbox/sandbox-bed.spec-kit';
import { sandboxKeyOf } from '../sandbox/sandbox-server';
import { guarded } from '../guarded-provider';
import type { ChargeOrder, PaymentProvider, RefundOrder, Unknown } from '../provider';
import { describeOnStripeMock } from './stripe-mock.spec-kit';
import { StripeProvider } from './stripe-provider';

const { signal } = new AbortController();
const RETURN_URL = 'https://pay.example.com/back';
const TENANT = 'org_1:test';
let bed: SandboxBed;
let nth = 0;
/** The package sends a request again, once, whose connection was cut: under the same key, so that it does no harm. */
const TIMES = { fail_after: 1, hang_after: 1, hang_before: 1, lose_reply: 2, lose_request: 2 } as const;
beforeAll(async () => { bed = await SandboxBed.make(); }, 60_000);
afterAll(() => bed.close(), 30_000);

const speaking = () => ({ tenant: TENANT, now: systemClock.now() });
const order = async (token = 'tok_ok'): Promise<ChargeOrder> => {
  const made = await bed.provider.customer({ ...speaking(), accountId: `acc_${nth += 1}` }, signal) as { reference: string };
  return { ...speaking(), key: `pay:${nth}:att:1`, paymentId: `pay_${nth}`, amountMinor: 1_000n, currency: 'USD', customer: made.reference, token, description: 'inv_1', returnUrl: RETURN_URL };
};
const found = ({ key, customer, now }: ChargeOrder) => bed.provider.find({ ...speaking(), key, customer, since: now }, signal);

describeProvider('the adapter of Stripe, on a socket, against the sandbox', () => ({
  provider: bed.provider, tenant: 'org_kit:test', now: () => systemClock.now(),
  there: {
    refund: async (reference, amountMinor) => (await bed.sandbox.control('org_kit:test', `intents/${reference}/refund`, { amount: String(amountMinor) }) as { id: string }).id,
    dispute: async (reference) => { await bed.sandbox.control('org_kit:test', `intents/${reference}/dispute`, {}); return 'needs_response'; },
  },
  tokens: { ok: 'tok_ok', declinedSoft: 'tok_declined_insufficient_funds', declinedHard: 'tok_declined_expired_card', unknown: 'tok_ofnobody', needsAction: 'tok_requires_action', needsCustomer: 'tok_authentication_required', takesDays: 'tok_pending_3_days' },
}));

describe('what goes wrong on the way', () => {
  afterEach(() => bed.sandbox.control(TENANT, 'faults/none', {}));
  test.each(['fail_after', 'lose_reply', 'hang_after'] as const)('%s: nobody knows, and the money is found', async (fault) => {
    const one = await order();
    await bed.fault(TENANT, { fault, operation: 'charge', times: TIMES[fault] });
    expect(await bed.provider.charge(one, signal)).toMatchObject({ status: 'unknown' });
    expect(await found(one)).toMatchObject({ status: 'succeeded', amountMinor: 1_000n });
  });
  test.each(['lose_request', 'hang_before'] as const)('%s: nobody knows, nothing is found, and the same key takes the money once', async (fault) => {
    const one = await order();
    await bed.fault(TENANT, { fault, operation: 'charge', times: TIMES[fault] });
    expect(await bed.provider.charge(one, signal)).toMatchObject({ status: 'unknown' });
    expect(await found(one)).toEqual({ status: 'absent' });
    expect(await bed.provider.charge(one, signal)).toMatchObject({ status: 'succeeded' });
  });
  test('F96: a failure that is kept under its key is said to be a repetition, and nothing was done', async () => {
    const one = await order();
    await bed.fault(TENANT, { fault: 'fail_before', operation: 'charge', times: 1 });
    const first = await bed.provider.charge(one, signal);
    expect(first).toMatchObject({ status: 'unknown' });
    expect(first).not.toHaveProperty('isReplay');
    expect(await bed.provider.charge(one, signal)).toMatchObject({ status: 'unknown', isReplay: true });
    expect(await found(one)).toEqual({ status: 'absent' });
  });
  test('a customer with more payments than are looked through leaves one of them open, and nobody else waits for it', async () => {
    const one = await order();
    const settlesNothing: Unknown = { status: 'unknown', isAnswer: true, reason: 'too many' };
    const provider = guarded(Object.assign(Object.create(bed.provider) as PaymentProvider, { find: (): Promise<Unknown> => Promise.resolve(settlesNothing) }));
    for (let time = 0; time < 50; time++) expect(await provider.find({ ...one, since: one.now }, signal)).toEqual(settlesNothing);
    expect(await provider.charge(one, signal)).toMatchObject({ status: 'succeeded' });
  });
  test('a tenant whose key is not taken, who has none, or who asks too often, keeps nobody else from the provider; one that is not there is left alone', async () => {
    const one = await order();
    const faulty = new Map([['org_2:test', { apiKey: 'sk_test_of_nobody', url: bed.url }], ['org_4:test', { apiKey: 'sk_test_x', url: 'http://127.0.0.1:1' }]]);
    const account = (tenant: string) => { const found = faulty.get(tenant); if (found === undefined) throw new Error('no key'); return Promise.resolve(found); };
    const shared = guarded(Object.assign(Object.create(bed.provider) as PaymentProvider, { charge: (asked: ChargeOrder) =>
      (asked.tenant === TENANT ? bed.provider.charge(asked, signal) : new StripeProvider({ name: 'stripe', timeoutMs: 500, account: async (tenant) => account(tenant) }).charge(asked)) }));
    for (const tenant of ['org_2:test', 'org_3:test']) for (let time = 0; time < 15; time++) expect(await shared.charge({ ...one, tenant }, signal)).toMatchObject({ status: 'unavailable', isAnswer: true });
    await bed.fault(TENANT, { fault: 'rate_limit', operation: 'charge', times: 36 });
    for (let time = 0; time < 12; time++) expect(await shared.charge(one, signal)).toMatchObject({ status: 'unavailable', isAnswer: true });
    expect(await shared.charge(one, signal)).toMatchObject({ status: 'succeeded' });
    for (let time = 0; time < 4; time++) await shared.charge({ ...one, tenant: 'org_4:test' }, signal);
    expect(await shared.charge(await order(), signal)).toMatchObject({ status: 'unavailable', reason: expect.stringMatching(/left alone/) as string });
  }, 60_000);
  test('too many requests, and a provider that is not there: surely nothing was done', async () => {
    const one = await order();
    await bed.fault(TENANT, { fault: 'rate_limit', operation: 'charge', times: 1 });
    expect(await bed.provider.charge(one, signal)).toMatchObject({ status: 'unavailable' });
    const nowhere = new StripeProvider({ name: 'nowhere', timeoutMs: 500, account: async () => ({ apiKey: 'sk_test_x', url: 'http://127.0.0.1:1' }) });
    expect(await nowhere.charge(one)).toMatchObject({ status: 'unavailable' });
    const stranger = new StripeProvider({ name: 'stranger', timeoutMs: 500, account: async () => ({ apiKey: 'sk_test_of_nobody', url: bed.url }) });
    expect(await stranger.charge(one)).toMatchObject({ status: 'unavailable', reason: expect.stringMatching(/does not take our key/) as string });
  });
  test('an order whose connection was cut may have arrived, also where the package finds nobody when it sends it again', async () => {
    let orders = 0;
    const server: Server = createServer((request) => {
      orders += 1;
      server.close();
      request.socket.destroy();
    });
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    const { port } = server.address() as AddressInfo;
    const cut = new StripeProvider({ name: 'cut', timeoutMs: 500, account: async () => ({ apiKey: 'sk_test_x', url: `http://127.0.0.1:${port}` }) });
    expect(await cut.charge(await order())).toMatchObject({ status: 'unknown', reason: expect.stringMatching(/ECONNREFUSED|connection/) as string });
    expect(orders).toBe(1);
  });
  test('a key is forgotten after a day, as with Stripe: what was done is still found', async () => {
    const one = await order();
    await bed.provider.charge(one, signal);
    const later = new Date(Date.parse(one.now) + 25 * 3_600_000).toISOString();
    expect(await bed.provider.find({ tenant: TENANT, now: later, key: one.key, customer: one.customer, since: one.now }, signal)).toMatchObject({ status: 'succeeded' });
    // Which is why it is looked for before it is sent again.
    expect(await bed.provider.charge({ ...one, now: later }, signal)).toMatchObject({ status: 'succeeded' });
  });
  test('a seed makes the same faults of the same orders, whatever their ids are; another seed makes others', async () => {
    const outcomes = async (tenant: string, seed: number): Promise<string[]> => {
      const who = { tenant, now: systemClock.now() };
      const made = await bed.provider.customer({ ...who, accountId: `acc_${nth += 1}` }, signal) as { reference: string };
      for (const fault of ['fail_before', 'decline', 'rate_limit'] as const) await bed.fault(tenant, { fault, operation: 'charge', chance: 0.2, seed });
      const said: string[] = [];
      for (let cents = 1; cents <= 24; cents++) {
        said.push((await bed.provider.charge({ ...who, key: `pay:${nth += 1}:att:1`, paymentId: `pay_${nth}`, amountMinor: BigInt(cents), currency: 'USD', customer: made.reference, token: 'tok_ok', description: 'inv_1', returnUrl: RETURN_URL }, signal)).status);
      }
      return said;
    };
    const first = await outcomes('org_dice_1:test', 7);
    expect(new Set(first)).toEqual(new Set(['succeeded', 'declined', 'unknown', 'unavailable']));
    expect(await outcomes('org_dice_2:test', 7)).toEqual(first);
    expect(await outcomes('org_dice_3:test', 8)).not.toEqual(first);
  });
  test('a token that fails twice and then works, and money that arrives on its day', async () => {
    const twice = await order('tok_ok_after_2');
    const tries = [];
    for (let attempt = 1; attempt <= 3; attempt++) tries.push((await bed.provider.charge({ ...twice, key: `${twice.key}:${attempt}` }, signal)).status);
    expect(tries).toEqual(['declined', 'declined', 'succeeded']);
    const slow = await order('tok_pending_3_days');
    const { reference } = await bed.provider.charge(slow, signal) as { reference: string };
    const day = (days: number) => new Date(Date.parse(slow.now) + days * 86_400_000).toISOString();
    expect(await bed.provider.read({ tenant: TENANT, now: day(2), reference }, signal)).toMatchObject({ status: 'processing' });
    expect(await bed.provider.read({ tenant: TENANT, now: day(3), reference }, signal)).toMatchObject({ status: 'succeeded' });
  });
});

/** Whatever is asked of it, it answers this. */
const answering = async <T>(body: object, ask: (stripe: StripeProvider) => Promise<T>): Promise<T> => {
  const server = createServer((_, reply) => reply.end(JSON.stringify(body)));
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  try {
    return await ask(new StripeProvider({ name: 'stripe', timeoutMs: 2_000, account: async () => ({ apiKey: 'sk_test_x', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }) }));
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => { server.close(resolve); });
  }
};
const DISPUTE = { id: 'dp_1', object: 'dispute', payment_intent: 'pi_1', amount: 100, currency: 'usd', reason: 'fraudulent', status: 'lost', evidence_details: { due_by: 1_772_323_200 }, balance_transactions: [] };
test.each([
  ['warning_needs_response', 'inquiry'], ['warning_under_review', 'inquiry'], ['warning_closed', 'inquiry_closed'], ['needs_response', 'needs_response'], ['under_review', 'under_review'], ['won', 'won'], ['lost', 'lost'], ['prevented', 'won'], ['unheard_of', 'needs_response'],
])('a dispute that Stripe calls %s is %s', async (status, known) => {
  expect(await answering({ ...DISPUTE, status }, (stripe) => stripe.dispute({ ...speaking(), reference: 'dp_1' }))).toEqual({ status: known, reference: 'dp_1', chargeReference: 'pi_1', amountMinor: 100n, currency: 'USD', reason: 'fraudulent', evidenceDueBy: '2026-03-01T00:00:00Z' });
});
test('a fee in another currency than the payment, or the dispute, is not taken for one in that currency', async () => {
  const intent = (currency: string) => ({ id: 'pi_1', object: 'payment_intent', status: 'succeeded', amount: 8_000, amount_received: 8_000, currency: 'usd', latest_charge: { object: 'charge', balance_transaction: { currency, amount: 7_200, fee: 236 } } });
  const read = (currency: string) => answering(intent(currency), (stripe) => stripe.read({ ...speaking(), reference: 'pi_1' }));
  expect([await read('usd'), await read('eur')]).toEqual([{ status: 'succeeded', reference: 'pi_1', amountMinor: 8_000n, currency: 'USD', feeMinor: 236n }, { status: 'succeeded', reference: 'pi_1', amountMinor: 8_000n, currency: 'USD' }]);
  const dispute = (currency: string) => answering({ ...DISPUTE, balance_transactions: [{ currency, amount: -90, fee: 1_350 }] }, (stripe) => stripe.dispute({ ...speaking(), reference: 'dp_1' }));
  expect(await dispute('usd')).toMatchObject({ amountMinor: 100n, feeMinor: 1_350n });
  expect(await dispute('eur')).not.toHaveProperty('feeMinor');
});

test.each([
  ['refund_failure', 'refund_failure', 'refund'], ['adjustment', 'refund_failure', 'refund'], ['adjustment', 'dispute', 'dispute'], ['adjustment', 'dispute_reversal', 'dispute'], ['payment_failure_refund', 'charge_failure', 'charge'], ['payout_failure', 'payout_reversal', 'payout'], ['adjustment', 'fee', 'other'],
])('a line of the balance that Stripe calls %s, %s, is of a %s', async (type, category, known) => {
  const line = { id: 'txn_1', object: 'balance_transaction', amount: 100, fee: 0, net: 100, currency: 'usd', type, reporting_category: category, source: 'x_1', created: 1_772_323_200 };
  expect(await answering({ object: 'list', has_more: false, data: [line] }, (stripe) => stripe.balance({ ...speaking(), payout: 'po_1' }))).toMatchObject({ entries: [{ type: known, amountMinor: 100n }] });
});
test('a refund is found however many others there are of its charge', async () => {
  const one = { ...await order(), amountMinor: 20_000n };
  const { reference } = await bed.provider.charge(one, signal) as { reference: string };
  const back = (refundId: string) => ({ ...speaking(), key: `ref:${refundId}`, refundId, reference, amountMinor: 100n, currency: 'USD' });
  const first = await bed.provider.refund(back(`${one.key}:first`), signal);
  for (let more = 0; more < 101; more++) await bed.sandbox.control(TENANT, `intents/${reference}/refund`, { amount: '1' });
  expect(await bed.provider.findRefund(back(`${one.key}:first`), signal)).toEqual(first);
  expect(await bed.provider.findRefund(back(`${one.key}:other`), signal)).toEqual({ status: 'absent' });
});

test('currencies that Stripe counts in other units are charged, given back and read for what they are', async () => {
  for (const [currency, minor, atStripe] of [['ISK', 5_000n, 500_000], ['UGX', 7n, 700], ['MGA', 4_900n, 49], ['KWD', 5_120n, 5_120], ['JPY', 500n, 500]] as const) {
    const one = { ...await order(), amountMinor: minor, currency };
    const taken = await bed.provider.charge(one, signal) as { reference: string };
    expect(taken).toMatchObject({ status: 'succeeded', amountMinor: minor, currency });
    expect(await found(one)).toMatchObject({ amountMinor: minor });
    const sent = await (await fetch(`${bed.url}/v1/payment_intents/${taken.reference}`, { headers: { authorization: `Bearer ${sandboxKeyOf(TENANT)}` } })).json() as { amount: number };
    expect([currency, sent.amount]).toEqual([currency, atStripe]);
    expect(await bed.provider.refund({ ...speaking(), key: `ref:${one.key}`, refundId: `ref_${one.key}`, reference: taken.reference, amountMinor: minor, currency }, signal)).toMatchObject({ status: 'succeeded', amountMinor: minor });
  }
  // Stripe has no fractions of an ariary.
  expect(await bed.provider.charge({ ...await order(), amountMinor: 4_901n, currency: 'MGA' }, signal)).toMatchObject({ status: 'refused', code: 'amount_too_fine' });
});

describeOnStripeMock('every request against Stripe\'s own description of its interface', (url) => {
  const provider = (): StripeProvider => new StripeProvider({ name: 'stripe', timeoutMs: 5_000, account: async () => ({ apiKey: 'sk_test_123', url: url() }) });
  const at = { tenant: TENANT, now: '2026-01-01T00:00:00Z' };
  test('none is refused', async () => {
    const stripe = provider();
    const charge: ChargeOrder = { ...at, key: 'pay:1:att:1', paymentId: 'pay_1', amountMinor: 4_900n, currency: 'USD', customer: 'cus_1', token: 'pm_1', description: 'inv_1', returnUrl: RETURN_URL };
    const refund: RefundOrder = { ...at, key: 'ref:1', refundId: 'ref_1', reference: 'pi_1', amountMinor: 100n, currency: 'USD' };
    const answers = await Promise.all([
      stripe.customer({ ...at, accountId: 'acc_1' }), stripe.attach({ ...at, key: 'att:1', customer: 'cus_1', token: 'pm_1' }), stripe.detach({ ...at, reference: 'pm_1' }), stripe.chosenMethod({ ...at, reference: 'cus_1' }), stripe.setup({ ...at, key: 'set:1', setupId: 'set_1', accountId: 'acc_1', customer: 'cus_1', currency: 'USD', isDefault: true, returnUrl: RETURN_URL }), stripe.readSetup({ ...at, reference: 'cs_1' }), stripe.portal({ ...at, customer: 'cus_1', returnUrl: RETURN_URL }),
      stripe.method({ ...at, reference: 'pm_1' }), stripe.charge(charge), stripe.find({ ...at, key: 'pay:1:att:1', customer: 'cus_1', since: at.now }), stripe.read({ ...at, reference: 'pi_1' }),
      stripe.confirm({ ...at, key: 'pay:1:att:1', reference: 'pi_1', token: 'pm_1', returnUrl: RETURN_URL }), stripe.cancel({ ...at, reference: 'pi_1' }), stripe.refund(refund), stripe.findRefund(refund), stripe.refunds({ ...at, chargeReference: 'pi_1' }), stripe.refunds({ ...at, since: at.now, after: 're_1' }), stripe.dispute({ ...at, reference: 'dp_1' }), stripe.disputes({ ...at, since: at.now }), stripe.disputes({ ...at, since: at.now, after: 'dp_1' }), stripe.payout({ ...at, reference: 'po_1' }), stripe.payouts({ ...at, since: at.now }), stripe.payouts({ ...at, since: at.now, after: 'po_1' }), ...(['charge', 'refund', 'dispute', 'payout'] as const).map((type) => stripe.linesOf({ ...at, type, reference: 'x_1' })), stripe.balance({ ...at, payout: 'po_1' }), stripe.balance({ ...at, from: at.now, to: '2026-02-01T00:00:00Z' }),
    ]);
    expect(answers.filter(({ status }) => status === 'refused' || status === 'unknown' || status === 'unavailable')).toEqual([]);
  });
});
