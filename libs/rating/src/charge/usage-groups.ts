import { Decimal } from '@valueverse/kernel';
import { eventTermsOf } from '../event-terms';
import type { MatrixPrice } from '../models/matrix';
import type { EventsPriced } from '../models/pricing-model';
import type { Price } from '../price';
import type { ChargeTerms } from './charge-terms';
import type { WindowPrice } from './schedule';

/** What was used in one combination of dimensions and one window. A charge without a matrix or a schedule has one group, `dimensions: {}`. */
export interface UsageGroup {
  readonly dimensions: Readonly<Record<string, string>>;
  /** The window of the charge's schedule that the usage is of; that of `otherwise` has none. */
  readonly window?: string | undefined;
  /** As metered. */
  readonly quantity: Decimal;
  /** After conversion. */
  readonly billed: Decimal;
  /** What its events cost, where the price looks at single events (`eventTermsOf`): there it may be missing only where nothing happened. */
  readonly priced?: EventsPriced | undefined;
  /** How many events are behind it, where that is known: a quantity that was carried over has none. */
  readonly events?: number | undefined;
}

/** Usage that is one line, with its price. */
export interface PricedGroup extends UsageGroup {
  readonly price: WindowPrice;
}

/** The price of a window's usage. A window that the schedule does not have is a mistake of the caller: `RangeError`. */
const priceOf = ({ price, schedule }: ChargeTerms, window: string | undefined): { readonly price: WindowPrice; readonly rank: number } => {
  if (schedule === undefined && window === undefined) return { price, rank: 0 };
  const rank = schedule?.windows.findIndex(({ name }) => name === window) ?? -1;
  if (rank >= 0) return { price: schedule!.windows[rank]!.price, rank };
  if (window !== undefined || schedule === undefined) throw new RangeError(`the charge has no window ${window ?? ''}`);
  return { price: schedule.otherwise, rank: schedule.windows.length };
};

/** A price of single events without what they cost would bill nothing: nobody asked metering by its terms. */
const refuseUnasked = (price: Price, { quantity, priced, events }: UsageGroup): void => {
  if (eventTermsOf(price) !== undefined && priced === undefined && events !== 0 && !quantity.isZero())
    throw new RangeError(`a ${price.model} price looks at single events, and nothing says what they cost: ask metering with eventTermsOf(price) as terms`);
};

/** The values of what a matrix tells apart; other prices tell nothing apart. */
const dimensionsOf = (price: Price, values: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  (price.model === 'matrix' ? Object.fromEntries(price.dimensions.map((name) => [name, Object.hasOwn(values, name) ? values[name]! : ''])) : {});

const addEvents = (left: EventsPriced | undefined, right: EventsPriced | undefined): EventsPriced | undefined => {
  if (left === undefined || right === undefined) return left ?? right;
  const sum = (one: string, other: string): string => Decimal.parse(one).plus(Decimal.parse(other)).toString();
  const unpriced = left.unpriced === undefined && right.unpriced === undefined ? undefined : (left.unpriced ?? 0) + (right.unpriced ?? 0);
  return {
    amount: sum(left.amount, right.amount), paidValue: sum(left.paidValue, right.paidValue),
    freeEvents: left.freeEvents + right.freeEvents, paidEvents: left.paidEvents + right.paidEvents, unpriced,
  };
};

interface Ranked extends PricedGroup {
  readonly rank: number;
  /** The place of a combination: that of its cell; those without one come after, by their values. */
  readonly place: number;
  readonly key: string;
}

const placeOf = (price: Price, dimensions: Readonly<Record<string, string>>): number => {
  if (price.model !== 'matrix') return 0;
  const found = placesOf(price).get(JSON.stringify(price.dimensions.map((name) => dimensions[name])));
  return found ?? price.cells.length;
};

const PLACES = new WeakMap<MatrixPrice, ReadonlyMap<string, number>>();
const placesOf = (price: MatrixPrice): ReadonlyMap<string, number> => {
  const known = PLACES.get(price);
  if (known !== undefined) return known;
  const places = new Map(price.cells.map(({ match }, index) => [JSON.stringify(price.dimensions.map((name) => match[name])), index]));
  PLACES.set(price, places);
  return places;
};

const isUsed = ({ quantity, billed, priced }: UsageGroup): boolean => !quantity.isZero() || !billed.isZero() || (priced !== undefined && priced.freeEvents + priced.paidEvents > 0);

const order = (left: Ranked, right: Ranked): number =>
  (left.rank - right.rank || left.place - right.place || (left.key < right.key ? -1 : left.key > right.key ? 1 : 0));

/**
 * The usage of a charge, put together into what becomes lines and put in order, so that it does not matter how it came: windows in the order of the schedule, what is outside
 * of them last; in each the cells of a matrix in their order, then combinations without a cell by their values. A combination of a matrix without usage is no line.
 */
export const groupsOf = (charge: ChargeTerms, groups: readonly UsageGroup[]): readonly PricedGroup[] => {
  const merged = new Map<string, Ranked>();
  for (const group of groups) {
    const { price, rank } = priceOf(charge, group.window);
    refuseUnasked(price, group);
    const dimensions = dimensionsOf(price, group.dimensions);
    const key = JSON.stringify([group.window ?? null, ...Object.values(dimensions)]);
    const known = merged.get(key);
    merged.set(key, known === undefined ? { ...group, dimensions, price, rank, place: placeOf(price, dimensions), key } : {
      ...known, quantity: known.quantity.plus(group.quantity), billed: known.billed.plus(group.billed), priced: addEvents(known.priced, group.priced),
    });
  }
  return [...merged.values()].filter((group) => group.price.model !== 'matrix' || isUsed(group)).sort(order);
};
