import { by, ceiling, isLess, least, most, percent, plus, ratio, type Ratio, read, rounded, minus, times, ZERO } from './ratio';

/** A price as it is sent, read without any help. */
export type OraclePrice = Readonly<Record<string, unknown>> & { readonly model: string };

interface OracleTier { readonly upTo?: string | null; readonly unitAmount?: string; readonly flatAmount?: string; readonly rate?: string }

/** A usage event, as far as a price looks at it; in the order of time. `cost` is what it names itself. */
export interface OracleEvent { readonly value: string; readonly cost?: string | undefined }

export interface OracleUsed {
  readonly quantity: Ratio;
  readonly events?: readonly OracleEvent[] | undefined;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly flatAtZero: boolean;
  /** The part of a period that bounds are for. */
  readonly boundsShare?: Ratio | undefined;
}

const BOUND_DIGITS = 12;
const digitsOf = (text: string): number => text.split('.')[1]?.replace(/0+$/, '').length ?? 0;

/** A bound, or units, of a part of a period: to twelve digits, or those that it is written with. */
export const partOfUnits = (text: string, share: Ratio | undefined): Ratio => {
  if (share === undefined || share.over === share.under) return read(text);
  return rounded(times(read(text), share), Math.max(BOUND_DIGITS, digitsOf(text)), 'half_up');
};

/** Each tier as the stretch above `from` and up to `to`. */
const stretches = (tiers: readonly OracleTier[], share: Ratio | undefined): readonly { tier: OracleTier; from: Ratio; to: Ratio | undefined }[] =>
  tiers.map((tier, nth) => ({
    tier,
    from: nth === 0 ? ZERO : partOfUnits(tiers[nth - 1]!.upTo!, share),
    to: tier.upTo === undefined || tier.upTo === null ? undefined : partOfUnits(tier.upTo, share),
  }));

const unitsOf = (tier: OracleTier, quantity: Ratio): Ratio => (tier.rate === undefined ? times(quantity, read(tier.unitAmount ?? '0')) : percent(quantity, read(tier.rate)));

/** Every tier for itself: what of the quantity is in it, and whether it was entered. */
const inTiers = (tiers: readonly OracleTier[], { quantity, flatAtZero, boundsShare }: OracleUsed): Ratio => {
  if (isLess(quantity, ZERO)) return unitsOf(tiers[0]!, quantity);
  let amount = ZERO;
  for (const [nth, { tier, from, to }] of stretches(tiers, boundsShare).entries()) {
    const isEntered = isLess(from, quantity) || (nth === 0 && quantity.over === 0n && flatAtZero);
    if (!isEntered) continue;
    const end = to === undefined ? quantity : least(to, quantity);
    amount = plus(amount, plus(unitsOf(tier, minus(end, from)), read(tier.flatAmount ?? '0')));
  }
  return amount;
};

/** The one tier in which the whole is. */
const inOneTier = (tiers: readonly OracleTier[], { quantity, flatAtZero, boundsShare }: OracleUsed): Ratio => {
  if (isLess(quantity, ZERO)) return unitsOf(tiers[0]!, quantity);
  if (quantity.over === 0n) return flatAtZero ? read(tiers[0]!.flatAmount ?? '0') : ZERO;
  const found = stretches(tiers, boundsShare).find(({ to }) => to === undefined || !isLess(to, quantity))!;
  return plus(unitsOf(found.tier, quantity), read(found.tier.flatAmount ?? '0'));
};

const text = (price: OraclePrice, name: string): Ratio | undefined => (price[name] === undefined ? undefined : read(price[name] as string));

/** Event by event: free while neither kind of free is used up; the one that crosses the free amount pays for what is above it. */
const inEvents = (price: OraclePrice, events: readonly OracleEvent[]): Ratio => {
  const freeAmount = text(price, 'freeAmount');
  const freeEvents = price['freeEvents'] as number | undefined;
  let [seen, value, amount] = [0, ZERO, ZERO];
  for (const event of events) {
    const own = read(event.value);
    const isFree = (freeEvents !== undefined || freeAmount !== undefined) && (freeEvents === undefined || seen < freeEvents) && (freeAmount === undefined || isLess(value, freeAmount));
    const total = plus(value, own);
    const crosses = isFree && freeAmount !== undefined && isLess(freeAmount, total);
    seen += 1;
    value = total;
    if (isFree && !crosses) continue;
    const paid = crosses ? minus(total, freeAmount) : own;
    let cost = plus(percent(paid, read(price['rate'] as string)), text(price, 'fixedAmount') ?? ZERO);
    cost = most(cost, text(price, 'minAmountPerEvent') ?? cost);
    cost = least(cost, text(price, 'maxAmountPerEvent') ?? cost);
    amount = plus(amount, cost);
  }
  return amount;
};

/** Whether a percentage says more than its rate. */
export const looksAtEvents = (price: OraclePrice): boolean => price.model === 'dynamic'
  || (price.model === 'percentage' && ['fixedAmount', 'freeEvents', 'freeAmount', 'minAmountPerEvent', 'maxAmountPerEvent'].some((name) => price[name] !== undefined));

/** The exact amount that a price makes of usage, straight from what its model says. */
export const oraclePrice = (price: OraclePrice, used: OracleUsed): Ratio => {
  const { quantity, flatAtZero, events = [], dimensions } = used;
  const tiers = price['tiers'] as readonly OracleTier[];
  const isDue = isLess(ZERO, quantity) || (quantity.over === 0n && flatAtZero);
  switch (price.model) {
    case 'flat': return isDue ? read(price['amount'] as string) : ZERO;
    case 'per_unit': return times(quantity, read(price['unitAmount'] as string));
    case 'graduated': case 'graduated_percentage': return inTiers(tiers, used);
    case 'volume': case 'stairstep': return inOneTier(tiers, used);
    case 'package': return times(ratio(ceiling(by(quantity, read(price['packageSize'] as string)))), read(price['packageAmount'] as string));
    case 'percentage': return looksAtEvents(price) ? inEvents(price, events) : percent(quantity, read(price['rate'] as string));
    case 'dynamic': return events.reduce((amount, { cost }) => (cost === undefined ? amount : plus(amount, times(read(cost), text(price, 'multiplier') ?? ratio(1n)))), ZERO);
    case 'matrix': {
      const cells = price['cells'] as readonly { readonly match: Readonly<Record<string, string>>; readonly price: OraclePrice }[];
      const found = cells.find(({ match }) => Object.entries(match).every(([name, value]) => (dimensions[name] ?? '') === value))?.price ?? (price['default'] as OraclePrice | undefined);
      return found === undefined ? ZERO : oraclePrice(found, used);
    }
    default: throw new RangeError(`the oracle knows no model ${price.model}`);
  }
};
