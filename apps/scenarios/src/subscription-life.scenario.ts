// Subscriptions through their life, by the public API under test clocks. Sums are comments beside what they give.
import { Edition, type Answer, type Json } from './edition.spec-kit';

const TIMEOUT_MS = 120_000;
let edition: Edition;

beforeAll(async () => {
  edition = await Edition.start();
  await edition.post('/api/v1/usage/meters', { key: 'calls', eventType: 'call', aggregation: 'count' });
  await edition.post('/api/v1/usage/meters', { key: 'credits', eventType: 'credit', aggregation: 'sum', valueProperty: '$.n' });
  await Promise.all([
    plan('giving', [{ key: 'credits', name: 'Credits', type: 'usage', meterKey: 'credits', price: { model: 'per_unit', unitAmount: '1.5' } }]),
    plan('starter', [fee('base', '35.00')]),
    plan('team', [fee('base', '29.00'), { ...fee('seats', ''), price: { model: 'per_unit', unitAmount: '10' }, quantity: '5' }]),
    plan('metered', [fee('base', '10.00'), { key: 'calls', name: 'Calls', type: 'usage', meterKey: 'calls', price: { model: 'graduated', tiers: [{ upTo: '10', unitAmount: '1' }, { unitAmount: '0.5' }] } }]),
  ]);
}, TIMEOUT_MS);
afterAll(() => edition.stop(), TIMEOUT_MS);

const fee = (key: string, amount: string): Json => ({ key, name: key, type: 'recurring', timing: 'in_advance', price: { model: 'flat', amount } });
const plan = async (key: string, charges: readonly Json[], more: Json = {}): Promise<Json> => {
  for (;;) {
    // News of a meter may be on its way to billing.
    const { status, body } = await edition.ask('/api/v1/billing/plans', { body: { key, name: key, currency: 'USD', interval: { unit: 'month', count: 1 }, charges, ...more } });
    if (status === 201) return body;
    if (status !== 503) throw new Error(JSON.stringify(body));
  }
};

interface Customer { readonly clock: string; readonly account: string; readonly subscription: string }
const customer = async (planKey: string, startsAt: string, { account = {}, ...more }: Json = {}): Promise<Customer> => {
  const { id: clock } = await edition.post('/api/v1/billing/clocks', { name: planKey, now: startsAt });
  const { id } = await edition.post('/api/v1/billing/accounts', { name: 'Acme', email: 'billing@acme.example', currency: 'USD', timezone: 'UTC', testClockId: clock, ...account });
  const { id: subscription } = await edition.post('/api/v1/billing/subscriptions', { accountId: id, planKey, startsAt, ...more });
  return { clock, account: id, subscription };
};
const invoicesOf = async ({ account }: Customer): Promise<Json[]> => ((await edition.get(`/api/v1/billing/invoices?accountId=${account}&limit=100`)).data as Json[]).reverse();
const lineOf = ({ type, chargeKey, quantity, amount, servicePeriod: { from, to } }: Json): string => `${type} ${chargeKey} ${quantity}: ${amount} ${from.slice(0, 10)} ${to.slice(0, 10)}`;
const on = ({ subscription }: Customer, what: string, body: Json = {}): Promise<Answer> => edition.ask(`/api/v1/billing/subscriptions/${subscription}/${what}`, { body });
const succeed = async (answer: Promise<Answer>): Promise<Json> => {
  const { status, body } = await answer;
  if (status >= 300) throw new Error(JSON.stringify(body));
  return body;
};
/** What a preview says and what was then issued, line by line. */
const priced = ({ total, lines }: Json): Json => ({ total, lines: lines.map(lineOf) });
const verified = async ({ id, lines }: Json): Promise<Json[]> => Promise.all(lines.map(async (line: Json) => (await edition.post(`/api/v1/billing/invoices/${id}/lines/${line.id}/verify`, {})).matches));

test('16 January, an upgrade: the unused fee is given back, the new fees are charged, on one invoice that is the preview', async () => {
  const acme = await customer('starter', '2024-01-01T00:00:00Z');
  await edition.advance(acme.clock, '2024-01-16T09:30:00Z');
  const { effectiveAt, invoice: preview } = await succeed(on(acme, 'change/preview', { planKey: 'team' }));
  expect(effectiveAt).toBe('2024-01-16T09:30:00Z');
  expect(await succeed(on(acme, 'change', { planKey: 'team' }))).toMatchObject({ planKey: 'team', status: 'active', currentPeriod: { from: '2024-01-01T00:00:00Z', to: '2024-02-01T00:00:00Z' } });
  await edition.advance(acme.clock, '2024-01-16T09:31:00Z');
  const [first, second] = await invoicesOf(acme);
  expect(priced(first)).toEqual({ total: '35.00', lines: ['recurring base 1: 35.00 2024-01-01 2024-02-01'] });
  // 16 of 31 days: -(35.00 - 16.94) = -18.06; 29.00 - 14.03 = 14.97; 50.00 - 24.19 = 25.81
  expect(priced(second)).toEqual({ total: '22.72', lines: ['recurring base 1: 14.97 2024-01-16 2024-02-01', 'recurring seats 5: 25.81 2024-01-16 2024-02-01', 'proration_credit base 1: -18.06 2024-01-16 2024-02-01'] });
  expect(priced(preview)).toEqual(priced(second));
  expect(await verified(second)).toEqual([true, true, true]);
  await edition.advance(acme.clock, '2024-02-01T00:00:01Z');
  expect(priced((await invoicesOf(acme))[2])).toEqual({ total: '79.00', lines: ['recurring base 1: 29.00 2024-02-01 2024-03-01', 'recurring seats 5: 50.00 2024-02-01 2024-03-01'] });
  // What the upgrade has given back would be lost with its invoice. A credit note over what it charges, 14.97 + 25.81, leaves nothing due and the 18.06 to the account.
  expect(await edition.ask(`/api/v1/billing/invoices/${second.id}/void`, { body: { reason: 'Wrong' } })).toMatchObject({ status: 409, body: { code: 'invoice_gives_back' } });
  const noted = await edition.ask('/api/v1/billing/credit-notes', { body: { invoiceId: second.id, amount: '40.78', reason: 'Wrong' }, headers: { 'idempotency-key': '"upgrade"' } });
  expect(noted).toMatchObject({ status: 201, body: { applied: '22.72', toBalance: '18.06' } });
}, TIMEOUT_MS);

test('10 February, two seats more, and a change back at once: what changes nothing is not billed', async () => {
  const acme = await customer('team', '2024-02-01T00:00:00Z');
  await edition.advance(acme.clock, '2024-02-10T00:00:00Z');
  await succeed(on(acme, 'change', { quantity: '7', at: 'now' }));
  await edition.advance(acme.clock, '2024-02-10T00:00:01Z');
  // 20 of 29 days: 70.00 - 21.72 = 48.28, less 50.00 - 15.52 = 34.48; the base fee is not touched.
  expect((await invoicesOf(acme)).map(priced)).toEqual([
    { total: '79.00', lines: ['recurring base 1: 29.00 2024-02-01 2024-03-01', 'recurring seats 5: 50.00 2024-02-01 2024-03-01'] },
    { total: '13.80', lines: ['recurring seats 7: 48.28 2024-02-10 2024-03-01', 'proration_credit seats 5: -34.48 2024-02-10 2024-03-01'] },
  ]);
  expect(await on(acme, 'change', { quantity: '7', at: 'now' })).toMatchObject({ status: 409, body: { code: 'nothing_changes' } });
}, TIMEOUT_MS);

test('20 March, cancelled at once: what is unused is a credit note, its amount the balance, and the next invoice uses it', async () => {
  const acme = await customer('team', '2024-03-01T00:00:00Z', { account: { address: { country: 'US' } } });
  await edition.post('/api/v1/payments/methods', { accountId: acme.account, provider: 'sandbox', token: 'tok_ok', default: true });
  await edition.advance(acme.clock, '2024-03-20T12:00:00Z');
  const preview = await succeed(on(acme, 'cancel/preview', { at: 'now' }));
  // The day of the cancellation is not billed: 12 of 31 days. 29.00 - 17.77 = 11.23; 50.00 - 30.65 = 19.35
  expect(preview.invoice.creditNotes[0].lines.map(lineOf)).toEqual(['proration_credit base 1: 11.23 2024-03-20 2024-04-01', 'proration_credit seats 5: 19.35 2024-03-20 2024-04-01']);
  expect(await succeed(on(acme, 'cancel', { at: 'now' }))).toMatchObject({ status: 'cancelled', endsAt: '2024-03-20T12:00:00Z' });
  await edition.advance(acme.clock, '2024-03-20T13:00:00Z');
  const { data: [note] } = await edition.get(`/api/v1/billing/credit-notes?accountId=${acme.account}`);
  expect(note).toMatchObject({ number: 'CN-000001', total: '30.58', applied: '0.00', toBalance: '30.58', lines: [{ netAmount: '11.23' }, { netAmount: '19.35' }] });
  expect(await edition.get(`/api/v1/billing/accounts/${acme.account}/balances`)).toEqual({ data: [{ currency: 'USD', amount: '30.58' }] });
  await edition.post('/api/v1/billing/subscriptions', { accountId: acme.account, planKey: 'starter', startsAt: '2024-03-20T13:00:00Z' });
  await edition.advance(acme.clock, '2024-03-20T14:00:00Z');
  expect((await invoicesOf(acme)).at(-1)).toMatchObject({ total: '35.00', creditApplied: '30.58', amountDue: '4.42', amountPaid: '4.42', paymentStatus: 'paid' });
  expect(await edition.get(`/api/v1/billing/accounts/${acme.account}/balances`)).toEqual({ data: [{ currency: 'USD', amount: '0.00' }] });
}, TIMEOUT_MS);

test('April, a cancellation at the end of the period is taken back; the second of two scheduled changes counts; behind an end nothing is scheduled', async () => {
  const acme = await customer('starter', '2024-04-01T00:00:00Z');
  // A run that knows of a change on the 20th would charge April until then, and the rest when that is replaced.
  await edition.advance(acme.clock, '2024-04-01T00:00:01Z');
  expect(await succeed(on(acme, 'cancel'))).toMatchObject({ status: 'active', endsAt: '2024-05-01T00:00:00Z', cancellation: { credit: 'none' } });
  expect(await on(acme, 'change', { planKey: 'team', at: '2024-05-02T00:00:00Z' })).toMatchObject({ status: 409, body: { code: 'after_cancellation' } });
  expect(await succeed(on(acme, 'reactivate'))).toMatchObject({ endsAt: null });
  await succeed(on(acme, 'change', { planKey: 'team', at: '2024-04-20T00:00:00Z' }));
  const { changes } = await succeed(on(acme, 'change', { planKey: 'team', quantity: '2', at: 'period_end' }));
  expect(changes).toMatchObject([{ at: '2024-05-01T00:00:00Z', planKey: 'team', quantity: '2' }]);
  await edition.advance(acme.clock, '2024-06-01T00:00:00Z');
  expect((await invoicesOf(acme)).map(({ total }) => total)).toEqual(['35.00', '49.00', '49.00']); // 29.00 + 2 x 10.00
}, TIMEOUT_MS);

test('May, paused from the 11th to the 21st: nothing is billed meanwhile, and usage of that time by nobody', async () => {
  const acme = await customer('metered', '2024-05-01T00:00:00Z', { subjects: ['pausing'] });
  await edition.send([3, 12, 25].map((day, nth) => ({ specversion: '1.0', id: `p${nth}`, source: 's', type: 'call', subject: 'pausing', time: `2024-05-${String(day).padStart(2, '0')}T12:00:00Z` })));
  await edition.advance(acme.clock, '2024-05-11T00:00:00Z');
  await succeed(on(acme, 'pause'));
  await edition.advance(acme.clock, '2024-05-21T00:00:00Z');
  expect(await edition.get(`/api/v1/billing/subscriptions/${acme.subscription}`)).toMatchObject({ status: 'paused' });
  await succeed(on(acme, 'resume'));
  await edition.advance(acme.clock, '2024-06-01T02:00:00Z');
  const totals = (await invoicesOf(acme)).map(priced);
  expect(totals).toEqual([
    { total: '10.00', lines: ['recurring base 1: 10.00 2024-05-01 2024-06-01'] },
    // 21 of 31 days come back, 10.00 - 3.23 = 6.77; one call is 1.00: below zero, so the fee is given back by a note and the call uses it.
    { total: '1.00', lines: ['usage calls 1: 1.00 2024-05-01 2024-05-11'] },
    // 11 of 31 days: 10.00 - 6.45
    { total: '3.55', lines: ['recurring base 1: 3.55 2024-05-21 2024-06-01'] },
    { total: '11.00', lines: ['usage calls 1: 1.00 2024-05-21 2024-06-01', 'recurring base 1: 10.00 2024-06-01 2024-07-01'] },
  ]);
}, TIMEOUT_MS);

test('June, a trial of ten days: nothing is billed of it, and periods count from its end', async () => {
  const acme = await customer('metered', '2024-06-05T00:00:00Z', { subjects: ['trying'], trialDays: 10 });
  expect(await edition.get(`/api/v1/billing/subscriptions/${acme.subscription}`)).toMatchObject({ status: 'trialing', anchor: { local: '2024-06-15T00:00:00' } });
  await edition.send([6, 16].map((day, nth) => ({ specversion: '1.0', id: `t${nth}`, source: 's', type: 'call', subject: 'trying', time: `2024-06-${String(day).padStart(2, '0')}T12:00:00Z` })));
  await edition.advance(acme.clock, '2024-07-15T02:00:00Z');
  expect((await invoicesOf(acme)).map(priced)).toEqual([
    { total: '10.00', lines: ['recurring base 1: 10.00 2024-06-15 2024-07-15'] },
    { total: '11.00', lines: ['usage calls 1: 1.00 2024-06-15 2024-07-15', 'recurring base 1: 10.00 2024-07-15 2024-08-15'] },
  ]);
}, TIMEOUT_MS);

test('July, an interim invoice: the invoice of the period charges the whole less that, and the tiers are those of the whole', async () => {
  const acme = await customer('metered', '2024-07-01T00:00:00Z', { subjects: ['interim'] });
  const calls = (from: number, count: number, day: string): Json[] => Array.from({ length: count }, (_, nth) => ({ specversion: '1.0', id: `i${from + nth}`, source: 's', type: 'call', subject: 'interim', time: `2024-07-${day}T12:00:00Z` }));
  await edition.send(calls(0, 12, '05'));
  await edition.advance(acme.clock, '2024-07-10T00:00:00Z');
  await succeed(on(acme, 'interim-invoice'));
  await edition.advance(acme.clock, '2024-07-10T01:00:00Z');
  await edition.send(calls(12, 6, '20'));
  await edition.advance(acme.clock, '2024-08-01T02:00:00Z');
  const [, interim, last] = await invoicesOf(acme);
  // 10 x 1 + 2 x 0.5
  expect(interim).toMatchObject({ kind: 'interim', total: '11.00' });
  // 18 calls: 10 + 8 x 0.5 = 14.00, less 11.00; and 10.00 for August
  expect(priced(last)).toEqual({ total: '13.00', lines: ['usage calls 18: 3.00 2024-07-01 2024-08-01', 'recurring base 1: 10.00 2024-08-01 2024-09-01'] });
  expect(await verified(last)).toEqual([true, true]);
}, TIMEOUT_MS);

test('August, tax and a coupon: discounts first, tax on the rest, and the columns add up', async () => {
  await edition.post('/api/v1/billing/tax-rates', { key: 'vat-de', name: 'VAT', rate: '19', jurisdiction: { country: 'DE' } });
  await edition.post('/api/v1/billing/coupons', { key: 'ten', name: 'Ten percent', discount: { type: 'percent', value: '10' }, stackable: true });
  const acme = await customer('team', '2024-08-01T00:00:00Z', { account: { address: { country: 'DE' } } });
  await edition.advance(acme.clock, '2024-08-01T00:00:01Z');
  await edition.post(`/api/v1/billing/accounts/${acme.account}/coupons`, { couponKey: 'ten' });
  await edition.advance(acme.clock, '2024-09-01T00:00:01Z');
  const [first, second] = await invoicesOf(acme);
  expect(first).toMatchObject({ subtotal: '79.00', discountTotal: '0.00', taxTotal: '15.01', total: '94.01' });
  // 79.00 - 7.90 = 71.10, and 19 % of that: 13.509
  expect(second).toMatchObject({ subtotal: '79.00', discountTotal: '7.90', taxTotal: '13.51', total: '84.61' });
  // September has 30 days; cancelled on the 16th half of what was paid comes back, less the coupon, with its tax.
  await edition.advance(acme.clock, '2024-09-16T00:00:00Z');
  await succeed(on(acme, 'cancel', { at: 'now' }));
  await edition.advance(acme.clock, '2024-09-16T01:00:00Z');
  const { data: [note] } = await edition.get(`/api/v1/billing/credit-notes?accountId=${acme.account}`);
  // 14.50 - 1.45 = 13.05 and 25.00 - 2.50 = 22.50; 35.55 x 19 % = 6.7545
  expect(note).toMatchObject({ netTotal: '35.55', taxTotal: '6.75', total: '42.30', invoiceId: second.id, applied: '42.30', toBalance: '0.00' });
  expect((await invoicesOf(acme))[1]).toMatchObject({ amountRemaining: '42.31', amountCredited: '42.30' });
}, TIMEOUT_MS);

test('October, by hand: a one-off invoice, a line more on a draft, a credit note, a void, and what is refused', async () => {
  const acme = await customer('starter', '2024-10-01T00:00:00Z');
  const draft = await edition.post('/api/v1/billing/invoices', { accountId: acme.account, memo: 'As agreed', finalize: 'by_hand', lines: [{ description: 'Setup', amount: '100.00' }] });
  expect(draft).toMatchObject({ kind: 'one_off', status: 'draft', total: '100.00' });
  const added = await edition.post(`/api/v1/billing/invoices/${draft.id}/lines`, { lines: [{ description: 'Hours', quantity: '3', unitAmount: '33.335' }] });
  // 3 x 33.335 = 100.005
  expect(added).toMatchObject({ total: '200.01', lines: [{ amount: '100.00' }, { quantity: '3', amount: '100.01' }] });
  const issued = await edition.post(`/api/v1/billing/invoices/${draft.id}/finalize`, {});
  expect(issued).toMatchObject({ status: 'finalized', total: '200.01', memo: 'As agreed' });
  expect(await edition.ask(`/api/v1/billing/invoices/${draft.id}/lines`, { body: { lines: [{ description: 'More', amount: '1.00' }] } })).toMatchObject({ status: 409, body: { code: 'invoice_not_draft' } });
  const noted = (body: Json): Promise<Answer> => edition.ask('/api/v1/billing/credit-notes', { body: { invoiceId: issued.id, reason: 'Goodwill', ...body }, headers: { 'idempotency-key': JSON.stringify(body) } });
  expect(await noted({ lines: [{ lineId: issued.lines[0].id, amount: '100.01' }] })).toMatchObject({ status: 409, body: { code: 'credit_exceeds_line', errors: [{ pointer: '/lines/0/amount' }] } });
  expect((await noted({ lines: [{ lineId: issued.lines[0].id, amount: '40.00' }] })).body).toMatchObject({ total: '40.00', applied: '40.00', toBalance: '0.00' });
  expect(await noted({ amount: '160.02' })).toMatchObject({ status: 409, body: { code: 'credit_exceeds_invoice' } });
  expect((await noted({ amount: '160.01' })).body).toMatchObject({ total: '160.01', applied: '160.01' });
  expect(await edition.get(`/api/v1/billing/invoices/${issued.id}`)).toMatchObject({ paymentStatus: 'paid', amountCredited: '200.01', amountRemaining: '0.00' });
  expect(await edition.ask(`/api/v1/billing/invoices/${issued.id}/void`, { body: { reason: 'Wrong' } })).toMatchObject({ status: 409, body: { code: 'invoice_has_credit_notes' } });
  await edition.advance(acme.clock, '2024-10-02T00:00:00Z');
  const fee_ = (await invoicesOf(acme)).find(({ kind }) => kind === 'cycle');
  expect(await edition.post(`/api/v1/billing/invoices/${fee_.id}/void`, { reason: 'Wrong customer' })).toMatchObject({ status: 'void', amountRemaining: '0.00', voidReason: 'Wrong customer' });
  expect(await edition.ask('/api/v1/billing/invoices', { body: { accountId: acme.account, lines: [{ description: 'Both', amount: '1.00', unitAmount: '1' }] } })).toMatchObject({ status: 400, body: { errors: [{ pointer: '/lines/0/amount', code: 'amount_or_unit_amount' }] } });
}, TIMEOUT_MS);

test('November, two subscriptions together on one invoice; their runs are listed, and a dry run bills the same', async () => {
  const acme = await customer('starter', '2024-11-01T00:00:00Z', { account: { consolidate: true } });
  await edition.post('/api/v1/billing/subscriptions', { accountId: acme.account, planKey: 'team', startsAt: '2024-11-01T00:00:00Z' });
  await edition.advance(acme.clock, '2024-11-30T00:00:00Z');
  const { invoices } = await edition.post('/api/v1/billing/cycles/dry-run', { at: '2024-12-01T00:00:00Z', accountId: acme.account });
  expect(invoices.map(({ total }: Json) => total).sort()).toEqual(['35.00', '79.00']);
  expect((await edition.get(`/api/v1/billing/cycles?status=scheduled&accountId=${acme.account}`)).data).toMatchObject([{ kind: 'bill', dueAt: '2024-12-01T00:00:00Z' }, { kind: 'bill', dueAt: '2024-12-01T00:00:00Z' }]);
  await edition.advance(acme.clock, '2024-12-01T00:00:01Z');
  const last = (await invoicesOf(acme)).at(-1);
  expect(last).toMatchObject({ total: '114.00', subscriptionId: null });
  const { data } = await edition.get(`/api/v1/billing/cycles?status=done&accountId=${acme.account}`);
  expect(data.filter(({ dueAt }: Json) => dueAt === '2024-12-01T00:00:00Z').map(({ invoiceIds }: Json) => invoiceIds.length).sort()).toEqual([0, 1]);
}, TIMEOUT_MS);

test('November, an account with more than goes on one invoice: what is left begins another one, and what closes on another day has its own', async () => {
  const CHARGES = 100;
  await plan('wide', Array.from({ length: CHARGES }, (_, nth) => fee(`fee-${nth}`, '1.00')));
  const giant = await customer('starter', '2024-11-01T00:00:00Z', { account: { consolidate: true } });
  const start = (planKey: string): Promise<Json> => edition.post('/api/v1/billing/subscriptions', { accountId: giant.account, planKey, startsAt: '2024-11-10T00:00:00Z' });
  await Promise.all(Array.from({ length: 26 }, () => start('wide')));
  await edition.advance(giant.clock, '2024-12-01T00:00:01Z');
  const amounts = async (): Promise<string[]> => (await invoicesOf(giant)).map(({ total, servicePeriod: { from } }: Json) => `${from.slice(0, 10)} ${total}`).sort();
  // 26 x 100 lines of 1.00, of which 2,500 go on one invoice.
  expect(await amounts()).toEqual(['2024-11-01 35.00', '2024-11-10 100.00', '2024-11-10 2500.00', '2024-12-01 35.00']);
  await edition.advance(giant.clock, '2024-12-10T00:00:01Z');
  expect((await amounts()).slice(4)).toEqual(['2024-12-10 100.00', '2024-12-10 2500.00']);
}, TIMEOUT_MS);

test('December, all subscriptions of a plan to its new version: the preview says what it comes to, and each is moved at the end of its period', async () => {
  await plan('moving', [fee('base', '20.00')]);
  const [acme, other] = [await customer('moving', '2024-12-01T00:00:00Z'), await customer('moving', '2024-12-10T00:00:00Z')];
  await edition.post('/api/v1/billing/plans/moving/versions', { name: 'moving', currency: 'USD', interval: { unit: 'month', count: 1 }, charges: [fee('base', '24.00')] });
  const preview = await edition.post('/api/v1/billing/plans/moving/moves/preview', { toVersion: 2 });
  expect(preview).toMatchObject({ subscriptions: 2, shown: [{ yearlyBefore: '240', yearlyAfter: '288' }, { yearlyBefore: '240', yearlyAfter: '288' }] });
  const { status, body } = await edition.ask('/api/v1/billing/plans/moving/moves', { body: { toVersion: 2 } });
  expect([status, body.subscriptions]).toEqual([202, 2]);
  await edition.advance(acme.clock, '2025-02-01T00:00:01Z');
  await edition.advance(other.clock, '2025-01-10T00:00:01Z');
  expect((await invoicesOf(acme)).map(({ total }) => total)).toEqual(['20.00', '24.00', '24.00']);
  expect((await invoicesOf(other)).map(({ total }) => total)).toEqual(['20.00', '24.00']);
  expect((await edition.post('/api/v1/billing/plans/moving/moves/preview', { toVersion: 2 })).subscriptions).toBe(0);
}, TIMEOUT_MS);

test('January, a threshold: usage is charged by an interim invoice as soon as it comes to five dollars', async () => {
  const acme = await customer('metered', '2025-01-01T00:00:00Z', { subjects: ['threshold'], interimThreshold: '5' });
  const calls = (from: number, count: number, day: string, hour = '00'): Json[] => Array.from({ length: count }, (_, nth) => ({ specversion: '1.0', id: `h${from + nth}`, source: 's', type: 'call', subject: 'threshold', time: `2025-01-${day}T${hour}:30:00Z` }));
  await edition.send(calls(0, 4, '01'));
  await edition.advance(acme.clock, '2025-01-01T02:30:00Z');
  expect(await invoicesOf(acme)).toHaveLength(1);
  await edition.send(calls(4, 3, '01'));
  await edition.advance(acme.clock, '2025-01-01T03:30:00Z');
  // 7 x 1
  expect((await invoicesOf(acme))[1]).toMatchObject({ kind: 'interim', total: '7.00' });
  await succeed(on(acme, 'cancel', { at: '2025-01-01T05:00:00Z' }));
  await edition.advance(acme.clock, '2025-01-02T00:00:00Z');
  const interims = async (): Promise<string[]> => (await invoicesOf(acme)).filter(({ kind }) => kind === 'interim').map(({ total }) => total);
  expect(await interims()).toEqual(['7.00']);
  // It lives again, and is paused without an end and resumed: it is looked at again.
  await succeed(on(acme, 'reactivate', {}));
  await edition.send(calls(7, 5, '02', '01'));
  await edition.advance(acme.clock, '2025-01-02T02:30:00Z');
  expect(await interims()).toEqual(['7.00', '5.00']);
  await succeed(on(acme, 'pause', {}));
  await edition.advance(acme.clock, '2025-01-03T12:00:00Z');
  await succeed(on(acme, 'resume', {}));
  await edition.send(calls(12, 6, '03', '12'));
  await edition.advance(acme.clock, '2025-01-03T14:30:00Z');
  expect(await interims()).toEqual(['7.00', '5.00', '6.00']);
}, TIMEOUT_MS);

test('March, usage that two interim invoices have charged is taken back: each gives back its part at the tax of its time, and every line is proved', async () => {
  await edition.post('/api/v1/billing/tax-rates', { key: 'before', name: 'VAT', rate: '20', validTo: '2025-03-15T00:00:00Z' });
  await edition.post('/api/v1/billing/tax-rates', { key: 'since', name: 'VAT', rate: '10', validFrom: '2025-03-15T00:00:00Z' });
  const acme = await customer('metered', '2025-03-01T00:00:00Z', { subjects: ['taken-back'], account: { taxRateKeys: ['before', 'since'] } });
  const calls = (from: number, count: number): Json[] => Array.from({ length: count }, (_, nth) => ({ specversion: '1.0', id: `t${from + nth}`, source: 's', type: 'call', subject: 'taken-back', time: '2025-03-02T00:00:00Z' }));
  await edition.send(calls(0, 8));
  await edition.advance(acme.clock, '2025-03-03T00:00:00Z');
  await succeed(on(acme, 'interim-invoice'));
  await edition.advance(acme.clock, '2025-03-03T01:00:00Z');
  await edition.send(calls(8, 2));
  await edition.advance(acme.clock, '2025-03-04T00:00:00Z');
  await succeed(on(acme, 'interim-invoice'));
  await edition.advance(acme.clock, '2025-03-05T00:00:00Z');
  for (const id of ['t0', 't1', 't2', 't3', 't4']) expect(await edition.ask('/api/v1/usage/events/void', { body: { subject: 'taken-back', source: 's', id, reason: 'Test' } })).toMatchObject({ status: 202 });
  await edition.advance(acme.clock, '2025-04-01T02:00:00Z');
  const [, first, second, last] = await invoicesOf(acme);
  expect([first.total, second.total]).toEqual(['9.60', '2.40']);
  // 5 x 1.00 of the whole, less 8.00 and 2.00: 5.00 back, 2.00 of the second and 3.00 of the first, with 20 % of tax; and the fee of April with 10 %.
  expect(last.lines.map(({ chargeKey, amount, taxAmount, credits }: Json) => [chargeKey, amount, taxAmount, credits?.invoiceId])).toEqual([['calls', '-2.00', '-0.40', second.id], ['calls', '-3.00', '-0.60', first.id], ['base', '10.00', '1.00', undefined]]);
  expect([last.total, await verified(last)]).toEqual(['5.00', [true, true, true]]);
}, TIMEOUT_MS);

test('February, usage below zero goes to the balance; when its invoice is voided the balance gives it back, and not once it is used', async () => {
  const acme = await customer('giving', '2025-02-01T00:00:00Z', { subjects: ['giving'] });
  await edition.send([{ specversion: '1.0', id: 'g1', source: 's', type: 'credit', subject: 'giving', time: '2025-02-10T00:00:00Z', data: { n: '-4' } }]);
  await edition.advance(acme.clock, '2025-03-01T02:00:00Z');
  const [below] = await invoicesOf(acme);
  expect(below).toMatchObject({ total: '-6.00', creditApplied: '-6.00', amountDue: '0.00', paymentStatus: 'paid' });
  const balances = (): Promise<Json> => edition.get(`/api/v1/billing/accounts/${acme.account}/balances`);
  expect(await balances()).toEqual({ data: [{ currency: 'USD', amount: '6.00' }] });
  const issued = await edition.post('/api/v1/billing/invoices', { accountId: acme.account, lines: [{ description: 'Setup', amount: '2.00' }] });
  await edition.advance(acme.clock, '2025-03-01T03:00:00Z');
  expect(await edition.get(`/api/v1/billing/invoices/${issued.id}`)).toMatchObject({ creditApplied: '2.00', amountDue: '0.00' });
  expect(await edition.ask(`/api/v1/billing/invoices/${below.id}/void`, { body: { reason: 'Wrong' } })).toMatchObject({ status: 409, body: { code: 'balance_too_low' } });
  await edition.post(`/api/v1/billing/invoices/${issued.id}/void`, { reason: 'Wrong' });
  expect(await balances()).toEqual({ data: [{ currency: 'USD', amount: '6.00' }] });
  expect(await edition.post(`/api/v1/billing/invoices/${below.id}/void`, { reason: 'Wrong' })).toMatchObject({ status: 'void' });
  expect(await balances()).toEqual({ data: [{ currency: 'USD', amount: '0.00' }] });
}, TIMEOUT_MS);
