import { createHash, createHmac } from 'node:crypto';
import { systemClock } from '@valueverse/platform';
import { eventually } from '@valueverse/testing';
import { type Answered, type PaymentsSpec, paymentsSpec } from '../payments-bed.spec-kit';
import { Sandbox } from '../providers/sandbox/sandbox';
import { SandboxBook } from '../providers/sandbox/sandbox-book';
import { signatureOf } from '../providers/sandbox/sandbox-webhooks';
import { STRIPE_VERSION } from '../providers/stripe/stripe-version';

const AT = '2026-03-01T00:00:00Z';
const TIMEOUT_MS = 60_000;
const spec = paymentsSpec();
const SECRETS = spec.secrets;
let base: string;
let path: string;
beforeAll(async () => { ({ base, path } = await spec.hearWebhooks()); }, TIMEOUT_MS);
const seconds = () => Math.floor(Date.now() / 1_000);

const ask: PaymentsSpec['ask'] = (...asked) => spec.ask(...asked);
const listed = async (url: string): Promise<Answered[]> => (await ask('GET', url)).body['data'] as Answered[];
const post = async (body: string, signature: string | undefined, to = path) => {
  const answer = await spec.host.app.inject({ method: 'POST', url: to, headers: { 'content-type': 'application/json', ...(signature === undefined ? {} : { 'stripe-signature': signature }) }, payload: body });
  return { status: answer.statusCode, code: answer.json<{ code?: string }>().code };
};
const eventOf = (id: string, type: string, object: object, more: object = {}) => JSON.stringify({ id, object: 'event', type, api_version: STRIPE_VERSION, data: { object }, ...more });
const send = (body: string, to = path) => post(body, signatureOf(body, SECRETS, seconds()), to);
const kept = (eventId: string, ...statuses: string[]) => eventually(`the event ${eventId} to be ${statuses.join(' or ')}`, async (saw) => {
  const found = (await listed('/webhook-events?limit=100')).find((one) => one['eventId'] === eventId);
  saw(found);
  return found !== undefined && statuses.includes(String(found['status'])) ? found : undefined;
});

test('F104, M40: what is not signed for this endpoint is refused with its code, and nothing of it is kept', async () => {
  const body = eventOf('evt_refused', 'payout.paid', { id: 'po_1' });
  expect(await post(body, undefined)).toEqual({ status: 400, code: 'missing_signature' });
  expect(await post(body, signatureOf(body, ['whsec_of_another_tenant'], seconds()))).toEqual({ status: 400, code: 'invalid_signature' });
  expect(await post(`${body} `, signatureOf(body, SECRETS, seconds()))).toEqual({ status: 400, code: 'invalid_signature' });
  expect(await post(body, signatureOf(body, SECRETS, seconds() - 301))).toEqual({ status: 400, code: 'signature_too_old' });
  // Signed, and no event: its provider would send it for days. It is kept by its bytes; one that no database could keep takes no others with it.
  expect((await send('[]')).status).toBe(200);
  const bad = ['evt_\u0000', 'evt \ud800', 'x'.repeat(257), ''].map((id) => eventOf(id, 'payout.paid', { id: 'po_1' }));
  const mixed = await Promise.all([...bad, eventOf('evt_x', 'a\u0000b', {}), eventOf('evt_beside', 'customer.updated', { id: 'cus_1' })].map((one) => send(one)));
  expect(mixed).toEqual(Array.from({ length: 6 }, () => ({ status: 200, code: undefined })));
  const bytes = Buffer.from([0x7b, 0x00, 0xff, 0xfe, 0x7d]);
  const [at, signed] = [seconds(), (part: string) => createHmac('sha256', SECRETS[0]).update(`${part}.`).update(bytes).digest('hex')];
  for (let times = 0; times < 2; times++) expect((await spec.host.app.inject({ method: 'POST', url: path, headers: { 'content-type': 'application/json', 'stripe-signature': `t=${at},v1=${signed(String(at))}` }, payload: bytes })).statusCode).toBe(200);
  const large = JSON.stringify({ id: 'evt_large', type: 'payout.paid', filler: 'x'.repeat(300_000) });
  expect((await send(large)).status).toBe(413);
  expect(await send(body, '/api/v1/payments/webhooks/sandbox/whe_none')).toEqual({ status: 404, code: 'webhook_endpoint_not_found' });
  expect(await send(body, path.replace('/sandbox/', '/stripe/'))).toEqual({ status: 404, code: 'webhook_endpoint_not_found' });
  const bare = String((await ask('PUT', '/providers/stripe', { apiKey: 'sk_test_secret' })).body['webhookPath']);
  expect(await send(body, bare)).toEqual({ status: 401, code: 'webhook_not_set_up' });
  const all = await eventually('all to be handled', async (saw) => { const found = await listed('/webhook-events'); saw(found); return found.every(({ status }) => status !== 'received') ? found : undefined; });
  expect(all.filter(({ type }) => type !== 'malformed').map(({ eventId }) => eventId as string)).toEqual(['evt_beside']);
  const malformed = all.filter(({ type }) => type === 'malformed');
  expect(malformed).toHaveLength(7);
  for (const { status, reason } of malformed) expect([status, reason]).toEqual(['failed', 'its body is signed, and is no event with an id and a type']);
  const ours = malformed.find(({ eventId }) => eventId === createHash('sha256').update(bytes).digest('hex'))!;
  expect((await ask('GET', `/webhook-events/${String(ours['id'])}`)).body).toMatchObject({ times: 2, raw: bytes.toString('base64') });
  const list = malformed.find(({ eventId }) => eventId === createHash('sha256').update('[]').digest('hex'))!;
  expect((await ask('GET', `/webhook-events/${String(list['id'])}`)).body).toMatchObject({ times: 1, body: '[]', raw: null });
}, TIMEOUT_MS);

test('secrets and keys are never answered, and nobody else sees a tenant\'s providers', async () => {
  const { body } = await ask('GET', '/providers');
  expect(body['data']).toMatchObject([{ provider: 'sandbox', account: spec.acme.tenant, hasApiKey: false, webhookSecrets: 2 }, { provider: 'stripe', hasApiKey: true }]);
  expect(JSON.stringify(body)).not.toMatch(/whsec|sk_test/);
  const stored = await spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query<{ secrets: Buffer }>('SELECT secrets FROM provider_settings'));
  for (const { secrets } of stored.rows) expect(secrets.toString('latin1')).not.toMatch(/whsec|sk_test/);
  const other = await spec.bed.tenant(spec.process);
  expect((await ask('GET', '/providers', undefined, { as: other })).body['data']).toEqual([]);
  expect((await ask('PUT', '/providers/bank', { account: 'x' })).body).toMatchObject({ code: 'unknown_provider' });
}, TIMEOUT_MS);

test('F101, F103, B57: of another account, of an unknown type, of another version: kept with the reason, answered 200, and nothing happens', async () => {
  expect((await send(eventOf('evt_other', 'payment_intent.succeeded', { id: 'pi_1' }, { account: 'acct_other' }))).status).toBe(200);
  expect((await send(eventOf('evt_type', 'moon.landed', { id: 'x' }))).status).toBe(200);
  for (const version of ['2020-08-27', '2024-06-20', '2099-01-01.future']) expect((await send(eventOf(`evt_${version}`, 'payment_intent.succeeded', { id: 'pi_1' }, { api_version: version }))).status).toBe(200);
  expect(await kept('evt_other', 'refused')).toMatchObject({ reason: expect.stringMatching(/another account/) as string });
  expect(await kept('evt_type', 'unknown_type')).toMatchObject({ reason: expect.stringMatching(/moon.landed/) as string });
  for (const version of ['2020-08-27', '2024-06-20', '2099-01-01.future']) expect(await kept(`evt_${version}`, 'unknown_version')).toMatchObject({ reason: expect.stringContaining(version) as string });
  const { id } = await kept('evt_type', 'unknown_type');
  const { body } = await ask('GET', `/webhook-events/${String(id)}`);
  expect(body).toMatchObject({ body: expect.stringMatching(/moon.landed/) as string, signature: expect.stringMatching(/^t=\d+,v1=/) as string });
  expect(await ask('POST', `/webhook-events/${String(id)}/replay`)).toMatchObject({ status: 202 });
  expect(await ask('GET', '/webhook-events/whk_none')).toMatchObject({ status: 404, body: { code: 'webhook_not_found' } });
}, TIMEOUT_MS);

test('B64, S-47: the sandbox sends to endpoints of ours and nowhere else', async () => {
  const to = (url: string) => ask('POST', '/sandbox/endpoints', { url, secret: SECRETS[0]! });
  for (const url of ['http://169.254.169.254/latest/meta-data', `${base}/api/v1/operator/organizations`, `${base}${path}/../../../../operator`, `${base}${path}?x=1`, `${base}${path}#x`, (base + path).replace('http://', 'http://a:b@'), `file://${path}`, 'x', `${base}${path}/more`]) {
    expect(await to(url)).toMatchObject({ status: 400, body: { code: 'not_an_endpoint', errors: [{ pointer: '/url' }] } });
  }
  // Its secret is not said back.
  const other = await spec.bed.tenant(spec.process);
  expect(await ask('POST', '/sandbox/endpoints', { url: `${base}${path}`, secret: SECRETS[0]! }, { as: other })).toMatchObject({ status: 201, body: expect.not.objectContaining({ secrets: expect.anything() as unknown }) as unknown });
}, TIMEOUT_MS);

test('F90, S-38: fifty copies at once are one event', async () => {
  const body = eventOf('evt_fifty', 'payout.paid', { id: 'po_1' });
  const signature = signatureOf(body, SECRETS, seconds());
  expect(new Set((await Promise.all(Array.from({ length: 50 }, () => post(body, signature)))).map(({ status }) => status))).toEqual(new Set([200]));
  expect(await kept('evt_fifty', 'handled')).toMatchObject({ times: 50 });
}, TIMEOUT_MS);

const pay = async (token: string, total = '49.00') => {
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  await spec.bed.attach(spec.process, spec.acme.tenant, accountId, token);
  return spec.bed.finalize(spec.acme.tenant, accountId, { total, at: AT });
};

test('F92, B44, B45, B48: a customer who confirms is heard of by webhook, long before the next look', async () => {
  const invoiceId = await pay('tok_requires_action');
  const waits = await spec.bed.payment(spec.process, spec.acme.tenant, invoiceId, 'requires_action');
  expect(waits.attempts[0]!.url).toMatch(/^http:\/\/127/);
  // The page of the bank, as the customer sees it.
  expect(await (await fetch(waits.attempts[0]!.url!)).text()).toMatch(/Confirm the payment/);
  expect((await fetch(`${waits.attempts[0]!.url!}/complete`, { method: 'POST' })).status).toBe(200);
  await spec.bed.payment(spec.process, spec.acme.tenant, invoiceId, 'succeeded');
}, TIMEOUT_MS);

test('F91, F93, B49, B55: late, twice, in any order, with a lost answer: one payment, one charge', async () => {
  for (const fault of ['webhook_twice', 'webhook_permuted', 'webhook_late'] as const) await ask('POST', '/sandbox/faults', { fault, milliseconds: 300, seed: 7 });
  const invoices = await Promise.all(['tok_ok', 'tok_lost_reply', 'tok_ok'].map((token) => pay(token)));
  for (const invoiceId of invoices) await spec.bed.payment(spec.process, spec.acme.tenant, invoiceId, 'succeeded');
  await eventually('every event to be handled', async (saw) => {
    const { body } = await ask('GET', '/webhook-events?limit=100');
    const ours = (body['data'] as Answered[]).filter((one) => one['type'] === 'payment_intent.succeeded' && one['status'] === 'handled' && one['times'] === 2);
    saw(ours.length);
    return ours.length >= 3 || undefined;
  });
  for (const invoiceId of invoices) expect((await spec.bed.facts(spec.process, spec.acme.tenant, invoiceId)).filter((fact) => fact === 'PaymentSucceeded')).toHaveLength(1);
  await ask('DELETE', '/sandbox/faults');
}, TIMEOUT_MS);

test('F100: a dispute is opened by webhook, with the day by which evidence is due, and closed as it ends; a refund after it is refused', async () => {
  const invoiceId = await pay('tok_ok', '100.00');
  const { id } = await spec.bed.payment(spec.process, spec.acme.tenant, invoiceId, 'succeeded');
  expect((await ask('POST', `/${id}/refunds`, { amount: '30.00', reason: 'late' })).status).toBe(201);
  await eventually('the refund', async () => ((await ask('GET', `/${id}`)).body['amountRefunded'] === '30.00' ? true : undefined));
  expect((await ask('POST', `/sandbox/actions/${id}/dispute`)).status).toBe(204);
  const dispute = await eventually('the dispute', async (saw) => {
    const { body } = await ask('GET', '/disputes?status=open');
    saw(body);
    return (body['data'] as Answered[]).find((one) => one['paymentId'] === id);
  });
  expect(dispute).toMatchObject({ amount: '70.00', currency: 'USD', evidenceDueBy: expect.stringMatching(/Z$/) as string, fee: '15.00', heldBack: '70.00' });
  expect(dispute['bookings']).toMatchObject([{ debit: 'disputes', credit: 'provider_balance', amount: '70.00' }, { debit: 'provider_fees', credit: 'provider_balance', amount: '15.00' }]);
  expect((await ask('GET', `/${id}`)).body).toMatchObject({ amountDisputed: '70.00', amountRefunded: '30.00' });
  expect((await ask('POST', `/${id}/refunds`, { reason: 'late' })).body).toMatchObject({ code: 'nothing_to_refund' });
  await spec.host.app.get(Sandbox).control(spec.acme.tenant, `disputes/${String(dispute['providerReference'])}/won`, {});
  const won = await eventually('the dispute to be won', async () => (await listed('/disputes?status=won')).find((one) => one['id'] === dispute['id']));
  expect(won).toMatchObject({ heldBack: '0.00', fee: '15.00', bookings: [{}, {}, { debit: 'provider_balance', credit: 'disputes', amount: '70.00' }] });
  expect((await ask('GET', `/${id}`)).body).toMatchObject({ amountDisputed: '0.00' });
}, TIMEOUT_MS);

test('M29: a dispute that is lost is a loss, and stays one', async () => {
  const { id } = await spec.bed.payment(spec.process, spec.acme.tenant, await pay('tok_ok', '20.00'), 'succeeded');
  await ask('POST', `/sandbox/actions/${id}/dispute`);
  const of = (status: string) => eventually(`the dispute to be ${status}`, async () => (await listed(`/disputes?status=${status}`)).find((one) => one['paymentId'] === id));
  await spec.host.app.get(Sandbox).control(spec.acme.tenant, `disputes/${String((await of('open'))['providerReference'])}/lost`, {});
  expect(await of('lost')).toMatchObject({ heldBack: '20.00', bookings: [{}, {}, { debit: 'dispute_losses', credit: 'disputes', amount: '20.00' }] });
  expect((await ask('GET', `/${id}`)).body).toMatchObject({ amountDisputed: '20.00' });
}, TIMEOUT_MS);

test('a payout is told by webhook, with what it is made of; the next one has what came after it', async () => {
  const beta = await spec.bed.tenant(spec.process);
  await spec.hearWebhooks(beta);
  const payouts = (count: number) => eventually(`${count} payouts`, async (saw) => {
    const { body } = await ask('GET', '/payouts?status=paid', undefined, { as: beta });
    saw(body);
    return (body['data'] as Answered[]).length === count ? (body['data'] as Answered[]) : undefined;
  });
  const accountId = await spec.bed.openAccount(beta.tenant, AT);
  await spec.bed.attach(spec.process, beta.tenant, accountId, 'tok_ok');
  const collect = async (total: string) => spec.bed.payment(spec.process, beta.tenant, await spec.bed.finalize(beta.tenant, accountId, { total, at: AT }), 'succeeded');
  const { id } = await collect('100.00');
  await ask('POST', `/sandbox/actions/${id}/dispute`, undefined, { as: beta });
  await collect('300.00');
  await spec.host.app.get(Sandbox).control(beta.tenant, 'payouts', {});
  // Fees: 3.20 and 9.00 for the charges, 15.00 for the dispute.
  expect((await payouts(1))[0]).toMatchObject({ provider: 'sandbox', amount: '272.80', currency: 'USD', charged: '400.00', disputed: '-100.00', refunded: '0.00', fees: '27.20', other: '0.00', lines: 3 });
  await collect('50.00');
  await spec.host.app.get(Sandbox).control(beta.tenant, 'payouts', {});
  expect((await payouts(2)).find(({ amount }) => amount === '48.25')).toMatchObject({ charged: '50.00', disputed: '0.00', fees: '1.75', lines: 1 });
  expect((await ask('GET', '/payouts')).body['data']).toEqual([]);
  expect(await ask('GET', '/payouts/po_none')).toMatchObject({ status: 404, body: { code: 'payout_not_found' } });
}, TIMEOUT_MS);

test('M28: whatever order the same events come in, and however often, the payments end the same', async () => {
  const SEEDS = ['a', 'b'];
  const ends = await Promise.all(SEEDS.map(async (seed) => {
    const invoiceId = await pay('tok_ok', '12.00');
    const { id, attempts } = await spec.bed.payment(spec.process, spec.acme.tenant, invoiceId, 'succeeded');
    const intent = { id: attempts[0]!.providerReference, metadata: { attempt: attempts[0]!.providerKey } };
    const types = ['payment_intent.created', 'payment_intent.processing', 'payment_intent.payment_failed', 'payment_intent.succeeded', 'payment_intent.canceled', 'charge.refunded'];
    const bodies = types.flatMap((type, nth) => [0, 1].map(() => eventOf(`evt_${seed}_${nth}`, type, { ...intent, payment_intent: intent.id })));
    const order = (body: string, nth: number): string => createHash('sha256').update(`${seed}${nth}${body}`).digest('hex');
    for (const { body } of bodies.map((one, nth) => ({ body: one, by: order(one, nth) })).sort((x, y) => (x.by < y.by ? -1 : 1))) expect((await send(body)).status).toBe(200);
    for (const [nth] of types.entries()) await kept(`evt_${seed}_${nth}`, 'handled');
    await eventually('the looks to end', async () => ((await spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query(`SELECT FROM jobs WHERE tenant = $1 AND payload LIKE $2`, [spec.acme.tenant, `%${id}%`]))).rowCount === 0 || undefined));
    return spec.bed.facts(spec.process, spec.acme.tenant, invoiceId);
  }));
  for (const facts of ends) expect(facts).toEqual(['PaymentRequested', 'PaymentAttemptStarted', 'PaymentSucceeded']);
  expect(await spec.process.service.database.transaction({ role: 'api', tenant: spec.acme.tenant }, (tx) => new SandboxBook(tx, spec.acme.tenant, systemClock.now()).lines(1))).toHaveLength(1);
}, TIMEOUT_MS);

test('what comes together is handled together, each as it would be alone', async () => {
  const bodies = Array.from({ length: 30 }, (_, nth) => (nth % 3 === 0 ? eventOf(`evt_together_${nth}`, 'moon.risen', { id: `mn_${nth}` }) : eventOf(`evt_together_${nth}`, 'charge.refunded', { id: `ch_${nth}`, payment_intent: `pi_none_${nth}` })));
  expect(new Set((await Promise.all(bodies.map((body) => send(body)))).map(({ status }) => status))).toEqual(new Set([200]));
  for (let nth = 0; nth < bodies.length; nth++) {
    const { status, reason } = await kept(`evt_together_${nth}`, 'unknown_type', 'failed');
    expect({ status, reason }).toEqual(nth % 3 === 0 ? { status: 'unknown_type', reason: 'nothing here knows what moon.risen means' } : { status: 'failed', reason: 'there is no such payment here' });
  }
}, TIMEOUT_MS);
