import { Decimal, Money } from '@valueverse/kernel';
import { applyCoupons, type Discounted } from './discounts';
import type { AvailableCredit, InvoiceToTotal, LineToTotal, TotalledInvoice, TotalledLine } from './invoice-terms';
import { numbered, type Unnumbered } from './invoice-steps';
import { netOf, taxesOf, type TaxRules } from './taxes';

/** What the coupons leave of a line, and what each of them takes of it without tax: by running rests, so that the parts add up to what the line loses. */
interface LeftOfLine {
  readonly rest: Money;
  readonly net: Money;
  readonly netTaken: readonly Money[];
}

const leftOf = (line: LineToTotal, nth: number, coupons: readonly Discounted[], rules: TaxRules): LeftOfLine => {
  let [rest, net] = [line.amount, netOf(line.amount, line, rules)];
  const netTaken = coupons.map(({ taken }) => {
    rest = rest.subtract(taken[nth]!);
    const before = net;
    net = taken[nth]!.isZero() ? net : netOf(rest, line, rules);
    return before.subtract(net);
  });
  return { rest, net, netTaken };
};

/** Credit in its order until nothing is due; on a total of nothing, or of less, none. */
const useCredits = (total: Money, credits: readonly AvailableCredit[]): readonly AvailableCredit[] => {
  let due = total;
  return credits.flatMap(({ creditId, amount }) => {
    if (!due.isPositive() || !amount.isPositive()) return [];
    const used = amount.min(due);
    due = due.subtract(used);
    return [{ creditId, amount: used }];
  });
};

const couponSteps = (coupons: readonly Discounted[], left: readonly LeftOfLine[], currency: string): readonly Unnumbered[] => coupons.map(({ coupon, base, total }, nth) => ({
  kind: 'coupon', coupon: coupon.key, scope: coupon.lineIds === undefined ? 'invoice' : 'lines', discount: coupon.discount,
  base: base.toString(), pricedAmount: total.toString(), amount: Money.sum(left.map(({ netTaken }) => netTaken[nth]!), currency).negate().toString(),
}));

/** One step for each rate, its exclusive and its inclusive lines apart, in the order in which they come. */
const taxSteps = (given: readonly LineToTotal[], lines: readonly TotalledLine[]): readonly Unnumbered[] => {
  const steps = new Map<string, { readonly key: string; readonly rate: string; readonly behavior: LineToTotal['taxBehavior']; base: Money; amount: Money }>();
  for (const [nth, { netAmount, taxes }] of lines.entries()) {
    const behavior = given[nth]!.taxBehavior;
    for (const { key, rate: written, amount } of taxes) {
      const rate = Decimal.parse(written).toString();
      const name = JSON.stringify([key, rate, behavior]);
      const known = steps.get(name);
      if (known === undefined) steps.set(name, { key, rate, behavior, base: netAmount, amount });
      else { known.base = known.base.add(netAmount); known.amount = known.amount.add(amount); }
    }
  }
  return Array.from(steps.values(), ({ key, rate, behavior, base, amount }) => ({ kind: 'tax', key, rate, behavior, base: base.toString(), amount: amount.toString() }));
};

const totalLines = ({ lines, coupons }: { readonly lines: readonly LineToTotal[]; readonly coupons: readonly Discounted[] }, left: readonly LeftOfLine[], rules: TaxRules): readonly TotalledLine[] => {
  const taxes = taxesOf(lines, left.map(({ rest }) => rest), left.map(({ net }) => net), rules);
  return lines.map(({ lineId, amount }, nth) => {
    const { net, netTaken } = left[nth]!;
    return {
      lineId, amount, subtotal: Money.sum([net, ...netTaken], rules.currency),
      discounts: coupons.flatMap(({ coupon, taken }, at) => (taken[nth]!.isZero() ? [] : [{ coupon: coupon.key, amount: netTaken[at]!, pricedAmount: taken[nth]! }])),
      netAmount: net, taxes: taxes[nth]!, taxAmount: Money.sum(taxes[nth]!.map((tax) => tax.amount), rules.currency),
    };
  });
};

/**
 * From rated lines to what is due: coupons of lines, coupons of the invoice, tax on what they leave, then credit. Every column adds up: the lines to the totals, the discounts and
 * taxes of a line to the line, the steps to what is due. Lines below zero take no part in discounts, and lower the base of their tax. A total below zero is left as it is.
 *
 * Presumes distinct line ids, rates that a line has once, and coupons of 0 to 100 percent or an amount of zero or more. A line in another currency is a mistake of the caller:
 * `TypeError`. Refuses a code that is no currency with `unknown_currency`. The source of the order and of the largest remainder: the rules of the documentation, Lago and Flexprice.
 */
export const totalInvoice = ({ lines: given, coupons: granted = [], credits = [], ...rules }: InvoiceToTotal): TotalledInvoice => {
  const { currency, rounding } = rules;
  const coupons = applyCoupons(given, granted, currency, rounding);
  const left = given.map((line, nth) => leftOf(line, nth, coupons, rules));
  const lines = totalLines({ lines: given, coupons }, left, rules);
  const sumOf = (amounts: readonly Money[]): Money => Money.sum(amounts, currency);
  const subtotal = sumOf(lines.map((line) => line.subtotal));
  const net = sumOf(lines.map(({ netAmount }) => netAmount));
  const taxTotal = sumOf(lines.map(({ taxAmount }) => taxAmount));
  const total = net.add(taxTotal);
  const used = useCredits(total, credits);
  const creditApplied = sumOf(used.map(({ amount }) => amount));
  const amountDue = total.subtract(creditApplied);
  const steps = numbered([
    { kind: 'subtotal', amount: subtotal.toString() },
    ...couponSteps(coupons, left, currency),
    ...taxSteps(given, lines),
    { kind: 'total', amount: total.toString() },
    ...used.map(({ creditId, amount }) => ({ kind: 'credit', creditId, amount: amount.negate().toString() }) as const),
    { kind: 'due', amount: amountDue.toString() },
  ]);
  return { lines, subtotal, discountTotal: subtotal.subtract(net), taxTotal, total, credits: used, creditApplied, amountDue, steps };
};
