import { payoutLine } from './payments-commands';

test('a payout says when it arrives, and what it is made of', () => expect(payoutLine({
  id: 'po_1', provider: 'stripe', reference: 'po_x', amount: '272.80', currency: 'USD', status: 'paid', arrivesAt: '2024-02-01T00:00:00Z', charged: '400.00', refunded: '0.00', disputed: '-100.00', fees: '27.20', lines: 3,
})).toBe('stripe po_x  2024-02-01T00:00:00Z  272.80 USD  paid  (3 lines: charged 400.00  refunded 0.00  disputed -100.00  fees 27.20)'));
