import type { DisputeRow } from '../collection/payments';
import { bookingsOf } from './bookings';

const AT = '2026-03-01T00:00:00Z';
const dispute: DisputeRow = { id: 'dsp_1', paymentId: 'pay_1', invoiceId: 'inv_1', accountId: 'acc_1', amount: '49.00', currency: 'USD', reason: 'fraudulent', status: 'open', evidenceDueBy: null, providerReference: 'dp_1', openedAt: AT, closedAt: null, fee: '15.00', heldBack: '49.00' };
const kinds = (row: DisputeRow): string[] => bookingsOf(row).map(({ debit, credit, amount }) => `${debit} to ${credit} ${amount}`);
const [TAKEN, FEE] = ['disputes to provider_balance 49.00', 'provider_fees to provider_balance 15.00'];

test('the bank takes the money and its fee at once; won, the money comes back, lost, it is a loss', () => {
  expect(kinds(dispute)).toEqual([TAKEN, FEE]);
  expect(kinds({ ...dispute, status: 'won', closedAt: AT })).toEqual([TAKEN, FEE, 'provider_balance to disputes 49.00']);
  expect(kinds({ ...dispute, status: 'lost', closedAt: AT })).toEqual([TAKEN, FEE, 'dispute_losses to disputes 49.00']);
});
test('a fee that is none, or that the provider takes in another currency and does not say in this one, is no line', () => {
  for (const fee of [null, '0.00', '0']) expect(kinds({ ...dispute, fee })).toEqual([TAKEN]);
});
test('an inquiry moves nothing', () => {
  for (const status of ['inquiry', 'inquiry_closed'] as const) expect(kinds({ ...dispute, status, fee: null, closedAt: AT })).toEqual([]);
});
