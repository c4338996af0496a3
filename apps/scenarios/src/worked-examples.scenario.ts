// Published examples of other systems that only the whole shows: usage by the public API, statements of metering, drafts, credit notes. docs/rating.md has the settings as a table.
import { Edition, type Answer, type Json } from './edition.spec-kit';

const TIMEOUT_MS = 120_000;
let edition: Edition;

beforeAll(async () => {
  edition = await Edition.start();
  await edition.post('/api/v1/usage/meters', { key: 'calls', eventType: 'call', aggregation: 'sum', valueProperty: '$.n' });
  await edition.post('/api/v1/usage/meters', { key: 'level', eventType: 'level', aggregation: 'time_weighted_sum', valueProperty: '$.n' });
}, TIMEOUT_MS);
afterAll(() => edition.stop(), TIMEOUT_MS);

interface Customer { readonly clock: string; readonly account: string }
/** A customer of a plan with one usage charge, or with nothing but an account. */
const customer = async (name: string, startsAt: string, { charge, timezone = 'UTC', alignment = 'anniversary' }: { readonly charge?: Json; readonly timezone?: string; readonly alignment?: string } = {}): Promise<Customer> => {
  const { id: clock } = await edition.post('/api/v1/billing/clocks', { name, now: startsAt });
  const { id: account } = await edition.post('/api/v1/billing/accounts', { name, currency: 'USD', timezone, testClockId: clock });
  if (charge === undefined) return { clock, account };
  await edition.post('/api/v1/billing/plans', { key: name, name, currency: 'USD', interval: { unit: 'month', count: 1 }, charges: [{ key: 'usage', name: 'Usage', type: 'usage', ...charge }] });
  await edition.post('/api/v1/billing/subscriptions', { accountId: account, planKey: name, startsAt, alignment, subjects: [name] });
  return { clock, account };
};
let sent = 0;
const used = (subject: string, type: string, time: string, n: string): Promise<Json> => edition.send([{ specversion: '1.0', id: `e${sent++}`, source: 'examples', type, subject, time, data: { n } }]);
const invoicesOf = async ({ account }: Customer): Promise<Json[]> => ((await edition.get(`/api/v1/billing/invoices?accountId=${account}`)).data as Json[]).reverse();
const note = (body: Json): Promise<Answer> => edition.ask('/api/v1/billing/credit-notes', { body: { reason: 'Adjusted', ...body }, headers: { 'idempotency-key': JSON.stringify(body) } });

test('C30: ten units in a window with a commitment of its own, five outside of it', async () => {
  const schedule = { windows: [{ name: 'night', from: '00:00', to: '06:00', price: { model: 'per_unit', unitAmount: '1', commitment: { amount: '4', overageFactor: '2' } } }], otherwise: { model: 'per_unit', unitAmount: '3' } };
  const acme = await customer('windows', '2024-01-01T00:00:00Z', { charge: { meterKey: 'calls', schedule } });
  await used('windows', 'call', '2024-01-10T02:00:00Z', '10');
  await used('windows', 'call', '2024-01-10T10:00:00Z', '5');
  await edition.advance(acme.clock, '2024-02-01T02:00:00Z');
  const [invoice] = await invoicesOf(acme);
  expect([invoice.total, ...invoice.lines.map(({ description, amount }: Json) => `${description} ${amount}`)]).toEqual(['31.00', 'Usage (night) 16.00', 'Usage 15.00']);
}, TIMEOUT_MS);

test('C38: what was there, by the time it was there, in a month of Kolkata', async () => {
  const acme = await customer('weighted', '2025-07-31T18:30:00Z', { charge: { meterKey: 'level', price: { model: 'per_unit', unitAmount: '1000000' } }, timezone: 'Asia/Kolkata', alignment: 'calendar' });
  for (const [day, n] of [['16', '20'], ['18', '10'], ['20', '10'], ['25', '5']] as const) await used('weighted', 'level', `2025-08-${day}T00:00:00Z`, n);
  await edition.advance(acme.clock, '2025-08-31T20:00:00Z');
  const [invoice] = await invoicesOf(acme);
  // (20 x 1,362,600 + 10 x 1,189,800 + 10 x 1,017,000 + 5 x 585,000 s) / 2,678,400 s = 19.506048387...
  expect([invoice.servicePeriod, invoice.total]).toEqual([{ from: '2025-07-31T18:30:00Z', to: '2025-08-31T18:30:00Z' }, '19506048.39']);
}, TIMEOUT_MS);

const pays = ({ account }: Customer): Promise<Json> => edition.post('/api/v1/payments/methods', { accountId: account, provider: 'sandbox', token: 'tok_ok', default: true });
const billed = (acme: Customer, amount: string): Promise<Json> => edition.post('/api/v1/billing/invoices', { accountId: acme.account, lines: [{ description: 'As agreed', amount }] });
const invoice = (id: string): Promise<Json> => edition.get(`/api/v1/billing/invoices/${id}`);
const balanceOf = async ({ account }: Customer): Promise<string> => (await edition.get(`/api/v1/billing/accounts/${account}/balances`)).data[0]?.amount ?? '0.00';

test('X7: credit of 20.00 lowers what is asked for of 100.00, as its draft says before', async () => {
  const acme = await customer('credited', '2024-01-01T00:00:00Z');
  await pays(acme);
  const before = await billed(acme, '20.00');
  await edition.advance(acme.clock, '2024-01-02T00:00:00Z');
  expect((await note({ invoiceId: before.id, amount: '20.00' })).body).toMatchObject({ toBalance: '20.00' });
  const draft = await edition.post('/api/v1/billing/invoices', { accountId: acme.account, finalize: 'by_hand', lines: [{ description: 'As agreed', amount: '100.00' }] });
  expect(draft).toMatchObject({ status: 'draft', total: '100.00', creditApplied: '20.00', amountDue: '80.00' });
  expect([await edition.post(`/api/v1/billing/invoices/${draft.id}/finalize`, {}), await balanceOf(acme)]).toMatchObject([{ total: '100.00', amountDue: '80.00' }, '0.00']);
}, TIMEOUT_MS);

test('X8: 10.00 off 100.00 lowers what is due while it is unpaid, and is the credit of the account once it is paid', async () => {
  const [owing, paying] = [await customer('owing', '2024-01-01T00:00:00Z'), await customer('paying', '2024-01-01T00:00:00Z')];
  await pays(paying);
  const [unpaid, paid] = [await billed(owing, '100.00'), await billed(paying, '100.00')];
  for (const { clock } of [owing, paying]) await edition.advance(clock, '2024-01-02T00:00:00Z');
  for (const { id } of [unpaid, paid]) await note({ invoiceId: id, amount: '10.00' });
  expect([await invoice(unpaid.id), await balanceOf(owing)]).toMatchObject([{ amountPaid: '0.00', amountRemaining: '90.00' }, '0.00']);
  expect([await invoice(paid.id), await balanceOf(paying)]).toMatchObject([{ paymentStatus: 'paid', amountRemaining: '0.00' }, '10.00']);
}, TIMEOUT_MS);

test('T9: in the three days after January its invoice is a draft that takes events of January; one of February is for the next', async () => {
  const acme = await customer('graceful', '2024-01-01T00:00:00Z', { charge: { meterKey: 'calls', price: { model: 'per_unit', unitAmount: '1' } } });
  const { status } = await edition.ask('/api/v1/billing/settings', { method: 'PUT', body: { gracePeriod: 'PT72H' } });
  expect(status).toBe(200);
  await edition.advance(acme.clock, '2024-02-02T12:00:00Z');
  await used('graceful', 'call', '2024-01-11T00:00:00Z', '11');
  await used('graceful', 'call', '2024-02-02T00:00:00Z', '2');
  expect(await invoicesOf(acme)).toMatchObject([{ status: 'draft', servicePeriod: { to: '2024-02-01T00:00:00Z' } }]);
  await edition.advance(acme.clock, '2024-03-04T00:00:00Z');
  expect(await invoicesOf(acme)).toMatchObject([{ status: 'finalized', total: '11.00', issuedAt: '2024-02-04T00:00:00Z' }, { status: 'finalized', total: '2.00', issuedAt: '2024-03-04T00:00:00Z' }]);
}, TIMEOUT_MS);
