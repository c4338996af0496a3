import { by, floor, handOut, isLess, least, minus, ONE, type OracleRounding, percent, plus, type Ratio, ratio, read, rounded, sum, times, writeAmount, ZERO } from './ratio';

export interface OracleInvoiceQuestion {
  readonly lines: readonly { readonly lineId: string; readonly amount: string; readonly taxBehavior: 'exclusive' | 'inclusive'; readonly taxRates: readonly { readonly key: string; readonly rate: string }[] }[];
  readonly coupons: readonly { readonly key: string; readonly discount: { readonly type: 'percent' | 'amount'; readonly value: string }; readonly lineIds?: readonly string[] | undefined; readonly stackable: boolean }[];
  readonly credits: readonly string[];
  readonly digits: number;
  readonly rounding: OracleRounding;
  readonly taxRounding: 'invoice' | 'line';
  readonly inclusiveRounding: 'net' | 'tax';
}

export interface OracleInvoice {
  readonly lines: readonly { readonly netAmount: string; readonly discounts: readonly string[]; readonly taxes: readonly string[] }[];
  readonly subtotal: string;
  readonly discountTotal: string;
  readonly taxTotal: string;
  readonly total: string;
  readonly creditApplied: string;
}

type GivenLine = OracleInvoiceQuestion['lines'][number];

/** Spreads an amount by exact shares of it, in the smallest unit of the currency. */
const spreadOut = (total: Ratio, shares: readonly Ratio[], digits: number): readonly Ratio[] => {
  const unit = ratio(10n ** BigInt(digits));
  return handOut(floor(times(total, unit)), shares.map((share) => times(share, unit))).map((part) => by(ratio(part), unit));
};

const rateOf = ({ taxRates }: GivenLine): Ratio => sum(taxRates.map(({ rate }) => by(read(rate), ratio(100n))));

/** The part of a price that is no tax. */
const netOf = (amount: Ratio, line: GivenLine, { digits, rounding, inclusiveRounding }: OracleInvoiceQuestion): Ratio => {
  if (line.taxBehavior === 'exclusive') return amount;
  const rate = rateOf(line);
  if (inclusiveRounding === 'net') return rounded(by(amount, plus(ONE, rate)), digits, rounding);
  return minus(amount, rounded(by(times(amount, rate), plus(ONE, rate)), digits, rounding));
};

interface State { readonly line: GivenLine; rest: Ratio; net: Ratio; readonly discounts: Ratio[]; coupons: OracleInvoiceQuestion['coupons'][number][] }

const applyCoupons = (states: readonly State[], question: OracleInvoiceQuestion): void => {
  const { coupons, digits, rounding } = question;
  for (const coupon of [...coupons.filter(({ lineIds }) => lineIds !== undefined), ...coupons.filter(({ lineIds }) => lineIds === undefined)]) {
    const wanted = states.filter(({ line, rest, coupons: before }) => isLess(ZERO, rest) && (coupon.lineIds?.includes(line.lineId) ?? true)
      && before.every(({ stackable }) => stackable && coupon.stackable));
    const base = sum(wanted.map(({ rest }) => rest));
    const { type, value } = coupon.discount;
    const taken = least(base, rounded(type === 'percent' ? percent(base, read(value)) : read(value), digits, rounding));
    if (taken.over === 0n) continue;
    const parts = spreadOut(taken, wanted.map(({ rest }) => by(times(taken, rest), base)), digits);
    for (const [nth, state] of wanted.entries()) {
      if (parts[nth]!.over === 0n) continue;
      state.rest = minus(state.rest, parts[nth]!);
      const net = netOf(state.rest, state.line, question);
      state.discounts.push(minus(state.net, net));
      state.net = net;
      state.coupons.push(coupon);
    }
  }
};

/** The taxes of each line, in the order of its rates. */
const taxesOf = (states: readonly State[], { digits, rounding, taxRounding }: OracleInvoiceQuestion): readonly Ratio[][] => {
  const taxes = states.map(({ line: { taxRates } }) => taxRates.map(() => ZERO));
  for (const [nth, { line, rest, net }] of states.entries()) {
    if (line.taxBehavior === 'exclusive') continue;
    const tax = minus(rest, net);
    if (tax.over !== 0n) taxes[nth] = [...spreadOut(tax, line.taxRates.map(({ rate }) => by(times(tax, by(read(rate), ratio(100n))), rateOf(line))), digits)];
  }
  const onTop = states.flatMap(({ line, net }, nth) => (line.taxBehavior === 'inclusive' ? [] : line.taxRates.map(({ key, rate }, at) => ({ name: `${key} at ${rate}`, nth, at, exact: percent(net, read(rate)) }))));
  for (const name of new Set(onTop.map((one) => one.name))) {
    const own = onTop.filter((one) => one.name === name);
    const exact = own.map((one) => one.exact);
    const amounts = taxRounding === 'line' ? exact.map((one) => rounded(one, digits, rounding)) : spreadOut(rounded(sum(exact), digits, rounding), exact, digits);
    for (const [index, { nth, at }] of own.entries()) taxes[nth]![at] = amounts[index]!;
  }
  return taxes;
};

/** From lines to what is due. */
export const oracleInvoice = (question: OracleInvoiceQuestion): OracleInvoice => {
  const { lines, credits, digits } = question;
  const states = lines.map((line): State => ({ line, rest: read(line.amount), net: netOf(read(line.amount), line, question), discounts: [], coupons: [] }));
  const subtotal = sum(states.map(({ net }) => net));
  applyCoupons(states, question);
  const taxes = taxesOf(states, question);
  const [net, taxTotal] = [sum(states.map((state) => state.net)), sum(taxes.flat())];
  const total = plus(net, taxTotal);
  const available = sum(credits.map(read));
  const text = (amount: Ratio): string => writeAmount(amount, digits);
  return {
    lines: states.map((state, nth) => ({ netAmount: text(state.net), discounts: state.discounts.map(text), taxes: taxes[nth]!.map(text) })),
    subtotal: text(subtotal), discountTotal: text(minus(subtotal, net)), taxTotal: text(taxTotal), total: text(total),
    creditApplied: text(isLess(ZERO, total) ? least(available, total) : ZERO),
  };
};
