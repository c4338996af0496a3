import { Decimal, Money } from '@valueverse/kernel';
import type { AppliedCoupon, InvoiceToTotal, TaxRate } from '../invoice/invoice-terms';
import { totalInvoice } from '../invoice/total-invoice';

// Published examples of other systems, each with the engine set to the rule of its source: exclusive prices, tax once on the invoice.
const usd = (text: string): Money => Money.parse(text, 'USD');
const total = (amounts: readonly string[], taxRates: readonly TaxRate[] = [], given: Partial<InvoiceToTotal> = {}) => totalInvoice({
  lines: amounts.map((amount, nth) => ({ lineId: `line_${nth}`, amount: usd(amount), taxBehavior: 'exclusive', taxRates })),
  currency: 'USD', rounding: 'half_up', taxRounding: 'invoice', inclusiveRounding: 'net', ...given,
});
const percent = (value: string, key = value): AppliedCoupon => ({ key, discount: { type: 'percent', value }, stackable: true });
const fixed = (value: string, key = value): AppliedCoupon => ({ key, discount: { type: 'amount', value }, stackable: true });
const vat = (rate: string): TaxRate => ({ key: `vat ${rate}`, rate });

test('X4: coupons one after the other, taxes on one base, and nothing below zero', () => {
  expect(total(['100.00'], [], { coupons: [percent('10', 'first'), percent('10', 'second')] }).total.toString()).toBe('81.00');
  expect(total(['100.00'], [vat('6'), vat('2')]).taxTotal.toString()).toBe('8.00');
  const none = total(['50.00'], [vat('6')], { coupons: [fixed('30', 'first'), fixed('30', 'second')] });
  expect([none.lines[0]!.netAmount.toString(), none.taxTotal.toString(), none.total.toString()]).toEqual(['0.00', '0.00', '0.00']);
});

test('X5: tax, a reverse charge, and a coupon', () => {
  expect(total(['35.00'], [vat('20')]).total.toString()).toBe('42.00');
  const reverse = total(['35.00'], [vat('0')]);
  expect([reverse.total.toString(), reverse.taxTotal.toString()]).toEqual(['35.00', '0.00']);
  expect(total(['35.00'], [], { coupons: [percent('10')] }).discountTotal.toString()).toBe('3.50');
});

test('X7: credit is used before anything is asked for', () => {
  expect(total(['100.00'], [], { credits: [{ creditId: 'cn', amount: usd('20.00') }] }).amountDue.toString()).toBe('80.00');
});

test('X10: what a wallet pays of two invoices, tax included', () => {
  let left = usd('39.00');
  const pay = (amount: string): string[] => {
    const { creditApplied, amountDue } = total([amount], [vat('24')], { credits: [{ creditId: 'wallet', amount: left }] });
    left = left.subtract(creditApplied);
    return [creditApplied.toString(), amountDue.toString()];
  };
  expect([pay('14.29'), pay('14.27'), left.toString()]).toEqual([['17.72', '0.00'], ['17.69', '0.00'], '3.59']);
});

test('X12: rounding to the digits of a currency', () => {
  const rounded = (text: string, currency: string): string => Money.fromDecimal(Decimal.parse(text), currency, 'half_up').toString();
  expect([rounded('1.235', 'USD'), rounded('1.23456789', 'CLF'), rounded('1.9556789', 'JPY')]).toEqual(['1.24', '1.2346', '2']);
});

test('X13: a coupon before tax, then what was paid before', () => {
  expect(total(['50.00', '20.00'], [vat('10')], { coupons: [fixed('10')], credits: [{ creditId: 'prepaid', amount: usd('30.00') }] }).amountDue.toString()).toBe('36.00');
});
