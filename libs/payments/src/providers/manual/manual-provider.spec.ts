import { Database } from '@valueverse/event-log';
import { Money } from '@valueverse/kernel';
import { migrate, systemClock } from '@valueverse/platform';
import { createTestDatabase, type TestDatabase } from '@valueverse/testing';
import { describeProvider } from '../provider.spec-kit';
import { guarded } from '../guarded-provider';
import type { ChargeOrder, PaymentProvider } from '../provider';
import { manualProvider } from './manual';
import { chargeEntry, enter, MANUAL_BOOK, type ManualEntry } from './manual-book';

const TENANT = 'org_kit:test';
const SCHEMA = 'payments';
const AT = '2026-03-01T00:00:00Z';
const TIMEOUT_MS = 60_000;
const { signal } = new AbortController();
let test_: TestDatabase;
let database: Database;
let provider: PaymentProvider;
let nth = 0;
beforeAll(async () => {
  test_ = await createTestDatabase(async (url) => {
    const fresh = new Database({ url, schema: SCHEMA });
    await migrate(fresh, [SCHEMA], [MANUAL_BOOK]);
    await fresh.close();
  }, 'manual provider');
  database = new Database({ url: test_.url, schema: SCHEMA });
  provider = guarded(manualProvider({ database }));
}, TIMEOUT_MS);
afterAll(async () => { await database.close(); await test_.drop(); }, TIMEOUT_MS);

const write = (...entries: ManualEntry[]): Promise<void> => database.transaction({ role: 'api', tenant: TENANT }, (tx) => enter(tx, TENANT, entries));
/** As it is seen on a statement, under a line of its own. */
const entered = ({ key, amountMinor, currency }: ChargeOrder): ManualEntry => chargeEntry({ providerKey: key, reference: `line of ${key}`, amount: Money.of(amountMinor, currency).toString(), currency, at: AT });

describeProvider('the adapter of what people enter', () => ({
  provider, tenant: TENANT, now: () => systemClock.now(),
  there: {
    enter: (order) => write(entered(order)),
    dispute: async (chargeReference) => {
      const reference = `rev_${nth += 1}`;
      await write({ kind: 'reversal', key: reference, reference, chargeReference, amount: '49.00', currency: 'USD', reason: 'the cheque bounced', at: systemClock.now() });
      return 'lost';
    },
  },
}), { methods: false, charges: false, pages: false, webhooks: false });

test('a transfer that pays several invoices is one thing of which each part is found; no more of it is paid out than came in, also by twenty at once', async () => {
  const part = (key: string, amount: string) => chargeEntry({ providerKey: key, reference: 'line 7', amount, currency: 'USD', at: AT });
  await write(part('pay:1:att:1', '20.00'), part('pay:2:att:1', '5.00'), chargeEntry({ providerKey: 'pay:3:att:1', reference: 'line 7', amount: '9.00', currency: 'EUR', at: AT }));
  const of = { tenant: TENANT, now: AT };
  expect(await provider.find({ ...of, key: 'pay:2:att:1', customer: 'acc_1', since: AT }, signal)).toMatchObject({ status: 'succeeded', amountMinor: 500n });
  expect(await provider.read({ ...of, reference: 'line 7' }, signal)).toMatchObject({ status: 'succeeded', amountMinor: 2_500n, currency: 'USD' });
  const answers = await Promise.all(Array.from({ length: 20 }, (_, one) => provider.refund({ ...of, key: `ref:${one}`, refundId: `ref_${one}`, reference: 'line 7', amountMinor: 1_000n, currency: 'USD' }, signal)));
  expect(answers.filter(({ status }) => status === 'succeeded')).toHaveLength(2);
  expect(answers.filter((answer) => answer.status === 'refused' && answer.code === 'refund_exceeds_payment')).toHaveLength(18);
  expect(await provider.refund({ ...of, key: 'ref:gbp', refundId: 'ref_gbp', reference: 'line 7', amountMinor: 1n, currency: 'GBP' }, signal)).toMatchObject({ status: 'refused', code: 'charge_not_found' });
});

test('what was recorded by hand before there was a book stands in it, with what was paid out of it; what others took does not', async () => {
  const before = await createTestDatabase(async (url) => {
    const fresh = new Database({ url, schema: SCHEMA });
    await migrate(fresh, [SCHEMA], []);
    const row = (provider: string) => JSON.stringify({ provider, amount: '49.00', currency: 'USD', createdAt: AT, refunds: [{ status: 'succeeded', providerKey: 'ref:1', providerReference: 'manual', amount: '9.00', reason: 'x', endedAt: AT }, { status: 'pending', providerKey: 'ref:2', amount: '1.00' }] });
    await fresh.transaction({ role: 'owner' }, async (tx) => {
      await tx.query('CREATE TABLE payments (tenant text, key text, provider_reference text, status text, row json)');
      await tx.query(`INSERT INTO payments VALUES ($1, 'pay_1', 'line 1', 'succeeded', $2), ($1, 'pay_2', 'pi_2', 'succeeded', $3)`, [TENANT, row('manual'), row('sandbox')]);
    });
    await migrate(fresh, [SCHEMA], [MANUAL_BOOK]);
    await fresh.close();
  }, 'manual provider before its book');
  const older = new Database({ url: before.url, schema: SCHEMA });
  const page = await manualProvider({ database: older }).balance({ tenant: TENANT, now: AT, from: AT }, signal);
  expect(page).toMatchObject({ entries: [{ type: 'refund', source: 'manual', amountMinor: -900n, chargeReference: 'line 1', key: 'ref:1' }, { type: 'charge', source: 'line 1', amountMinor: 4_900n, key: 'pay:pay_1:att:1', at: AT }] });
  await older.close();
  await before.drop();
}, TIMEOUT_MS);

test('lists have an end, and go on where they were cut', async () => {
  const of = { tenant: 'org_long:test', now: AT };
  await database.transaction({ role: 'api', tenant: of.tenant }, (tx) => enter(tx, of.tenant, Array.from({ length: 250 }, (_, one) => chargeEntry({ providerKey: `pay:${one}:att:1`, reference: `line ${one}`, amount: '1.00', currency: 'USD', at: AT }))));
  const seen: string[] = [];
  for (let after: string | undefined; ;) {
    const page = await provider.balance({ ...of, from: AT, to: '2026-03-02T00:00:00Z', ...(after === undefined ? {} : { after }) }, signal);
    if (page.status !== 'page') throw new Error(page.status);
    seen.push(...page.entries.map(({ source }) => source));
    if (page.next === undefined) break;
    after = page.next;
  }
  expect([seen.length, new Set(seen).size]).toEqual([250, 250]);
  // Nobody sees the book of somebody else.
  expect(await provider.balance({ tenant: 'org_other:test', now: AT, from: AT }, signal)).toEqual({ status: 'page', entries: [] });
});
