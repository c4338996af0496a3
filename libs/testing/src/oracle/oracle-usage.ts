import { type OracleEvent, type OraclePrice, oraclePrice, partOfUnits } from './oracle-prices';
import { isLess, least, minus, most, ONE, type OracleRounding, plus, type Ratio, read, rounded, sum, times, write, writeAmount, ZERO } from './ratio';

export interface OracleCommitment { readonly amount: string; readonly overageFactor?: string | undefined; readonly trueUp?: boolean | undefined }
type OracleWindowPrice = OraclePrice & { readonly commitment?: OracleCommitment };

/** A usage charge as it is sent. */
export interface OracleCharge {
  readonly price: OraclePrice;
  readonly chargeFlatAtZero?: boolean;
  readonly freeUnits?: string;
  readonly minimumAmount?: string;
  readonly maximumAmount?: string;
  readonly commitment?: OracleCommitment;
  readonly proration?: { readonly prorateBounds?: boolean; readonly prorateAmounts?: boolean };
  readonly schedule?: { readonly windows: readonly { readonly name: string; readonly price: OracleWindowPrice }[]; readonly otherwise: OracleWindowPrice };
}

export interface OracleGroup {
  readonly dimensions: Readonly<Record<string, string>>;
  readonly window?: string | undefined;
  readonly quantity: string;
  readonly events?: readonly OracleEvent[] | undefined;
}

export interface OracleUsageQuestion {
  readonly charge: OracleCharge;
  readonly groups: readonly OracleGroup[];
  /** What of the aligned period was over at the start and at the end of the part that is billed. */
  readonly slice?: { readonly start: Ratio; readonly end: Ratio } | undefined;
  readonly isAmountShared: boolean;
  /** Digits of the currency. */
  readonly digits: number;
  readonly rounding: OracleRounding;
}

export interface OracleLine {
  readonly type: 'usage' | 'true_up';
  readonly window: string | undefined;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly billedQuantity: string;
  readonly amount: string;
}

interface Line { readonly window: string | undefined; readonly dimensions: Readonly<Record<string, string>>; readonly price: OracleWindowPrice; quantity: Ratio; events: OracleEvent[]; amount: Ratio }

const sortable = (price: OraclePrice, dimensions: Readonly<Record<string, string>>): string => JSON.stringify((price['dimensions'] as readonly string[]).map((name) => dimensions[name]));

/** One line per window, and in a matrix per combination: cells in their order, others after them by their values. */
const linesOf = ({ charge: { price, schedule }, groups }: OracleUsageQuestion): Line[] => {
  const windows: readonly { name: string | undefined; price: OracleWindowPrice }[] = schedule === undefined ? [{ name: undefined, price }] : [...schedule.windows, { name: undefined, price: schedule.otherwise }];
  return windows.flatMap(({ name, price: own }) => {
    const lines: Line[] = [];
    for (const group of groups.filter(({ window }) => window === name)) {
      const names = own.model === 'matrix' ? (own['dimensions'] as readonly string[]) : [];
      const dimensions = Object.fromEntries(names.map((dimension) => [dimension, group.dimensions[dimension] ?? '']));
      let line = lines.find((known) => names.every((dimension) => known.dimensions[dimension] === dimensions[dimension]));
      if (line === undefined) lines.push(line = { window: name, dimensions, price: own, quantity: ZERO, events: [], amount: ZERO });
      line.quantity = plus(line.quantity, read(group.quantity));
      line.events.push(...(group.events ?? []));
    }
    if (own.model !== 'matrix') return lines;
    const cells = own['cells'] as readonly { readonly match: Readonly<Record<string, string>> }[];
    const placed = cells.flatMap(({ match }) => lines.filter(({ dimensions }) => sortable(own, dimensions) === sortable(own, match)));
    const others = lines.filter((line) => !placed.includes(line)).sort((left, right) => (sortable(own, left.dimensions) < sortable(own, right.dimensions) ? -1 : 1));
    return [...placed, ...others].filter(({ quantity }) => quantity.over !== 0n);
  });
};

/** By how much a sum grows over `level` with each part; by how much it grows up to `level`. */
const eachOver = (parts: readonly Ratio[], level: Ratio): readonly Ratio[] =>
  parts.map((_, nth) => minus(most(ZERO, minus(sum(parts.slice(0, nth + 1)), level)), most(ZERO, minus(sum(parts.slice(0, nth)), level))));
const eachUpTo = (parts: readonly Ratio[], level: Ratio): readonly Ratio[] =>
  parts.map((_, nth) => minus(least(sum(parts.slice(0, nth + 1)), level), least(sum(parts.slice(0, nth)), level)));
/** By how much it grows between nothing and `level`. */
const eachWithin = (parts: readonly Ratio[], level: Ratio): readonly Ratio[] => {
  const within = (value: Ratio): Ratio => least(most(value, ZERO), level);
  return parts.map((_, nth) => minus(within(sum(parts.slice(0, nth + 1))), within(sum(parts.slice(0, nth)))));
};

/** An amount that was promised for a period, in the part that is billed. */
export const promisedOf = (amount: string, { slice, charge, digits, rounding }: Pick<OracleUsageQuestion, 'slice' | 'digits' | 'rounding'> & Partial<Pick<OracleUsageQuestion, 'charge'>>): Ratio => {
  if (slice === undefined || charge?.proration?.prorateAmounts === false) return read(amount);
  return minus(rounded(times(read(amount), slice.end), digits, rounding), rounded(times(read(amount), slice.start), digits, rounding));
};

const addOverage = (lines: readonly Line[], commitment: OracleCommitment | undefined, question: OracleUsageQuestion): void => {
  if (commitment?.overageFactor === undefined) return;
  const above = eachOver(lines.map(({ amount }) => amount), promisedOf(commitment.amount, question));
  for (const [nth, line] of lines.entries()) line.amount = plus(line.amount, times(above[nth]!, minus(read(commitment.overageFactor), ONE)));
};

const priceLines = (lines: readonly Line[], question: OracleUsageQuestion): readonly string[] => {
  const { charge, slice, isAmountShared, digits, rounding } = question;
  const share = slice === undefined ? ONE : minus(slice.end, slice.start);
  const boundsShare = charge.proration?.prorateBounds === true && !isAmountShared ? share : undefined;
  const free = eachWithin(lines.map(({ quantity }) => quantity), partOfUnits(charge.freeUnits ?? '0', boundsShare));
  return lines.map((line, nth) => {
    const quantity = minus(line.quantity, free[nth]!);
    const exact = oraclePrice(line.price, { quantity, events: line.events, dimensions: line.dimensions, flatAtZero: charge.chargeFlatAtZero === true, boundsShare });
    line.amount = isAmountShared && share.over !== share.under ? rounded(times(exact, share), digits, rounding) : exact;
    return write(quantity);
  });
};

/** What the lines of a usage charge are. */
export const oracleUsage = (question: OracleUsageQuestion): readonly OracleLine[] => {
  const { charge, digits, rounding } = question;
  const drafts = linesOf(question);
  const quantities = priceLines(drafts, question);
  const { schedule, commitment, minimumAmount, maximumAmount } = charge;
  const windows = schedule === undefined ? [] : [...schedule.windows.map(({ name, price }) => ({ name: name as string | undefined, price })), { name: undefined, price: schedule.otherwise }];
  for (const { name, price } of windows) addOverage(drafts.filter(({ window }) => window === name), price.commitment, question);
  addOverage(drafts, commitment, question);
  const lines: { type: OracleLine['type']; window: string | undefined; dimensions: Line['dimensions']; billedQuantity: string; amount: Ratio }[] =
    drafts.map(({ window, dimensions, amount }, nth) => ({ type: 'usage', window, dimensions, billedQuantity: quantities[nth]!, amount: rounded(amount, digits, rounding) }));
  const trueUp = (window: string | undefined, missing: Ratio): void => {
    if (isLess(ZERO, missing)) lines.push({ type: 'true_up', window, dimensions: {}, billedQuantity: '1', amount: missing });
  };
  const usage = [...lines];
  for (const { name, price } of windows) {
    if (price.commitment === undefined || price.commitment.trueUp === false) continue;
    trueUp(name, minus(promisedOf(price.commitment.amount, question), sum(usage.filter(({ window }) => window === name).map(({ amount }) => amount))));
  }
  if (maximumAmount !== undefined) for (const [nth, amount] of eachUpTo(lines.map((line) => line.amount), promisedOf(maximumAmount, question)).entries()) lines[nth]!.amount = amount;
  const floors = [...(minimumAmount === undefined ? [] : [minimumAmount]), ...(commitment === undefined || commitment.trueUp === false ? [] : [commitment.amount])];
  if (floors.length > 0) trueUp(undefined, minus(floors.map((floor) => promisedOf(floor, question)).reduce(most), sum(lines.map(({ amount }) => amount))));
  return lines.map(({ amount, ...line }) => ({ ...line, amount: writeAmount(amount, digits) }));
};
