import { Decimal, divideRounded, Money, type Rounding } from '@valueverse/kernel';
import { spread } from './largest-remainder';
import type { LineTax, LineToTotal, TaxRate } from './invoice-terms';

export interface TaxRules {
  readonly currency: string;
  readonly rounding: Rounding;
  readonly taxRounding: 'invoice' | 'line';
  readonly inclusiveRounding: 'net' | 'tax';
}

/** A price in its two parts. */
export interface SplitPrice {
  readonly net: Money;
  readonly tax: Money;
}

const HUNDRED = Decimal.of(100);

/** All rates of a line together, in percent. */
const sumOfRates = (rates: readonly TaxRate[]): Decimal => Decimal.sum(rates.map(({ rate }) => Decimal.parse(rate)));

/**
 * A price with its tax in it, in two parts that add up to it: `net` rounds gross / (1 + rate) and takes the rest as tax, `tax` rounds gross x rate / (1 + rate) and takes the rest
 * as net. The source of the two: Zuora.
 */
export const splitInclusive = (gross: Money, rates: readonly TaxRate[], { rounding, inclusiveRounding }: TaxRules): SplitPrice => {
  const rate = sumOfRates(rates);
  const whole = HUNDRED.plus(rate);
  if (inclusiveRounding === 'net') {
    const net = gross.timesFraction(HUNDRED.coefficientAt(whole.scale), whole.coefficient, rounding);
    return { net, tax: gross.subtract(net) };
  }
  const scale = Math.max(rate.scale, whole.scale);
  const tax = gross.timesFraction(rate.coefficientAt(scale), whole.coefficientAt(scale), rounding);
  return { net: gross.subtract(tax), tax };
};

/** The net amount of a price: itself, where tax comes on top of it. */
export const netOf = (amount: Money, { taxBehavior, taxRates }: LineToTotal, rules: TaxRules): Money =>
  (taxBehavior === 'exclusive' ? amount : splitInclusive(amount, taxRates, rules).net);

/** The tax in an inclusive price by its rates, in proportion to them. */
const inclusiveTaxes = (gross: Money, rates: readonly TaxRate[], rules: TaxRules): readonly LineTax[] => {
  const { tax } = splitInclusive(gross, rates, rules);
  const parts = tax.isZero() ? rates.map(() => tax) : tax.allocate(rates.map(({ rate }) => Decimal.parse(rate)));
  return rates.map(({ key, rate }, nth) => ({ key, rate, amount: parts[nth]! }));
};

/** One rate, and where it is due on top: the lines, and its place among the rates of each. */
interface RateOnTop {
  readonly rate: string;
  readonly places: { readonly line: number; readonly at: number }[];
}

const ratesOnTop = (lines: readonly LineToTotal[]): readonly RateOnTop[] => {
  const rates = new Map<string, RateOnTop>();
  for (const [line, { taxBehavior, taxRates }] of lines.entries()) {
    if (taxBehavior !== 'exclusive') continue;
    for (const [at, { key, rate }] of taxRates.entries()) {
      const name = JSON.stringify([key, Decimal.parse(rate).toString()]);
      const known = rates.get(name);
      if (known === undefined) rates.set(name, { rate, places: [{ line, at }] });
      else known.places.push({ line, at });
    }
  }
  return [...rates.values()];
};

/** What one rate on top costs on each of its lines. */
const taxesOnTop = ({ rate, places }: RateOnTop, nets: readonly Money[], { currency, rounding, taxRounding }: TaxRules): readonly Money[] => {
  const percent = Decimal.parse(rate);
  const denominator = HUNDRED.coefficientAt(percent.scale);
  const shares = places.map(({ line }) => nets[line]!.minor * percent.coefficient);
  if (taxRounding === 'line') return shares.map((share) => Money.of(divideRounded(share, denominator, rounding), currency));
  const total = divideRounded(shares.reduce((sum, share) => sum + share, 0n), denominator, rounding);
  return spread(total, shares, denominator).map((part) => Money.of(part, currency));
};

/**
 * The taxes of each line on what discounts have left of it. On top of exclusive prices a rate is rounded once on the invoice and spread over its lines by largest remainder, or
 * rounded on each line; inclusive prices are split line by line. So every column adds up. `rests` are as priced, `nets` the same without tax.
 */
export const taxesOf = (lines: readonly LineToTotal[], rests: readonly Money[], nets: readonly Money[], rules: TaxRules): readonly (readonly LineTax[])[] => {
  const zero = Money.zero(rules.currency);
  const taxes = lines.map(({ taxBehavior, taxRates }, nth): LineTax[] =>
    (taxBehavior === 'inclusive' ? [...inclusiveTaxes(rests[nth]!, taxRates, rules)] : taxRates.map(({ key, rate }) => ({ key, rate, amount: zero }))));
  for (const onTop of ratesOnTop(lines)) {
    const amounts = taxesOnTop(onTop, nets, rules);
    for (const [nth, { line, at }] of onTop.places.entries()) taxes[line]![at] = { ...taxes[line]![at]!, amount: amounts[nth]! };
  }
  return taxes;
};
