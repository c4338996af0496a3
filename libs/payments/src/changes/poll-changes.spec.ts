import { rebuildAndCompare } from '@valueverse/event-log';
import { eventually } from '@valueverse/testing';
import { paymentsShape } from '../index';
import { type Answered, paymentsSpec } from '../payments-bed.spec-kit';
import { Sandbox } from '../providers/sandbox/sandbox';
import { POLLED_CHANGES } from './poll-changes';
import { silentProviders } from './poll-age';

// What only webhooks tell, with every webhook dropped: it is found by the poll, once, also when the webhook comes after all.
const TIMEOUT_MS = 60_000;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const spec = paymentsSpec({ each: true });
const database = () => spec.process.service.database;
const control = (path: string, body: object = {}, now?: string): Promise<Answered> => spec.host.app.get(Sandbox).control(spec.acme.tenant, path, body, now) as Promise<Answered>;
const worker = async (sql: string, ...more: unknown[]): Promise<Answered[]> => (await database().transaction({ role: 'worker' }, (tx) => tx.query<Answered>(sql, [spec.acme.tenant, ...more]))).rows;
const polls = () => worker(`SELECT id, due_at::text, waits_for, payload::json AS payload FROM jobs WHERE tenant = $1 AND kind = 'payments.poll-changes' ORDER BY id`);
const isQuiet = () => eventually('the polls to be over', async (saw) => {
  const found = await polls();
  saw(found);
  const open = await worker(`SELECT kind, waits_for FROM jobs WHERE tenant = $1 AND kind LIKE 'payments.look-at-%' AND due_at <= clock_timestamp()`);
  saw([...found, ...open]);
  return found.length === 4 && open.length === 0 && found.every(({ due_at: due }) => Date.parse(due as string) > Date.now() + HOUR_MS / 2) ? found : undefined;
}, { timeoutMs: 20_000 });
/** As when it is so much later: every poll is due, and there is nothing new since the last one but what happened meanwhile. */
const later = async (poll?: string): Promise<unknown> => {
  await worker(`UPDATE jobs SET due_at = clock_timestamp() WHERE tenant = $1 AND kind = 'payments.poll-changes' AND ($2::text IS NULL OR payload::json->>'poll' = $2)`, poll ?? null);
  return isQuiet();
};
const age = (kind: string, days: number): Promise<unknown> => worker(`UPDATE sandbox_objects SET at = at - $2 * interval '1 day' WHERE tenant = $1 AND kind = $3`, days, kind);
/** Nothing is heard by webhook, and all there was is known. */
const deaf = async (): Promise<void> => {
  await spec.hearWebhooks();
  await spec.ask('POST', '/sandbox/faults', { fault: 'webhook_dropped' });
  await isQuiet();
};
const pay = async (token = 'tok_ok', total = '49.00') => {
  const at = spec.process.clock.now();
  const accountId = await spec.bed.openAccount(spec.acme.tenant, at);
  await spec.bed.attach(spec.process, spec.acme.tenant, accountId, token);
  const invoiceId = await spec.bed.finalize(spec.acme.tenant, accountId, { total, at });
  const row = await spec.payment(invoiceId, 'succeeded');
  return { id: row.id, intent: row.attempts.at(-1)!.providerReference! };
};
const names = async (id: string): Promise<string[]> => (await spec.facts(`payment-${id}`)).map(({ type }) => type as string).slice(3);
const body = async (id: string): Promise<Answered> => (await spec.ask('GET', `/${id}`)).body;
/** All webhooks that were never sent come now, as the provider would send them. */
const webhooksAfterAll = async (...events: readonly (readonly [type: string, object: object])[]): Promise<void> => {
  await spec.bed.disarm(spec.process, spec.acme.tenant);
  for (const [type, object] of events) await control('announce', { type, object: JSON.stringify(object) });
  await eventually('them to be handled', async (saw) => {
    const { data } = (await spec.ask('GET', '/webhook-events?limit=100')).body as { data: Answered[] };
    saw(data);
    return (data.length === events.length && data.every(({ status }) => status === 'handled')) || undefined;
  });
  await isQuiet();
};

test('a dispute, its end, and an inquiry are booked once, whoever tells of them first', async () => {
  await deaf();
  const [won, lost, asked] = [await pay(), await pay(), await pay()];
  for (const { intent } of [won, lost]) await control(`intents/${intent}/dispute`);
  await control(`intents/${asked.intent}/inquire`);
  expect(await names(won.id)).toEqual([]);
  await later();
  expect(await Promise.all([won, lost, asked].map(({ id }) => names(id)))).toEqual([['DisputeOpened'], ['DisputeOpened'], ['InquiryOpened']]);
  expect(await body(won.id)).toMatchObject({ amountDisputed: '49.00' });
  // Months later the bank has decided: nothing of it is new by then.
  const { data } = (await spec.ask('GET', '/disputes?status=open')).body as { data: Answered[] };
  const nameOf = (paymentId: string) => String(data.find((one) => one['paymentId'] === paymentId)!['providerReference']);
  await age('dispute', 90);
  await control(`disputes/${nameOf(won.id)}/won`);
  await control(`disputes/${nameOf(lost.id)}/lost`);
  await later('disputes');
  expect(await names(won.id)).toEqual(['DisputeOpened']);
  await later('open_disputes');
  await webhooksAfterAll(['charge.dispute.created', { id: nameOf(won.id), payment_intent: won.intent }], ['charge.dispute.closed', { id: nameOf(won.id), payment_intent: won.intent }], ['charge.dispute.closed', { id: nameOf(lost.id), payment_intent: lost.intent }]);
  await later();
  expect(await Promise.all([won, lost, asked].map(({ id }) => names(id)))).toEqual([['DisputeOpened', 'DisputeClosed'], ['DisputeOpened', 'DisputeClosed'], ['InquiryOpened']]);
  expect([(await body(won.id))['amountDisputed'], (await body(lost.id))['amountDisputed']]).toEqual(['0.00', '49.00']);
  // A bank lets go of what it had decided about, and tells nobody.
  await spec.ask('POST', '/sandbox/faults', { fault: 'webhook_dropped' });
  await control(`disputes/${nameOf(lost.id)}/won`);
  await later('open_disputes');
  await later();
  expect([await names(lost.id), (await body(lost.id))['amountDisputed']]).toEqual([['DisputeOpened', 'DisputeClosed', 'DisputeClosed'], '0.00']);
}, TIMEOUT_MS);

test('a refund that fails weeks after it had succeeded can be given back again', async () => {
  await deaf();
  const { id, intent } = await pay();
  await spec.ask('POST', `/${id}/refunds`, { reason: 'late' });
  const refund = await eventually('the refund', async () => ((await body(id))['refunds'] as Answered[]).find(({ status }) => status === 'succeeded'));
  await later();
  await age('refund', 29);
  await control(`refunds/${String(refund['providerReference'])}/return`);
  await later('refunds');
  expect(await names(id)).toEqual(['RefundRequested', 'RefundSucceeded']);
  await later('old_refunds');
  await webhooksAfterAll(['refund.failed', { id: refund['providerReference'] as string, payment_intent: intent }]);
  await later();
  expect(await names(id)).toEqual(['RefundRequested', 'RefundSucceeded', 'RefundFailed']);
  expect(await body(id)).toMatchObject({ amountRefunded: '0.00', refunds: [{ status: 'failed', code: 'lost_or_stolen_card' }] });
  expect(await spec.ask('POST', `/${id}/refunds`, { reason: 'again' })).toMatchObject({ status: 201, body: { amount: '49.00' } });
}, TIMEOUT_MS);

test('what was given back at the provider\'s own page is booked, sent by nobody, and cannot be given back again', async () => {
  await deaf();
  const { id, intent } = await pay();
  await spec.ask('POST', `/${id}/refunds`, { amount: '10.00', reason: 'ours' });
  await eventually('ours', async () => ((await body(id))['amountRefunded'] === '10.00' || undefined));
  const { id: reference } = await control(`intents/${intent}/refund`, { amount: '1900' });
  await control(`intents/${intent}/refund`, { amount: '100' });
  await later();
  expect(await body(id)).toMatchObject({ amountRefunded: '30.00', refunds: [{ reason: 'ours' }, { origin: 'provider', status: 'succeeded', attempt: 1 }, { origin: 'provider', status: 'succeeded' }] });
  await webhooksAfterAll(['charge.refunded', { id: 'ch_1', payment_intent: intent }], ['refund.created', { id: reference as string, payment_intent: intent }]);
  await later();
  expect(await names(id)).toEqual(['RefundRequested', 'RefundSucceeded', 'RefundRequested', 'RefundSucceeded', 'RefundRequested', 'RefundSucceeded']);
  expect(await spec.ask('POST', `/${id}/refunds`, { amount: '19.01', reason: 'too much' })).toMatchObject({ status: 409, body: { code: 'refund_exceeds_payment' } });
  expect((await spec.ask('POST', `/${id}/refunds`, { reason: 'the rest' })).body).toMatchObject({ amount: '19.00' });
  await eventually('the rest', async () => ((await body(id))['amountRefunded'] === '49.00' || undefined));
  expect(await worker(`SELECT body::json->>'amount' AS amount FROM sandbox_objects WHERE tenant = $1 AND kind = 'refund' ORDER BY nth`)).toEqual(['1000', '1900', '100', '1900'].map((amount) => ({ amount })));
  for (const model of paymentsShape.readModels) {
    const { live, rebuilt } = await rebuildAndCompare(spec.process.service.log.store, 'payments', model);
    expect(rebuilt).toBe(live);
  }
}, TIMEOUT_MS);

test('one that takes its time there is booked when its money has gone, and not where it fails before; a refund of ours meanwhile is refused there', async () => {
  await deaf();
  const [{ id, intent }, other] = [await pay(), await pay()];
  await control(`intents/${intent}/refund`, { amount: '4900', days: '5' });
  const { id: fails } = await control(`intents/${other.intent}/refund`, { amount: '4900', days: '5' });
  await later();
  // The provider keeps so much for it that it gives nothing back a second time.
  await spec.ask('POST', `/${id}/refunds`, { amount: '20.00', reason: 'ours too' });
  await eventually('ours to be refused', async () => (((await body(id))['refunds'] as Answered[])[0]?.['status'] === 'failed' || undefined));
  // The look at it is repeated, with pauses, until it is over.
  const looks = () => worker(`SELECT payload::json->>'look' AS look FROM jobs WHERE tenant = $1 AND kind = 'payments.look-at-refunds'`);
  expect(await names(id)).toEqual(['RefundRequested', 'RefundFailed']);
  await control(`refunds/${String(fails)}/return`);
  await worker(`UPDATE sandbox_objects SET body = replace(body, '"status":"pending"', '"status":"succeeded"'), settles_at = NULL WHERE tenant = $1 AND kind = 'refund'`);
  expect(await looks()).toEqual([{ look: '1' }, { look: '1' }]);
  await worker(`UPDATE jobs SET due_at = clock_timestamp() WHERE tenant = $1 AND kind = 'payments.look-at-refunds'`);
  await isQuiet();
  expect(await names(id)).toEqual(['RefundRequested', 'RefundFailed', 'RefundRequested', 'RefundSucceeded']);
  expect(await body(id)).toMatchObject({ amountRefunded: '49.00' });
  expect([await names(other.id), await looks()]).toEqual([[], []]);
}, TIMEOUT_MS);

test('of an attempt whose answer was lost here and never looked up, what went back is recorded after its money', async () => {
  await deaf();
  const at = spec.process.clock.now();
  const accountId = await spec.bed.openAccount(spec.acme.tenant, at);
  await spec.bed.attach(spec.process, spec.acme.tenant, accountId, 'tok_lost_reply');
  // Nothing that looks up the order gets an answer, but who asks what is new does.
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'rate_limit', operation: 'read' });
  const invoiceId = await spec.bed.finalize(spec.acme.tenant, accountId, { total: '49.00', at });
  const { id } = await spec.payment(invoiceId, 'unknown');
  await worker(`UPDATE jobs SET not_before = clock_timestamp() + interval '1 hour' WHERE tenant = $1 AND kind = 'payments.look-up-attempt'`);
  await spec.bed.disarm(spec.process, spec.acme.tenant);
  await spec.ask('POST', '/sandbox/faults', { fault: 'webhook_dropped' });
  const intent = (await spec.taken())[0]!.id;
  await control(`intents/${intent}/refund`, { amount: '900' });
  await control(`intents/${intent}/dispute`);
  await worker(`UPDATE jobs SET not_before = clock_timestamp() + interval '1 hour' WHERE tenant = $1 AND kind = 'payments.look-up-attempt'`);
  await eventually('both', async (saw) => {
    await worker(`UPDATE jobs SET due_at = clock_timestamp() WHERE tenant = $1 AND kind = 'payments.poll-changes'`);
    const found = await body(id);
    saw(found);
    return (found['status'] === 'succeeded' && found['amountRefunded'] === '9.00' && found['amountDisputed'] === '40.00') || undefined;
  });
  expect((await spec.facts(`payment-${id}`)).map(({ type }) => type as string).filter((type) => type === 'PaymentSucceeded' || type === 'PaymentDuplicated')).toEqual(['PaymentSucceeded']);
}, TIMEOUT_MS);

test('more than a page is asked for page by page; a provider that is away is asked from the same instant on, says why in the meantime, and the metric and the doctor say for how long', async () => {
  await deaf();
  const { id, intent } = await pay('tok_ok', '200.00');
  for (let nth = 1; nth <= 103; nth++) await control(`intents/${intent}/refund`, { amount: '100' });
  const metric = async (): Promise<number> => Number(/valueverse_payments_provider_poll_age_seconds\{provider="sandbox",poll="refunds"\} ([\d.]+)/.exec(await spec.process.service.metrics.text())?.[1]);
  expect(await metric()).toBeLessThan(60);
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'rate_limit', operation: 'read' });
  await worker(`UPDATE jobs SET due_at = clock_timestamp(), payload = (payload::jsonb || jsonb_build_object('seen', to_char(clock_timestamp() AT TIME ZONE 'UTC' - interval '4 days', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))::text WHERE tenant = $1 AND kind = 'payments.poll-changes' AND payload::json->>'poll' = 'refunds'`);
  await eventually('the poll to wait', async () => (await polls()).find(({ waits_for: reason }) => /does not say what is new/.test(reason as string ?? '')));
  expect(await metric()).toBeGreaterThan(4 * DAY_MS / 1_000 - 1);
  expect(await silentProviders(spec.process.service)).toMatchObject({ ok: false, detail: expect.stringMatching(/sandbox has not said for 96 hours/) as string });
  await spec.bed.disarm(spec.process, spec.acme.tenant);
  await worker(`UPDATE jobs SET not_before = clock_timestamp() WHERE tenant = $1 AND kind = 'payments.poll-changes'`);
  await eventually('all of them', async (saw) => { const { amountRefunded } = await body(id); saw(amountRefunded); return amountRefunded === '103.00' || undefined; });
  await isQuiet();
  expect(await silentProviders(spec.process.service)).toMatchObject({ ok: true });
  expect(await metric()).toBeLessThan(60);
}, TIMEOUT_MS);

test('what is of no payment here is left alone; a provider without a key is not asked; each poll is followed by one other, however often it is set up', async () => {
  await spec.ask('PUT', '/providers/stripe', { webhookSecrets: spec.secrets });
  expect(await polls()).toEqual([]);
  await deaf();
  const before = await isQuiet();
  const { intent } = await pay();
  // As if somebody else had taken it.
  await worker(`UPDATE sandbox_objects SET body = replace(body, '"attempt":', '"of_others":') WHERE tenant = $1`);
  await worker('DELETE FROM payments_v5 WHERE tenant = $1');
  await control(`intents/${intent}/dispute`);
  await spec.ask('PUT', '/providers/sandbox', { webhookSecrets: spec.secrets });
  await later();
  expect((await polls()).length).toBe(before.length);
  expect((await spec.ask('GET', '/disputes')).body['data']).toEqual([]);
  // Those that were set up before there were polls are asked too.
  await database().transaction({ role: 'worker' }, (tx) => tx.query('DELETE FROM provider_settings WHERE tenant <> $1', [spec.acme.tenant]));
  await database().transaction({ role: 'worker' }, (tx) => tx.query(POLLED_CHANGES.sql(database().schema).trim().replace(/;$/, '')));
  expect((await polls()).map(({ id }) => id as string)).toEqual(expect.arrayContaining(['poll disputes of sandbox', 'poll old_refunds of stripe']));
}, TIMEOUT_MS);
