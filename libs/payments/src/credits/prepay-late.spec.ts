import type { ClockStepped } from '@valueverse/contracts';
import { eventually } from '@valueverse/testing';
import { type PaymentsProcess, paymentsSpec } from '../payments-bed.spec-kit';
import type { PaymentProvider } from '../providers/provider';

// What is paid ahead is sent soon after it was asked for, or not at all.
const AT = '2026-03-01T00:00:00Z';
const LATE = '2026-03-01T01:00:01Z';
const TIMEOUT_MS = 60_000;
/** The first order of each test is held, before it goes to the sandbox or with the answer of the sandbox, until it is let go. */
let held = Promise.withResolvers<void>();
let isSent = false;
let orders = 0;
/** Has the first order arrive at the sandbox now. */
let arrive = (): Promise<unknown> => Promise.reject(new Error('there is no order yet'));
const spec = paymentsSpec({ each: true, wrap: (sandbox) => Object.assign(Object.create(sandbox) as PaymentProvider, {
  charge: async (...order: Parameters<PaymentProvider['charge']>) => {
    orders += 1;
    if (orders > 1) return sandbox.charge(...order);
    arrive = () => sandbox.charge(...order);
    if (isSent) await sandbox.charge(...order);
    await held.promise;
    return { status: 'unknown', reason: 'the process ended' } as const;
  },
}) });
beforeEach(() => { [held, orders, isSent] = [Promise.withResolvers(), 0, false]; });
afterEach(() => { held.resolve(); });

const order = async (): Promise<{ id: string; clockId: string }> => {
  const { accountId, clockId } = await spec.customer(AT, 'tok_ok');
  const { body } = await spec.ask('POST', '', { accountId, amount: '100.00' });
  await eventually('the order to be on its way', async () => (orders === 1 || undefined));
  return { id: String(body['payments'][0].id), clockId };
};
const moves = async ({ service }: PaymentsProcess, clockId: string, now: string): Promise<void> => {
  await spec.bed.say(spec.acme.tenant, `clock-${clockId}`, { type: 'ClockStepped', clockId, now } as ClockStepped, now, clockId);
  await eventually('the clock to move', async () => ((await service.database.transaction({ role: 'worker' }, (tx) => tx.query('SELECT FROM clocks WHERE clock = $1 AND now >= $2', [clockId, now]))).rowCount === 1 || undefined));
};
/** The clock moves on, and the run that holds the order loses its lease: the job is run again. */
const outlive = async (process: PaymentsProcess, clockId: string, now: string): Promise<void> => {
  await moves(process, clockId, now);
  await process.service.database.transaction({ role: 'worker' }, (tx) => tx.query(`UPDATE jobs SET locked_until = '-infinity' WHERE tenant = $1`, [spec.acme.tenant]));
};
const ends = (id: string, status: string) => eventually(`the payment to be ${status}`, async (saw) => {
  const { body } = await spec.ask('GET', `/${id}`);
  saw(body);
  return body['status'] === status ? body : undefined;
});

test('an order whose first run ended without an answer, and that was never taken, is given up when it is late', async () => {
  const { id, clockId } = await order();
  await outlive(spec.process, clockId, LATE);
  expect(await ends(id, 'failed')).toMatchObject({ attempts: [{ status: 'declined', declineCode: 'not_sent_in_time', declineClass: 'technical' }], nextAttemptAt: null });
  expect((await spec.facts(`payment-${id}`)).at(-1)).toMatchObject({ type: 'PaymentFailed', declineCode: 'not_sent_in_time' });
  expect([orders, await spec.bed.book(spec.process, spec.acme.tenant)]).toEqual([1, []]);
}, TIMEOUT_MS);

test('one that was taken is found, however late it is', async () => {
  isSent = true;
  const { id, clockId } = await order();
  await eventually('the money to be taken', async () => ((await spec.taken()).length === 1 || undefined));
  await outlive(spec.process, clockId, LATE);
  expect(await ends(id, 'succeeded')).toMatchObject({ attempts: [{ status: 'succeeded', amount: '100.00' }] });
  expect(await spec.taken()).toHaveLength(1);
}, TIMEOUT_MS);

test('a lost answer is looked up, and what is not found is not sent again when it is late', async () => {
  const { id, clockId } = await order();
  await moves(spec.process, clockId, LATE);
  held.resolve();
  expect(await ends(id, 'failed')).toMatchObject({ attempts: [{ status: 'declined', declineCode: 'never_arrived' }], nextAttemptAt: null });
  expect([orders, await spec.bed.book(spec.process, spec.acme.tenant)]).toEqual([1, []]);
}, TIMEOUT_MS);

test('an order that was not found because it was at work there still is found by one more look, and its money is this payment\'s', async () => {
  const { id, clockId } = await order();
  await moves(spec.process, clockId, LATE);
  held.resolve();
  expect(await ends(id, 'failed')).toMatchObject({ attempts: [{ status: 'declined', declineCode: 'never_arrived' }] });
  await arrive();
  await moves(spec.process, clockId, '2026-03-01T01:10:02Z');
  expect(await ends(id, 'succeeded')).toMatchObject({ attempts: [{ status: 'succeeded', amount: '100.00' }] });
  expect([orders, await spec.taken()]).toEqual([1, [expect.anything()]]);
}, TIMEOUT_MS);

test('while the provider says nothing it is neither sent nor given up; within its time it is sent again', async () => {
  const { id, clockId } = await order();
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'rate_limit', operation: 'read' });
  await outlive(spec.process, clockId, '2026-03-01T00:59:00Z');
  await eventually('the look to be turned away', async (saw) => {
    const { rows } = await spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query<{ waits_for: string | null }>(`SELECT waits_for FROM jobs WHERE tenant = $1 AND kind = 'payments.run-attempt'`, [spec.acme.tenant]));
    saw(rows);
    return rows.some(({ waits_for: reason }) => reason !== null) || undefined;
  });
  expect(await ends(id, 'processing')).toMatchObject({ attempts: [{ status: 'started' }] });
  await spec.bed.disarm(spec.process, spec.acme.tenant);
  expect(await ends(id, 'succeeded')).toMatchObject({ attempts: [{ status: 'succeeded' }] });
  expect(await spec.taken()).toHaveLength(1);
}, TIMEOUT_MS);
