import { derivedId } from '@valueverse/kernel';
import type { CreditRestored, CreditTakenBack, DisputeClosed, DisputeOpened, MoneyCredited, PaymentDuplicated, PaymentSucceeded, RefundFailed, RefundSucceeded } from '@valueverse/contracts';
import { rebuildAndCompare } from '@valueverse/event-log';
import { eventually } from '@valueverse/testing';
import { BillingBed, faultsOf, type Tenant } from '../billing-bed.spec-kit';
import { readPdf, rowsOf } from '../documents/pdf/pdf-text.spec-kit';
import { invoicesModel } from '../invoicing/invoice.model';
import { balancesModel } from '../balances/balance.model';
import { applyPayments } from './apply-payments';
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
  const [none, nothing] = [{ refunded: '0.00', disputed: '0.00', lost: '0.00' }, { refunds: [], disputes: [] }];
  expect(await received(tenant, 'pay_1')).toEqual({ id: 'pay_1', invoiceId: paid, ...at, currency: 'USD', amount: '100.00', applied: '100.00', unapplied: '0.00', reason: null, status: 'applied', ...none, ...nothing, allocations: [{ invoiceId: paid, amount: '100.00', ...none }] });
  expect(await received(tenant, 'pay_2')).toEqual({ id: 'pay_2', invoiceId: over, ...at, currency: 'USD', amount: '50.00', applied: '40.00', unapplied: '10.00', reason: 'over_paid', status: 'partially_applied', ...none, ...nothing, allocations: [{ invoiceId: over, amount: '40.00', ...none }] });
  expect(await received(tenant, 'pay_3')).toEqual({ id: 'pay_3', invoiceId: 'inv_none', ...at, currency: 'USD', amount: '7.50', applied: '0.00', unapplied: '7.50', reason: 'no_invoice', status: 'unapplied', ...none, ...nothing, allocations: [] });
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

test('what goes back is seen: a refund changes no status, a dispute does; a lost one makes the invoice owed again, or what the tenant says', async () => {
  const tenant = await bed.tenant();
  const { id: account } = await tenant.account();
  const AT = '2026-03-01T00:00:00Z';
  const told = (paymentId: string, fact: object): Promise<void> => tenant.hear('payments', `payment-${paymentId}`, { paymentId, accountId: account, currency: 'USD', providerReference: 'ref', ...fact } as never);
  const paid = async (paymentId: string): Promise<string> => {
    const invoice = await issued(tenant, account, '100.00');
    await came(tenant, paymentId, invoice, account, '100.00');
    return invoice;
  };
  const disputed = async (paymentId: string, invoiceId: string, outcome?: DisputeClosed['outcome']): Promise<void> => {
    const of = { disputeId: `dsp_${paymentId}`, invoiceId, amount: '100.00' };
    await told(paymentId, { type: 'DisputeOpened', ...of, reason: 'fraudulent', openedAt: AT } satisfies Partial<DisputeOpened>);
    if (outcome !== undefined) await told(paymentId, { type: 'DisputeClosed', ...of, outcome, closedAt: AT, providerReference: undefined } satisfies Partial<DisputeClosed> & { providerReference: undefined });
  };
  /** The invoice once it stands so: its status, what is paid of it, and what is due. */
  const stands = (invoiceId: string, ...wanted: readonly string[]) => eventually(`the invoice to be ${wanted.join(' ')}`, async (saw) => {
    const { paymentStatus, amountPaid, amountRemaining } = (await tenant.get(`invoices/${invoiceId}`)).body as Record<string, string>;
    const now = [paymentStatus, amountPaid, amountRemaining].join(' ');
    saw(now);
    return now === wanted.join(' ') || undefined;
  });
  const [refunded, won, open, lost] = [await paid('pay_r'), await paid('pay_w'), await paid('pay_o'), await paid('pay_l')];
  for (let times = 0; times < 2; times++) await told('pay_r', { type: 'RefundSucceeded', refundId: 'ref_1', invoiceId: refunded, amount: '30.00', attempt: 1, refundedAt: AT } satisfies Partial<RefundSucceeded>);
  await told('pay_r', { type: 'RefundSucceeded', refundId: 'ref_2', invoiceId: refunded, amount: '5.00', attempt: 1, refundedAt: AT });
  await told('pay_r', { type: 'RefundFailed', refundId: 'ref_2', invoiceId: refunded, amount: '5.00', code: 'lost_or_stolen_card', failedAt: AT, accountId: undefined, providerReference: undefined } satisfies Partial<RefundFailed> & { accountId: undefined; providerReference: undefined });
  await told('pay_r', { type: 'PaymentDuplicated', attempt: 2, invoiceId: refunded, amount: '100.00', foundAt: AT } satisfies Partial<PaymentDuplicated>);
  await told('pay_r', { type: 'RefundSucceeded', refundId: 'ref_3', invoiceId: refunded, amount: '100.00', attempt: 2, refundedAt: AT });
  await disputed('pay_w', won, 'won');
  await disputed('pay_o', open);
  await disputed('pay_l', lost, 'lost');
  await Promise.all([stands(won, 'paid', '100.00', '0.00'), stands(open, 'disputed', '100.00', '0.00'), stands(lost, 'unpaid', '0.00', '100.00')]);
  const back = await eventually('the refund of the second attempt', async (saw) => {
    const { body } = await tenant.get('payments/pay_r');
    saw(body);
    return body.refunds.length === 3 ? body as object : undefined;
  });
  // 100.00 + 100.00 that came twice; 30.00 + 100.00 given back, and 5.00 that did not arrive.
  expect(back).toMatchObject({
    amount: '200.00', applied: '100.00', unapplied: '100.00', reason: 'duplicate', refunded: '130.00', disputed: '0.00', lost: '0.00', allocations: [{ invoiceId: refunded, amount: '100.00', refunded: '30.00' }],
    refunds: [{ id: 'ref_1', amount: '30.00', status: 'succeeded' }, { id: 'ref_2', status: 'returned' }, { id: 'ref_3', amount: '100.00', status: 'succeeded' }],
  });
  await stands(refunded, 'paid', '100.00', '0.00');
  expect((await tenant.get('payments/pay_o')).body).toMatchObject({ disputed: '100.00', lost: '0.00', disputes: [{ id: 'dsp_pay_o', status: 'open', closedAt: null }] });
  expect((await tenant.get('payments/pay_l')).body).toMatchObject({ disputed: '0.00', lost: '100.00', allocations: [{ lost: '100.00' }], disputes: [{ status: 'lost', closedAt: AT }] });
  const idsOf = async (status: string): Promise<string[]> => ((await tenant.get(`invoices?paymentStatus=${status}`)).body.data as { id: string }[]).map(({ id }) => id);
  expect([await idsOf('disputed'), await idsOf('unpaid')]).toEqual([[open], [lost]]);
  // Paid again in another way, it is paid; and its receipt says what was due then.
  await came(tenant, 'pay_again', lost, account, '60.00');
  await stands(lost, 'partially_paid', '60.00', '40.00');
  expect(rowsOf(readPdf((await tenant.file('payments/pay_again/receipt')).content).pages[0]!)).toContain('Still due on this invoice | USD 40.00');
  await tenant.ask('PUT', 'settings', { lostDisputes: 'write_off' });
  const givenUp = await paid('pay_g');
  await disputed('pay_g', givenUp, 'lost');
  await stands(givenUp, 'uncollectible', '0.00', '100.00');
  // What is in force at the moment of the loss counts.
  await tenant.ask('PUT', 'settings', { lostDisputes: 'leave_paid', validFrom: '2026-01-01T00:00:00Z' });
  const left = await paid('pay_p');
  await disputed('pay_p', left, 'lost');
  await eventually('the loss to be told', async () => ((await tenant.get('payments/pay_p')).body?.lost === '100.00' || undefined));
  await stands(left, 'paid', '100.00', '0.00');
  expect(faultsOf(await tenant.ask('PUT', 'settings', { lostDisputes: 'forget' }))).toBe('400 | invalid_request | /lostDisputes invalid_value');
  for (const model of [receivedPaymentsModel, invoicesModel]) {
    const { live, rebuilt } = await rebuildAndCompare(bed.service.log.store, 'billing', model as never);
    expect(rebuilt).toBe(live);
  }
}, TIMEOUT_MS);

/** Waits until an account has so much to its credit. */
const balanceOf = (tenant: Tenant, account: string) => (amount: string) => eventually(`a balance of ${amount}`, async (saw) => {
  const { body } = await tenant.get(`accounts/${account}/balances`);
  saw(body);
  return body.data[0]?.amount === amount || undefined;
});

test('B38, B39, M1: prepaid money is the balance of its account, once however often it is told, and invoices that are issued at once take it to the cent', async () => {
  const tenant = await bed.tenant();
  const { id: account } = await tenant.account();
  const prepaid: MoneyCredited = { type: 'MoneyCredited', creditId: 'crd_1', accountId: account, amount: '130.00', currency: 'USD', reference: 'line 1', receivedAt: '2026-03-01T00:00:00Z', creditedAt: '2026-03-01T00:00:00Z' };
  for (let times = 0; times < 2; times++) await tenant.hear('payments', 'credit-crd_1', prepaid);
  const balance = balanceOf(tenant, account);
  await balance('130.00');
  const invoices = await Promise.all(['100.00', '50.00', '30.00'].map((amount) => issued(tenant, account, amount)));
  const bodies = await Promise.all(invoices.map(async (id) => (await tenant.get(`invoices/${id}`)).body as { total: string; creditApplied: string; amountRemaining: string }));
  const cents = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + Math.round(Number(text) * 100), 0);
  expect(cents(bodies.map(({ creditApplied }) => creditApplied))).toBe(13_000);
  expect(cents(bodies.map(({ amountRemaining }) => amountRemaining))).toBe(18_000 - 13_000);
  await balance('0.00');
}, TIMEOUT_MS);

test('what had become the balance and is gone leaves it, below nothing where it was used, once however often it is told; no invoice takes of that, and what comes next fills it', async () => {
  const tenant = await bed.tenant();
  const { id: account } = await tenant.account();
  const AT = '2026-03-01T00:00:00Z';
  const creditId = derivedId('crd', 'taken back');
  const money = { creditId, accountId: account, currency: 'USD', paymentId: 'pay_ahead' } as const;
  const told = (fact: CreditTakenBack | CreditRestored | MoneyCredited): Promise<void> => tenant.hear('payments', 'payment-pay_ahead', fact);
  const balance = balanceOf(tenant, account);
  await told({ type: 'MoneyCredited', ...money, invoiceId: creditId, amount: '60.00', creditedAt: AT });
  await balance('60.00');
  await issued(tenant, account, '49.00');
  await balance('11.00');
  const gone: CreditTakenBack = { type: 'CreditTakenBack', ...money, amount: '60.00', takenBackId: 'tbk_1', takenBackAt: AT };
  for (let times = 0; times < 2; times++) await told(gone);
  await balance('-49.00');
  expect((await tenant.get(`invoices/${await issued(tenant, account, '10.00')}`)).body).toMatchObject({ creditApplied: '0.00', amountRemaining: '10.00' });
  const back: CreditRestored = { type: 'CreditRestored', ...money, amount: '20.00', restoredId: 'tbk_2', restoredAt: AT };
  for (let times = 0; times < 2; times++) await told(back);
  await balance('-29.00');
  await told({ type: 'MoneyCredited', ...money, creditId: 'crd_next', invoiceId: 'crd_next', amount: '30.00', creditedAt: AT });
  await balance('1.00');
  expect((await tenant.get(`invoices/${await issued(tenant, account, '10.00')}`)).body).toMatchObject({ creditApplied: '1.00', amountRemaining: '9.00' });
  const { live, rebuilt } = await rebuildAndCompare(bed.service.log.store, 'billing', balancesModel as never);
  expect(rebuilt).toBe(live);
}, TIMEOUT_MS);

test('what was paid ahead has a receipt, which names the account and the seller as they are, and no invoice', async () => {
  const tenant = await bed.tenant();
  const { id: account } = await tenant.account();
  const creditId = derivedId('crd', 'receipt');
  await came(tenant, 'pay_ahead', creditId, account, '30.00');
  await received(tenant, 'pay_ahead');
  const receipt = await tenant.file('payments/pay_ahead/receipt');
  expect([receipt.status, receipt.headers.get('content-type'), receipt.headers.get('content-disposition')]).toEqual([200, 'application/pdf', 'inline; filename="pay_ahead.pdf"']);
  const rows = rowsOf(readPdf(receipt.content).pages[0]!);
  expect(rows).toEqual(expect.arrayContaining(['USD 30.00 paid on 1 Mar 2026', 'Added to your credit | 30.00', 'Amount paid | USD 30.00']));
  expect(rows.join('\n')).not.toMatch(/[Ii]nvoice/);
  expect((await tenant.file('payments/pay_ahead/receipt')).content).toEqual(receipt.content);
  expect(faultsOf(await (await bed.tenant()).get('payments/pay_ahead/receipt'))).toBe('404 | payment_not_found');
}, TIMEOUT_MS);

test('what is not the invoice\'s to hear is passed over, and what comes after it is heard: facts of before the first release, and money that was the account\'s before', async () => {
  const tenant = await bed.tenant();
  const { id: account } = await tenant.account();
  const AT = '2026-03-01T00:00:00Z';
  const told = (fact: object): Promise<void> => tenant.hear('payments', 'payment-pay_1', { paymentId: 'pay_1', currency: 'USD', ...fact } as never);
  const invoiceId = await issued(tenant, account, '49.00');
  await came(tenant, 'pay_1', invoiceId, account, '60.00');
  // They do not say of which invoice they are: nobody is told.
  for (const type of ['PaymentDuplicated', 'RefundFailed'] as const) expect(await applyPayments.on[type]!({ type, paymentId: 'pay_1', amount: '2.00', currency: 'USD' } as never, {} as never, {} as never)).toEqual({});
  await told({ type: 'PaymentDuplicated', accountId: account, attempt: 2, amount: '60.00', providerReference: 'ref', foundAt: AT } satisfies Partial<PaymentDuplicated>);
  await told({ type: 'RefundSucceeded', refundId: 'ref_1', invoiceId, accountId: account, amount: '2.00', attempt: 1, providerReference: 'ref', refundedAt: AT } satisfies Partial<RefundSucceeded>);
  await told({ type: 'RefundFailed', refundId: 'ref_1', amount: '2.00', code: 'lost_or_stolen_card', failedAt: AT } satisfies Partial<RefundFailed>);
  // 6.00 of the 11.00 that are over become the balance; paid out, they did not arrive, and are the balance again: the invoice has heard of them before.
  const credited = { type: 'MoneyCredited', accountId: account, amount: '6.00', invoiceId, creditedAt: AT } as const;
  await told({ ...credited, creditId: 'crd_1' } satisfies Partial<MoneyCredited>);
  await told({ ...credited, creditId: 'crd_2', refundId: 'ref_2' } satisfies Partial<MoneyCredited>);
  await told({ type: 'DisputeOpened', accountId: account, invoiceId, disputeId: 'dsp_1', amount: '20.00', reason: 'fraudulent', providerReference: 'ref', openedAt: AT } satisfies Partial<DisputeOpened>);
  const payment = await eventually('the dispute', async (saw) => {
    const { body } = await tenant.get('payments/pay_1');
    saw(body);
    return body?.disputes?.length === 1 ? body as object : undefined;
  });
  // Of the 20.00 that are disputed 3.00 are still over: 11.00 - 6.00 - 2.00.
  expect(payment).toMatchObject({ amount: '60.00', applied: '49.00', unapplied: '11.00', reason: 'over_paid', refunded: '2.00', disputed: '20.00', refunds: [{ id: 'ref_1', status: 'succeeded' }], allocations: [{ disputed: '17.00', refunded: '0.00' }] });
  await eventually('both credits', async (saw) => {
    const { body } = await tenant.get(`accounts/${account}/balances`);
    saw(body);
    return JSON.stringify(body).includes('"12.00"') || undefined;
  });
  const { rows } = await bed.service.database.transaction({ role: 'worker' }, (tx) => tx.query('SELECT consumer, stream FROM parked_streams WHERE stream LIKE $1', ['%pay_1']));
  expect(rows).toEqual([]);
}, TIMEOUT_MS);
