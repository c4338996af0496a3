import type { InvoiceStep } from '@valueverse/rating';
import type { Explanation } from './explanation-text';
import { invoiceText, type Invoice } from './invoice-text';

const PERIOD = { from: '2024-01-01T00:00:00Z', to: '2024-02-01T00:00:00Z' };
const STEPS: InvoiceStep[] = [
  { number: 1, kind: 'subtotal', amount: '1100.00' }, { number: 2, kind: 'coupon', coupon: 'SPRING', scope: 'lines', discount: { type: 'percent', value: '10' }, base: '119.00', pricedAmount: '11.90', amount: '-10.00' },
  { number: 3, kind: 'coupon', coupon: 'FIVE', scope: 'invoice', discount: { type: 'amount', value: '5' }, base: '1090.00', pricedAmount: '5.00', amount: '-5.00' },
  { number: 4, kind: 'tax', key: 'vat', rate: '19', behavior: 'inclusive', base: '90.00', amount: '17.10' }, { number: 5, kind: 'tax', key: 'vat', rate: '19', behavior: 'exclusive', base: '995.00', amount: '189.05' },
  { number: 6, kind: 'total', amount: '1291.15' }, { number: 7, kind: 'credit', creditId: 'balance', amount: '-20.00' }, { number: 8, kind: 'due', amount: '1271.15' },
];
const INVOICE: Invoice = {
  id: 'inv_1', number: 'INV-000001', status: 'finalized', paymentStatus: 'partially_paid', currency: 'EUR', servicePeriod: PERIOD, issuedAt: '2024-02-01T00:00:00Z', dueAt: '2024-02-15T00:00:00Z', subtotal: '1100.00', discountTotal: '15.00', taxTotal: '206.15',
  total: '1291.15', amountDue: '1271.15', amountPaid: '1000.00', amountCredited: '71.15', amountRemaining: '200.00', totalSteps: STEPS, lines: [], hasMore: false,
};
const LINE: Explanation = {
  description: 'Platform', type: 'recurring', quantity: '1', billedQuantity: '1', amount: '1100.00', netAmount: '1085.00', taxAmount: '206.15', servicePeriod: PERIOD, discounts: [], taxes: [], steps: [{ kind: 'flat', amount: '1100' }],
  rules: { plan: 'team', planVersion: 3, chargeKey: 'base', zone: 'UTC', taxBehavior: 'exclusive' },
};

test('an invoice as a page: its lines, and every step from them to what is left to be paid', () => {
  expect(invoiceText(INVOICE, [LINE])).toEqual([
    'INV-000001  1291.15 EUR  partially_paid', 'issued 2024-02-01T00:00:00Z, due 2024-02-15T00:00:00Z', `for ${PERIOD.from} to ${PERIOD.to}`,
    '\n1. Platform: 1,100.00 EUR', `  for ${PERIOD.from} to ${PERIOD.to}`, '  quantity 1', '  a fee of 1100 EUR', '  by team version 3, charge base',
    '\nHow the lines come to the total', '  1. all lines, without tax: 1,100.00 EUR', '  2. discount SPRING, 10% of 119.00 of its lines (11.90 with the tax in it): -10.00 EUR', '  3. discount FIVE, 5 off 1,090.00: -5.00 EUR',
    '  4. tax vat, 19% of 90.00, which was in the prices: 17.10 EUR', '  5. tax vat, 19% of 995.00: 189.05 EUR', '  6. total: 1,291.15 EUR', '  7. credit of the account: -20.00 EUR', '  8. to be paid: 1,271.15 EUR',
    '  paid 1,000.00 EUR, given back 71.15 EUR, left to be paid 200.00 EUR',
  ]);
});

test('one that is void says so; one from before there were steps says its sums', () => {
  const text = invoiceText({ ...INVOICE, status: 'void', voidedAt: '2024-02-02T00:00:00Z', voidReason: 'wrong customer', totalSteps: [] }, []);
  expect(text).toEqual(expect.arrayContaining(['INV-000001  1291.15 EUR  void', 'void since 2024-02-02T00:00:00Z: wrong customer', '  1,100.00 EUR less 15.00 EUR of discounts and with 206.15 EUR of tax is 1,291.15 EUR']));
});
