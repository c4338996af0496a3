import fc from 'fast-check';
import type { InvoiceFinalized } from '@valueverse/contracts';
import type { DomainEvent, Fact } from '@valueverse/event-log';
import { runs, timeForRuns } from '@valueverse/testing';
import { paymentsSpec } from '../payments-bed.spec-kit';
import { invoiceIn, knownInvoicesProjector } from './known-invoices';

const AT = '2026-03-01T00:00:00Z';
const TIMEOUT_MS = timeForRuns(60_000);
const spec = paymentsSpec();

const of = { invoiceId: 'inv_1' };
const money = (amount: string) => ({ ...of, accountId: 'acc_1', amount, currency: 'USD' });
const applied = (paymentId: string, amount: string): DomainEvent => ({ type: 'InvoicePaymentApplied', ...money(amount), paymentId, appliedAt: AT }) as DomainEvent;
const unmatched = (paymentId: string, amount: string): DomainEvent => ({ type: 'InvoicePaymentUnmatched', ...money(amount), paymentId, reason: 'over_paid', unmatchedAt: AT }) as DomainEvent;
const credited = (creditNoteId: string, amount: string): DomainEvent => ({ type: 'InvoiceCredited', ...of, creditNoteId, amount, lines: [], creditedAt: AT }) as DomainEvent;
const reopened = (disputeId: string, amount: string): DomainEvent => ({ type: 'InvoiceReopened', ...money(amount), paymentId: 'pay_1', disputeId, isCollectible: true, reopenedAt: AT }) as DomainEvent;
const paid = { type: 'InvoicePaid', ...of, paidAt: AT } as DomainEvent;
const finalized = { type: 'InvoiceFinalized', ...of, accountId: 'acc_1', currency: 'USD', amountDue: '49.00', number: 'INV-1' } as unknown as InvoiceFinalized;
/** An invoice over 49.00: 20.00 come in, 9.00 are taken off, 60.00 more come in, 15.00 of all of that are lost to a dispute, and 5.00 of them come in again. */
const LIFE: readonly DomainEvent[] = [finalized, applied('pay_1', '20.00'), credited('cn_1', '9.00'), applied('pay_2', '20.00'), paid, unmatched('pay_2', '40.00'), reopened('dsp_1', '15.00'), applied('pay_3', '5.00')];
/** What is left after each of them. */
const LEFT = ['49.00', '29.00', '20.00', '0.00', '0.00', '0.00', '15.00', '10.00'];

let nth = 0;
/** What the rows of an invoice come to when its facts come in these batches, by their place in its life. */
const after = (...batches: readonly (readonly number[])[]): Promise<unknown> => spec.process.service.database.transaction({ role: 'worker' }, async (tx) => {
  const tenant = `org_rows_${nth += 1}:test`;
  for (const batch of batches) await knownInvoicesProjector.project(tx, batch.map((place) => ({ tenant, event: LIFE[place]!, version: place + 1 }) as unknown as Fact));
  const { rows: [row] } = await tx.query('SELECT account_id, currency, amount_due, number, status, status_by, reopened_by FROM known_invoices WHERE tenant = $1', [tenant]);
  const { rows: moves } = await tx.query('SELECT kind, subject, amount FROM known_invoice_moves WHERE tenant = $1 ORDER BY kind, subject', [tenant]);
  const left = (await invoiceIn(tx, tenant, of.invoiceId))?.left.toString();
  // No feed has these facts: what is made again from it must not find their rows.
  for (const sql of ['DELETE FROM known_invoices WHERE tenant = $1', 'DELETE FROM known_invoice_moves WHERE tenant = $1']) await tx.query(sql, [tenant]);
  return { row, moves, left };
});

test('what is left of an invoice is what billing says, after each of its facts', async () => {
  for (const [last, left] of LEFT.entries()) expect(await after(Array.from({ length: last + 1 }, (_, place) => place))).toMatchObject({ left });
});

test('facts that come in any order, twice, and in any batches end in the same rows', async () => {
  const places = LIFE.map((_, place) => place);
  const inOrder = await after(places);
  const again = fc.array(fc.constantFrom(...places), { maxLength: 6 });
  const shuffled = again.chain((more) => fc.shuffledSubarray([...places, ...more], { minLength: places.length + more.length }));
  await fc.assert(fc.asyncProperty(shuffled, fc.integer({ min: 1, max: 8 }), async (order, size) => {
    const batches = Array.from({ length: Math.ceil(order.length / size) }, (_, batch) => order.slice(batch * size, (batch + 1) * size));
    expect(await after(...batches)).toEqual(inOrder);
  }), runs(20_261_122, 60));
}, TIMEOUT_MS);

test('the rows are made again to the same bytes', async () => {
  const accountId = await spec.bed.openAccount(spec.acme.tenant, AT);
  const invoiceId = await spec.bed.finalize(spec.acme.tenant, accountId, { total: '49.00', at: AT });
  for (const event of LIFE.slice(1)) await spec.tell(invoiceId, { ...event, invoiceId });
  await spec.knows(invoiceId, '10.00');
  const { live, rebuilt } = await spec.process.rebuild(knownInvoicesProjector);
  expect(rebuilt).toBe(live);
  await spec.process.service.database.transaction({ role: 'owner' }, (tx) => tx.query('UPDATE payments.known_invoice_moves SET amount = amount + 1'));
  const changed = await spec.process.rebuild(knownInvoicesProjector);
  expect(changed.rebuilt).not.toBe(changed.live);
}, TIMEOUT_MS);
