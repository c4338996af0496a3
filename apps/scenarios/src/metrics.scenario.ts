import { Client } from 'pg';
import { createEmptyDatabase, eventually, type TestDatabase } from '@valueverse/testing';
import { billMonth } from './billed-month.spec-kit';
import { Edition } from './edition.spec-kit';

const TIMEOUT_MS = 120_000;
let database: TestDatabase;
let edition: Edition;
beforeAll(async () => {
  database = await createEmptyDatabase();
  edition = await Edition.start({ DATABASE_URL: database.url });
}, TIMEOUT_MS);
afterAll(async () => {
  await (edition as Edition | undefined)?.stop();
  await (database as TestDatabase | undefined)?.drop();
});

/** The value of a series; 0 where it is not there. */
const valueOf = async (series: string): Promise<number> => {
  const { body } = await edition.ask('/metrics', { key: undefined });
  const line = (body as string).split('\n').find((text) => text.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
};
const becomes = (series: string, value: number): Promise<number> => eventually(`${series} to be ${value}`, async (saw) => {
  const found = await valueOf(series);
  saw(found);
  return found === value ? found : undefined;
});
const usage = (result: string): string => `valueverse_usage_events_total{result="${result}"}`;

test('a month that is billed moves what counts usage, invoices, payments and mails', async () => {
  const watched = [
    usage('accepted'), usage('counted'), 'valueverse_usage_lag_seconds_count', 'valueverse_billing_invoices_total{status="finalized"}', 'valueverse_billing_invoices_total{status="paid"}',
    'valueverse_payments_payments_total{status="succeeded"}', 'valueverse_payments_answers_total{provider="sandbox",operation="charge",outcome="succeeded",decline_class=""}',
    'valueverse_payments_provider_seconds_count{provider="sandbox",operation="charge"}', 'valueverse_log_facts_total{service="usage",name="StatementIssued"}',
    'valueverse_jobs_run_seconds_count{kind="billing.finalize-invoice",outcome="done"}', 'valueverse_feed_append_seconds_count{topic="usage.events",outcome="done"}',
    'valueverse_http_request_duration_seconds_count{method="POST",route="/api/v1/usage/events",status="202"}',
  ];
  expect(await Promise.all(watched.map(valueOf))).toEqual(watched.map(() => 0));
  await billMonth(edition);
  await becomes('valueverse_notifications_mails_total{outcome="sent"}', 2);
  await becomes('valueverse_notifications_mails_total{outcome="queued"}', 2);
  expect(await Promise.all(watched.map(valueOf))).toEqual([3, 3, 1, 1, 1, 1, 1, 1, 1, 1, expect.any(Number), 1]);
}, TIMEOUT_MS);

test('usage that is repeated, contradicted, late or wrong is counted as such', async () => {
  const event = (id: string, more: object = {}): object => ({ specversion: '1.0', id, source: 's', type: 'model.call', subject: 'other', data: { prompts: 1 }, ...more });
  const [counted, late] = await Promise.all([valueOf(usage('counted')), valueOf(usage('late'))]);
  await edition.send([event('a'), event('b', { time: '2024-01-10T00:00:00Z' })]);
  await edition.send([event('a'), event('a', { data: { prompts: 2 } }), { ...event('c'), type: undefined }]);
  await becomes(usage('duplicate'), 1);
  await becomes(usage('conflict'), 1);
  await becomes(usage('counted'), counted + 2);
  await becomes(usage('late'), late + 1);
  expect(await valueOf(usage('rejected'))).toBe(1);
}, TIMEOUT_MS);

test('an invoice that cannot be issued is counted while it fails, and issued when it can be', async () => {
  const clock = await edition.post('/api/v1/billing/clocks', { name: 'c', now: '2024-01-01T00:00:00Z' });
  const account = await edition.post('/api/v1/billing/accounts', { name: 'S', currency: 'USD', timezone: 'UTC', testClockId: clock.id });
  await edition.post('/api/v1/billing/plans', { key: 'only', name: 'Only', currency: 'USD', interval: { unit: 'month', count: 1 }, charges: [{ key: 'f', name: 'F', type: 'recurring', timing: 'in_advance', price: { model: 'flat', amount: '5.00' } }] });
  const [errors, finalized] = [await valueOf('valueverse_billing_rating_errors_total'), await valueOf('valueverse_billing_invoices_total{status="finalized"}')];
  const client = new Client({ connectionString: database.url });
  await client.connect();
  // An operator's accident: the table of the numbers is not where it was.
  await client.query('ALTER TABLE billing.number_series RENAME TO mislaid');
  await edition.post('/api/v1/billing/subscriptions', { accountId: account.id, planKey: 'only', startsAt: '2024-01-01T00:00:00Z' });
  await eventually('a failure', async () => (await valueOf('valueverse_billing_rating_errors_total')) > errors || undefined);
  await becomes('valueverse_jobs_failing{service="billing"}', 1);
  expect(await valueOf('valueverse_billing_invoices_total{status="finalized"}')).toBe(finalized);
  await client.query('ALTER TABLE billing.mislaid RENAME TO number_series');
  await client.end();
  await becomes('valueverse_billing_invoices_total{status="finalized"}', finalized + 1);
}, TIMEOUT_MS);

test('a declined payment is counted with its provider and the class of its decline', async () => {
  const clock = await edition.post('/api/v1/billing/clocks', { name: 'c', now: '2024-01-01T00:00:00Z' });
  await edition.post('/api/v1/billing/plans', { key: 'fee', name: 'Fee', currency: 'USD', interval: { unit: 'month', count: 1 }, charges: [{ key: 'f', name: 'F', type: 'recurring', timing: 'in_advance', price: { model: 'flat', amount: '5.00' } }] });
  const account = await edition.post('/api/v1/billing/accounts', { name: 'B', email: 'b@acme.example', currency: 'USD', timezone: 'UTC', testClockId: clock.id });
  await edition.post('/api/v1/payments/methods', { accountId: account.id, provider: 'sandbox', token: 'tok_declined_expired_card', default: true });
  await edition.post('/api/v1/billing/subscriptions', { accountId: account.id, planKey: 'fee', startsAt: '2024-01-01T00:00:00Z' });
  await becomes('valueverse_payments_answers_total{provider="sandbox",operation="charge",outcome="declined",decline_class="hard"}', 1);
  await becomes('valueverse_payments_payments_total{status="failed"}', 1);
}, TIMEOUT_MS);
