import { eventually } from '@valueverse/testing';
import { paymentDecider } from '../collection/payments';
import { disputeIdOf } from '../disputes/dispute-jobs';
import { type Answered, paymentsSpec } from '../payments-bed.spec-kit';
import { payoutDecider } from '../payouts/payouts';
import { Sandbox } from '../providers/sandbox/sandbox';

// Books that agree agree in every month, whatever was opened in one and closed in another; what one side has alone is told, whichever that is.
const TIMEOUT_MS = 60_000;
const AT = '2026-03-01T00:00:00Z';
const spec = paymentsSpec({ each: true });
const control = (path: string, body: object = {}, now?: string): Promise<Answered> => spec.host.app.get(Sandbox).control(spec.acme.tenant, path, body, now) as Promise<Answered>;
const worker = async (sql: string, ...more: unknown[]): Promise<Answered[]> => (await spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query<Answered>(sql, [spec.acme.tenant, ...more]))).rows;
const report = async (from: string, to: string): Promise<Answered> => {
  const { status, body } = await spec.ask('GET', `/reconciliation?provider=sandbox&from=${from}T00:00:00Z&to=${to}T00:00:00Z`);
  expect(status).toBe(200);
  return body;
};
const MONTHS = ['2026-03-01', '2026-04-01', '2026-05-01', '2026-06-01'];
const monthly = async (): Promise<Answered[]> => Promise.all(MONTHS.slice(1).map((to, nth) => report(MONTHS[nth]!, to)));
const pay = async ({ accountId, clockId }: { accountId: string; clockId: string }, total = '49.00') => {
  const row = await spec.payment(await spec.bed.finalize(spec.acme.tenant, accountId, { total, at: AT, clockId }), 'succeeded');
  return { id: row.id, intent: row.attempts.at(-1)!.providerReference! };
};
const standing = (path: string, is: (body: Answered) => unknown): Promise<unknown> => eventually(path, async (saw) => { const { body } = await spec.ask('GET', path); saw(body); return is(body) === true ? body : undefined; });
const disputed = (id: string, status: string): Promise<Answered> => eventually(`the dispute to be ${status}`, async () => ((await spec.ask('GET', `/disputes?status=${status}`)).body['data'] as Answered[]).find(({ paymentId }) => paymentId === id));
const tell = (command: Answered) => spec.process.service.log.executeOne(paymentDecider, { at: AT, ...command } as never, { tenant: spec.acme.tenant, at: AT, actor: 'spec' });

test('a dispute that is won, one that is lost, and a refund that fails, each in the month after: no month has a difference, and each has its own sums', async () => {
  await spec.hearWebhooks();
  const who = await spec.customer(AT, 'tok_ok');
  const [won, lost, given] = [await pay(who), await pay(who), await pay(who)];
  for (const { id } of [won, lost]) { await spec.ask('POST', `/sandbox/actions/${id}/dispute`); await disputed(id, 'open'); }
  await spec.ask('POST', `/${given.id}/refunds`, { amount: '9.00', reason: 'late' });
  await standing(`/${given.id}`, ({ amountRefunded }) => amountRefunded === '9.00');
  await spec.bed.step(spec.acme.tenant, who.clockId, '2026-04-10T00:00:00Z');
  const [firstDispute, secondDispute] = [await disputed(won.id, 'open'), await disputed(lost.id, 'open')];
  await control(`disputes/${String(firstDispute['providerReference'])}/won`, {}, '2026-04-10T00:00:00Z');
  await control(`disputes/${String(secondDispute['providerReference'])}/lost`, {}, '2026-04-10T00:00:00Z');
  const refund = ((await spec.ask('GET', `/${given.id}`)).body['refunds'] as Answered[])[0]!;
  await control(`refunds/${String(refund['providerReference'])}/return`, {}, '2026-04-10T00:00:00Z');
  await disputed(won.id, 'won');
  await disputed(lost.id, 'lost');
  await standing(`/${given.id}`, ({ amountRefunded }) => amountRefunded === '0.00');
  expect(await monthly()).toMatchObject([
    { agree: true, differences: [], sums: [{ charged: '147.00', refunded: '-9.00', disputed: '-98.00' }] }, { agree: true, differences: [], sums: [{ charged: '0.00', refunded: '9.00', disputed: '49.00' }] }, { agree: true, lines: 0 },
  ]);
}, TIMEOUT_MS);

test('a payout that fails in the next month is none; one that only we have is told', async () => {
  const who = await spec.customer(AT, 'tok_ok');
  await pay(who);
  await control('payouts', { amount: 1_000 }, AT);
  const [{ reference }] = (await report('2026-03-01', '2026-04-01'))['differences'] as [Answered];
  await spec.ask('POST', '/payouts/looks', { provider: 'sandbox', reference: reference as string });
  await eventually('the payout', async () => ((await report('2026-03-01', '2026-04-01'))['agree'] === true || undefined));
  // It comes back: as the provider says it, with a line in April.
  await worker(`INSERT INTO sandbox_objects (tenant, id, kind, parent, at, body) SELECT tenant, 'txn_back', 'balance_transaction', $2, '2026-04-05T00:00:00Z', json_build_object('id', 'txn_back', 'object', 'balance_transaction', 'created', 1775347200, 'livemode', false, 'amount', 1000,
    'fee', 0, 'net', 1000, 'currency', 'usd', 'type', 'payout_failure', 'reporting_category', 'payout_reversal', 'source', $2::text)::text FROM sandbox_objects WHERE tenant = $1 AND id = $2`, reference);
  await worker(`UPDATE sandbox_objects SET body = (body::jsonb || '{"status":"failed","failure_balance_transaction":"txn_back"}')::text WHERE tenant = $1 AND id = $2`, reference);
  await spec.ask('POST', '/payouts/looks', { provider: 'sandbox', reference: reference as string });
  await standing('/payouts?status=failed', ({ data }) => (data as unknown[]).length === 1);
  expect((await monthly()).map(({ agree }) => agree as boolean)).toEqual([true, true, true]);
  const told = { payoutId: 'po_01h455vb4pex5vsknk084sn02q', provider: 'sandbox', reference: 'po_nowhere', amount: '5.00', currency: 'USD', status: 'paid', arrivesAt: AT, createdAt: AT, charged: '5.00', refunded: '0.00', disputed: '0.00', fees: '0.00', other: '0.00', lines: 1 } as const;
  await spec.process.service.log.executeOne(payoutDecider, { type: 'RecordPayout', ...told, at: AT }, { tenant: spec.acme.tenant, at: AT, actor: 'spec' });
  expect(await monthly()).toMatchObject([{ agree: false, differences: [{ type: 'missing_there', kind: 'payout', reference: 'po_nowhere', here: '-5.00', there: null, owner: 'provider' }] }, { agree: true }, { agree: true }]);
}, TIMEOUT_MS);

test('refunds and disputes that only we have are told, and those that only the provider has; what is on its way here is no difference', async () => {
  const who = await spec.customer(AT, 'tok_ok');
  const [first, second, third] = [await pay(who), await pay(who), await pay(who)];
  await tell({ type: 'RecordProviderRefund', paymentId: first.id, refundId: 'ref_01h455vb4pex5vsknk084sn02q', providerReference: 're_nowhere', chargeReference: first.intent, amount: '5.00', currency: 'USD', status: 'succeeded', reason: 'x' });
  await tell({ type: 'OpenDispute', paymentId: second.id, disputeId: disputeIdOf(spec.acme.tenant, 'sandbox', 'dp_nowhere'), amount: '49.00', currency: 'USD', reason: 'x', providerReference: 'dp_nowhere', chargeReference: second.intent });
  // One of another provider is not this one's to know.
  await tell({ type: 'OpenDispute', paymentId: second.id, disputeId: disputeIdOf(spec.acme.tenant, 'stripe', 'dp_1'), amount: '1.00', currency: 'USD', reason: 'x', providerReference: 'dp_1', chargeReference: second.intent });
  await control(`intents/${third.intent}/refund`, { amount: '700' }, AT);
  await control(`intents/${third.intent}/dispute`, {}, AT);
  const { differences } = await report('2026-03-01', '2026-04-01');
  expect(differences).toHaveLength(4);
  expect(differences).toEqual(expect.arrayContaining([
    expect.objectContaining({ type: 'missing_there', kind: 'refund', reference: 're_nowhere', paymentId: first.id, here: '-5.00', there: null, owner: 'provider' }),
    expect.objectContaining({ type: 'missing_there', kind: 'dispute', reference: 'dp_nowhere', paymentId: second.id, here: '-49.00', there: null, owner: 'provider' }),
    expect.objectContaining({ type: 'missing_here', kind: 'refund', paymentId: third.id, here: null, there: '-7.00', owner: 'valueverse' }),
    expect.objectContaining({ type: 'missing_here', kind: 'dispute', paymentId: third.id, here: null, there: '-42.00', owner: 'valueverse' }),
  ]));
  await worker(`UPDATE sandbox_objects SET body = replace(body, '"fee":172,"net":4728', '"fee":200,"net":4700') WHERE tenant = $1 AND body LIKE '%"type":"charge"%' AND parent = (SELECT id FROM sandbox_objects WHERE tenant = $1 AND kind = 'charge' AND parent = $2)`, first.intent);
  expect((await report('2026-03-01', '2026-04-01'))['differences']).toEqual(expect.arrayContaining([expect.objectContaining({ type: 'amount_differs', kind: 'fee', reference: first.intent, paymentId: first.id, here: '1.72', there: '2.00', owner: 'tenant' })]));
  const pending = await pay(who, '20.00');
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'refund_fails_later', operation: 'refund', days: 60 });
  await spec.ask('POST', `/${pending.id}/refunds`, { reason: 'late' });
  await eventually('it to be on its way', async () => ((await worker(`SELECT 1 FROM sandbox_objects WHERE tenant = $1 AND kind = 'refund' AND body LIKE '%"pending"%'`)).length === 1 || undefined));
  expect((await report('2026-03-01', '2026-04-01'))['differences']).toHaveLength(5);
}, TIMEOUT_MS);

test('a charge of whose answer nobody here knows is ours to look up; one without an order of ours is the tenant\'s', async () => {
  const who = await spec.customer(AT, 'tok_lost_reply');
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'rate_limit', operation: 'read' });
  const { id } = await spec.payment(await spec.bed.finalize(spec.acme.tenant, who.accountId, { total: '49.00', at: AT, clockId: who.clockId }), 'unknown');
  await eventually('nobody to look it up', async () => ((await worker(`DELETE FROM jobs WHERE tenant = $1 AND kind = 'payments.look-up-attempt' RETURNING id`)).length === 1 || undefined));
  await spec.bed.disarm(spec.process, spec.acme.tenant);
  await spec.payment((await spec.bed.finalize(spec.acme.tenant, (await spec.customer(AT, 'tok_ok')).accountId, { total: '7.00', at: AT })), 'succeeded');
  const byHand = (await spec.taken())[0]!.id;
  await worker(`UPDATE sandbox_objects SET body = replace(body, '"attempt":"pay:', '"attempt":"by hand:') WHERE tenant = $1 AND (id = $2 OR parent = $2)`, byHand);
  await worker(`DELETE FROM payments_v5 WHERE tenant = $1 AND row->>'amount' = '7.00'`);
  const { differences } = await report('2026-01-01', '2099-01-01');
  expect((differences as Answered[]).sort((a, b) => Number(b['there']) - Number(a['there']))).toMatchObject([
    { type: 'missing_here', kind: 'charge', paymentId: id, there: '49.00', owner: 'valueverse' }, { type: 'missing_here', kind: 'charge', paymentId: null, there: '7.00', owner: 'tenant' },
  ]);
}, TIMEOUT_MS);
