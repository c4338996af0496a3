import { Decimal } from '@valueverse/kernel';
import { eventTermsOf } from '../event-terms';
import type { Fault } from '../fault';
import { isFeePrice, type Price, readPrice } from '../price';
import { PriceFields } from '../price-fields';
import type { Granularity } from '../proration';
import { readSchedule, type Schedule } from './schedule';

/** A promise to spend `amount` (major units) in a period. What is used above it costs `overageFactor` times, 1 if not given; `trueUp` (the default) bills what is missing. */
export interface Commitment {
  readonly amount: string;
  readonly overageFactor?: string | undefined;
  readonly trueUp?: boolean | undefined;
}

/** How a charge is split over time: tier bounds and free units only where `prorateBounds` says so, minimum, maximum and commitment unless `prorateAmounts` is false. */
export interface ProrationTerms {
  readonly granularity?: Granularity | undefined;
  readonly prorateBounds?: boolean | undefined;
  readonly prorateAmounts?: boolean | undefined;
}

/** What a charge costs: a price, and what is around it. Plain data; numbers are the decimal texts that were sent, amounts in major units. */
export interface ChargeTerms {
  /** With a `schedule` it is not looked at: each window has its own. */
  readonly price: Price;
  readonly chargeFlatAtZero?: boolean | undefined;
  /** Units that cost nothing; tiers count from the rest. */
  readonly freeUnits?: string | undefined;
  readonly minimumAmount?: string | undefined;
  readonly maximumAmount?: string | undefined;
  readonly commitment?: Commitment | undefined;
  readonly proration?: ProrationTerms | undefined;
  readonly schedule?: Schedule | undefined;
  /** Of a recurring charge: how many, such as seats. */
  readonly quantity?: string | undefined;
}

/** The fields of a charge that `readChargeTerms` reads; all others are somebody else's. */
export const CHARGE_TERM_FIELDS = [
  'price', 'chargeFlatAtZero', 'freeUnits', 'minimumAmount', 'maximumAmount', 'commitment', 'proration', 'schedule', 'quantity',
] as const;

export type ParsedChargeTerms = { readonly terms: ChargeTerms } | { readonly errors: readonly Fault[] };

/** What is above a commitment costs so many times at most: an amount still fits into the facts that carry it. */
export const OVERAGE_FACTOR_MAX = 100;

/** The most digits after the point of that factor. */
export const OVERAGE_FACTOR_SCALE_MAX = 12;

const GRANULARITIES: readonly Granularity[] = ['day', 'second', 'none', '30_360_actual', '30_360_strict'];
const OF_USAGE = ['minimumAmount', 'maximumAmount', 'commitment', 'schedule'] as const;
const IN_ONE_CURRENCY = ['minimumAmount', 'maximumAmount', 'commitment', 'schedule'] as const;

/** Only the fields that are there. */
const present = <T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> };

/** Reads `commitment` of a charge, a window's price or a plan; `undefined` where there is none. */
const readCommitment = (holder: PriceFields): Commitment | undefined => {
  const fields = holder.optionalObject('commitment');
  if (fields === undefined) return undefined;
  const commitment = { amount: fields.due('amount'), ...present({ overageFactor: fields.optionalAmount('overageFactor'), trueUp: fields.optionalFlag('trueUp') }) };
  const factor = fields.decimal('overageFactor');
  if (factor !== undefined && (factor.gt(Decimal.of(OVERAGE_FACTOR_MAX)) || factor.scale > OVERAGE_FACTOR_SCALE_MAX))
    fields.note('overageFactor', 'out_of_range', `at most ${OVERAGE_FACTOR_MAX}, with ${OVERAGE_FACTOR_SCALE_MAX} digits after the point`);
  fields.finish();
  return commitment;
};

/** Reads `proration` of a charge or a plan; `undefined` where there is none. */
const readProration = (holder: PriceFields): ProrationTerms | undefined => {
  const fields = holder.optionalObject('proration');
  if (fields === undefined) return undefined;
  const granularity = fields.optional('granularity') as Granularity | undefined;
  if (granularity !== undefined && !GRANULARITIES.includes(granularity)) fields.note('granularity', 'unknown_granularity', `one of ${GRANULARITIES.join(', ')}`);
  const proration = present({ granularity, prorateBounds: fields.optionalFlag('prorateBounds'), prorateAmounts: fields.optionalFlag('prorateAmounts') });
  fields.finish();
  return proration;
};

const read = (fields: PriceFields): ChargeTerms | undefined => {
  const schedule = readSchedule(fields, readCommitment);
  // A schedule whose own price is wrong has said so already.
  const hasOtherwise = (fields.optional('schedule') as { readonly otherwise?: unknown } | undefined)?.otherwise != null;
  const nested = hasOtherwise && fields.optional('price') === undefined ? undefined : fields.object('price');
  const price = nested === undefined ? schedule?.otherwise : readPrice(nested);
  const terms = present({
    chargeFlatAtZero: fields.optionalFlag('chargeFlatAtZero'), freeUnits: fields.optionalAmount('freeUnits'), minimumAmount: fields.optionalDue('minimumAmount'),
    maximumAmount: fields.optionalDue('maximumAmount'), commitment: readCommitment(fields), proration: readProration(fields), quantity: fields.optionalAmount('quantity'),
  });
  const whole = schedule === undefined ? {} : { schedule: { ...schedule, otherwise: (schedule.otherwise ?? price)! } };
  return price === undefined ? undefined : { price: withoutCommitment(price), ...terms, ...whole };
};

const withoutCommitment = (price: Price): Price => {
  const { commitment: _, ...own } = price as Price & { commitment?: unknown };
  return own;
};

/** Terms that are right one by one and do not go together. */
const noteContradictions = (fields: PriceFields, { price, freeUnits, schedule, commitment }: ChargeTerms): void => {
  const [least, maximum] = [fields.decimal('minimumAmount'), fields.decimal('maximumAmount')];
  const most = maximum?.isNegative() === true ? undefined : maximum;
  if (least !== undefined && most?.lt(least) === true) fields.note('maximumAmount', 'maximum_below_minimum', 'is at least minimumAmount');
  const promised = commitment === undefined || commitment.trueUp === false ? undefined : Decimal.tryParse(commitment.amount);
  if (promised !== undefined && most?.lt(promised) === true)
    fields.note('maximumAmount', 'maximum_below_commitment', 'is at least the amount of the commitment');
  const prices: readonly (Price | undefined)[] = schedule === undefined ? [price] : [...schedule.windows.map((window) => window.price), schedule.otherwise];
  if (freeUnits !== undefined && prices.some((one) => one !== undefined && eventTermsOf(one) !== undefined))
    fields.note('freeUnits', 'free_units_of_events', 'a price of single events has freeEvents and freeAmount in place of free units');
  const foreign = IN_ONE_CURRENCY.filter((name) => fields.names.includes(name));
  if (fields.names.includes('currencyPrices') && foreign.length > 0)
    fields.note(foreign[0]!, 'amounts_in_one_currency', 'a charge with prices in several currencies has no amounts beside them: they would be of one currency');
};

/** A fee has a price of a number of things; usage has no number that was agreed on. */
const noteKind = (fields: PriceFields, price: Price): void => {
  const type = fields.optional('type');
  if (type === 'usage' && fields.optional('quantity') !== undefined) fields.note('quantity', 'recurring_only', 'the quantity of usage is metered');
  if (type !== 'recurring') return;
  for (const name of OF_USAGE) if (fields.optional(name) !== undefined) fields.note(name, 'usage_only', 'a recurring charge has no such term');
  if (!isFeePrice(price)) fields.object('price')?.note('model', 'unsupported_price', 'a recurring charge is flat, per_unit, graduated, volume, stairstep or package');
};

/**
 * Reads what a charge costs from its JSON, `CHARGE_TERM_FIELDS` of it, and reports all that is wrong at once by pointers that start with `pointer`.
 * `type` of the charge, where it is `recurring` or `usage`, says which of them it may have. Amounts are in major units of the currency.
 *
 * Codes: those of `parsePrice`; `flag_expected`, `unknown_granularity`, `out_of_range`, `maximum_below_minimum`, `maximum_below_commitment`, `free_units_of_events`,
 * `amounts_in_one_currency`, `usage_only`, `recurring_only`, `unsupported_price`; and those of `readSchedule`. Refuses a code that is no currency with `unknown_currency`.
 */
export const readChargeTerms = (value: unknown, pointer: string, currency: string): ParsedChargeTerms => {
  const errors: Fault[] = [];
  const fields = PriceFields.of(value, pointer, errors, currency);
  const terms = fields === undefined ? undefined : read(fields);
  if (fields !== undefined && terms !== undefined) {
    noteContradictions(fields, terms);
    noteKind(fields, terms.price);
  }
  return terms === undefined || errors.length > 0 ? { errors } : { terms };
};

/** What a plan says around its charges: how all of them are split over time, and a commitment over the lines of all. */
export type PlanTerms = Pick<ChargeTerms, 'commitment' | 'proration'>;

/** Reads `commitment` and `proration` of a plan, as `readChargeTerms` reads those of a charge. */
export const readPlanTerms = (value: unknown, pointer: string, currency: string): { readonly terms: PlanTerms } | { readonly errors: readonly Fault[] } => {
  const errors: Fault[] = [];
  const fields = PriceFields.of(value, pointer, errors, currency);
  const terms = fields === undefined ? {} : present({ commitment: readCommitment(fields), proration: readProration(fields) });
  return errors.length > 0 ? { errors } : { terms };
};
