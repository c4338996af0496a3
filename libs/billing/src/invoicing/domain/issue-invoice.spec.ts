import fc from 'fast-check';
import { Money } from '@valueverse/kernel';
import type { CreditedLine, InvoiceItem, InvoiceLine } from '@valueverse/contracts';
import { runs } from '@valueverse/testing';
import { issueInvoice, type InvoiceMoney, type IssueTerms } from './issue-invoice';
import { NOVEMBER, platform } from './invoice.spec-kit';

/** Currencies of no, two and three digits after the point, and how many minor units a major one has. */
const CURRENCIES = [['JPY', 0], ['USD', 2], ['KWD', 3]] as const;
const MIDDLE = '2023-11-18T00:00:00Z';
interface Given { readonly minor: number; readonly isBack: boolean; readonly isInclusive: boolean; readonly rates: readonly string[]; readonly left: number }
const given: fc.Arbitrary<Given> = fc.record({ minor: fc.integer({ min: 0, max: 99_999 }), isBack: fc.boolean(), isInclusive: fc.boolean(), rates: fc.subarray(['19', '7.25', '0.5']), left: fc.integer({ min: 0, max: 99_999 }) });
const asked = fc.record({
  currency: fc.constantFrom(...CURRENCIES), lines: fc.array(given, { minLength: 1, maxLength: 6 }), percent: fc.constantFrom('0.01', '10', '33.33', '100'), off: fc.integer({ min: 0, max: 50_000 }), balance: fc.integer({ min: 0, max: 50_000 }),
  taxRounding: fc.constantFrom('invoice', 'line'), inclusiveRounding: fc.constantFrom('net', 'tax'), rounding: fc.constantFrom('half_up', 'half_even'),
});
type Asked = typeof asked extends fc.Arbitrary<infer A> ? A : never;

const issued = ({ currency: [currency], lines, percent, off, balance, taxRounding, inclusiveRounding, rounding }: Asked): { money: InvoiceMoney | undefined; notes: ReturnType<typeof issueInvoice>['notes']; credited: Record<string, CreditedLine> } => {
  const text = (minor: number): string => Money.of(BigInt(minor), currency).toString();
  const taxesOf = ({ rates }: Given): { key: string; name: string; rate: string }[] => rates.map((rate) => ({ key: rate, name: rate, rate }));
  const credited = Object.fromEntries(lines.flatMap((one, nth) => (one.isBack ? [[`old_${nth}`, { amount: text(one.minor), paid: text(one.minor), left: text(Math.min(one.left, one.minor)), servicePeriod: NOVEMBER, taxes: taxesOf(one) }] as const] : [])));
  const items = lines.map((one, nth): InvoiceItem => ({
    itemId: `item_${nth}`, kind: one.isBack ? 'credit' : 'fee', charge: { ...platform, price: { model: 'flat', amount: text(one.minor) }, taxBehavior: one.isInclusive ? 'inclusive' : 'exclusive' }, aligned: NOVEMBER, served: { from: MIDDLE, to: NOVEMBER.to }, zone: 'UTC',
    ...(one.isBack ? { credits: { invoiceId: `inv_${nth % 2}`, lineId: `old_${nth}` } } : {}),
  }));
  const drafted = { invoiceId: 'inv_9', kind: 'cycle' as const, currency, rounding, items };
  const priced = issueInvoice(drafted, new Map(), { taxRounding, inclusiveRounding, coupons: [], lineTaxes: {}, credited, interim: [] }).invoiceWith(Money.zero(currency))?.lines ?? [];
  const lineTaxes = Object.fromEntries(priced.map(({ lineId, itemId }) => [lineId, taxesOf(lines[Number(itemId.slice(5))]!)]));
  const coupon = (redemptionId: string, discount: IssueTerms['coupons'][number]['discount']): IssueTerms['coupons'][number] => ({ redemptionId, couponKey: redemptionId, name: redemptionId, discount, stackable: true });
  const issue = issueInvoice(drafted, new Map(), { taxRounding, inclusiveRounding, coupons: [coupon('percent', { type: 'percent', value: percent }), coupon('amount', { type: 'amount', value: text(off) })], lineTaxes, credited, interim: [] });
  return { money: issue.invoiceWith(Money.of(BigInt(balance), currency)), notes: issue.notes, credited };
};

test('every column adds up in every currency, with what is given back, coupons, taxes and credit', () => fc.assert(fc.property(asked, (one) => {
  const { currency: [currency] } = one;
  const { money, notes, credited } = issued(one);
  const sum = (texts: readonly string[]): string => Money.sum(texts.map((text) => Money.parse(text, currency)), currency).toString();
  const minus = (text: string): string => Money.parse(text, currency).negate().toString();
  const holds = ({ netAmount, taxAmount, taxes }: InvoiceLine): void => { expect([taxAmount, currency]).toEqual([sum(taxes.map(({ amount }) => amount)), currency]); expect(Money.parse(netAmount, currency).currency).toBe(currency); };
  if (money !== undefined) {
    money.lines.forEach(holds);
    expect(sum(money.lines.map(({ netAmount }) => netAmount))).toBe(sum([money.subtotal, minus(money.discountTotal)]));
    expect(sum(money.lines.flatMap(({ discounts }) => discounts.map(({ amount }) => amount)))).toBe(money.discountTotal);
    expect(sum(money.lines.map(({ taxAmount }) => taxAmount))).toBe(money.taxTotal);
    expect(sum([money.subtotal, minus(money.discountTotal), money.taxTotal])).toBe(money.total);
    expect(sum([money.total, minus(money.creditApplied)])).toBe(money.amountDue);
    expect(Money.parse(money.amountDue, currency).isNegative()).toBe(false);
    // Credit is never more than the account has.
    expect(Money.parse(money.creditApplied, currency).compare(Money.of(BigInt(one.balance), currency))).not.toBe(1);
  }
  // Of no line more goes back than is left of it, on the invoice and by notes.
  const back = [...(money?.lines ?? []).filter(({ credits }) => credits !== undefined).map(({ credits, amount }) => [credits!.lineId, minus(amount)] as const), ...notes.flatMap(({ lines }) => lines.map(({ lineId, line }) => [lineId, line.amount] as const))];
  for (const [lineId, amount] of back) expect(Money.parse(amount, currency).compare(Money.parse(credited[lineId]!.left!, currency))).not.toBe(1);
  for (const { lines } of notes) for (const { line } of lines) { holds(line); expect(Money.parse(line.amount, currency).isNegative()).toBe(false); }
}), runs(71, 300)));
