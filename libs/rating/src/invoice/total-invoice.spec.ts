import { Decimal, Money } from '@valueverse/kernel';
import * as fc from 'fast-check';
import { runs } from '@valueverse/testing';
import type { AppliedCoupon, InvoiceToTotal, LineToTotal, TaxRate, TotalledInvoice } from './invoice-terms';
import { totalInvoice } from './total-invoice';

const seeded = runs(37, 400);
const VAT: TaxRate = { key: 'vat', rate: '19' };
type Given = Partial<Omit<InvoiceToTotal, 'lines'>>;
const line = (amount: string, more: Partial<LineToTotal> = {}, currency = 'USD'): LineToTotal => ({ lineId: amount, amount: Money.parse(amount, currency), taxBehavior: 'exclusive', taxRates: [], ...more });
const total = (lines: readonly LineToTotal[], given: Given = {}): TotalledInvoice => totalInvoice({ lines, currency: 'USD', rounding: 'half_up', taxRounding: 'invoice', inclusiveRounding: 'net', ...given });
const percent = (value: string, more: Partial<AppliedCoupon> = {}): AppliedCoupon => ({ key: `${value}%`, discount: { type: 'percent', value }, stackable: true, ...more });
const fixed = (value: string, more: Partial<AppliedCoupon> = {}): AppliedCoupon => ({ key: value, discount: { type: 'amount', value }, stackable: true, ...more });
const totals = ({ subtotal, discountTotal, taxTotal, total: sum }: TotalledInvoice): string => `${subtotal} - ${discountTotal} + ${taxTotal} = ${sum}`;
const nets = ({ lines }: TotalledInvoice): string[] => lines.map(({ netAmount }) => netAmount.toString());
const taxes = ({ lines }: TotalledInvoice): string[] => lines.map(({ taxAmount }) => taxAmount.toString());

test('a discount on a price with tax in it: 119.00 less 10 percent', () => {
  const invoice = total([line('119.00', { taxBehavior: 'inclusive', taxRates: [VAT] })], { coupons: [percent('10')] });
  expect(totals(invoice)).toBe('100.00 - 10.00 + 17.10 = 107.10');
  expect(invoice.lines[0]).toMatchObject({ discounts: [{ coupon: '10%' }], taxes: [{ key: 'vat', rate: '19' }] });
  expect(invoice.steps).toEqual([
    { number: 1, kind: 'subtotal', amount: '100.00' },
    { number: 2, kind: 'coupon', coupon: '10%', scope: 'invoice', discount: { type: 'percent', value: '10' }, base: '119.00', pricedAmount: '11.90', amount: '-10.00' },
    { number: 3, kind: 'tax', key: 'vat', rate: '19', behavior: 'inclusive', base: '90.00', amount: '17.10' },
    { number: 4, kind: 'total', amount: '107.10' },
    { number: 5, kind: 'due', amount: '107.10' },
  ]);
});

test('a rate is rounded once on the invoice and spread, or on each line', () => {
  const lines = ['0.03', '0.03', '0.03'].map((amount) => line(amount, { taxRates: [VAT] }));
  // 0.0171 in all is 0.02; of three equal remainders the two first go up. On each line 0.0057 is 0.01.
  expect(taxes(total(lines))).toEqual(['0.01', '0.01', '0.00']);
  expect(taxes(total(lines, { taxRounding: 'line' }))).toEqual(['0.01', '0.01', '0.01']);
});

test('several rates on a line are each of its net amount', () => {
  const invoice = total([line('100.00', { taxRates: [{ key: 'state', rate: '6' }, { key: 'city', rate: '2.5' }] }), line('10.00', { taxRates: [{ key: 'state', rate: '6' }] })]);
  expect(totals(invoice)).toBe('110.00 - 0.00 + 9.10 = 119.10');
  expect(invoice.steps.filter(({ kind }) => kind === 'tax')).toMatchObject([{ key: 'state', base: '110.00', amount: '6.60' }, { key: 'city', base: '100.00', amount: '2.50' }]);
  expect(invoice.lines[0]!.taxes.map(({ amount }) => amount.toString())).toEqual(['6.00', '2.50']);
});

test('an inclusive price is split by rounding its net or its tax, and its tax by the rates', () => {
  // 10.01 / 1.19 = 8.4117 and 10.01 x 19/119 = 1.5982: the same. 0.03 / 2 is a tie: net 0.02, or tax 0.02.
  const tie = line('0.03', { taxBehavior: 'inclusive', taxRates: [{ key: 'all', rate: '100' }] });
  expect([nets(total([tie])), nets(total([tie], { inclusiveRounding: 'tax' }))]).toEqual([['0.02'], ['0.01']]);
  const two = total([line('108.50', { taxBehavior: 'inclusive', taxRates: [{ key: 'state', rate: '6' }, { key: 'city', rate: '2.5' }] })]);
  expect(two.lines[0]!.taxes.map(({ amount }) => amount.toString())).toEqual(['6.00', '2.50']);
  expect(totals(total([line('10.00', { taxBehavior: 'inclusive' })]))).toBe('10.00 - 0.00 + 0.00 = 10.00');
});

test('exclusive and inclusive prices go on one invoice', () => {
  const invoice = total([line('100.00', { taxRates: [VAT] }), line('119.00', { taxBehavior: 'inclusive', taxRates: [VAT] })], { coupons: [fixed('21.90')] });
  // 10.00 of the first, 11.90 of the second, which is 10.00 without tax.
  expect(totals(invoice)).toBe('200.00 - 20.00 + 34.20 = 214.20');
  expect(invoice.steps.filter(({ kind }) => kind === 'tax')).toMatchObject([{ behavior: 'exclusive', base: '90.00' }, { behavior: 'inclusive', base: '90.00' }]);
});

test('coupons of lines come first, each on what is left, and none takes more', () => {
  const lines = [line('60.00'), line('40.00')];
  // 50 % of the second is 20; then 10 of 80 by 60 : 20.
  expect(nets(total(lines, { coupons: [fixed('10'), percent('50', { lineIds: ['40.00'] })] }))).toEqual(['52.50', '17.50']);
  expect(totals(total([line('50.00')], { coupons: [fixed('30'), fixed('30', { key: 'other' })] }))).toBe('50.00 - 50.00 + 0.00 = 0.00');
  expect(totals(total([line('10.00')], { coupons: [percent('100'), percent('50')] }))).toBe('10.00 - 10.00 + 0.00 = 0.00');
});

test('a coupon that does not go with others is alone on the lines that it discounts', () => {
  const lines = [line('60.00'), line('40.00')];
  const alone = percent('50', { lineIds: ['40.00'], stackable: false });
  expect(nets(total(lines, { coupons: [alone, percent('10')] }))).toEqual(['54.00', '20.00']);
  expect(nets(total(lines, { coupons: [percent('10', { lineIds: ['40.00'] }), percent('50', { stackable: false })] }))).toEqual(['30.00', '36.00']);
});

test('a discount is spread to the last cent, the earlier line wins a tie', () => {
  expect(nets(total([line('0.01'), line('0.01'), line('0.01')], { coupons: [fixed('0.02')] }))).toEqual(['0.00', '0.00', '0.01']);
});

test('what is given back is not discounted again, and lowers the tax', () => {
  const invoice = total([line('100.00', { taxRates: [VAT] }), line('-40.00', { taxRates: [VAT] })], { coupons: [percent('10')] });
  expect(nets(invoice)).toEqual(['90.00', '-40.00']);
  expect(totals(invoice)).toBe('60.00 - 10.00 + 9.50 = 59.50');
  expect(taxes(total([line('0.05', { taxRates: [VAT] }), line('-0.05', { taxRates: [VAT] })]))).toEqual(['0.01', '-0.01']);
});

test('credit is used in its order, never more than is due', () => {
  const credits = [{ creditId: 'cn_1', amount: Money.parse('20.00', 'USD') }, { creditId: 'cn_2', amount: Money.parse('90.00', 'USD') }, { creditId: 'cn_3', amount: Money.parse('5.00', 'USD') }];
  const invoice = total([line('100.00')], { credits });
  expect(invoice.credits.map(({ creditId, amount }) => `${creditId} ${amount}`)).toEqual(['cn_1 20.00', 'cn_2 80.00']);
  expect([invoice.creditApplied.toString(), invoice.amountDue.toString()]).toEqual(['100.00', '0.00']);
  expect(total([line('-5.00')], { credits })).toMatchObject({ credits: [], amountDue: Money.parse('-5.00', 'USD') });
  expect(total([])).toMatchObject({ lines: [], total: Money.zero('USD') });
});

const rates = fc.subarray<TaxRate>([VAT, { key: 'city', rate: '2.5' }, { key: 'tiny', rate: '0.125' }, { key: 'free', rate: '0' }]);
const lineLists = (currency: string) => fc.array(fc.record({
  minor: fc.bigInt({ min: -5_000n, max: 20_000n }), taxBehavior: fc.constantFrom('exclusive' as const, 'inclusive' as const), taxRates: rates,
}), { maxLength: 12 }).map((lines) => lines.map(({ minor, ...more }, nth): LineToTotal => ({ lineId: `line_${nth}`, amount: Money.of(minor, currency), ...more })));
const couponLists = fc.array(fc.record({
  discount: fc.oneof(
    fc.record({ type: fc.constant('percent' as const), value: fc.integer({ min: 0, max: 10_000 }).map((value) => Decimal.scaled(BigInt(value), 2).toString()) }),
    fc.record({ type: fc.constant('amount' as const), value: fc.integer({ min: 0, max: 300 }).map(String) }),
  ),
  stackable: fc.boolean(), lineIds: fc.option(fc.subarray(Array.from({ length: 12 }, (_, nth) => `line_${nth}`)), { nil: undefined }),
}), { maxLength: 4 }).map((coupons) => coupons.map((coupon, nth): AppliedCoupon => ({ key: `coupon_${nth}`, ...coupon })));
const invoices = fc.constantFrom('USD', 'JPY', 'KWD', 'CLF').chain((currency) => fc.record({
  lines: lineLists(currency), coupons: couponLists, currency: fc.constant(currency), rounding: fc.constantFrom('half_up' as const, 'half_even' as const),
  taxRounding: fc.constantFrom('invoice' as const, 'line' as const), inclusiveRounding: fc.constantFrom('net' as const, 'tax' as const),
  credits: fc.array(fc.bigInt({ min: 0n, max: 30_000n }), { maxLength: 3 }).map((amounts) => amounts.map((minor, nth) => ({ creditId: `cn_${nth}`, amount: Money.of(minor, currency) }))),
}));

test('every column adds up, in every currency', () =>
  fc.assert(fc.property(invoices, (given) => {
    const invoice = totalInvoice(given);
    const { currency } = given;
    const sum = (amounts: readonly Money[]): string => Money.sum(amounts, currency).toString();
    const { lines, subtotal, discountTotal, taxTotal } = invoice;
    expect(subtotal.subtract(discountTotal).add(taxTotal)).toEqual(invoice.total);
    expect([sum(lines.map((one) => one.subtotal)), sum(lines.flatMap((one) => one.discounts.map(({ amount }) => amount))), sum(lines.map((one) => one.taxAmount))])
      .toEqual([subtotal, discountTotal, taxTotal].map(String));
    for (const [nth, { amount, discounts, netAmount, taxAmount, taxes: own, subtotal: net }] of lines.entries()) {
      expect(sum([netAmount, ...discounts.map((one) => one.amount)])).toBe(net.toString());
      expect(sum(own.map((one) => one.amount))).toBe(taxAmount.toString());
      const rest = amount.subtract(Money.sum(discounts.map(({ pricedAmount }) => pricedAmount), currency));
      if (given.lines[nth]!.taxBehavior === 'inclusive') expect(netAmount.add(taxAmount)).toEqual(rest);
      if (amount.isPositive()) expect([rest.isNegative(), netAmount.isNegative(), taxAmount.isNegative()]).toEqual([false, false, false]);
      for (const one of discounts) expect(one.amount.isNegative()).toBe(false);
    }
    const steps = (...kinds: string[]): Decimal => Decimal.sum(invoice.steps.filter(({ kind }) => kinds.includes(kind)).map(({ amount }) => Decimal.parse(amount)));
    expect(steps('subtotal', 'coupon', 'tax').toString()).toBe(invoice.total.toDecimal().toString());
    expect(steps('total', 'credit').toString()).toBe(invoice.amountDue.toDecimal().toString());
    expect(JSON.parse(JSON.stringify(invoice.steps))).toEqual(invoice.steps);
  }), seeded));

test('a rate on the invoice is what it is of all its lines together, whichever way they are cut', () =>
  fc.assert(fc.property(fc.array(fc.bigInt({ min: -500n, max: 2_000n }), { minLength: 1, maxLength: 20 }), (minors) => {
    const many = totalInvoice({ lines: minors.map((minor, nth) => ({ lineId: String(nth), amount: Money.of(minor, 'USD'), taxBehavior: 'exclusive', taxRates: [VAT] })), currency: 'USD', rounding: 'half_up', taxRounding: 'invoice', inclusiveRounding: 'net' });
    const whole = Money.of(minors.reduce((sum, minor) => sum + minor, 0n), 'USD');
    expect(many.taxTotal).toEqual(whole.timesFraction(19n, 100n, 'half_up'));
  }), seeded));
