import { type Fact, rebuildAndCompare } from '@valueverse/event-log';
import { systemClock } from '@valueverse/platform';
import { eventually } from '@valueverse/testing';
import { paymentsShape } from '../index';
import { PaymentsBed } from '../payments-bed.spec-kit';
import type { ChargeOutcome, NoAnswer, PaymentProvider } from '../providers/provider';
import { collector } from './collector';

const AT = '2026-03-01T00:00:00Z';
let bed: PaymentsBed;
let nth = 0;
const newTenant = (): string => `org_${nth += 1}:test`;

beforeEach(async () => { bed = await PaymentsBed.make(); }, 60_000);
afterEach(() => bed.close(), 30_000);

/** The sandbox, with something in front of it that a spec decides. */
const between = (sandbox: PaymentProvider, more: Partial<PaymentProvider>): PaymentProvider => Object.assign(Object.create(sandbox) as PaymentProvider, more);

test('a finalized invoice is paid by itself, once, also when it is announced twice', async () => {
  const tenant = newTenant();
  const process = await bed.process();
  const accountId = await bed.openAccount(tenant, AT);
  await bed.attach(process, tenant, accountId, 'tok_ok');
  const invoiceId = await bed.finalize(tenant, accountId, { total: '49.00', at: AT, times: 2 });
  const payment = await bed.payment(process, tenant, invoiceId, 'succeeded');
  expect(payment).toMatchObject({ invoiceId, accountId, amount: '49.00', currency: 'USD', attempts: [{ number: 1, status: 'succeeded' }] });
  expect(await bed.facts(process, tenant, invoiceId)).toEqual(['PaymentRequested', 'PaymentAttemptStarted', 'PaymentSucceeded']);
  expect(await bed.book(process, tenant)).toMatchObject([{ key: `pay:${payment.id}:att:1`, amount: 4900, currency: 'usd', status: 'succeeded' }]);
  for (const model of paymentsShape.readModels) {
    const { live, rebuilt } = await rebuildAndCompare(process.service.log.store, 'payments', model);
    expect(rebuilt).toBe(live);
  }
}, 60_000);

test('a decline fails the payment and says why', async () => {
  const tenant = newTenant();
  const process = await bed.process();
  const accountId = await bed.openAccount(tenant, AT);
  await bed.attach(process, tenant, accountId, 'tok_declined_expired_card');
  const invoiceId = await bed.finalize(tenant, accountId, { total: '49.00', at: AT });
  expect(await bed.payment(process, tenant, invoiceId, 'failed')).toMatchObject({ attempts: [{ status: 'declined', declineCode: 'expired_card', declineClass: 'hard' }] });
  expect(await bed.facts(process, tenant, invoiceId)).toEqual(['PaymentRequested', 'PaymentAttemptStarted', 'PaymentAttemptDeclined', 'PaymentFailed']);
}, 60_000);

test('an invoice waits for a method, and is collected when there is one; nothing is due of an invoice of zero', async () => {
  const tenant = newTenant();
  const process = await bed.process();
  const accountId = await bed.openAccount(tenant, AT);
  const waiting = await bed.finalize(tenant, accountId, { total: '12.34', at: AT });
  const free = await bed.finalize(tenant, accountId, { total: '0.00', at: AT });
  await eventually('the invoice to be remembered', async () =>
    (await process.service.database.transaction({ role: 'worker' }, (tx) => tx.query('SELECT FROM waiting_invoices WHERE tenant = $1 AND invoice_id = $2', [tenant, waiting]))).rowCount === 1 || undefined);
  await bed.attach(process, tenant, accountId, 'tok_ok');
  expect(await bed.payment(process, tenant, waiting, 'succeeded')).toMatchObject({ amount: '12.34' });
  expect(await bed.facts(process, tenant, free)).toEqual([]);
  expect(await bed.book(process, tenant)).toHaveLength(1);
}, 60_000);

test('invoices that are announced together are collected together; one that is void by then is not', async () => {
  const tenant = newTenant();
  const process = await bed.process();
  const [paying, other] = [await bed.openAccount(tenant, AT), await bed.openAccount(tenant, AT)];
  await bed.attach(process, tenant, paying, 'tok_ok');
  const fact = (type: string, invoiceId: string, accountId: string): Fact => ({ tenant, at: AT, event: { type, invoiceId, accountId, amountDue: '5.00', currency: 'USD', issuedAt: AT } }) as unknown as Fact;
  const facts = [fact('InvoiceFinalized', 'inv_1', paying), fact('InvoiceFinalized', 'inv_2', paying), fact('InvoiceVoided', 'inv_2', paying), fact('InvoiceFinalized', 'inv_3', other)];
  const waiting = await process.service.database.transaction({ role: 'worker' }, async (tx) => {
    const reactions = await collector(systemClock).together!(facts, tx);
    expect(reactions.map((reaction) => reaction?.commands?.map(({ command }) => (command as unknown as { invoiceId: string }).invoiceId))).toEqual([['inv_1'], undefined, undefined, undefined]);
    return (await tx.query<{ invoice_id: string }>('SELECT invoice_id FROM waiting_invoices WHERE tenant = $1', [tenant])).rows;
  });
  expect(waiting).toEqual([{ invoice_id: 'inv_3' }]);
}, 60_000);

test('an answer that is lost is looked up: the money was taken once', async () => {
  const tenant = newTenant();
  const process = await bed.process();
  const accountId = await bed.openAccount(tenant, AT);
  await bed.attach(process, tenant, accountId, 'tok_lost_reply');
  const invoiceId = await bed.finalize(tenant, accountId, { total: '49.00', at: AT });
  await bed.payment(process, tenant, invoiceId, 'succeeded');
  expect(await bed.facts(process, tenant, invoiceId)).toEqual(['PaymentRequested', 'PaymentAttemptStarted', 'PaymentAttemptLost', 'PaymentSucceeded']);
  expect(await bed.book(process, tenant)).toHaveLength(1);
}, 60_000);

test('an order that never arrived is sent again under the same key, and a provider that cannot say is asked until it can', async () => {
  const tenant = newTenant();
  const keys: string[] = [];
  let lookUps = 0;
  const process = await bed.process((sandbox) => between(sandbox, {
    charge: (order, signal) => {
      keys.push(order.key);
      return keys.length === 1 ? Promise.resolve({ status: 'unknown', reason: 'the connection was cut' } as const) : sandbox.charge(order, signal);
    },
    find: (order, signal) => {
      lookUps += 1;
      return lookUps === 1 ? Promise.resolve({ status: 'unknown', reason: 'the provider is down' } as const) : sandbox.find(order, signal);
    },
  }));
  const accountId = await bed.openAccount(tenant, AT);
  await bed.attach(process, tenant, accountId, 'tok_ok');
  const invoiceId = await bed.finalize(tenant, accountId, { total: '49.00', at: AT });
  await bed.payment(process, tenant, invoiceId, 'succeeded');
  expect(keys).toHaveLength(2);
  expect(new Set(keys).size).toBe(1);
  expect(lookUps).toBe(2);
  expect(await bed.facts(process, tenant, invoiceId)).toEqual(['PaymentRequested', 'PaymentAttemptStarted', 'PaymentAttemptLost', 'PaymentSucceeded']);
}, 60_000);

test('B47: a process that ends between the answer and its commit has charged once, and what it says later changes nothing', async () => {
  const tenant = newTenant();
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => { release = resolve; });
  let answered: ((answer: ChargeOutcome | NoAnswer) => void) | undefined;
  const charged = new Promise<ChargeOutcome | NoAnswer>((resolve) => { answered = resolve; });
  const dying = await bed.process((sandbox) => between(sandbox, {
    charge: async (order, signal) => {
      const answer = await sandbox.charge(order, signal);
      answered?.(answer);
      await held;
      return answer;
    },
  }));
  const accountId = await bed.openAccount(tenant, AT);
  await bed.attach(dying, tenant, accountId, 'tok_ok');
  const invoiceId = await bed.finalize(tenant, accountId, { total: '49.00', at: AT });
  await charged;
  expect(await bed.payment(dying, tenant, invoiceId, 'processing')).toMatchObject({ attempts: [{ status: 'started' }] });
  // As when the first process has been silent for longer than its lease.
  await dying.service.database.transaction({ role: 'worker' }, (tx) => tx.query(`UPDATE jobs SET locked_until = '-infinity' WHERE tenant = $1`, [tenant]));
  let chargesOfHeir = 0;
  const heir = await bed.process((sandbox) => between(sandbox, { charge: (order, signal) => { chargesOfHeir += 1; return sandbox.charge(order, signal); } }));
  await bed.payment(heir, tenant, invoiceId, 'succeeded');
  release();
  await dying.stop();
  expect(chargesOfHeir).toBe(0);
  expect(await bed.book(heir, tenant)).toHaveLength(1);
  expect(await bed.facts(heir, tenant, invoiceId)).toEqual(['PaymentRequested', 'PaymentAttemptStarted', 'PaymentSucceeded']);
}, 60_000);

test('on a test clock everything happens at its time', async () => {
  const tenant = newTenant();
  const process = await bed.process();
  const clockId = await bed.openClock(tenant, AT);
  const accountId = await bed.openAccount(tenant, AT, clockId);
  await bed.attach(process, tenant, accountId, 'tok_lost_reply');
  const invoiceId = await bed.finalize(tenant, accountId, { total: '49.00', at: AT, clockId });
  const payment = await bed.payment(process, tenant, invoiceId, 'succeeded');
  expect(payment).toMatchObject({ createdAt: AT, attempts: [{ startedAt: AT, endedAt: AT }] });
}, 60_000);
