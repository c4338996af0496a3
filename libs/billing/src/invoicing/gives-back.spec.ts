// What gives back a part of an invoice that metering has not answered for yet: the order in which the two are issued decides over whether anything is given back.
import type { StatementIssued } from '@valueverse/contracts';
import { eventually } from '@valueverse/testing';
import { BillingBed, faultsOf, type Tenant } from '../billing-bed.spec-kit';

const TIMEOUT_MS = 60_000;
let bed: BillingBed;
beforeAll(async () => { bed = await BillingBed.make(); }, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

/** Metering answers everything that was asked: nothing was used. */
const answer = async (tenant: Tenant): Promise<void> => {
  const { rows } = await tenant.transact((tx) => tx.query<{ request_id: string; invoice_id: string }>('SELECT request_id, invoice_id FROM invoice_requests WHERE tenant = $1 AND answer IS NULL', [tenant.name]));
  for (const { request_id: requestId } of rows) {
    const statement: StatementIssued = {
      type: 'StatementIssued', statementId: `ust_${requestId}`, requestId, chunkId: 'chk_1', subscriptionId: 'sub_1', chargeKey: 'calls', meterKey: 'calls', meterVersion: 1, usage: [], groupBy: [], quantities: [], asOf: {}, evidence: 'none', issuedAt: new Date().toISOString(),
    };
    await tenant.hear('usage', `statement-${requestId}`, statement);
  }
};
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- what a client sees
const invoicesOf = async (tenant: Tenant): Promise<any[]> => (await tenant.get('invoices')).body.data;

test('a change while its invoice waits for metering: it is issued after that, and gives back what that charged', async () => {
  const tenant = await bed.tenant();
  await tenant.meter('calls');
  const hour = 3_600_000;
  const [opened, start] = [new Date(Date.now() - 40 * 24 * hour), new Date(Date.now() - 32 * 24 * hour)].map((date) => date.toISOString()) as [string, string];
  await eventually('the meter to be known', async () => ((await tenant.post('plans', {
    key: 'seats', name: 'Seats', currency: 'USD', interval: { unit: 'day', count: 31 }, proration: { granularity: 'second' },
    charges: [{ key: 'seats', name: 'Seats', type: 'recurring', timing: 'in_advance', price: { model: 'per_unit', unitAmount: '31.00' } }, { key: 'calls', name: 'Calls', type: 'usage', meterKey: 'calls', price: { model: 'per_unit', unitAmount: '1' } }],
  })).status === 201 ? true : undefined));
  const { id: accountId } = await tenant.account({ openedAt: opened });
  const { id } = await tenant.made('subscriptions', { accountId, planKey: 'seats', startsAt: start, quantity: '2' });
  // The first period is over, with its usage and the seats of the next: it waits for metering.
  await eventually('both periods to be drafted', async (saw) => { const all = await invoicesOf(tenant); saw(all); return all.length === 2 && all.some(({ status }) => status === 'finalized') ? true : undefined; });
  const said = await tenant.post(`subscriptions/${id}/change/preview`, { quantity: '3', at: 'now' });
  await tenant.made(`subscriptions/${id}/change`, { quantity: '3', at: 'now' });
  await eventually('the change to be drafted', async (saw) => { const all = await invoicesOf(tenant); saw(all); return all.length === 3 ? true : undefined; });
  await eventually('metering to be asked', async (saw) => {
    const { rows } = await tenant.transact((tx) => tx.query('SELECT FROM invoice_requests WHERE tenant = $1', [tenant.name]));
    saw(rows.length);
    return rows.length === 1 ? true : undefined;
  });
  const drafts = (await invoicesOf(tenant)).filter(({ status }) => status === 'draft');
  expect(drafts).toHaveLength(2);
  // The one of the change is not dropped: what it gives back would be lost.
  expect(faultsOf(await tenant.post(`invoices/${drafts[0].id}/void`, { reason: 'Wrong' }))).toContain('409 | invoice_gives_back');
  await answer(tenant);
  const issued = await eventually('all to be issued', async (saw) => { const all = await invoicesOf(tenant); saw(all); return all.every(({ status }) => status === 'finalized') ? all : undefined; });
  const amounts = issued.map(({ lines }) => lines.map(({ type, amount }: { type: string; amount: string }) => `${type} ${amount}`));
  // A day of 31 of the second period is over: 93.00 - 3.00 and 62.00 - 2.00.
  expect(amounts).toEqual([['recurring 90.00', 'proration_credit -60.00'], ['usage 0.00', 'recurring 62.00'], ['recurring 62.00']]);
  expect(said.body.invoice).toMatchObject({ total: '30.00', lines: [{ amount: '90.00' }, { amount: '-60.00' }] });
}, TIMEOUT_MS);
