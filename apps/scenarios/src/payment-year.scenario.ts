import { eventually } from '@valueverse/testing';
import { Edition, type Json } from './edition.spec-kit';

// A year of one customer who pays 49.00 a month, through the public interface: prepaid, declined, confirmed, disputed, given back; in the end both books agree to the cent.
const TIMEOUT_MS = 120_000;
const PAYMENTS = '/api/v1/payments';
const SECRET = 'whsec_of_the_year_0123456789';
let edition: Edition;
let clockId: string;
let accountId: string;
beforeAll(async () => { edition = await Edition.start(); }, TIMEOUT_MS);
afterAll(() => edition.stop(), TIMEOUT_MS);

const keyed = async (path: string, body: unknown): Promise<Json> => {
  const answer = await edition.ask(PAYMENTS + path, { body, headers: { 'idempotency-key': `${path} ${JSON.stringify(body)}`.replaceAll(/[^\w]/g, '-').slice(0, 200) } });
  expect([200, 201, 202]).toContain(answer.status);
  return answer.body;
};
const until = (to: string): Promise<void> => edition.advance(clockId, to);
const balance = async (): Promise<string | undefined> => (await edition.get(`/api/v1/billing/accounts/${accountId}/balances`)).data[0]?.amount as string | undefined;
/** What was asked to be paid out of a credit, once it has come to a status. */
const paidOut = (creditId: string, refundId: string, status: string): Promise<Json> => eventually(`the refund to be ${status}`, async (saw) => {
  const { data } = await edition.get(`${PAYMENTS}/credits/${creditId}/refunds`);
  saw(data);
  return data.find((one: Json) => one.id === refundId && one.status === status);
});
/** The payment of the last invoice. */
const paid = (status = 'succeeded'): Promise<Json> => eventually(`the last payment to be ${status}`, async (saw) => {
  const [invoice] = (await edition.get(`/api/v1/billing/invoices?accountId=${accountId}&limit=1`)).data;
  const [payment] = (await edition.get(`${PAYMENTS}?invoiceId=${invoice.id}`)).data;
  saw([invoice, payment]);
  return payment?.status === status ? payment : undefined;
});

/** All of what was paid ahead cannot be paid out when an invoice has taken a part of it. */
const cannotTakeOut = async (creditId: string): Promise<void> => {
  const { id } = await keyed(`/credits/${creditId}/refunds`, { amount: '60.00', reason: 'changed their mind' });
  expect(await paidOut(creditId, id as string, 'refused')).toMatchObject({ amount: '60.00', code: 'credit_used' });
  expect(await balance()).toBe('11.00');
};
/** 30.00 are paid ahead by card, and 20.00 of them paid out again. */
const paysAheadAndTakesOut = async (): Promise<void> => {
  const [{ id: ahead, creditId }] = (await keyed('', { accountId, amount: '30.00' })).payments as [Json];
  await eventually('the balance', async () => ((await balance()) === '30.00' || undefined));
  const { id: out } = await keyed(`/credits/${String(creditId)}/refunds`, { amount: '20.00', reason: 'too much' });
  await paidOut(creditId as string, out as string, 'succeeded');
  expect(await balance()).toBe('10.00');
  expect(await eventually('billing to hear of it', async (saw) => {
    const payment = await edition.get(`/api/v1/billing/payments/${String(ahead)}`);
    saw(payment);
    return payment.refunded === '20.00' ? payment : undefined;
  })).toMatchObject({ invoiceId: creditId, amount: '30.00', applied: '0.00' });
};

test('a year of payments', async () => {
  // 2024-01-01: the customer pays 60.00 ahead, by bank transfer.
  clockId = (await edition.post('/api/v1/billing/clocks', { name: 'year', now: '2024-01-01T00:00:00Z' })).id;
  accountId = (await edition.post('/api/v1/billing/accounts', { name: 'Acme', email: 'billing@acme.example', currency: 'USD', timezone: 'UTC', testClockId: clockId })).id;
  await edition.post('/api/v1/billing/plans', { key: 'team', name: 'Team', currency: 'USD', interval: { unit: 'month', count: 1 }, charges: [{ key: 'seat', name: 'Seat', type: 'recurring', timing: 'in_advance', price: { model: 'flat', amount: '49.00' } }] });
  const { webhookPath } = (await edition.ask(`${PAYMENTS}/providers/sandbox`, { method: 'PUT', body: { webhookSecrets: [SECRET] } })).body;
  await edition.post(`${PAYMENTS}/sandbox/endpoints`, { url: edition.url + String(webhookPath), secret: SECRET });
  const { id: transfer } = await keyed('/credits', { accountId, amount: '60.00', currency: 'USD', reference: 'statement 1, line 1', receivedAt: '2024-01-01T00:00:00Z' });
  await eventually('the balance', async () => ((await balance()) === '60.00' || undefined));

  // 2024-01-01: the first invoice takes 49.00 of it; 11.00 are left.
  await edition.post('/api/v1/billing/subscriptions', { accountId, planKey: 'team', startsAt: '2024-01-01T00:00:00Z' });
  await until('2024-01-15T00:00:00Z');
  expect((await edition.get(`/api/v1/billing/invoices?accountId=${accountId}`)).data).toMatchObject([{ total: '49.00', creditApplied: '49.00', amountRemaining: '0.00', paymentStatus: 'paid' }]);
  expect(await balance()).toBe('11.00');
  await cannotTakeOut(transfer as string);

  // 2024-02-01: 49.00 - 11.00 = 38.00 by a card that has no funds on the 1st and the 2nd, and has some on the 4th.
  const { id: firstCard } = await edition.post(`${PAYMENTS}/methods`, { accountId, provider: 'sandbox', token: 'tok_ok_after_2' });
  await until('2024-02-10T00:00:00Z');
  const february = await paid();
  expect(february).toMatchObject({ amount: '38.00', fee: '1.40', attempts: [{ status: 'declined', declineClass: 'soft' }, { status: 'declined' }, { status: 'succeeded' }] });
  expect(february.attempts.map(({ startedAt }: Json) => String(startedAt).slice(0, 10))).toEqual(['2024-02-01', '2024-02-02', '2024-02-04']);

  // Each decline was told to the customer, with the day of the next try; so was the success.
  const mails = (await edition.get(`/api/v1/notifications/messages?accountId=${accountId}&limit=100`)).data.map(({ template, subject }: Json) => (template === 'invoice_finalized' ? template : subject) as string);
  expect(mails.sort()).toEqual(['Payment for invoice INV-000002 failed, we will try again', 'Payment for invoice INV-000002 failed, we will try again', 'Receipt for invoice INV-000002: USD 38.00', 'invoice_finalized', 'invoice_finalized']);

  // 2024-02-10: another card, entered at the page of the provider and confirmed there: the bank asks no more.
  const { url } = await edition.post(`${PAYMENTS}/methods/setups`, { accountId, provider: 'sandbox', default: true });
  await fetch(`${String(url)}/tok_authentication_required`, { method: 'POST' });
  await eventually('the new card to be charged from now on', async () => (await edition.get(`${PAYMENTS}/methods?accountId=${accountId}`)).data.find((one: Json) => one.default === true && one.id !== firstCard));

  // 2024-03-01: 49.00, at once.
  await until('2024-03-01T12:00:00Z');
  expect(await paid()).toMatchObject({ amount: '49.00', fee: '1.72', attempts: [{ status: 'succeeded' }] });

  // 2024-04-01: the customer disputes it: 49.00 are gone, and 15.00 for the bank.
  await until('2024-04-01T12:00:00Z');
  const april = await paid();
  expect((await edition.ask(`${PAYMENTS}/sandbox/actions/${String(april.id)}/dispute`, { method: 'POST' })).status).toBe(204);
  const dispute = await eventually('the dispute', async () => (await edition.get(`${PAYMENTS}/disputes?status=open`)).data[0] as Json);
  expect(dispute).toMatchObject({ paymentId: april.id, heldBack: '49.00', fee: '15.00', evidenceDueBy: '2024-04-08T12:00:00Z' });

  // 2024-05-01: 9.00 of 49.00 are given back.
  await until('2024-05-01T12:00:00Z');
  const may = await paid();
  await keyed(`/${String(may.id)}/refunds`, { amount: '9.00', reason: 'an outage' });
  await eventually('the refund', async () => ((await edition.get(`${PAYMENTS}/${String(may.id)}`)).amountRefunded === '9.00' || undefined));
  expect(await eventually('billing to hear of the refund', async (saw) => {
    const payment = await edition.get(`/api/v1/billing/payments/${String(may.id)}`);
    saw(payment);
    return payment.refunded === '9.00' ? payment : undefined;
  })).toMatchObject({ amount: '49.00', applied: '49.00', disputed: '0.00', allocations: [{ amount: '49.00', refunded: '9.00' }] });
  expect(await edition.get(`/api/v1/billing/payments/${String(april.id)}`)).toMatchObject({ applied: '49.00', disputed: '49.00', lost: '0.00' });
  const receipt = await edition.ask(`${PAYMENTS}/${String(may.id)}/receipt`);
  expect([receipt.status, receipt.headers.get('content-type')]).toEqual([200, 'application/pdf']);

  await until('2024-12-31T00:00:00Z');
  await paid();
  await paysAheadAndTakesOut();

  // Charged 38.00 + 10 x 49.00 + 30.00 = 558.00; fees 1.40 + 10 x 1.72 + 1.17 + 15.00 = 34.77; given back 9.00 + 20.00; left 558.00 - 29.00 - 49.00 - 34.77 = 445.23.
  // April's is disputed still, May's is paid although a part was given back.
  const statuses = (await edition.get(`/api/v1/billing/invoices?accountId=${accountId}&limit=100`)).data.map(({ number, paymentStatus }: Json) => `${String(number)} ${String(paymentStatus)}`);
  expect(statuses.sort()).toEqual(Array.from({ length: 12 }, (_, month) => `INV-${String(month + 1).padStart(6, '0')} ${month === 3 ? 'disputed' : 'paid'}`));
  const report = await edition.get(`${PAYMENTS}/reconciliation?provider=sandbox&from=2024-01-01T00:00:00Z&to=2025-01-01T00:00:00Z`);
  expect(report).toMatchObject({ agree: true, differences: [], sums: [{ currency: 'USD', charged: '558.00', refunded: '-29.00', disputed: '-49.00', fees: '34.77', paidOut: '0.00', balance: '445.23' }] });
}, TIMEOUT_MS);

test('what payments asks for is what billing says is due: after a credit note, a part by hand and a refund, at the page, of a card that comes, and not again', async () => {
  const { id: customer } = await edition.post('/api/v1/billing/accounts', { name: 'Beta', email: 'billing@beta.example', currency: 'USD', timezone: 'UTC' });
  const { id } = await edition.post('/api/v1/billing/invoices', { accountId: customer, lines: [{ description: 'Setup', amount: '100.00' }] });
  const remaining = (amount: string): Promise<Json> => eventually(`${amount} to remain`, async (saw) => {
    const invoice = await edition.get(`/api/v1/billing/invoices/${String(id)}`);
    saw(invoice.amountRemaining);
    return invoice.status === 'finalized' && invoice.amountRemaining === amount ? invoice : undefined;
  });
  const [line] = (await remaining('100.00')).lines as [Json];
  const { path } = await eventually('payments to know it', async () => {
    const made = await edition.ask(`${PAYMENTS}/links`, { body: { invoiceId: id } });
    return made.status === 201 ? made.body : undefined;
  });
  const pageSays = (what: RegExp): Promise<unknown> => eventually(`the page to say ${String(what)}`, async (saw) => {
    const page = String((await edition.ask(path, { key: undefined })).body);
    saw(page);
    return what.test(page) || undefined;
  });
  await pageSays(/<dd>100.00 USD<\/dd>/);
  const [{ id: part }] = (await keyed('', { invoiceId: id, amount: '30.00', manual: { reference: 'statement 2, line 1', receivedAt: '2024-01-01T00:00:00Z' } })).payments as [Json];
  expect((await edition.ask('/api/v1/billing/credit-notes', { body: { invoiceId: id, reason: 'Goodwill', lines: [{ lineId: line.id, amount: '20.00' }] }, headers: { 'idempotency-key': 'goodwill' } })).status).toBe(201);
  await remaining('50.00');
  await pageSays(/<dd>50.00 USD<\/dd>/);
  // What is given back of a part is not owed again.
  await keyed(`/${String(part)}/refunds`, { amount: '10.00', reason: 'a kindness' });
  await eventually('the refund', async () => ((await edition.get(`${PAYMENTS}/${String(part)}`)).amountRefunded === '10.00' || undefined));
  await edition.post(`${PAYMENTS}/methods`, { accountId: customer, provider: 'sandbox', token: 'tok_ok' });
  await remaining('0.00');
  await pageSays(/This invoice is paid/);
  const taken = (await edition.get(`${PAYMENTS}?invoiceId=${String(id)}`)).data.map(({ status, amount, amountRefunded }: Json) => [status, amount, amountRefunded].join(' ') as string);
  expect(taken.sort()).toEqual(['succeeded 30.00 10.00', 'succeeded 50.00 0.00']);
  expect(await edition.ask(PAYMENTS, { body: { invoiceId: id }, headers: { 'idempotency-key': 'once-more' } })).toMatchObject({ status: 409, body: { code: 'invoice_not_payable' } });
}, TIMEOUT_MS);

test('what was paid ahead and is disputed leaves the balance, also where an invoice has used it; what comes next fills it, and what the bank gives back is there again', async () => {
  // 2024-01-01: 60.00 are paid ahead by card; there is a receipt for it.
  const { id: own } = await edition.post('/api/v1/billing/clocks', { name: 'ahead', now: '2024-01-01T00:00:00Z' });
  const { id: customer } = await edition.post('/api/v1/billing/accounts', { name: 'Gamma', email: 'billing@gamma.example', currency: 'USD', timezone: 'UTC', testClockId: own });
  const stands = (amount: string): Promise<unknown> => eventually(`a balance of ${amount}`, async (saw) => {
    const { data } = await edition.get(`/api/v1/billing/accounts/${String(customer)}/balances`);
    saw(data);
    return data[0]?.amount === amount || undefined;
  });
  await edition.post(`${PAYMENTS}/methods`, { accountId: customer, provider: 'sandbox', token: 'tok_ok' });
  const [{ id: first }] = (await keyed('', { accountId: customer, amount: '60.00' })).payments as [Json];
  await stands('60.00');
  const receipt = await eventually('the receipt', async () => {
    const answer = await edition.ask(`${PAYMENTS}/${String(first)}/receipt`);
    return answer.status === 200 ? answer : undefined;
  });
  expect(receipt.headers.get('content-type')).toBe('application/pdf');

  // 2024-01-02: an invoice of 49.00 takes it; 11.00 are left.
  await edition.advance(own as string, '2024-01-02T00:00:00Z');
  const { id: invoice } = await edition.post('/api/v1/billing/invoices', { accountId: customer, lines: [{ description: 'Setup', amount: '49.00' }] });
  await stands('11.00');

  // 2024-01-03: the customer disputes the 60.00: the bank has them, and the account owes 49.00; the invoice is paid, and nothing is asked of the card.
  await edition.advance(own as string, '2024-01-03T00:00:00Z');
  const act = async (payment: unknown, action: string): Promise<void> => { expect((await edition.ask(`${PAYMENTS}/sandbox/actions/${String(payment)}/${action}`, { method: 'POST' })).status).toBe(204); };
  await act(first, 'dispute');
  await stands('-49.00');
  expect(await edition.get(`/api/v1/billing/payments/${String(first)}`)).toMatchObject({ amount: '60.00', unapplied: '60.00', disputed: '60.00' });
  expect(await edition.get(`/api/v1/billing/invoices/${String(invoice)}`)).toMatchObject({ creditApplied: '49.00', paymentStatus: 'paid' });

  // 2024-01-04: 50.00 more are paid ahead, of which 49.00 fill what is owed; all of them are given back at the page of the provider.
  await edition.advance(own as string, '2024-01-04T00:00:00Z');
  const [{ id: second }] = (await keyed('', { accountId: customer, amount: '50.00' })).payments as [Json];
  await stands('1.00');
  await act(second, 'refund');
  await stands('-49.00');

  // 2024-01-05: a cheque of 100.00 is paid ahead by hand, and bounces but for 30.00.
  await edition.advance(own as string, '2024-01-05T00:00:00Z');
  const { id: cheque } = await keyed('/credits', { accountId: customer, amount: '100.00', currency: 'USD', reference: 'cheque 1001', receivedAt: '2024-01-05T00:00:00Z' });
  await stands('51.00');
  await keyed(`/credits/${String(cheque)}/reversals`, { amount: '70.00', reason: 'no funds', reversedAt: '2024-01-05T12:00:00Z' });
  await stands('-19.00');
  expect((await edition.get(`${PAYMENTS}/credits?accountId=${String(customer)}`)).data.map(({ amount, takenBack }: Json) => `${String(amount)} ${String(takenBack)}`).sort()).toEqual(['100.00 70.00', '50.00 50.00', '60.00 60.00']);

  // What is taken back of a cheque that paid an invoice is owed again.
  const { id: next } = await edition.post('/api/v1/billing/invoices', { accountId: customer, lines: [{ description: 'Hours', amount: '20.00' }] });
  const invoiceIs = (paymentStatus: string): Promise<Json> => eventually(`the invoice to be ${paymentStatus}`, async (saw) => {
    const body = await edition.get(`/api/v1/billing/invoices/${String(next)}`);
    saw(body);
    return body.paymentStatus === paymentStatus ? body : undefined;
  });
  expect(await invoiceIs('paid')).toMatchObject({ creditApplied: '0.00' });

  // 2024-01-06: the bank decides for the tenant: the 60.00 are there again.
  await edition.advance(own as string, '2024-01-06T00:00:00Z');
  await act(first, 'win_dispute');
  await stands('41.00');
}, TIMEOUT_MS);

test('a lost dispute owes again what no credit note had promised to refund; a bank that lets go of the money after all pays the invoice, and both books agree', async () => {
  const { id: customer } = await edition.post('/api/v1/billing/accounts', { name: 'Delta', email: 'billing@delta.example', currency: 'USD', timezone: 'UTC' });
  await edition.post(`${PAYMENTS}/methods`, { accountId: customer, provider: 'sandbox', token: 'tok_ok' });
  const { id } = await edition.post('/api/v1/billing/invoices', { accountId: customer, lines: [{ description: 'Setup', amount: '100.00' }] });
  const invoiceIs = (paymentStatus: string, amountRemaining: string): Promise<Json> => eventually(`the invoice to be ${paymentStatus}, ${amountRemaining}`, async (saw) => {
    const body = await edition.get(`/api/v1/billing/invoices/${String(id)}`);
    saw(body);
    return body.paymentStatus === paymentStatus && body.amountRemaining === amountRemaining ? body : undefined;
  });
  const [line] = (await invoiceIs('paid', '0.00')).lines as [Json];
  const [payment] = (await edition.get(`${PAYMENTS}?invoiceId=${String(id)}`)).data as [Json];
  expect(await edition.ask('/api/v1/billing/credit-notes', { body: { invoiceId: id, reason: 'Goodwill', settlement: 'refund', lines: [{ lineId: line.id, amount: '30.00' }] }, headers: { 'idempotency-key': 'promised' } })).toMatchObject({ status: 201, body: { toRefund: '30.00' } });
  const act = async (action: string): Promise<void> => { expect((await edition.ask(`${PAYMENTS}/sandbox/actions/${String(payment.id)}/${action}`, { method: 'POST' })).status).toBe(204); };
  await act('dispute');
  await invoiceIs('disputed', '0.00');
  // 100.00 are lost, of which 30.00 were the customer's anyhow.
  await act('lose_dispute');
  await invoiceIs('partially_paid', '70.00');
  await act('win_dispute');
  await invoiceIs('paid', '0.00');
  expect(await edition.get(`${PAYMENTS}/${String(payment.id)}`)).toMatchObject({ status: 'succeeded', amount: '100.00', amountDisputed: '0.00' });
  // What was promised is promised again, and can be refunded.
  await keyed(`/${String(payment.id)}/refunds`, { amount: '30.00', reason: 'Goodwill' });
  expect(await eventually('the books to agree', async (saw) => {
    const report = await edition.get(`${PAYMENTS}/reconciliation?provider=sandbox&from=2023-01-01T00:00:00Z&to=2100-01-01T00:00:00Z`);
    saw(report);
    return report.agree === true ? report : undefined;
  })).toMatchObject({ differences: [] });
}, TIMEOUT_MS);
