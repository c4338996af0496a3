// What the operator of a tenant sees of its runs, and what they can do about one that has failed.
import { systemClock } from '@valueverse/platform';
import { eventually } from '@valueverse/testing';
import { BillingBed, faultsOf, type Tenant } from '../billing-bed.spec-kit';

const TIMEOUT_MS = 60_000;
let bed: BillingBed;
beforeAll(async () => { bed = await BillingBed.make(); }, TIMEOUT_MS);
afterAll(async () => { await bed.close(); }, TIMEOUT_MS);

/** A subscription's next run, as it is after having failed for so long that it waits for somebody. */
const parkedRun = async (tenant: Tenant): Promise<string> => {
  const account = await tenant.account();
  await tenant.made('plans', { key: 'base', name: 'Base', currency: 'USD', interval: { unit: 'month', count: 1 }, charges: [{ key: 'fee', name: 'Fee', type: 'recurring', price: { model: 'flat', amount: '10.00' } }] });
  const { id } = await tenant.made('subscriptions', { accountId: account.id, planKey: 'base', startsAt: systemClock.now() });
  const run = await eventually('the next run', async () => ((await tenant.get(`cycles?status=scheduled&subscriptionId=${id}`)).body as { data: { id: string }[] }).data[0]);
  await tenant.transact((tx) => tx.query(`UPDATE jobs SET due_at = clock_timestamp(), not_before = 'infinity', attempt = 8, waits_for = 'the disk is full' WHERE tenant = $1 AND id = $2`, [tenant.name, run.id]));
  return run.id;
};

test('a run that keeps failing is parked with its reason, and is tried at once when its tenant asks', async () => {
  const tenant = await bed.tenant();
  const id = await parkedRun(tenant);
  expect((await tenant.get(`cycles/${id}`)).body).toMatchObject({ status: 'parked', owner: 'operator', reason: 'the disk is full', attempts: 8 });
  expect((await tenant.get('cycles/progress')).body).toMatchObject({ parked: 1 });
  expect((await tenant.post(`cycles/${id}/retry`)).status).toBe(200);
  const done = await eventually('the run', async (saw) => {
    const { body } = await tenant.get(`cycles/${id}`);
    saw(body);
    return (body as { status: string }).status === 'done' ? body as unknown : undefined;
  });
  expect(done).toMatchObject({ kind: 'bill', owner: null, reason: null });
  expect(faultsOf(await tenant.post(`cycles/${id}/retry`))).toBe('409 | cycle_done');
}, TIMEOUT_MS);

test('a run of another tenant is not seen and not touched', async () => {
  const [tenant, other] = [await bed.tenant(), await bed.tenant()];
  const id = await parkedRun(tenant);
  expect(faultsOf(await other.get(`cycles/${id}`))).toBe('404 | cycle_not_found');
  expect(faultsOf(await other.post(`cycles/${id}/retry`))).toBe('404 | cycle_not_found');
  expect((await other.get('cycles')).body).toMatchObject({ data: [] });
  expect((await tenant.get(`cycles/${id}`)).body).toMatchObject({ status: 'parked', attempts: 8 });
}, TIMEOUT_MS);
