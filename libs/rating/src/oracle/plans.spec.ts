import { Decimal, Money } from '@valueverse/kernel';
import * as fc from 'fast-check';
import { oracleInvoice, oraclePlan, oraclePlanLines } from '@valueverse/testing';
import { type Measured } from '../charge/promises';
import { rateCommitment } from '../charge/rate-commitment';
import { rateFee } from '../charge/rate-fee';
import { rateUsage } from '../charge/rate-usage';
import type { InvoiceToTotal, TotalledInvoice } from '../invoice/invoice-terms';
import { totalInvoice } from '../invoice/total-invoice';
import { parsePrice, type Price } from '../price';
import { NOTHING, WHOLE } from '../proration';
import { coupons, currencies, DIGITS, LINES_MAX, plans, roundingRules, taxes } from './plans-and-usage.spec-kit';
import { groupsOf, oracleSliceFor, seeded, sliceFor, termsOf } from './rated-by-us.spec-kit';

const shown = ({ lines, ...totals }: TotalledInvoice) => ({
  lines: lines.map(({ netAmount, discounts, taxes: own }) => ({ netAmount: netAmount.toString(), discounts: discounts.map(({ amount }) => amount.toString()), taxes: own.map(({ amount }) => amount.toString()) })),
  ...Object.fromEntries((['subtotal', 'discountTotal', 'taxTotal', 'total', 'creditApplied'] as const).map((name) => [name, totals[name].toString()])),
});

type Plan = typeof plans extends fc.Arbitrary<infer P> ? P : never;

/** The lines of a plan as billing has them made: fees, usage, then the commitment of the plan over all of them. */
const linesOf = ({ currency, rounding, fees, usage, commitment, slice }: Plan): readonly Money[] => {
  const part = slice === undefined ? { elapsedAtStart: NOTHING, elapsedAtEnd: WHOLE } : sliceFor(slice);
  const measured: Measured = { currency, rounding, ...(slice === undefined ? {} : { slice: part }) };
  const ofFees = fees.map(({ price, quantity, freeUnits, chargeFlatAtZero }) =>
    rateFee({ charge: { price: (parsePrice(price, '', currency) as { price: Price }).price, freeUnits, chargeFlatAtZero }, quantity: Decimal.parse(quantity), slice: part, currency, rounding }).amount);
  const ofUsage = usage.flatMap(({ charge, groups, isAmountShared }) => {
    const terms = termsOf(charge, currency);
    return rateUsage({ ...measured, charge: terms, groups: groupsOf(terms, groups), isAmountShared }).map(({ amount }) => amount);
  });
  const lines = [...ofFees, ...ofUsage];
  if (commitment === undefined) return lines;
  const { added, trueUp } = rateCommitment(lines, commitment, measured);
  return [...lines.map((amount, nth) => (added[nth] === undefined ? amount : amount.add(added[nth].amount))), ...(trueUp === undefined ? [] : [trueUp.amount])];
};

test('the oracle and this library agree on whole plans and their usage, to the last cent of the invoice', () =>
  fc.assert(fc.property(plans, (plan) => {
    const { currency, slice, credits, ...rest } = plan;
    const lines = linesOf(plan);
    const question = { ...rest, credits, digits: DIGITS[currency], slice: slice === undefined ? undefined : oracleSliceFor(slice) };
    expect(lines.map(String)).toEqual(oraclePlanLines(question));
    const invoice = totalInvoice({
      ...rest, currency, lines: lines.map((amount, nth) => ({ lineId: `line_${nth}`, amount, ...plan.taxes[nth % plan.taxes.length]! })),
      credits: credits.map((amount, nth) => ({ creditId: `cn_${nth}`, amount: Money.fromDecimal(Decimal.parse(amount), currency, 'down') })),
    });
    expect(shown(invoice)).toEqual(oraclePlan(question));
  }), seeded(106)));

const invoices = currencies.chain((currency) => fc.record({
  currency: fc.constant(currency), ...roundingRules, isCredit: fc.boolean(), coupons: coupons(DIGITS[currency]), credits: fc.array(fc.bigInt({ min: 0n, max: 40_000n }), { maxLength: 2 }),
  lines: fc.array(fc.record({ minor: fc.oneof(fc.bigInt({ min: -9_000n, max: 30_000n }), fc.bigInt({ min: -9n, max: 20n })), taxes }), { maxLength: LINES_MAX }),
}));

test('the oracle and this library agree on invoices, those below zero among them', () =>
  fc.assert(fc.property(invoices, ({ currency, lines, credits, isCredit, ...rules }) => {
    const money = (minor: bigint): Money => Money.of(minor, currency);
    const given: InvoiceToTotal = {
      ...rules, currency, lines: lines.map(({ minor, taxes: own }, nth) => ({ lineId: `line_${nth}`, amount: money(isCredit ? -minor : minor), ...own })),
      credits: credits.map((minor, nth) => ({ creditId: `cn_${nth}`, amount: money(minor) })),
    };
    expect(shown(totalInvoice(given))).toEqual(oracleInvoice({
      ...rules, digits: DIGITS[currency], lines: given.lines.map((line) => ({ ...line, amount: line.amount.toString() })), credits: given.credits!.map(({ amount }) => amount.toString()),
    }));
  }), seeded(104, 0.5)));
