import { type Explained, rowsOf } from '@valueverse/testing';
import { ident, tableOf, type AnyReadModel } from '@valueverse/event-log';
import { methodView } from '../methods/methods';
import { paymentsSpec } from '../payments-bed.spec-kit';
import { STORED_SQL } from './open-attempt';

const AT = '2026-03-01T00:00:00Z';
const OTHERS = 3_000;
/** One row of each table, and what a page of an index more or less comes to. */
const ROWS_MAX = 20;
const spec = paymentsSpec();

test('a look at an attempt reads its own rows, however many invoices, cards and customers the tenant has', async () => {
  const { tenant } = spec.acme;
  const { accountId } = await spec.customer(AT, 'tok_ok');
  const { id } = await spec.payment(await spec.bed.finalize(tenant, accountId, { total: '49.00', at: AT }), 'succeeded');
  const { database } = spec.process.service;
  // Copies of what there is, under other names.
  const copied: readonly (readonly [string, string])[] = [['known_invoices', 'invoice_id'], [tableOf(methodView as AnyReadModel), 'key'], ['provider_customers', 'account_id']];
  await database.transaction({ role: 'owner' }, async (tx) => {
    for (const [table, key] of copied) {
      await tx.query(`INSERT INTO ${ident(table)} SELECT (jsonb_populate_record(s.t, jsonb_build_object($3::text, (s.t).${ident(key)} || n))).* FROM (SELECT t FROM ${ident(table)} t WHERE tenant = $1 LIMIT 1) s(t) CROSS JOIN generate_series(1, $2::int) n`, [tenant, OTHERS, key]);
      await tx.query(`ANALYZE ${ident(table)}`);
    }
  });
  const { rows } = await database.transaction({ role: 'api', tenant }, (tx) => tx.query<Explained>(`EXPLAIN (ANALYZE, FORMAT JSON) ${STORED_SQL}`, [tenant, id, 1]));
  const { read, answered } = rowsOf(rows[0]!);
  expect([answered, read <= ROWS_MAX ? 'few' : read]).toEqual([1, 'few']);
}, 60_000);
