import type { MoneyCredited, PaymentSucceeded } from '@valueverse/contracts';
import { rebuildAndCompare } from '@valueverse/event-log';
import { eventually } from '@valueverse/testing';
import { BillingBed, faultsOf, type Tenant } from '../billing-bed.spec-kit';
import { readPdf, rowsOf } from '../documents/pdf/pdf-text.spec-kit';
import { receivedPaymentsModel } from './received-payment.model';

const TIMEOUT_MS = 60_000;
let bed: BillingBed;
beforeAll(async () => { bed = await BillingBed.make(); }, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

const issued = async (tenant: Tenant, accountId: string, amount: string): Promise<string> => {
  const { id } = await tenant.made('invoices', { accountId, lines: [{ description: 'Setup', amount }] });
  await eventually('the invoice to be issued', async () => ((await tenant.get(`invoices/${id}`)).body.status === 'finalized' ? true : undefined));
  return id;
};
const came = (tenant: Tenant, paymentId: string, invoiceId: string, accountId: string, amount: string, currency = 'USD'): Promise<void> =>
  tenant.hear('payments', `payment-${paymentId}`, { type: 'PaymentSucceeded', paymentId, invoiceId, accountId, amount, currency, attempt: 1, providerReference: 'ref', succeededAt: '2026-03-01T00:00:00Z' } as PaymentSucceeded);
const received = (tenant: Tenant, id: string) => eventually(`the payment ${id}`, async (saw) => {
  const answer = await tenant.get(`payments/${id}`);
  saw(answer);
  return answer.status === 200 ? answer.body : undefined;
});

test('money is applied, over, or both, with the reason; of an invoice, of an account, by how it went', async () => {
  const tenant = await bed.tenant();
  const { id: account } = await tenant.account();
  const [paid, over, other] = [await issued(tenant, account, '100.00'), await issued(tenant, account, '40.00'), await issued(tenant, account, '5.00')];
  await came(tenant, 'pay_1', paid, account, '100.00');
  await came(tenant, 'pay_2', over, account, '50.00');
  await came(tenant, 'pay_2', over, account, '50.00');
  await came(tenant, 'pay_3', 'inv_none', account, '7.50');
  await came(tenant, 'pay_4', other, account, '5.00', 'EUR');
  const at = { accountId: account, receivedAt: '2026-03-01T00:00:00Z' };
  expect(await received(tenant, 'pay_1')).toEqual({ id: 'pay_1', invoiceId: paid, ...at, currency: 'USD', amount: '100.00', applied: '100.00', unapplied: '0.00', reason: null, status: 'applied' });
  expect(await received(tenant, 'pay_2')).toEqual({ id: 'pay_2', invoiceId: over, ...at, currency: 'USD', amount: '50.00', applied: '40.00', unapplied: '10.00', reason: 'over_paid', status: 'partially_applied' });
  expect(await received(tenant, 'pay_3')).toEqual({ id: 'pay_3', invoiceId: 'inv_none', ...at, currency: 'USD', amount: '7.50', applied: '0.00', unapplied: '7.50', reason: 'no_invoice', status: 'unapplied' });
  expect(await received(tenant, 'pay_4')).toMatchObject({ currency: 'EUR', applied: '0.00', unapplied: '5.00', reason: 'wrong_currency' });
  const receipt = await tenant.file('payments/pay_2/receipt');
  expect([receipt.status, receipt.headers.get('content-type'), receipt.headers.get('content-disposition')]).toEqual([200, 'application/pdf', expect.stringMatching(/^inline; filename="INV-000002-pay_2.pdf"$/)]);
  const { number } = (await tenant.get(`invoices/${over}`)).body as { number: string };
  expect(rowsOf(readPdf(receipt.content).pages[0]!)).toEqual(expect.arrayContaining(['USD 50.00 paid on 1 Mar 2026', `Invoice ${number} | 40.00`, 'Amount paid | USD 50.00', 'Not taken by this invoice | USD 10.00', 'Still due on this invoice | USD 0.00']));
  expect(rowsOf(readPdf((await tenant.file('payments/pay_4/receipt')).content).pages[0]!)).toEqual(expect.arrayContaining(['EUR 5.00 paid on 1 Mar 2026', 'Still due on this invoice | USD 5.00']));
  // Money for an invoice that nobody issued has no receipt.
  expect(faultsOf(await tenant.get('payments/pay_3/receipt'))).toBe('404 | payment_not_found');
  const idsOf = async (query: string): Promise<string[]> => ((await tenant.get(`payments?${query}`)).body.data as { id: string }[]).map(({ id }) => id).sort();
  expect(await idsOf(`accountId=${account}`)).toEqual(['pay_1', 'pay_2', 'pay_3', 'pay_4']);
  expect(await idsOf(`invoiceId=${over}`)).toEqual(['pay_2']);
  expect(await idsOf('status=unapplied')).toEqual(['pay_3', 'pay_4']);
  expect(await idsOf('accountId=acc_none')).toEqual([]);
  expect((await tenant.get('payments?status=lost')).status).toBe(400);
  expect(faultsOf(await tenant.get('payments/pay_none'))).toBe('404 | payment_not_found');
  const stranger = await bed.tenant();
  expect(faultsOf(await stranger.get('payments/pay_1'))).toBe('404 | payment_not_found');
  expect(faultsOf(await stranger.get('payments/pay_1/receipt'))).toBe('404 | payment_not_found');
  expect((await stranger.get('payments')).body.data).toEqual([]);
  const { live, rebuilt } = await rebuildAndCompare(bed.service.log.store, 'billing', receivedPaymentsModel);
  expect(rebuilt).toBe(live);
}, TIMEOUT_MS);

test('B38, B39, M1: prepaid money is the balance of its account, once however often it is told, and invoices that are issued at once take it to the cent', async () => {
  const tenant = await bed.tenant();
  const { id: account } = await tenant.account();
  const prepaid: MoneyCredited = { type: 'MoneyCredited', creditId: 'crd_1', accountId: account, amount: '130.00', currency: 'USD', reference: 'line 1', receivedAt: '2026-03-01T00:00:00Z', creditedAt: '2026-03-01T00:00:00Z' };
  for (let times = 0; times < 2; times++) await tenant.hear('payments', 'credit-crd_1', prepaid);
  const balance = (amount: string) => eventually(`a balance of ${amount}`, async (saw) => {
    const { body } = await tenant.get(`accounts/${account}/balances`);
    saw(body);
    return JSON.stringify(body).includes(`"${amount}"`) || undefined;
  });
  await balance('130.00');
  const invoices = await Promise.all(['100.00', '50.00', '30.00'].map((amount) => issued(tenant, account, amount)));
  const bodies = await Promise.all(invoices.map(async (id) => (await tenant.get(`invoices/${id}`)).body as { total: string; creditApplied: string; amountRemaining: string }));
  const cents = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + Math.round(Number(text) * 100), 0);
  expect(cents(bodies.map(({ creditApplied }) => creditApplied))).toBe(13_000);
  expect(cents(bodies.map(({ amountRemaining }) => amountRemaining))).toBe(18_000 - 13_000);
  await balance('0.00');
}, TIMEOUT_MS);
