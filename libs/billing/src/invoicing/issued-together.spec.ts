// Invoices that are drafted, answered and issued many in a transaction: what one of them meets is its own affair.
import type { StatementIssued } from '@valueverse/contracts';
import { follow } from '@valueverse/event-log';
import { systemClock } from '@valueverse/platform';
import { eventually } from '@valueverse/testing';
import { BillingBed, type Tenant } from '../billing-bed.spec-kit';
import { builtInEngine } from '../taxes/built-in-engine';
import { invoiceDecider, invoiceStream } from './invoice.model';

const TIMEOUT_MS = 60_000;
const [SUBSCRIPTIONS, SECONDS_AHEAD] = [8, 3];
let isClosed = true;
let bed: BillingBed;
beforeAll(async () => {
  bed = await BillingBed.make({
    name: 'closed for France', taxesOf: (tx, tenant, question) => {
      if (isClosed && question.customer.address?.country === 'FR') throw new Error('the tax office is closed');
      return builtInEngine.taxesOf(tx, tenant, question);
    },
  });
}, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- what a client sees
const invoicesOf = async (tenant: Tenant): Promise<any[]> => (await tenant.get('invoices')).body.data;
/** As they are kept: to show a draft its taxes are worked out. */
const keptOf = (tenant: Tenant): Promise<{ id: string; status: string }[]> => tenant.transact(async (tx) => (await tx.query<{ id: string; status: string }>('SELECT key AS id, status FROM invoices WHERE tenant = $1', [tenant.name])).rows);
const factsOf = (tenant: Tenant, invoiceId: string): Promise<string[]> => tenant.transact(async (tx) => (await bed.service.log.store.read(tx, tenant.name, invoiceStream(invoiceId))).map(({ event }) => event.type));

test('of subscriptions that start at one instant all are invoiced at once; one that cannot be issued stays a draft, stops no other, and is issued when it can be', async () => {
  const tenant = await bed.tenant();
  await tenant.made('plans', { key: 'base', name: 'Base', currency: 'USD', interval: { unit: 'month', count: 1 }, charges: [{ key: 'fee', name: 'Fee', type: 'recurring', price: { model: 'flat', amount: '10.00' } }] });
  const openedAt = systemClock.now();
  const startsAt = new Date(Date.now() + SECONDS_AHEAD * 1_000).toISOString();
  for (let nth = 0; nth < SUBSCRIPTIONS; nth++) {
    const { id: accountId } = await tenant.account({ openedAt, address: { country: nth === 3 ? 'FR' : 'DE' } });
    await tenant.made('subscriptions', { accountId, planKey: 'base', startsAt });
  }
  const all = await eventually('all but one to be issued', async (saw) => {
    const found = await keptOf(tenant);
    saw(found);
    return found.length === SUBSCRIPTIONS && found.filter(({ status }) => status === 'finalized').length === SUBSCRIPTIONS - 1 ? found : undefined;
  });
  const draft = all.find(({ status }) => status === 'draft')!;
  expect(await factsOf(tenant, draft.id)).toEqual(['InvoiceDrafted']);
  for (const { id } of all.filter((one) => one !== draft)) expect(await factsOf(tenant, id)).toEqual(['InvoiceDrafted', 'InvoiceFinalized']);
  isClosed = false;
  const issued = await eventually('the last one', async (saw) => { const found = await invoicesOf(tenant); saw(found); return found.every(({ status }) => status === 'finalized') ? found : undefined; });
  expect(issued.map(({ number }) => number).sort()).toEqual(Array.from({ length: SUBSCRIPTIONS }, (_, nth) => `INV-00000${nth + 1}`));
}, TIMEOUT_MS);

const statement = (requestId: string, chargeKey: string, value: string): StatementIssued => ({
  type: 'StatementIssued', statementId: `ust_${requestId}`, requestId, chunkId: 'chk_1', subscriptionId: 'sub_1', chargeKey, meterKey: chargeKey, meterVersion: 1, usage: [], groupBy: [], quantities: [{ group: {}, value, events: 1 }], asOf: {}, evidence: 'none', issuedAt: systemClock.now(),
});

test('an invoice states its usage when it is issued, but for what was stated before', async () => {
  const tenant = await bed.tenant();
  for (const key of ['calls', 'bytes']) await tenant.meter(key);
  const usage = (key: string): object => ({ key, name: key, type: 'usage', meterKey: key, price: { model: 'per_unit', unitAmount: '2' } });
  await eventually('the meters to be known', async () => ((await tenant.post('plans', { key: 'used', name: 'Used', currency: 'USD', interval: { unit: 'day', count: 30 }, charges: [usage('calls'), usage('bytes')] })).status === 201 ? true : undefined));
  const startsAt = new Date(Date.now() - 31 * 86_400_000).toISOString();
  const { id: accountId } = await tenant.account({ openedAt: startsAt });
  await tenant.made('subscriptions', { accountId, planKey: 'used', startsAt });
  const asked = await eventually('metering to be asked', async (saw) => {
    const { rows } = await tenant.transact((tx) => tx.query<{ request_id: string; invoice_id: string }>('SELECT request_id, invoice_id FROM invoice_requests WHERE tenant = $1 ORDER BY nth', [tenant.name]));
    saw(rows);
    return rows.length === 2 ? rows : undefined;
  });
  const [[calls, bytes], invoiceId] = [asked.map(({ request_id: id }) => id) as [string, string], asked[0]!.invoice_id];
  const said = statement(calls, 'calls', '3');
  // As releases before this one stated each answer when the last had come.
  await tenant.transact((tx) => bed.service.log.execute(tx, [{
    ...follow(invoiceDecider, { type: 'StateUsage', invoiceId, stated: [{ requestId: calls, chargeKey: 'calls', statement: { statementId: said.statementId, quantities: said.quantities, asOf: {}, evidence: 'none' } }], at: systemClock.now() }),
    context: { tenant: tenant.name, at: systemClock.now(), actor: 'spec' },
  }]));
  await tenant.hear('usage', `statement-${calls}`, { ...said, quantities: [{ group: {}, value: '99', events: 1 }] } as StatementIssued);
  await tenant.hear('usage', `statement-${bytes}`, statement(bytes, 'bytes', '5'));
  const issued = await eventually('the invoice', async (saw) => { const [found] = await invoicesOf(tenant); saw(found); return found?.status === 'finalized' ? found : undefined; });
  expect(issued.lines.map(({ chargeKey, quantity, amount }: Record<string, string>) => [chargeKey, quantity, amount])).toEqual([['calls', '3', '6.00'], ['bytes', '5', '10.00']]);
  expect(await factsOf(tenant, invoiceId)).toEqual(['InvoiceDrafted', 'InvoiceUsageStated', 'InvoiceUsageStated', 'InvoiceFinalized']);
}, TIMEOUT_MS);

test('a draft whose usage is all answered, and that could not be issued by itself, is issued by hand at once', async () => {
  isClosed = true;
  const tenant = await bed.tenant();
  await tenant.meter('calls');
  await eventually('the meter to be known', async () => ((await tenant.post('plans', { key: 'used', name: 'Used', currency: 'USD', interval: { unit: 'day', count: 30 }, charges: [{ key: 'calls', name: 'Calls', type: 'usage', meterKey: 'calls', price: { model: 'per_unit', unitAmount: '2' } }] })).status === 201 ? true : undefined));
  const startsAt = new Date(Date.now() - 31 * 86_400_000).toISOString();
  const { id: accountId } = await tenant.account({ openedAt: startsAt, address: { country: 'FR' } });
  await tenant.made('subscriptions', { accountId, planKey: 'used', startsAt });
  const { request_id: requestId, invoice_id: invoiceId } = await eventually('metering to be asked', async () => (await tenant.transact((tx) => tx.query<{ request_id: string; invoice_id: string }>('SELECT request_id, invoice_id FROM invoice_requests WHERE tenant = $1', [tenant.name]))).rows[0]);
  await tenant.hear('usage', `statement-${requestId}`, statement(requestId, 'calls', '3'));
  // It waits as long as a job does that has failed often.
  await eventually('the run that issues it to fail', async (saw) => {
    const { rowCount, rows } = await tenant.transact((tx) => tx.query(`UPDATE jobs SET not_before = 'infinity' WHERE tenant = $1 AND kind = 'billing.finalize-invoice' AND attempt > 0 AND (locked_until IS NULL OR locked_until < clock_timestamp()) RETURNING attempt`, [tenant.name]));
    saw(rows);
    return rowCount === 1 ? true : undefined;
  });
  isClosed = false;
  const answer = await tenant.post(`invoices/${invoiceId}/finalize`);
  expect([answer.status, answer.body.status, answer.body.number, answer.body.total]).toEqual([200, 'finalized', 'INV-000001', '6.00']);
  expect(await factsOf(tenant, invoiceId)).toEqual(['InvoiceDrafted', 'InvoiceUsageStated', 'InvoiceFinalized']);
}, TIMEOUT_MS);
