import { rebuildAndCompare } from '@valueverse/event-log';
import { eventually } from '@valueverse/testing';
import { doubtfulPayments } from './collection/doubtful-payments';
import { lockAccounts } from './collection/waiting-invoices';
import { paymentsShape } from './index';
import { type Answered, type PaymentsSpec, paymentsSpec } from './payments-bed.spec-kit';
import { Sandbox } from './providers/sandbox/sandbox';

// What goes wrong between a payment provider and us, on a real socket, over days of a test clock.
const AT = '2026-03-01T00:00:00Z';
const day = (days: number, hours = 0): string => new Date(Date.parse(AT) + days * 86_400_000 + hours * 3_600_000).toISOString().replace('.000', '');
const TIMEOUT_MS = 60_000;
const spec = paymentsSpec({ each: true });
const ask: PaymentsSpec['ask'] = (...asked) => spec.ask(...asked);
const payment: PaymentsSpec['payment'] = (...asked) => spec.payment(...asked);
const customer = (token: string) => spec.customer(AT, token);
const invoice = ({ accountId, clockId }: { accountId: string; clockId: string }, total = '49.00') => spec.bed.finalize(spec.acme.tenant, accountId, { total, at: AT, clockId });
const taken = async () => (await spec.taken()).length;

test('F95, B31, B41, B42: a lost answer is looked up under the one key of its attempt; the money was taken once', async () => {
  const who = await customer('tok_ok');
  for (const fault of ['lose_reply', 'fail_after', 'hang_after'] as const) {
    await spec.bed.fault(spec.process, spec.acme.tenant, { fault, operation: 'charge', times: 2, milliseconds: 6_000 });
    const { attempts } = await payment(await invoice(who), 'succeeded');
    expect(attempts).toHaveLength(1);
    await spec.bed.disarm(spec.process, spec.acme.tenant);
  }
  expect(await taken()).toBe(3);
}, TIMEOUT_MS);

test('F96 with a card whose answers are lost: what failed is told when it is asked for again, and the next attempt takes the money once', async () => {
  const who = await customer('tok_lost_reply');
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'fail_before', operation: 'charge', times: 1 });
  const invoiceId = await invoice(who);
  await eventually('the next attempt to be scheduled', async (saw) => {
    const row = await payment(invoiceId, 'processing', 'unknown', 'pending');
    saw(row);
    return row.nextAttemptAt === null ? undefined : row;
  });
  await spec.bed.step(spec.acme.tenant, who.clockId, day(0, 1));
  expect((await payment(invoiceId, 'succeeded')).attempts).toHaveLength(2);
  expect(await taken()).toBe(1);
}, TIMEOUT_MS);

test('F96, B33: a failure that the provider keeps under the key ends the attempt; the next one has a key of its own', async () => {
  const who = await customer('tok_ok');
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'fail_before', operation: 'charge', times: 1 });
  const invoiceId = await invoice(who);
  const waiting = await eventually('the next attempt to be scheduled', async (saw) => {
    const row = await payment(invoiceId, 'processing', 'unknown', 'pending');
    saw(row);
    return row.nextAttemptAt === null ? undefined : row;
  });
  expect(waiting.attempts).toMatchObject([{ status: 'declined', declineCode: 'provider_error', declineClass: 'technical' }]);
  await spec.bed.step(spec.acme.tenant, who.clockId, day(0, 1));
  const { id, attempts } = await payment(invoiceId, 'succeeded');
  expect(attempts.map(({ providerKey }) => providerKey)).toEqual([`pay:${id}:att:1`, `pay:${id}:att:2`]);
  expect(await taken()).toBe(1);
}, TIMEOUT_MS);

test('F97: a provider that is away, or has too much to do, burns no attempt', async () => {
  const who = await customer('tok_ok');
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'rate_limit', operation: 'any', times: 8 });
  const { attempts } = await payment(await invoice(who), 'succeeded');
  expect(attempts).toHaveLength(1);
}, TIMEOUT_MS);

test('F94, F105: money that takes days arrives, or does not, without any webhook; nothing is tried meanwhile', async () => {
  const arrives = await customer('tok_pending_3_days');
  const comes = await invoice(arrives);
  await payment(comes, 'processing');
  const bounces = await customer('tok_pending_3_days');
  const fails = await invoice(bounces);
  const { id } = await payment(fails, 'processing');
  await eventually('both to be at the provider', async () => (await spec.bed.book(spec.process, spec.acme.tenant)).filter(({ status }) => status === 'processing').length === 2 || undefined);
  await eventually('the reference', async () => ((await payment(fails, 'processing')).attempts[0]!.providerReference === undefined ? undefined : true));
  expect((await ask('POST', `/sandbox/actions/${id}/fail`)).status).toBe(204);
  expect((await payment(fails, 'failed', 'pending')).attempts).toHaveLength(1);
  for (const at of [day(0, 1), day(0, 3), day(1), day(2), day(3), day(4)]) await spec.bed.step(spec.acme.tenant, arrives.clockId, at);
  expect((await payment(comes, 'succeeded')).attempts).toHaveLength(1);
}, TIMEOUT_MS);

test('F108, B32: a new card does not wait for the day of the old one, and has a key of its own; what was scheduled does nothing then', async () => {
  const who = await customer('tok_declined_insufficient_funds');
  const invoiceId = await invoice(who);
  await eventually('the decline', async () => ((await payment(invoiceId, 'pending', 'processing')).nextAttemptAt === null ? undefined : true));
  await spec.bed.attach(spec.process, spec.acme.tenant, who.accountId, 'tok_ok');
  const paid = await payment(invoiceId, 'succeeded');
  expect(paid.attempts.map(({ status }) => status)).toEqual(['declined', 'succeeded']);
  for (const at of [day(1), day(3)]) await spec.bed.step(spec.acme.tenant, who.clockId, at);
  expect((await payment(invoiceId, 'succeeded')).attempts).toHaveLength(2);
  expect(await taken()).toBe(1);
}, TIMEOUT_MS);

test('F107, M26: an account that is charged ten times at once has one customer at the provider', async () => {
  const who = await customer('tok_ok');
  const invoices = await Promise.all(Array.from({ length: 10 }, () => invoice(who, '1.00')));
  for (const invoiceId of invoices) await payment(invoiceId, 'succeeded');
  expect(new Set((await spec.bed.book(spec.process, spec.acme.tenant)).map(({ customer: at }) => at)).size).toBe(1);
}, TIMEOUT_MS);

test('F99, B34, B35, B36: twenty refunds at once never exceed what came in, and a lost answer gives nothing back twice', async () => {
  const who = await customer('tok_ok');
  const { id } = await payment(await invoice(who, '100.00'), 'succeeded');
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'fail_after', operation: 'refund', times: 2 });
  const answers = await Promise.all(Array.from({ length: 20 }, (_, nth) => ask('POST', `/${id}/refunds`, { amount: '15.00', reason: `number ${nth}` })));
  const made = answers.filter(({ status }) => status === 201);
  expect(made).toHaveLength(6);
  for (const { status, body } of answers.filter((one) => one.status !== 201)) expect([status, body['code']]).toEqual([409, 'refund_exceeds_payment']);
  await eventually('all of them to be given back', async (saw) => {
    const { body } = await ask('GET', `/${id}`);
    saw(body);
    return body['amountRefunded'] === '90.00' || undefined;
  });
  const said = await spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query<{ body: string }>(`SELECT body FROM sandbox_objects WHERE tenant = $1 AND kind = 'refund'`, [spec.acme.tenant]));
  expect(said.rows.map(({ body }) => (JSON.parse(body) as { amount: number }).amount)).toEqual(Array.from({ length: 6 }, () => 1_500));
  const again = await ask('POST', `/${id}/refunds`, { reason: 'the rest' }, { once: 'the-rest' });
  expect(again).toMatchObject({ status: 201, body: { amount: '10.00' } });
  expect(await ask('POST', `/${id}/refunds`, { reason: 'the rest' }, { once: 'the-rest' })).toMatchObject({ status: 201, body: { id: again.body['id'] } });
  expect((await ask('POST', `/${id}/refunds`, { reason: 'more' })).body).toMatchObject({ code: 'nothing_to_refund' });
}, TIMEOUT_MS);

test('a refund that fails days later can be given back again', async () => {
  const who = await customer('tok_ok');
  const { id } = await payment(await invoice(who), 'succeeded');
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'refund_fails_later', operation: 'refund', times: 1, days: 2 });
  await ask('POST', `/${id}/refunds`, { reason: 'late' });
  for (const at of [day(0, 1), day(0, 3), day(1), day(2, 12), day(3, 13)]) await spec.bed.step(spec.acme.tenant, who.clockId, at);
  await eventually('it to fail', async (saw) => {
    const { body } = await ask('GET', `/${id}`);
    saw(body);
    return (body['refunds'] as { status: string }[])[0]!.status === 'failed' || undefined;
  });
  expect(await ask('POST', `/${id}/refunds`, { reason: 'again' })).toMatchObject({ status: 201, body: { amount: '49.00' } });
}, TIMEOUT_MS);

test('a refund that the provider had, and does not show any more, is sent by nobody a second time', async () => {
  const who = await customer('tok_ok');
  const { id } = await payment(await invoice(who), 'succeeded');
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'refund_fails_later', operation: 'refund', times: 1, days: 9 });
  await ask('POST', `/${id}/refunds`, { amount: '9.00', reason: 'late' });
  const { database } = spec.process.service;
  const worker = (sql: string) => database.transaction({ role: 'worker' }, (tx) => tx.query<{ attempt: number; says: string | null }>(sql, [spec.acme.tenant]));
  await eventually('it to be on its way', async () => ((await worker(`SELECT FROM jobs WHERE tenant = $1 AND kind = 'payments.run-refund' AND payload::json->>'look' = '1'`)).rowCount === 1 || undefined));
  // Days later its key is forgotten, and for a moment it is on no list.
  await worker(`UPDATE sandbox_objects SET parent = 'elsewhere' WHERE tenant = $1 AND kind = 'refund'`);
  await worker('DELETE FROM sandbox_requests WHERE tenant = $1');
  await spec.bed.say(spec.acme.tenant, `clock-${who.clockId}`, { type: 'ClockStepped', clockId: who.clockId, now: day(2) } as never, day(2), who.clockId);
  await eventually('the look at it to say so', async (saw) => {
    const { rows } = await worker(`SELECT attempt, waits_for AS says FROM jobs WHERE tenant = $1 AND kind = 'payments.run-refund'`);
    saw(rows);
    return rows.some(({ says }) => /does not show the refund/.test(says ?? '')) || undefined;
  });
  expect((await worker(`SELECT FROM sandbox_objects WHERE tenant = $1 AND kind = 'refund'`)).rowCount).toBe(1);
  await worker(`UPDATE sandbox_objects SET parent = body::json->>'payment_intent', body = replace(body, '"status":"pending"', '"status":"succeeded"') WHERE tenant = $1 AND kind = 'refund'`);
  await eventually('it to be found', async () => ((await ask('GET', `/${id}`)).body['amountRefunded'] === '9.00' || undefined));
}, TIMEOUT_MS);

test('F106: a payment of which nobody has known for a day what became of it is shown to the doctor, with what to do', async () => {
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  await spec.bed.attach(spec.process, spec.acme.tenant, accountId, 'tok_ok');
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'lose_request', operation: 'charge' });
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'fail_before', operation: 'read' });
  const invoiceId = await spec.bed.finalize(spec.acme.tenant, accountId, { total: '49.00', at: AT });
  const { id } = await payment(invoiceId, 'unknown');
  expect(await doubtfulPayments(spec.process.service)).toMatchObject({ ok: true });
  expect(await doubtfulPayments(spec.process.service, 0)).toMatchObject({ ok: false, detail: expect.stringContaining(id) as string, next: expect.stringMatching(/pay:<payment>:att/) as string });
  await spec.bed.disarm(spec.process, spec.acme.tenant);
  await payment(invoiceId, 'succeeded');
}, TIMEOUT_MS);

test('F98, B30: an invoice that was paid in another way is tried no more, and what was taken all the same goes back', async () => {
  const who = await customer('tok_declined_insufficient_funds');
  const tried = await invoice(who);
  await eventually('the decline', async () => ((await payment(tried, 'pending', 'processing')).nextAttemptAt === null ? undefined : true));
  await spec.bed.say(spec.acme.tenant, `invoice-${tried}`, { type: 'InvoicePaid', invoiceId: tried, paidAt: AT } as never, AT, who.clockId);
  await payment(tried, 'cancelled');
  const late = await customer('tok_ok');
  const twice = await invoice(late);
  const { id } = await payment(twice, 'succeeded');
  await spec.bed.say(spec.acme.tenant, `invoice-${twice}`, { type: 'InvoicePaymentUnmatched', invoiceId: twice, paymentId: id, amount: '49.00', currency: 'USD', reason: 'nothing_due', unmatchedAt: AT } as never, AT, late.clockId);
  await eventually('it to be given back', async () => ((await ask('GET', `/${id}`)).body['amountRefunded'] === '49.00' || undefined));
}, TIMEOUT_MS);

test('by hand: another currency, an unknown invoice, one that is being collected; cash over two invoices, a part, and the same again', async () => {
  const who = await customer('tok_requires_action');
  const [open, first, second] = [await invoice(who), await spec.bed.finalize(spec.acme.tenant, who.accountId, { total: '20.00', at: AT, clockId: who.clockId }), await spec.bed.finalize(spec.acme.tenant, who.accountId, { total: '30.00', at: AT, clockId: who.clockId })];
  for (const one of [open, first, second]) await payment(one, 'requires_action');
  expect(await ask('POST', '', { invoiceId: open, currency: 'EUR' })).toMatchObject({ status: 409, body: { code: 'currency_mismatch', errors: [{ pointer: '/currency' }] } });
  expect(await ask('POST', '', { invoiceId: 'inv_none' })).toMatchObject({ status: 404, body: { code: 'invoice_not_found' } });
  expect(await ask('POST', '', { invoiceId: open })).toMatchObject({ status: 409, body: { code: 'payment_open' } });
  expect(await ask('POST', '', {})).toMatchObject({ status: 400, body: { code: 'allocations_or_invoice' } });
  expect(await ask('POST', '', { invoiceId: open, amount: '0.00' })).toMatchObject({ status: 400, body: { code: 'amount_not_positive' } });
  const manual = { reference: 'statement 7, line 3', receivedAt: '2026-03-02T00:00:00Z' };
  const cash = { allocations: [{ invoiceId: first, amount: '20.00' }, { invoiceId: second, amount: '5.00' }], manual };
  const came = await ask('POST', '', cash, { once: 'cash' });
  expect(came).toMatchObject({ status: 201, body: { payments: [{ status: 'succeeded', amount: '20.00' }, { status: 'succeeded', amount: '5.00' }] } });
  expect((await ask('POST', '', cash, { once: 'cash' })).body).toEqual(came.body);
  // Somebody else who sees the same line of the statement books nothing a second time.
  expect((await ask('POST', '', cash)).body['payments'].map(({ id }: Answered) => id as string)).toEqual(came.body['payments'].map(({ id }: Answered) => id as string));
}, TIMEOUT_MS);

test('money that no invoice took is the account\'s: by hand, and where the tenant keeps it; it cannot be given back any more', async () => {
  const who = await customer('tok_ok');
  const over = (invoiceId: string, paymentId: string) => spec.bed.say(spec.acme.tenant, `invoice-${invoiceId}`, { type: 'InvoicePaymentUnmatched', invoiceId, paymentId, amount: '9.00', currency: 'USD', reason: 'over_paid', unmatchedAt: AT } as never, AT, who.clockId);
  const credits = (count: number) => eventually(`${count} credits`, async (saw) => {
    const { body } = await ask('GET', `/credits?accountId=${who.accountId}`);
    saw(body);
    return body['data'].length === count ? body['data'] : undefined;
  });
  const byCard = await invoice(who);
  const { id: card } = await payment(byCard, 'succeeded');
  await ask('PUT', '/settings', { surplus: 'keep' });
  await over(byCard, card);
  expect(await credits(1)).toMatchObject([{ accountId: who.accountId, amount: '9.00', currency: 'USD', paymentId: card, reference: null }]);
  expect(await ask('POST', `/${card}/refunds`, { reason: 'all of it' })).toMatchObject({ status: 201, body: { amount: '40.00' } });
  await ask('PUT', '/settings', { surplus: 'refund' });
  const byHand = await invoice(who);
  await payment(byHand, 'succeeded');
  const cash = (await ask('POST', '', { invoiceId: byHand, amount: '49.00', manual: { reference: 'line 9', receivedAt: AT } })).body['payments'][0].id as string;
  await over(byHand, cash);
  await credits(2);
  const prepaid = { accountId: who.accountId, amount: '250.00', currency: 'USD', reference: 'line 10', receivedAt: AT };
  const came = await ask('POST', '/credits', prepaid);
  expect(came).toMatchObject({ status: 201, body: { amount: '250.00', paymentId: null, reference: 'line 10', receivedAt: AT } });
  // Somebody else who sees the same line books nothing a second time.
  for (const amount of ['250.00', '250', '250.0']) expect((await ask('POST', '/credits', { ...prepaid, amount })).body).toEqual(came.body);
  expect(await credits(3)).toHaveLength(3);
  expect(await ask('POST', '/credits', { ...prepaid, currency: 'EUR' })).toMatchObject({ status: 409, body: { code: 'currency_mismatch', errors: [{ pointer: '/currency' }] } });
  expect(await ask('POST', '/credits', { ...prepaid, amount: '0.00' })).toMatchObject({ status: 400, body: { code: 'amount_not_positive' } });
  expect(await ask('POST', '/credits', { ...prepaid, accountId: 'acc_none' })).toMatchObject({ status: 404, body: { code: 'account_not_found' } });
}, TIMEOUT_MS);

test('a card that asks for its customer leads to the page of the bank, also where the answer is lost, and back to the invoice; the customer confirms one charge', async () => {
  const who = await customer('tok_authentication_required');
  expect(await ask('PUT', '/settings', { publicUrl: 'https://pay.example.com/' })).toMatchObject({ status: 200, body: { publicUrl: 'https://pay.example.com', surplus: 'refund' } });
  for (const publicUrl of ['pay.example.com', 'ftp://pay.example.com', 'https://pay.example.com/x?y', 'https://a@b', 7]) expect(await ask('PUT', '/settings', { publicUrl })).toMatchObject({ status: 400, body: { errors: [{ pointer: '/publicUrl' }] } });
  const first = await invoice(who);
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'lose_reply', operation: 'charge', times: 3 });
  const second = await invoice(who, '7.00');
  for (const invoiceId of [first, second]) {
    const { id, attempts } = await payment(invoiceId, 'requires_action');
    expect(attempts).toMatchObject([{ status: 'requires_action', url: expect.stringMatching(/\/pay\/pi_/) as string }]);
    const done = await (await fetch(`${attempts[0]!.url!}/complete`, { method: 'POST' })).text();
    expect(done).toMatch(/<a href="https:\/\/pay.example.com\/api\/v1\/payments\/pay\/[\w.-]+">Back to your invoice/);
    expect((await ask('POST', `/sandbox/actions/${id}/complete`)).status).toBe(204);
    expect((await payment(invoiceId, 'succeeded')).attempts).toHaveLength(1);
  }
  expect(await taken()).toBe(2);
  const refuses = await invoice(who, '8.00');
  const { id } = await payment(refuses, 'requires_action');
  expect((await ask('POST', `/sandbox/actions/${id}/fail`)).status).toBe(204);
  expect((await payment(refuses, 'failed')).attempts).toMatchObject([{ status: 'declined', declineCode: 'payment_intent_authentication_failure', declineClass: 'hard' }]);
}, TIMEOUT_MS);

test('F62, B58: who pays invoices of two accounts by hand takes the accounts in one order, whatever order the invoices are named in', async () => {
  const [one, other] = [await customer('tok_requires_action'), await customer('tok_requires_action')];
  const invoices = [await invoice(one), await invoice(other)];
  for (const invoiceId of invoices) await payment(invoiceId, 'requires_action');
  const pays = (order: readonly string[], reference: string) => ask('POST', '', { allocations: order.map((invoiceId) => ({ invoiceId, amount: '1.00' })), manual: { reference, receivedAt: AT } });
  const { database } = spec.process.service;
  const accounts = [one.accountId, other.accountId];
  const { rows } = await database.transaction({ role: 'worker' }, (tx) => tx.query<{ id: string }>('SELECT id FROM unnest($1::text[], $2::text[]) AS a(id, name) ORDER BY hashtextextended(name, 0)', [accounts, accounts.map((id) => JSON.stringify(['collect', spec.acme.tenant, id]))]));
  const [first, second] = rows.map(({ id }) => id) as [string, string];
  for (const order of [invoices, [...invoices].reverse()]) {
    // Somebody holds the account that is taken first: whoever waits for it holds nothing yet, so the other one is free.
    const [held, release] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    const holder = database.transaction({ role: 'api', tenant: spec.acme.tenant }, async (tx) => {
      await lockAccounts(tx, spec.acme.tenant, [first]);
      held.resolve(undefined);
      await release.promise;
    });
    await held.promise;
    const paying = pays(order, `by ${order[0]!}`);
    await eventually('the payment to wait for the account', async () => ((await database.transaction({ role: 'worker' }, (tx) => tx.query(`SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`))).rowCount === 0 ? undefined : true));
    await database.transaction({ role: 'api', tenant: spec.acme.tenant }, (tx) => lockAccounts(tx, spec.acme.tenant, [second]));
    release.resolve(undefined);
    await holder;
    expect(await paying).toMatchObject({ status: 201 });
  }
  const both = await Promise.all(Array.from({ length: 10 }, (_, nth) => pays(nth % 2 === 0 ? invoices : [...invoices].reverse(), `line ${nth}`)));
  expect(both.map(({ status }) => status)).toEqual(both.map(() => 201));
}, TIMEOUT_MS);

test('the book of the provider and ours agree; what was made by hand there is named, and every row can be made again', async () => {
  const who = await customer('tok_ok');
  const { id } = await payment(await invoice(who, '80.00'), 'succeeded');
  await ask('POST', `/${id}/refunds`, { amount: '30.00', reason: 'late' });
  await eventually('the refund', async () => ((await ask('GET', `/${id}`)).body['amountRefunded'] === '30.00' || undefined));
  const report = () => ask('GET', '/reconciliation?provider=sandbox&from=2026-02-01T00:00:00Z&to=2026-04-01T00:00:00Z');
  // 2.9 % of 80.00 and 0.30
  expect((await report()).body).toMatchObject({ agree: true, lines: 2, differences: [], sums: [{ currency: 'USD', charged: '80.00', refunded: '-30.00', fees: '2.62', balance: '47.38' }] });
  // A payout of which no webhook told is missing here until it is looked at.
  await spec.host.app.get(Sandbox).control(spec.acme.tenant, 'payouts', {}, AT);
  const missed = (await report()).body as { differences?: { reference: string }[] };
  expect(missed).toMatchObject({ agree: false, differences: [{ type: 'missing_here', kind: 'payout', paymentId: null, here: null, there: '-47.38', next: expect.stringMatching(/payouts\/looks/) as string }] });
  expect(await ask('POST', '/payouts/looks', { provider: 'sandbox', reference: missed.differences![0]!.reference })).toMatchObject({ status: 202 });
  await eventually('the payout', async () => ((await report()).body['agree'] === true ? true : undefined));
  await spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query(`UPDATE sandbox_objects SET body = replace(body, '"amount":-3000', '"amount":-3100') WHERE tenant = $1 AND kind = 'balance_transaction'`, [spec.acme.tenant]));
  expect((await report()).body).toMatchObject({ agree: false, differences: [{ type: 'amount_differs', kind: 'refund', paymentId: id, here: '-30.00', there: '-31.00', next: expect.any(String) as string }] });
  for (const model of paymentsShape.readModels) {
    const { live, rebuilt } = await rebuildAndCompare(spec.process.service.log.store, 'payments', model);
    expect(rebuilt).toBe(live);
  }
}, TIMEOUT_MS);
