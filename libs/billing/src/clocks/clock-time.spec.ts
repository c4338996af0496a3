import { ident } from '@valueverse/event-log';
import { type Explained, rowsOf } from '@valueverse/testing';
import { accountsModel } from '../accounts/account.model';
import { BillingBed } from '../billing-bed.spec-kit';
import { CLOCK_OF_ACCOUNT_SQL } from './clock-time';
import { clocksModel } from './clock.model';

const TIMEOUT_MS = 60_000;
const OTHERS = 3_000;
/** One row of each table, and what a page of an index more or less comes to. */
const ROWS_MAX = 20;
let bed: BillingBed;
beforeAll(async () => { bed = await BillingBed.make(); }, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

test('the time of an account is that of its test clock, which is found among many', async () => {
  const tenant = await bed.tenant();
  const { id: testClockId } = await tenant.made('clocks', { name: 'its own', now: '2026-01-01T00:00:00Z' });
  const { id } = await tenant.account({ testClockId });
  const { database } = bed.service;
  const table = ident(clocksModel.table);
  // Copies of what there is, under other names.
  await database.transaction({ role: 'owner' }, async (tx) => {
    await tx.query(`INSERT INTO ${table} SELECT (jsonb_populate_record(s.t, jsonb_build_object('key', (s.t).key || n))).* FROM (SELECT t FROM ${table} t WHERE tenant = $1 LIMIT 1) s(t) CROSS JOIN generate_series(1, $2::int) n`, [tenant.name, OTHERS]);
    await tx.query(`ANALYZE ${table}`);
  });
  const sql = `SELECT c.row->>'now' AS now FROM ${ident(accountsModel.table)} a ${CLOCK_OF_ACCOUNT_SQL} WHERE a.tenant = $1 AND a.key = $2`;
  const asked = <R extends object>(prefix: string): Promise<R[]> => database.transaction({ role: 'api', tenant: tenant.name }, async (tx) => (await tx.query<R>(prefix + sql, [tenant.name, id])).rows);
  expect(await asked('')).toEqual([{ now: '2026-01-01T00:00:00Z' }]);
  const [explained] = await asked<Explained>('EXPLAIN (ANALYZE, FORMAT JSON) ');
  const { read } = rowsOf(explained!);
  expect(read <= ROWS_MAX ? 'few' : read).toBe('few');
}, TIMEOUT_MS);
