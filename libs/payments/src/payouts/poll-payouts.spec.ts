import { eventually } from '@valueverse/testing';
import { type Answered, paymentsSpec } from '../payments-bed.spec-kit';
import { Sandbox } from '../providers/sandbox/sandbox';
import { POLLED_PAYOUTS } from './poll-payouts';

// Payouts of which no webhook tells are found by the poll of the day.
const TIMEOUT_MS = 60_000;
const DAY_MS = 86_400_000;
const spec = paymentsSpec({ each: true });
const payOut = (amount: number, daysAgo = 0): Promise<unknown> => spec.host.app.get(Sandbox).control(spec.acme.tenant, 'payouts', { amount }, new Date(Date.now() - daysAgo * DAY_MS).toISOString());
const database = () => spec.process.service.database;
const polls = async () => (await database().transaction({ role: 'worker' }, (tx) => tx.query<{ id: string; due_at: string; waits_for: string | null }>(`SELECT id, due_at::text, waits_for FROM jobs WHERE tenant = $1 AND kind = 'payments.poll-payouts'`, [spec.acme.tenant]))).rows;
/** As when it is tomorrow. */
const tomorrow = async (): Promise<void> => { await database().transaction({ role: 'worker' }, (tx) => tx.query(`UPDATE jobs SET due_at = clock_timestamp() WHERE tenant = $1 AND kind = 'payments.poll-payouts'`, [spec.acme.tenant])); };
const payouts = async (query = ''): Promise<Answered[]> => (await spec.ask('GET', `/payouts?limit=100${query}`)).body['data'] as Answered[];
const known = (count: number) => eventually(`${count} payouts`, async (saw) => {
  const { rows: [row] } = await database().transaction({ role: 'worker' }, (tx) => tx.query<{ count: bigint }>('SELECT count(*) FROM payouts WHERE tenant = $1', [spec.acme.tenant]));
  saw(row);
  return Number(row!.count) === count || undefined;
}, { timeoutMs: 20_000 });
const isQuiet = () => eventually('the poll to be over', async (saw) => {
  const found = await polls();
  saw(found);
  return found.length === 1 && Date.parse(found[0]!.due_at) > Date.now() + DAY_MS / 2 ? found : undefined;
});

test('what no webhook told of is found within a day: from the last one known on, once, and what stands otherwise by now; each poll is followed by one other', async () => {
  await spec.hearWebhooks();
  await isQuiet();
  await spec.ask('POST', '/sandbox/faults', { fault: 'webhook_dropped' });
  for (const [amount, daysAgo] of [[100, 45], [200, 20], [300, 3]] as const) await payOut(amount, daysAgo);
  await spec.ask('PUT', '/providers/sandbox', { webhookSecrets: spec.secrets });
  expect(await payouts()).toEqual([]);
  await tomorrow();
  // Thirty days back where nothing is known.
  await known(2);
  await isQuiet();
  await payOut(400);
  await database().transaction({ role: 'worker' }, (tx) => tx.query(`UPDATE sandbox_objects SET body = replace(body, '"status":"paid"', '"status":"failed"') WHERE tenant = $1 AND kind = 'payout' AND body LIKE '%"amount":300,%'`, [spec.acme.tenant]));
  await tomorrow();
  await known(3);
  await eventually('the payout that failed', async () => (await payouts('&status=failed')).find(({ amount }) => amount === '3.00'));
  await isQuiet();
  await tomorrow();
  await isQuiet();
  // What is known and stands as it stood was not looked at again: 2.00 once, 3.00 twice, 4.00 once.
  expect((await spec.facts(`payout-${String((await payouts()).find(({ amount }) => amount === '2.00')!['id'])}`)).length).toBe(1);
  expect((await payouts()).map(({ amount }) => amount as string).sort()).toEqual(['2.00', '3.00', '4.00']);
}, TIMEOUT_MS);

test('more than a page is asked for page by page; a provider that is away is asked again, and says why in the meantime', async () => {
  for (let nth = 1; nth <= 103; nth++) await payOut(nth);
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'rate_limit', operation: 'read' });
  await spec.ask('PUT', '/providers/sandbox', { webhookSecrets: spec.secrets });
  await eventually('the poll to wait', async () => (await polls()).find(({ waits_for: reason }) => /does not say which payouts/.test(reason ?? '')));
  await spec.bed.disarm(spec.process, spec.acme.tenant);
  await database().transaction({ role: 'worker' }, (tx) => tx.query(`UPDATE jobs SET not_before = clock_timestamp() WHERE tenant = $1 AND kind = 'payments.poll-payouts'`, [spec.acme.tenant]));
  await known(103);
  await isQuiet();
}, TIMEOUT_MS);

test('a provider without a key is not asked; one that was set up before there were polls is, once however often it is set up', async () => {
  await spec.ask('PUT', '/providers/stripe', { webhookSecrets: spec.secrets });
  expect(await polls()).toEqual([]);
  await database().transaction({ role: 'worker' }, (tx) => tx.query('DELETE FROM provider_settings WHERE tenant <> $1', [spec.acme.tenant]));
  const { database: owner } = spec.process.service;
  await owner.transaction({ role: 'worker' }, (tx) => tx.query(POLLED_PAYOUTS.sql(owner.schema).trim().replace(/;$/, '')));
  const [poll] = await polls();
  expect(poll).toMatchObject({ id: 'poll payouts of stripe' });
  await payOut(500);
  for (let times = 0; times < 2; times++) await spec.ask('PUT', '/providers/sandbox', { webhookSecrets: spec.secrets });
  await known(1);
  expect((await polls()).filter(({ id }) => id !== poll!.id)).toHaveLength(1);
}, TIMEOUT_MS);
