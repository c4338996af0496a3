import { eventually } from '@valueverse/testing';
import { BillingBed, type Tenant } from '../billing-bed.spec-kit';

const TIMEOUT_MS = 60_000;
let bed: BillingBed;
beforeAll(async () => { bed = await BillingBed.make(); }, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

const issued = async (tenant: Tenant, accountId: string): Promise<string> => {
  const { id } = await tenant.made('invoices', { accountId, lines: [{ description: 'Setup', amount: '10.00' }] });
  return eventually('the invoice to be issued', async () => ((await tenant.get(`invoices/${id}`)).body.status === 'finalized' ? id as string : undefined));
};
const idsOf = async (tenant: Tenant, query: string): Promise<string[]> => ((await tenant.get(`invoices?${query}`)).body.data as { id: string }[]).map(({ id }) => id);
const advance = async (tenant: Tenant, clockId: string, to: string): Promise<void> => {
  await tenant.post(`clocks/${clockId}/advance`, { to });
  await eventually(`the clock to stand at ${to}`, async (saw) => {
    const { body } = await tenant.get(`clocks/${clockId}`);
    const { rows } = await tenant.transact((tx) => tx.query('SELECT FROM clocks WHERE tenant = $1 AND clock = $2 AND now = $3::timestamptz', [tenant.name, clockId, to]));
    saw(body);
    return body.status === 'ready' && rows.length === 1 ? true : undefined;
  });
};

test('an invoice is overdue once the local day on which it was due is over, by the clock of its account; pages of such, by account', async () => {
  const tenant = await bed.tenant();
  const clock = await tenant.made('clocks', { name: 'c', now: '2024-01-01T12:00:00Z' });
  const [{ id: west }, { id: east }] = [await tenant.account({ testClockId: clock.id, timezone: 'America/New_York' }), await tenant.account({ testClockId: clock.id, timezone: 'Asia/Kolkata' })];
  const [ofWest, first, second] = [await issued(tenant, west), await issued(tenant, east), await issued(tenant, east)];
  expect(await idsOf(tenant, 'paymentStatus=overdue')).toEqual([]);
  // Midnight has passed in Kolkata and not in New York.
  await advance(tenant, clock.id, '2024-01-01T18:30:00Z');
  expect((await idsOf(tenant, 'paymentStatus=overdue')).sort()).toEqual([first, second].sort());
  expect((await tenant.get(`invoices/${ofWest}`)).body.paymentStatus).toBe('unpaid');
  await advance(tenant, clock.id, '2024-01-02T05:00:00Z');
  const { body: page } = await tenant.get('invoices?paymentStatus=overdue&limit=2');
  expect(page).toMatchObject({ hasMore: true, data: [{ paymentStatus: 'overdue' }, { paymentStatus: 'overdue' }] });
  const rest = await idsOf(tenant, `paymentStatus=overdue&limit=2&cursor=${page.nextCursor}`);
  expect([...page.data.map(({ id }: { id: string }) => id), ...rest].sort()).toEqual([ofWest, first, second].sort());
  expect(await idsOf(tenant, `paymentStatus=overdue&accountId=${west}`)).toEqual([ofWest]);
  expect([await idsOf(tenant, 'paymentStatus=overdue&status=void'), await idsOf(await bed.tenant(), 'paymentStatus=overdue')]).toEqual([[], []]);
  expect((await idsOf(tenant, 'paymentStatus=unpaid')).length).toBe(3);
}, TIMEOUT_MS);
