import { Client } from 'pg';
import { createEmptyDatabase, eventually, type TestDatabase } from '@valueverse/testing';
import { Edition, type Json } from './edition.spec-kit';

const TIMEOUT_MS = 120_000;
const MONTHLY = { unit: 'month', count: 1 };
const FEE = { key: 'platform', name: 'Platform', type: 'recurring', timing: 'in_advance', price: { model: 'flat', amount: '49.00' } };
const perUnit = (key: string, unitAmount: string): object => ({ key, name: key, type: 'usage', meterKey: key, price: { model: 'per_unit', unitAmount } });

let database: TestDatabase;
let edition: Edition;
let client: Client;
beforeAll(async () => {
  database = await createEmptyDatabase();
  edition = await Edition.start({ DATABASE_URL: database.url });
  client = new Client({ connectionString: database.url });
  await client.connect();
  for (const key of ['prompts', 'answers', 'images']) await edition.post('/api/v1/usage/meters', { key, eventType: 'model.call', aggregation: 'sum', valueProperty: `$.${key}` });
  await edition.post('/api/v1/billing/plans', { key: 'models', name: 'Models', currency: 'USD', interval: MONTHLY, charges: [FEE, perUnit('prompts', '0.01'), perUnit('answers', '0.003'), perUnit('images', '0.25')] });
  await edition.post('/api/v1/billing/plans', { key: 'usage-only', name: 'Usage only', currency: 'USD', interval: MONTHLY, charges: [perUnit('prompts', '0.01')] });
}, TIMEOUT_MS);
afterAll(async () => {
  await (client as Client | undefined)?.end();
  await (edition as Edition | undefined)?.stop();
  await (database as TestDatabase | undefined)?.drop();
}, TIMEOUT_MS);

interface Customer { readonly clock: string; readonly account: string; readonly subject: string; readonly subscription?: string }
let customers = 0;
const customer = async (now: string, { planKey, startsAt = now, timezone = 'UTC', token = 'tok_ok', subjects, ...more }: { planKey: string; startsAt?: string; timezone?: string; token?: string; subjects?: string[]; anchor?: string; alignment?: string }): Promise<Customer> => {
  const subject = `subject-${++customers}`;
  const clock = (await edition.post('/api/v1/billing/clocks', { name: subject, now })).id as string;
  const account = (await edition.post('/api/v1/billing/accounts', { name: 'Acme', email: 'billing@acme.example', currency: 'USD', timezone, testClockId: clock })).id as string;
  await edition.post('/api/v1/payments/methods', { accountId: account, provider: 'sandbox', token, default: true });
  const { id } = await edition.post('/api/v1/billing/subscriptions', { accountId: account, planKey, startsAt, subjects: subjects ?? [subject], ...more });
  return { clock, account, subject, subscription: id as string };
};
let events = 0;
const used = ({ subject }: Pick<Customer, 'subject'>, time: string, data: object, type = 'model.call'): object => ({ specversion: '1.0', id: `event-${++events}`, source: 'gateway', type, subject, time, data });
const send = async (...sent: object[]): Promise<void> => { expect(await edition.send(sent)).toEqual({ accepted: sent.length, rejected: [] }); };
/** The oldest first. */
const invoicesOf = async ({ account }: Customer): Promise<Json[]> => (await edition.get(`/api/v1/billing/invoices?accountId=${account}&limit=100`)).data.toReversed();
const shortOf = ({ number, total, paymentStatus, servicePeriod, issuedAt, lines }: Json): unknown =>
  ({ number, total, paymentStatus, from: servicePeriod.from, issuedAt, lines: lines.map(({ chargeKey, quantity, amount, servicePeriod: { from, to } }: Json) => `${chargeKey} ${quantity} ${amount} ${from} ${to}`) });
const verified = async (invoice: Json): Promise<unknown[]> => Promise.all(invoice.lines.map(async ({ id }: Json) => (await edition.ask(`/api/v1/billing/invoices/${invoice.id}/lines/${id}/verify`, { method: 'POST' })).body.matches));

/** What differs as ids do: where metering stood, what the provider calls its charge, and what is sealed with a customer's own key. */
const DIFFERENT = ['asOf', 'evidence', 'providerReference', 'providerKey', 'token'];
/** What a clock's facts say, stream by stream, without ids: those of the one who moves it aside. */
const factsOf = async ({ clock, subject }: Customer): Promise<string[]> => {
  const streams = new Map<string, string[]>();
  for (const schema of ['billing', 'payments', 'usage', 'notifications']) {
    const { rows } = await client.query<{ stream: string; body: string }>(`SELECT stream, body FROM ${schema}.events WHERE clock = $1 AND topic <> 'platform.clocks' ORDER BY stream, version`, [clock]);
    for (const { stream, body } of rows) {
      const { type, time, data } = JSON.parse(body) as { type: string; time: string; data: Record<string, unknown> };
      const text = JSON.stringify({ type, time, data }, (name, value: unknown) => (DIFFERENT.includes(name) || (typeof value === 'string' && value.startsWith('personal:')) ? '…' : value));
      streams.set(`${schema}/${stream}`, [...(streams.get(`${schema}/${stream}`) ?? []), text.replaceAll(subject, 'subject').replaceAll(/\b([a-z]+)_[0-9a-z]{26}\b/g, '$1_*')]);
    }
  }
  return [...streams.values()].map((facts) => facts.join('\n')).sort();
};
const messagesOf = async ({ account }: Customer): Promise<string[]> => (await edition.get(`/api/v1/notifications/messages?accountId=${account}&limit=100`)).data
  .map((message: Json) => JSON.stringify(message).replaceAll(/\b([a-z]+)_[0-9a-z]{26}\b/g, '$1_*')).sort();
const paymentsOf = async (invoice: Json): Promise<Json[]> => (await edition.get(`/api/v1/payments?invoiceId=${invoice.id}`)).data;

describe('three months in New York from 31 January, through the change to summer time', () => {
  const START = '2024-01-31T05:00:00Z'; // midnight in New York
  const END = '2024-05-01T00:00:00Z';
  const usage = (of: Customer): readonly (readonly [by: string, event: object])[] => [
    ['2024-02-28T00:00:00Z', used(of, '2024-02-10T12:00:00Z', { prompts: 1_000, answers: '333', images: 2 })],
    ['2024-02-28T00:00:00Z', used(of, '2024-02-29T04:59:59.999999Z', { prompts: 1 })], // the last moment of the first period
    ['2024-03-30T00:00:00Z', used(of, '2024-02-29T05:00:00Z', { prompts: 2 })], // the first of the second
    ['2024-03-30T00:00:00Z', used(of, '2024-03-10T07:00:00Z', { prompts: '0.5', images: 1 })], // 02:00 is 03:00 on this night
    ['2024-03-30T00:00:00Z', used(of, '2024-03-31T03:59:59.999999Z', { answers: 10 })], // the last of the second, at summer time
    ['2024-04-29T00:00:00Z', used(of, '2024-03-31T04:00:00Z', { answers: 1_000 })],
    ['2024-04-29T00:00:00Z', used(of, '2024-04-30T03:00:00Z', { images: 4 })],
  ];
  /** Steps that fall before, on and behind what is due, and in the middle of nothing. */
  const odd = (): string[] => {
    const steps = ['2024-01-31T05:00:00Z', '2024-01-31T05:00:00.000001Z', '2024-02-29T04:59:59.999999Z', '2024-02-29T05:00:00Z', '2024-02-29T05:59:59.999999Z', '2024-02-29T06:00:00Z', '2024-03-31T04:30:00Z', '2024-04-30T04:00:00.001Z', END];
    for (let at = Date.parse(START), hours = 7; at < Date.parse(END); at += hours * 3_600_000 + 17_003, hours = (hours * 31) % 397 + 5) steps.push(new Date(at).toISOString());
    return steps.sort((left, right) => Date.parse(left) - Date.parse(right) || (left < right ? -1 : 1));
  };
  let once: Customer;
  let often: Customer;

  test('one advance and many odd ones give the same facts, invoices, payments and messages', async () => {
    once = await customer(START, { planKey: 'models', timezone: 'America/New_York' });
    await send(...usage(once).map(([, event]) => event));
    await edition.advance(once.clock, END);

    often = await customer(START, { planKey: 'models', timezone: 'America/New_York' });
    const open = [...usage(often)];
    for (const to of [...odd().filter((at) => Date.parse(at) > Date.parse(START))]) {
      const due = open.filter(([by]) => Date.parse(by) <= Date.parse(to));
      if (due.length > 0) await send(...open.splice(0, due.length).map(([, event]) => event));
      const { now } = await edition.get(`/api/v1/billing/clocks/${often.clock}`);
      if (Date.parse(now) < Date.parse(to)) await edition.advance(often.clock, to);
    }

    const [one, many] = [await invoicesOf(once), await invoicesOf(often)];
    expect(many.map(shortOf)).toEqual(one.map(shortOf));
    expect(one.map(shortOf)).toEqual([
      { number: 'INV-000001', total: '49.00', paymentStatus: 'paid', from: START, issuedAt: START, lines: ['platform 1 49.00 2024-01-31T05:00:00Z 2024-02-29T05:00:00Z'] },
      // 1,001 x 0.01 + 333 x 0.003 + 2 x 0.25 = 10.01 + 1.00 (0.999) + 0.50, and 49.00
      { number: 'INV-000002', total: '60.51', paymentStatus: 'paid', from: START, issuedAt: '2024-02-29T06:00:00Z', lines: [
        'prompts 1001 10.01 2024-01-31T05:00:00Z 2024-02-29T05:00:00Z', 'answers 333 1.00 2024-01-31T05:00:00Z 2024-02-29T05:00:00Z', 'images 2 0.50 2024-01-31T05:00:00Z 2024-02-29T05:00:00Z',
        'platform 1 49.00 2024-02-29T05:00:00Z 2024-03-31T04:00:00Z'] },
      // 2.5 x 0.01 (half up) + 10 x 0.003 + 1 x 0.25 = 0.03 + 0.03 + 0.25, and 49.00
      { number: 'INV-000003', total: '49.31', paymentStatus: 'paid', from: '2024-02-29T05:00:00Z', issuedAt: '2024-03-31T05:00:00Z', lines: [
        'prompts 2.5 0.03 2024-02-29T05:00:00Z 2024-03-31T04:00:00Z', 'answers 10 0.03 2024-02-29T05:00:00Z 2024-03-31T04:00:00Z', 'images 1 0.25 2024-02-29T05:00:00Z 2024-03-31T04:00:00Z',
        'platform 1 49.00 2024-03-31T04:00:00Z 2024-04-30T04:00:00Z'] },
      // 1,000 x 0.003 + 4 x 0.25 = 3.00 + 1.00, and 49.00
      { number: 'INV-000004', total: '53.00', paymentStatus: 'paid', from: '2024-03-31T04:00:00Z', issuedAt: '2024-04-30T05:00:00Z', lines: [
        'prompts 0 0.00 2024-03-31T04:00:00Z 2024-04-30T04:00:00Z', 'answers 1000 3.00 2024-03-31T04:00:00Z 2024-04-30T04:00:00Z', 'images 4 1.00 2024-03-31T04:00:00Z 2024-04-30T04:00:00Z',
        'platform 1 49.00 2024-04-30T04:00:00Z 2024-05-31T04:00:00Z'] },
    ]);
    expect(await factsOf(often)).toEqual(await factsOf(once));
    expect(await messagesOf(often)).toEqual(await messagesOf(once));
    expect(await messagesOf(once)).toHaveLength(8); // an invoice and a receipt each
    for (const invoice of [...one, ...many]) expect(await paymentsOf(invoice)).toMatchObject([{ status: 'succeeded', amount: invoice.total, attempts: [{ status: 'succeeded' }] }]);
  }, TIMEOUT_MS);

  test('every line can be computed again', async () => {
    for (const invoice of [...(await invoicesOf(once)), ...(await invoicesOf(often))]) expect(await verified(invoice)).toEqual(invoice.lines.map(() => true));
  }, TIMEOUT_MS);

  test('the proof rests on the events: a bucket that was changed does not matter, an envelope does', async () => {
    const invoice = (await invoicesOf(once))[1];
    const change = async (sql: string): Promise<number> => (await client.query(sql, [once.subject])).rowCount ?? 0;
    expect(await change('UPDATE usage.usage_buckets SET total = total + 1000 WHERE series IN (SELECT series FROM usage.usage_series WHERE subject = $1)')).toBeGreaterThan(0);
    expect(await verified(invoice)).toEqual([true, true, true, true]);
    const { rows: [kept] } = await client.query<{ position: string; partition: number; body: string }>(`SELECT partition, position, body FROM usage.usage_envelopes WHERE body LIKE '%"' || $1 || '"%' AND body LIKE '%"images":2%'`, [once.subject]);
    expect(await change(`UPDATE usage.usage_envelopes SET body = replace(body, '"images":2', '"images":3') WHERE body LIKE '%"' || $1 || '"%'`)).toBe(1);
    expect(await verified(invoice)).toEqual([false, false, false, true]); // the fee has no events
    const proof = await edition.ask(`/api/v1/billing/invoices/${invoice.id}/lines/${invoice.lines[2].id}/verify`, { method: 'POST' });
    expect(proof.body).toMatchObject({ matches: false, expected: { quantity: '2', amount: '0.50' } });
    // The other customer's proof does not rest on this envelope.
    expect(await verified((await invoicesOf(often))[1])).toEqual([true, true, true, true]);
    // Nobody counts by an envelope that was changed: a meter that is made later would wait for this one.
    expect((await client.query('UPDATE usage.usage_envelopes SET body = $3 WHERE partition = $1 AND position = $2', [kept!.partition, kept!.position, kept!.body])).rowCount).toBe(1);
    expect(await verified(invoice)).toEqual([true, true, true, true]);
  }, TIMEOUT_MS);
});

test('1 November to 1 December: what arrives in the grace hour is billed, what comes after it is not', async () => {
  const acme = await customer('2023-11-01T00:00:00Z', { planKey: 'usage-only' });
  await send(used(acme, '2023-11-05T00:00:00Z', { prompts: 100 }));
  await edition.advance(acme.clock, '2023-12-01T00:59:59.999999Z');
  expect(await invoicesOf(acme)).toMatchObject([{ status: 'draft', number: null, finalizesAt: '2023-12-01T01:00:00Z', total: '1.00' }]);
  await send(used(acme, '2023-11-30T23:59:59.999999Z', { prompts: 20 }), used(acme, '2023-12-01T00:00:00Z', { prompts: 4_000 }));
  await edition.advance(acme.clock, '2023-12-01T01:00:00Z');
  // (100 + 20) x 0.01
  expect(await invoicesOf(acme)).toMatchObject([{ status: 'finalized', number: 'INV-000001', issuedAt: '2023-12-01T01:00:00Z', total: '1.20', lines: [{ quantity: '120' }] }]);
  await send(used(acme, '2023-11-15T00:00:00Z', { prompts: 7 }));
  await edition.advance(acme.clock, '2024-01-01T01:00:00Z');
  const [november, december] = await invoicesOf(acme);
  // 4,000 x 0.01: the 7 of November are late, and on neither invoice
  expect([november.total, december.total]).toEqual(['1.20', '40.00']);
  expect([await verified(november), await verified(december)]).toEqual([[true], [true]]);
}, TIMEOUT_MS);

test('1 November, a card without funds: a day later the invoice is overdue, it is tried on the 2nd, 4th, 6th and 8th, and then the payment has failed', async () => {
  const acme = await customer('2023-11-01T00:00:00Z', { planKey: 'models', token: 'tok_declined_insufficient_funds' });
  await edition.advance(acme.clock, '2023-11-02T00:00:00Z');
  const [invoice] = await invoicesOf(acme);
  expect(invoice).toMatchObject({ status: 'finalized', paymentStatus: 'overdue', total: '49.00', amountPaid: '0.00', amountRemaining: '49.00' });
  const declined = { status: 'declined', declineCode: 'insufficient_funds' };
  expect(await paymentsOf(invoice)).toMatchObject([{ status: 'pending', nextAttemptAt: '2023-11-04T00:00:00Z', attempts: [declined, declined] }]);
  await edition.advance(acme.clock, '2023-11-09T00:00:00Z');
  const [payment] = await paymentsOf(invoice);
  expect(payment).toMatchObject({ status: 'failed', nextAttemptAt: null });
  expect(payment.attempts.map(({ startedAt }: { startedAt: string }) => startedAt)).toEqual(['01', '02', '04', '06', '08'].map((day) => `2023-11-${day}T00:00:00Z`));
}, TIMEOUT_MS);

test('1 November, a meter that is made after its events: they are counted', async () => {
  const acme = { subject: 'before-the-meter' };
  await send(used(acme, '2023-11-02T00:00:00Z', { pages: 3 }, 'late.print'), used(acme, '2023-11-03T10:11:12Z', { pages: 4 }, 'late.print'));
  await edition.post('/api/v1/usage/meters', { key: 'pages', eventType: 'late.print', aggregation: 'sum', valueProperty: '$.pages' });
  await edition.post('/api/v1/billing/plans', { key: 'pages', name: 'Pages', currency: 'USD', interval: MONTHLY, charges: [perUnit('pages', '0.10')] });
  const printer = await customer('2023-11-01T00:00:00Z', { planKey: 'pages', subjects: ['before-the-meter'] });
  await edition.advance(printer.clock, '2023-12-02T00:00:00Z');
  const [invoice] = await invoicesOf(printer);
  // (3 + 4) x 0.10
  expect(invoice).toMatchObject({ total: '0.70', paymentStatus: 'paid', lines: [{ quantity: '7' }] });
  expect(await verified(invoice)).toEqual([true]);
}, TIMEOUT_MS);

test('16 November 10:07:33, on the calendar: half a fee, and usage from this very moment on', async () => {
  const acme = await customer('2023-11-16T10:07:33Z', { planKey: 'models', alignment: 'calendar' });
  await send(used(acme, '2023-11-16T10:07:32.999999Z', { prompts: 5_000 }), used(acme, '2023-11-16T10:07:33Z', { prompts: 10 }), used(acme, '2023-11-16T10:14:59Z', { prompts: 1 }));
  const upcoming = await edition.get(`/api/v1/billing/subscriptions/${acme.subscription}/upcoming-invoice`);
  await edition.advance(acme.clock, '2023-12-01T02:00:00Z');
  // 15 of 30 days: 24.50; then 11 x 0.01 and the whole fee
  const invoices = await invoicesOf(acme);
  expect(invoices.map(({ total }) => total)).toEqual(['24.50', '49.11']);
  // The preview was this very invoice.
  const priced = ({ total, lines }: Json): unknown => ({ total, lines: lines.map(({ chargeKey, quantity, amount, servicePeriod }: Json) => ({ chargeKey, quantity, amount, servicePeriod })) });
  expect(priced(upcoming)).toEqual(priced(invoices[1]));
  for (const invoice of await invoicesOf(acme)) expect(await verified(invoice)).not.toContain(false);
}, TIMEOUT_MS);

test('1 November, a subscription that nobody uses, and one without subjects: invoices over nothing are issued and paid', async () => {
  const [unused, unnamed] = [await customer('2023-11-01T00:00:00Z', { planKey: 'usage-only' }), await customer('2023-11-01T00:00:00Z', { planKey: 'usage-only', subjects: [] })];
  for (const acme of [unused, unnamed]) {
    await edition.advance(acme.clock, '2023-12-02T00:00:00Z');
    const [invoice] = await invoicesOf(acme);
    expect(invoice).toMatchObject({ total: '0.00', paymentStatus: 'paid', lines: [{ quantity: '0', amount: '0.00' }] });
    expect(await paymentsOf(invoice)).toEqual([]);
    expect(await verified(invoice)).toEqual([true]);
  }
}, TIMEOUT_MS);

test('40 days ago by the wall clock, twelve subscriptions that close at once: their numbers have no gap', async () => {
  const startsAt = new Date(Date.now() - 40 * 86_400_000).toISOString();
  const account = (await edition.post('/api/v1/billing/accounts', { name: 'Acme', currency: 'USD', timezone: 'UTC', openedAt: startsAt })).id as string;
  await Promise.all(Array.from({ length: 12 }, (_, nth) => edition.post('/api/v1/billing/subscriptions', { accountId: account, planKey: 'models', startsAt, subjects: [`numbers-${nth}`] })));
  const numbers = await eventually('two invoices of each', async (saw) => {
    const issued = (await invoicesOf({ account, clock: '', subject: '' })).filter(({ status }) => status === 'finalized');
    saw(issued.length);
    return issued.length < 24 ? undefined : issued.map(({ number }) => number as string).sort();
  }, { timeoutMs: TIMEOUT_MS });
  expect(numbers).toEqual(Array.from({ length: 24 }, (_, index) => `INV-${String(index + 1).padStart(6, '0')}`));
}, TIMEOUT_MS);

test('nothing of all this was set aside', async () => {
  for (const schema of ['billing', 'payments', 'usage', 'notifications']) {
    expect([schema, (await client.query(`SELECT FROM ${schema}.parked_streams`)).rowCount, (await client.query(`SELECT FROM ${schema}.parked_records`)).rowCount]).toEqual([schema, 0, 0]);
  }
});

test('the log of every service is what it was; a fact cannot be changed, and where somebody did it all the same it is found', async () => {
  const intact = async (service: string): Promise<boolean> => (await edition.post(`/api/v1/operator/log/${service}/verify`, {}, edition.operatorToken)).intact as boolean;
  const services = ['usage', 'billing', 'payments', 'notifications'];
  expect(await Promise.all(services.map(intact))).toEqual([true, true, true, true]);
  const change = (): Promise<{ rowCount: number | null }> => client.query(`UPDATE billing.events SET body = replace(body, '"total":"60.51"', '"total":"00.51"') WHERE body LIKE '%"total":"60.51"%'`);
  await expect(change()).rejects.toThrow('facts are never changed or deleted');
  await client.query('SET session_replication_role = replica'); // as a superuser who switches triggers off
  expect((await change()).rowCount).toBe(2);
  expect(await Promise.all(services.map(intact))).toEqual([true, false, true, true]);
}, TIMEOUT_MS);

test('10 January: an account whose personal data was erased is billed on, without a name, and gets no mail', async () => {
  const erased = await customer('2024-01-01T00:00:00Z', { planKey: 'models' });
  await edition.advance(erased.clock, '2024-01-10T00:00:00Z');
  expect(await edition.get(`/api/v1/notifications/messages?accountId=${erased.account}`)).toMatchObject({ data: [{ to: 'billing@acme.example' }, { to: 'billing@acme.example' }] });
  expect(await edition.post(`/api/v1/billing/accounts/${erased.account}/erase-personal-data`, {})).toMatchObject({ name: '[erased]', email: '[erased]' });
  await edition.advance(erased.clock, '2024-02-01T12:00:00Z');
  // The fee of January, and the fee of February.
  const invoices = await invoicesOf(erased);
  expect(invoices).toMatchObject([{ total: '49.00', paymentStatus: 'paid' }, { total: '49.00', paymentStatus: 'paid' }]);
  const { data } = await eventually('the erased key to reach notifications', async (saw) => {
    const messages = await edition.get(`/api/v1/notifications/messages?accountId=${erased.account}`);
    saw(messages);
    return messages.data.every(({ to }: Json) => to === '[erased]') ? messages : undefined;
  });
  expect(data).toHaveLength(2); // the two of before; none was written since
  for (const { id } of invoices) expect((await edition.ask(`/api/v1/billing/invoices/${id}/pdf`)).status).toBe(200);
  for (const schema of ['billing', 'payments', 'notifications']) {
    const { rows } = await client.query<{ count: string }>(`SELECT count(*) FROM ${schema}.events WHERE clock = $1 AND body LIKE '%billing@acme.example%'`, [erased.clock]);
    expect(rows).toEqual([{ count: '0' }]);
  }
}, TIMEOUT_MS);

test('a trace goes from the request through the facts of every service that follow from it', async () => {
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const acme = await customer('2024-01-01T00:00:00Z', { planKey: 'usage-only' });
  const { status } = await edition.ask('/api/v1/billing/subscriptions', {
    method: 'POST', headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01` }, body: { accountId: acme.account, planKey: 'models', startsAt: '2024-01-01T00:00:00Z' },
  });
  expect(status).toBe(201);
  const follows = ['billing.subscription.started', 'billing.invoice.drafted', 'billing.invoice.finalized', 'payments.payment.requested', 'payments.payment.succeeded', 'billing.invoice.paid', 'notifications.message.sent'];
  await eventually('the whole way under one trace', async (saw) => {
    const found: string[] = [];
    for (const schema of ['billing', 'payments', 'notifications']) {
      const { rows } = await client.query<{ type: string }>(`SELECT type FROM ${schema}.events WHERE body LIKE '%' || $1 || '%'`, [trace]);
      found.push(...rows.map(({ type }) => type.slice('dev.valueverse.'.length, -'.v1'.length)));
    }
    saw(found);
    return follows.every((type) => found.includes(type)) ? true : undefined;
  });
}, TIMEOUT_MS);
