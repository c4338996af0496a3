import { eventually } from '@valueverse/testing';
import { type Answered, paymentsSpec } from '../payments-bed.spec-kit';

// A provider whose balance is in another currency than what customers pay: the books agree by what was paid, the sums and the fees are in that of the balance.
const AT = '2026-03-01T00:00:00Z';
const TIMEOUT_MS = 60_000;
const spec = paymentsSpec();
const report = async (): Promise<Answered> => (await spec.ask('GET', '/reconciliation?provider=sandbox&from=2026-01-01T00:00:00Z&to=2099-01-01T00:00:00Z')).body;
const lines = (sql: string): Promise<unknown> => spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query(sql, [spec.acme.tenant]));
/** 0.90 EUR are a dollar. */
const IN_EUROS = `UPDATE sandbox_objects SET body = (body::jsonb || jsonb_build_object('currency', 'eur', 'amount', round((body::jsonb->>'amount')::numeric * 0.9), 'fee', round((body::jsonb->>'fee')::numeric * 0.9),
  'net', round((body::jsonb->>'amount')::numeric * 0.9) - round((body::jsonb->>'fee')::numeric * 0.9)))::text WHERE tenant = $1 AND kind = 'balance_transaction'`;

test('what was paid in dollars and settled in euros is no difference; fees are of the balance, in euros', async () => {
  const who = await spec.customer(AT, 'tok_ok');
  const invoice = (total: string) => spec.bed.finalize(spec.acme.tenant, who.accountId, { total, at: AT, clockId: who.clockId });
  const { id: given } = await spec.payment(await invoice('80.00'), 'succeeded');
  const { id: disputed } = await spec.payment(await invoice('20.00'), 'succeeded');
  await spec.hearWebhooks();
  await spec.ask('POST', `/${given}/refunds`, { amount: '30.00', reason: 'late' });
  await spec.ask('POST', `/sandbox/actions/${disputed}/dispute`);
  await eventually('both to have gone back', async (saw) => {
    const bodies = await Promise.all([given, disputed].map(async (id) => (await spec.ask('GET', `/${id}`)).body));
    saw(bodies);
    return (bodies[0]!['amountRefunded'] === '30.00' && bodies[1]!['amountDisputed'] === '20.00') || undefined;
  });
  expect(await report()).toMatchObject({ agree: true, lines: 4, sums: [{ currency: 'USD', charged: '100.00', refunded: '-30.00', disputed: '-20.00', fees: '18.50' }] });
  await lines(IN_EUROS);
  // 90.00 - 27.00 - 18.00 - (2.36 + 0.79 + 13.50) = 28.35
  expect(await report()).toMatchObject({ agree: true, lines: 4, differences: [], sums: [{ currency: 'EUR', charged: '90.00', refunded: '-27.00', disputed: '-18.00', fees: '16.65', balance: '28.35' }] });
  // What differs by what was paid is found still, in the currency in which it was paid.
  await lines(`UPDATE sandbox_objects SET body = replace(body, '"amount":3000', '"amount":3100') WHERE tenant = $1 AND kind = 'refund'`);
  expect(await report()).toMatchObject({ agree: false, differences: [{ type: 'amount_differs', kind: 'refund', paymentId: given, currency: 'USD', here: '-30.00', there: '-31.00' }] });
}, TIMEOUT_MS);
