import { parse } from 'csv-parse/sync';
import type { InvoiceLine } from '@valueverse/contracts';
import { linesCsv } from './lines-csv';

const PERIOD = { from: '2024-01-01T00:00:00Z', to: '2024-02-01T00:00:00Z' };
const LINE: InvoiceLine = {
  lineId: 'line_1', itemId: 'item_1', chargeKey: 'calls', type: 'usage', description: 'Calls', subscriptionId: 'sub_1', planKey: 'payg', planVersion: 2, quantity: '1234.5', billedQuantity: '1234', amount: '119.00', netAmount: '90.00', taxAmount: '17.10',
  taxBehavior: 'inclusive', discounts: [{ couponKey: 'spring', amount: '8.00' }, { couponKey: 'more', amount: '2.00' }], taxes: [{ key: 'vat', name: 'VAT', rate: '19', base: '90.00', amount: '17.10' }], servicePeriod: PERIOD,
  dimensions: { region: 'eu' }, window: 'night', steps: [], statement: { statementId: 'ust_1', quantities: [], asOf: {}, evidence: '' }, credits: { invoiceId: 'inv_0', lineId: 'line_0' },
};
const rowsOf = (lines: readonly Partial<InvoiceLine>[], currency = 'EUR'): Record<string, string>[] => parse(linesCsv({ lines: lines.map((line) => ({ ...LINE, ...line })), currency }), { columns: true, record_delimiter: '\r\n' });

test('a line has all its columns', () => {
  expect(rowsOf([{}])).toEqual([{
    lineId: 'line_1', itemId: 'item_1', chargeKey: 'calls', type: 'usage', description: 'Calls', subscriptionId: 'sub_1', planKey: 'payg', planVersion: '2', from: PERIOD.from, to: PERIOD.to, window: 'night', dimensions: '{"region":"eu"}',
    quantity: '1234.5', billedQuantity: '1234', currency: 'EUR', amount: '119.00', taxBehavior: 'inclusive', discountAmount: '10.00', netAmount: '90.00', taxAmount: '17.10', discounts: JSON.stringify(LINE.discounts), taxes: JSON.stringify(LINE.taxes),
    creditsInvoiceId: 'inv_0', creditsLineId: 'line_0', statementId: 'ust_1',
  }]);
});

test('quotes, commas and ends of lines stay in their cell, whatever stands beside them', () => {
  const description = 'Rack "A", left\r\nand 日本語; ünïcode';
  expect(rowsOf([{ description }, {}]).map((row) => row['description'])).toEqual([description, 'Calls']);
});

test('what would be run as a formula is a text, and a number below zero stays a number', () => {
  const hostile = ['=1+1', '+1', '-1+2', '@SUM(A1)', '\t=1', '\r=1', '=HYPERLINK("http://x","y")'];
  expect(rowsOf(hostile.map((description) => ({ description }))).map((row) => row['description'])).toEqual(hostile.map((text) => `'${text}`));
  expect(rowsOf([{ amount: '-5.00', description: '-5.00' }])[0]).toMatchObject({ amount: '-5.00', description: '-5.00' });
});

test('nothing has no decimals that its currency has not', () => {
  expect(rowsOf([{ amount: '500', discounts: [] }], 'JPY')[0]).toMatchObject({ discountAmount: '0', discounts: '' });
  expect(rowsOf([{ amount: '0.500', discounts: [] }], 'KWD')[0]).toMatchObject({ discountAmount: '0.000' });
});

test('an invoice without lines has a header', () => {
  expect(linesCsv({ lines: [], currency: 'USD' })).toMatch(/^lineId,[^\r\n]+,statementId\r\n$/);
});
