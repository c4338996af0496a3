import { canonicalJson, Decimal, isBefore, Money, type Instant, type Rounding } from '@valueverse/kernel';
import type { CitedStatement, CreditedLine, GroupQuantity, InterimLine, InvoiceDrafted, InvoiceItem, InvoiceLine } from '@valueverse/contracts';
import { DEFAULT_GRANULARITY, prorateFee, rateCommitment, rateFee, rateUsage, sliceOf, type ChargeTerms, type Granularity, type Slice, type SplitBy, type Step, type UsageGroup } from '@valueverse/rating';
import { discountOf, type GivenBack, givenBackOf } from './interim-lines';
import { lineIdOf } from './line-id';

/** A line as priced: discounts and taxes come after. */
export type PricedLine = Omit<InvoiceLine, 'netAmount' | 'taxAmount' | 'discounts' | 'taxes'>;

/** A step of a line: of its rating, of the discount that a part of which is given back had, or of what interim invoices have charged. */
export type LineStep = Step | { readonly kind: 'discount'; readonly amount: string } | { readonly kind: 'given_back_before'; readonly amount: string } | { readonly kind: 'interim'; readonly invoiceId: string; readonly amount: string };

/** What lines are priced with, besides their items. */
export interface Pricing {
  readonly invoiceId: string;
  readonly kind: InvoiceDrafted['kind'];
  readonly currency: string;
  readonly rounding: Rounding;
  /** Request -> the statement that answers it. Usage that is not stated has no lines. */
  readonly statements: ReadonlyMap<string, CitedStatement>;
  /** Line -> what it came to, of lines that a part of is given back. One that is not here was never owed, and nothing is given back. */
  readonly credited: Readonly<Record<string, CreditedLine>>;
  /** What interim invoices have charged of its items. */
  readonly interim: readonly InterimLine[];
}

/** Aggregations of which nothing is the quantity zero; of the others nothing is no quantity. */
const ZERO_IS_A_QUANTITY = new Set(['count', 'sum', 'unique_count', 'time_weighted_sum']);
/** Those of which a part is billed as it is. */
const PARTS_AS_THEY_ARE = new Set(['count', 'sum', 'time_weighted_sum']);

/** The lines of an invoice, in the order of its items. The same function prices a preview, an invoice, and the proof of a line. */
export const priceItems = (items: readonly InvoiceItem[], pricing: Pricing): PricedLine[] => {
  const priced = items.map((item) => ({ item, lines: PRICED[item.kind](item, pricing) }));
  return withCommitments(withinLeft(priced, pricing), pricing).flatMap(({ item, lines }) => [...lines, ...goneSinceInterim(item, pricing, lines)].flatMap((line) => withoutInterim(item, pricing, line)));
};

const PRICED: { readonly [K in InvoiceItem['kind']]: (item: InvoiceItem, pricing: Pricing) => PricedLine[] } = {
  fee: (item, pricing) => [feeLine(item, pricing)],
  one_off: (item, pricing) => [{ ...feeLine({ ...item, proration: { granularity: 'none' } }, pricing), type: 'one_off' }],
  credit: (item, pricing) => creditLine(item, pricing),
  usage: (item, pricing) => usageLines(item, pricing),
};

/** The part of its aligned period that an item is of; `undefined` for the whole of it. */
export const sliceOfItem = (item: InvoiceItem): Slice | undefined => {
  const { aligned, served, zone } = item;
  if (served.from === aligned.from && served.to === aligned.to) return undefined;
  return sliceOf(splitOf(item), aligned, served, zone);
};

/** By its own granularity, and by that of a change where one has split it; a charge that says its granularity is always split by that. */
const splitOf = ({ charge, served, proration, cuts = [] }: InvoiceItem): SplitBy => {
  const at = (instant: Instant): Granularity => charge.proration?.granularity ?? cuts.find((cut) => cut.at === instant)?.granularity ?? proration?.granularity ?? DEFAULT_GRANULARITY;
  return { from: at(served.from), to: at(served.to) };
};

const base = (item: InvoiceItem, { invoiceId }: Pricing): Pick<PricedLine, 'lineId' | 'itemId' | 'chargeKey' | 'description' | 'servicePeriod' | 'dimensions'> & Partial<PricedLine> => {
  const { itemId, charge, served, usageFrom, subscriptionId, planKey, planVersion } = item;
  return {
    lineId: lineIdOf(invoiceId, itemId), itemId, chargeKey: charge.key, description: charge.name, servicePeriod: { from: usageFrom ?? served.from, to: served.to }, dimensions: {},
    ...(subscriptionId === undefined ? {} : { subscriptionId }), ...(planKey === undefined ? {} : { planKey }), ...(planVersion === undefined ? {} : { planVersion }),
    ...(charge.taxBehavior === undefined ? {} : { taxBehavior: charge.taxBehavior }),
  };
};

const quantityOf = ({ quantity, charge }: InvoiceItem): Decimal => Decimal.parse(quantity ?? charge.quantity ?? '1');
const feeOf = (item: InvoiceItem, { currency, rounding }: Pricing): ReturnType<typeof rateFee> =>
  rateFee({ charge: item.charge as unknown as ChargeTerms, quantity: quantityOf(item), slice: sliceOfItem(item), currency, rounding });

const feeLine = (item: InvoiceItem, pricing: Pricing): PricedLine => {
  const { quantity, billedQuantity, amount, steps } = feeOf(item, pricing);
  return { ...base(item, pricing), type: 'recurring', quantity: quantity.toString(), billedQuantity: billedQuantity.toString(), amount: amount.toString(), steps };
};

const negated = (steps: readonly Step[]): Step[] => steps.map((step) => ({ ...step, amount: Decimal.parse(step.amount).negate().toString() }));

/**
 * A part of a fee that is given back: the slice that was charged, less the part of the discount that lowered it. What was taken off a line is split by running totals over the line's own part of the
 * period, so that a line that is given back in pieces is given back whole, and never more than was paid.
 */
const creditLine = (item: InvoiceItem, pricing: Pricing): PricedLine[] => {
  const { currency, rounding } = pricing;
  const { lineId } = item.credits!;
  const original = pricing.credited[lineId];
  if (original === undefined) return [];
  const fee = feeOf(item, pricing);
  const discount = Money.parse(original.amount, currency).subtract(Money.parse(original.paid, currency));
  const steps: LineStep[] = negated(fee.steps);
  if (!discount.isZero()) {
    const { zone, served } = item;
    const part = prorateFee({ full: discount.toDecimal(), aligned: { ...original.servicePeriod }, served, granularity: splitOf(item), zone, currency, rounding });
    steps.push({ kind: 'discount', amount: part.amount.toDecimal().toString() });
  }
  const amount = Money.fromDecimal(Decimal.sum(steps.map((step) => Decimal.parse(step.amount))), currency, rounding);
  return [{ ...base(item, pricing), type: 'proration_credit', quantity: fee.quantity.toString(), billedQuantity: fee.billedQuantity.toString(), amount: amount.toString(), steps, credits: { ...item.credits! } }];
};

const groupOf = ({ group, value, converted, priced, events }: GroupQuantity, window: string | undefined): UsageGroup => ({
  dimensions: group, quantity: Decimal.parse(value), billed: Decimal.parse(converted ?? value), events, ...(window === undefined ? {} : { window }),
  ...(priced === undefined ? {} : { priced }),
});

/** What was used, window by window. Of an aggregation of which nothing is zero there is always a group. */
export const groupsOfItem = ({ requests = [], aggregation = 'sum' }: InvoiceItem, statements: Pricing['statements']): UsageGroup[] => requests.flatMap(({ requestId, window }) => {
  const groups = statements.get(requestId)!.quantities.map((quantity) => groupOf(quantity, window));
  if (groups.length > 0 || !ZERO_IS_A_QUANTITY.has(aggregation)) return groups;
  return [{ dimensions: {}, quantity: Decimal.zero, billed: Decimal.zero, ...(window === undefined ? {} : { window }) }];
});

const isStated = ({ requests = [] }: InvoiceItem, { statements }: Pricing): boolean => requests.length > 0 && requests.every(({ requestId }) => statements.has(requestId));
const namedBy = (description: string, window: string | undefined, dimensions: PricedLine['dimensions']): string => {
  const names = [...(window === undefined ? [] : [window]), ...Object.values(dimensions)];
  return names.length === 0 ? description : `${description} (${names.join(', ')})`;
};

const usageLines = (item: InvoiceItem, pricing: Pricing): PricedLine[] => {
  const { charge, proration, requests = [], aggregation = 'sum' } = item;
  const { currency, rounding, statements } = pricing;
  if (!isStated(item, pricing)) return [];
  const rated = rateUsage({
    charge: { ...charge, proration } as unknown as ChargeTerms, groups: groupsOfItem(item, statements), slice: sliceOfItem(item), isAmountShared: !PARTS_AS_THEY_ARE.has(aggregation), currency, rounding,
  });
  const own = base(item, pricing);
  // What is missing to a promise is known when the period is over.
  return rated.filter(({ type }) => pricing.kind !== 'interim' || type === 'usage').map((line) => {
    const { type, window, dimensions, quantity, billedQuantity } = line;
    const request = requests.find((one) => one.window === window) ?? requests[0]!;
    const description = namedBy(own.description, window, dimensions);
    return {
      ...own, type, lineId: description === own.description && type === 'usage' ? own.lineId : lineIdOf(pricing.invoiceId, item.itemId, line.key), description, dimensions, ...(window === undefined ? {} : { window }),
      quantity: quantity.toString(), billedQuantity: billedQuantity.toString(), amount: line.amount.toString(), steps: line.steps, ...(type === 'usage' ? { statement: statements.get(request.requestId)! } : {}),
    };
  });
};

const isOfLine = (item: InvoiceItem, line: Pick<PricedLine, 'window' | 'dimensions'>, of: InterimLine): boolean =>
  of.itemId === item.itemId && of.window === line.window && canonicalJson(of.dimensions) === canonicalJson(line.dimensions);

/** Lines over nothing, of what interim invoices have charged and of which no usage is left, as where it was taken back: that is to be given back too. */
const goneSinceInterim = (item: InvoiceItem, pricing: Pricing, lines: readonly PricedLine[]): PricedLine[] => {
  const { interim, invoiceId, currency } = pricing;
  if (item.kind !== 'usage' || !isStated(item, pricing)) return [];
  const gone = interim.filter((of) => of.itemId === item.itemId && !lines.some((line) => line.type === 'usage' && isOfLine(item, line, of)));
  const own = base(item, pricing);
  return [...Map.groupBy(gone, ({ window, dimensions }) => canonicalJson({ window: window ?? null, dimensions })).values()].map((all) => all[0]!).map(({ window, dimensions }) => ({
    ...own, type: 'usage', lineId: lineIdOf(invoiceId, item.itemId, 'gone', window ?? '', canonicalJson(dimensions)), description: namedBy(own.description, window, dimensions), dimensions, ...(window === undefined ? {} : { window }), quantity: '0', billedQuantity: '0',
    amount: Money.zero(currency).toString(), steps: [],
  }));
};

/**
 * What interim invoices have charged of a line is taken off it. Where that is more than the whole comes to, as where a volume has reached a cheaper tier or usage was taken back, the rest is given back to what took it: the latest
 * by the line itself, the others by lines of their own. Of usage that is below zero itself nobody took anything.
 */
const withoutInterim = (item: InvoiceItem, { invoiceId, currency, rounding, credited, interim }: Pricing, line: PricedLine): PricedLine[] => {
  const charged = line.type === 'usage' ? interim.filter((of) => isOfLine(item, line, of)) : [];
  if (charged.length === 0) return [line];
  const [whole, taken] = [Money.parse(line.amount, currency), Money.sum(charged.map(({ amount }) => Money.parse(amount, currency)), currency)];
  const back = givenBackOf(charged, taken.subtract(whole.max(Money.zero(currency))));
  const [own, apart] = whole.isNegative() ? [undefined, back] : [back[0], back.slice(1)];
  const takenOff = (of: InterimLine): Money => apart.filter((one) => one.of === of).reduce((left, { amount }) => left.subtract(amount), Money.parse(of.amount, currency));
  const stepOf = ({ invoiceId: by }: InterimLine, amount: Money): LineStep => ({ kind: 'interim', invoiceId: by, amount: amount.negate().toDecimal().toString() });
  const { statement: _, ...unstated } = line;
  const lines: { readonly line: PricedLine; readonly amount: Money; readonly gives: GivenBack | undefined }[] = [
    { line: { ...line, steps: [...line.steps, ...charged.filter((of) => !takenOff(of).isZero()).map((of) => stepOf(of, takenOff(of)))] }, amount: charged.reduce((left, of) => left.subtract(takenOff(of)), whole), gives: own },
    ...apart.map((gives) => ({ line: { ...unstated, lineId: lineIdOf(invoiceId, item.itemId, 'given back', gives.of.lineId), quantity: '0', billedQuantity: '0', steps: [stepOf(gives.of, gives.amount)] }, amount: gives.amount.negate(), gives })),
  ];
  return lines.map(({ line: one, amount, gives }): PricedLine => {
    if (gives === undefined) return { ...one, amount: amount.toString() };
    const discount = discountOf(gives, credited[gives.of.lineId], rounding);
    const steps: LineStep[] = discount.isZero() ? [] : [{ kind: 'discount', amount: discount.toDecimal().toString() }];
    return { ...one, amount: amount.add(discount).toString(), steps: [...one.steps, ...steps], credits: { invoiceId: gives.of.invoiceId, lineId: gives.of.lineId } };
  });
};

/** The usage items that a commitment counts: each is charged with the part of the commitment that its own part of the period ends in. */
const countedBy = ({ subscriptionId, planKey, planVersion, aligned, served }: InvoiceItem, items: readonly InvoiceItem[]): InvoiceItem[] => items.filter((one) => one.kind === 'usage' && one.fees === undefined && one.addOnKey === undefined
  && one.subscriptionId === subscriptionId && one.planKey === planKey && one.planVersion === planVersion && one.aligned.from === aligned.from && one.aligned.to === aligned.to && isBefore(served.from, one.served.to) && !isBefore(served.to, one.served.to));

/** Of a line that was given back in part before, as by hand, no more is given back than is left of it. */
const withinLeft = (priced: readonly PricedItem[], { credited, currency }: Pricing): readonly PricedItem[] => {
  const left = new Map(Object.entries(credited).flatMap(([lineId, of]) => (of.left === undefined ? [] : [[lineId, Money.parse(of.left, currency)] as const])));
  return priced.map(({ item, lines }) => (item.kind !== 'credit' ? { item, lines } : { item, lines: lines.flatMap((line) => {
    const { lineId } = line.credits!;
    const most = left.get(lineId);
    const wanted = Money.parse(line.amount, currency).negate();
    if (most === undefined || !wanted.isPositive()) return [line];
    const given = wanted.min(most);
    left.set(lineId, most.subtract(given));
    if (given.equals(wanted)) return [line];
    return given.isPositive() ? [{ ...line, amount: given.negate().toString(), steps: [...line.steps, { kind: 'given_back_before', amount: wanted.subtract(given).toDecimal().toString() }] }] : [];
  }) }));
};

/** The items that an item is priced together with, itself among them: those of one commitment, and those that give back parts of one line. */
export const pricedTogether = (item: InvoiceItem, items: readonly InvoiceItem[]): InvoiceItem[] => {
  if (item.credits !== undefined) return items.filter(({ credits }) => credits?.lineId === item.credits!.lineId);
  const groups = items.filter(({ fees }) => fees !== undefined).map((one) => [...countedBy(one, items), one]);
  return groups.find((group) => group.includes(item)) ?? [item];
};

interface PricedItem { readonly item: InvoiceItem; readonly lines: readonly PricedLine[] }
const raised = (line: PricedLine, more: { readonly amount: Money; readonly steps: readonly Step[] } | undefined): PricedLine =>
  (more === undefined ? line : { ...line, amount: Money.parse(line.amount, more.amount.currency).add(more.amount).toString(), steps: [...line.steps, ...more.steps] });

/** The fees of its time fill a commitment first, then usage in the order of the items. Usage above it costs more; what is missing is a line of the plan. What is not stated yet fills nothing. */
const withCommitment = (all: readonly PricedItem[], item: InvoiceItem, pricing: Pricing): readonly PricedItem[] => {
  const { currency, rounding, statements } = pricing;
  const counted = new Set(countedBy(item, all.map((one) => one.item)));
  if ([...counted].some(({ requests = [] }) => requests.some(({ requestId }) => !statements.has(requestId)))) return all;
  const fees = Money.sum(item.fees!.map(({ charge, quantity, served, proration }) => feeOf({ ...item, charge, quantity, served, ...(proration === undefined ? {} : { proration }) }, pricing).amount), currency);
  const own = all.filter((one) => counted.has(one.item)).flatMap(({ lines }) => lines);
  const { added, trueUp } = rateCommitment([fees, ...own.map(({ amount }) => Money.parse(amount, currency))], item.charge.commitment!, { slice: sliceOfItem(item), proration: item.proration, currency, rounding });
  const more = new Map(own.map(({ lineId }, nth) => [lineId, added[nth + 1]]));
  const trueUps: PricedLine[] = trueUp === undefined ? [] : [{ ...base(item, pricing), type: 'true_up', quantity: '1', billedQuantity: '1', amount: trueUp.amount.toString(), steps: trueUp.steps }];
  return all.map((one) => (one.item === item ? { item, lines: trueUps } : { item: one.item, lines: one.lines.map((line) => raised(line, more.get(line.lineId))) }));
};
const withCommitments = (priced: readonly PricedItem[], pricing: Pricing): readonly PricedItem[] =>
  priced.map(({ item }) => item).filter(({ fees }) => fees !== undefined).reduce((all, item) => withCommitment(all, item, pricing), priced);

/** The groups of a statement are a partition of its usage, so their sum is the whole. */
export const totalOf = (quantities: readonly GroupQuantity[]): Decimal => Decimal.sum(quantities.map(({ value }) => Decimal.parse(value)));
