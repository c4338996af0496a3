import { Decimal, type Fraction } from '@valueverse/kernel';
import type { PriceFields } from '../price-fields';

/** A part of a quantity: above the bound of the tier before (0 for the first), up to and including `upTo`; null is open. */
export interface TierBound {
  readonly upTo: string | null;
}

/** A tier whose units have a price, whose entering has one, or both. */
export interface Tier extends TierBound {
  /** Major units for each unit inside the tier. */
  readonly unitAmount?: string;
  /** Major units that are due once, when the tier is entered. */
  readonly flatAmount?: string;
}

/** A tier of a value that costs a part of it. */
export interface PercentTier extends TierBound {
  /** In percent of the part of the value inside the tier. */
  readonly rate: string;
  /** Major units that are due once, when the tier is entered. */
  readonly flatAmount?: string;
}

/** The most tiers that a price may have. */
export const TIERS_MAX = 100;

/** The digits after the point to which a bound, or free units, are prorated; more where they are written with more. */
export const PRORATED_SCALE = 12;

/** A part of a bound or of free units: rounded half-up to `PRORATED_SCALE` digits after the point. All of it stays as it is. */
export const prorated = (value: Decimal, { numerator, denominator }: Fraction): Decimal =>
  numerator === denominator ? value : value.timesFraction(numerator, denominator, Math.max(PRORATED_SCALE, value.scale), 'half_up');

/** A tier with its bounds as numbers; `upTo` is undefined where it is open. */
export interface BoundedTier<T extends TierBound> {
  readonly tier: T;
  readonly lower: Decimal;
  readonly upTo: Decimal | undefined;
}

/** Tiers with their bounds as numbers, prorated where the usage is of a part of a period and the price wants it. */
export const boundedTiers = <T extends TierBound>(tiers: readonly T[], share: Fraction | undefined): readonly BoundedTier<T>[] => {
  let lower = Decimal.zero;
  return tiers.map((tier) => {
    const written = tier.upTo === null ? undefined : Decimal.parse(tier.upTo);
    const upTo = written === undefined || share === undefined ? written : prorated(written, share);
    const bounded = { tier, lower, upTo };
    lower = upTo ?? lower;
    return bounded;
  });
};

/** Where a quantity and a tier meet; for a quantity below zero the first tier alone. */
export interface EnteredTier<T extends TierBound> extends BoundedTier<T> {
  /** The part of the quantity that falls in the tier. */
  readonly part: Decimal;
}

/** The tiers that a quantity enters, in order, with its part in each. The first is entered by any quantity, also by none. */
export const enteredTiers = <T extends TierBound>(tiers: readonly BoundedTier<T>[], quantity: Decimal): readonly EnteredTier<T>[] => {
  const entered: EnteredTier<T>[] = [];
  for (const tier of tiers) {
    const end = tier.upTo?.lt(quantity) === true ? tier.upTo : quantity;
    entered.push({ ...tier, part: end.minus(tier.lower) });
    if (tier.upTo === undefined || tier.upTo.gte(quantity)) break;
  }
  return entered;
};

/** The tier that a whole quantity falls in: a bound belongs to the tier below it, and what is below zero to the first. */
export const tierOf = <T extends TierBound>(tiers: readonly BoundedTier<T>[], quantity: Decimal): BoundedTier<T> =>
  tiers.find(({ upTo }) => upTo === undefined || quantity.lte(upTo))!;

/** Bounds of a step as texts. */
export const boundsOf = ({ lower, upTo }: BoundedTier<TierBound>): { readonly from: string; readonly upTo: string | null } => ({
  from: lower.toString(),
  upTo: upTo === undefined ? null : upTo.toString(),
});

const upToOf = (fields: PriceFields): string | null => {
  const upTo = fields.optional('upTo');
  return typeof upTo === 'string' ? upTo : null;
};

const readTier = (fields: PriceFields): Tier => {
  const unitAmount = fields.optionalAmount('unitAmount');
  const flatAmount = fields.optionalDue('flatAmount');
  if (fields.optional('unitAmount') === undefined && fields.optional('flatAmount') === undefined)
    fields.note('unitAmount', 'missing_field', 'a tier has a unitAmount or a flatAmount; one that is free has "0"');
  return {
    upTo: upToOf(fields),
    ...(unitAmount === undefined ? {} : { unitAmount }),
    ...(flatAmount === undefined ? {} : { flatAmount }),
  };
};

/** Bounds go up from zero, and the last tier alone is open: so every quantity is in one tier, and there is no end. */
const noteBounds = (tiers: readonly (PriceFields | undefined)[]): void => {
  let lower = Decimal.zero;
  for (const [index, tier] of tiers.entries()) {
    if (tier === undefined) continue;
    const isLast = index === tiers.length - 1;
    const isOpen = tier.optional('upTo') === undefined;
    if (isOpen && !isLast) tier.note('upTo', 'tier_open_not_last', 'only the last tier is open');
    if (!isOpen && isLast) tier.note('upTo', 'tier_open_end_missing', 'the last tier is open: it has no upTo');
    const upTo = tier.decimal('upTo');
    if (upTo?.lte(lower) === true)
      tier.note('upTo', 'tier_bounds_not_ascending', `a bound is greater than the one before it, here ${lower.toString()}`);
    lower = upTo === undefined ? lower : Decimal.max(lower, upTo);
  }
};

/**
 * Reads the field `tiers`, each tier by `read`. Beside the faults of their fields it notes `tiers_empty`, `too_many_tiers` (more than
 * `TIERS_MAX`), `tier_bounds_not_ascending`, `tier_open_end_missing` and `tier_open_not_last`.
 */
export const readTiersWith = <T extends TierBound>(fields: PriceFields, read: (tier: PriceFields) => T): readonly T[] => {
  const written = fields.optional('tiers');
  // Told before the tiers are looked at, so that a list without end costs nothing.
  if (Array.isArray(written) && written.length > TIERS_MAX) {
    fields.note('tiers', 'too_many_tiers', `a price has ${TIERS_MAX} tiers at most`);
    return [];
  }
  const tiers = fields.objects('tiers');
  if (tiers === undefined) return [];
  if (tiers.length === 0) fields.note('tiers', 'tiers_empty', 'a price in tiers has one tier at least');
  noteBounds(tiers);
  return tiers.filter((tier) => tier !== undefined).map((tier) => {
    const result = read(tier);
    tier.finish();
    return result;
  });
};

/** Tiers with a price for their units, for entering them, or both. Codes as `readTiersWith`. */
export const readTiers = (fields: PriceFields): readonly Tier[] => readTiersWith(fields, readTier);

/** Tiers that are nothing but one amount each. */
export const readFlatTiers = (fields: PriceFields): readonly (TierBound & { readonly flatAmount: string })[] =>
  readTiersWith(fields, (tier) => ({ upTo: upToOf(tier), flatAmount: tier.due('flatAmount') }));

/** Tiers with a rate in percent, and an amount for entering them where there is one. */
export const readPercentTiers = (fields: PriceFields): readonly PercentTier[] => readTiersWith(fields, (tier) => {
  const rate = tier.amount('rate');
  const flatAmount = tier.optionalDue('flatAmount');
  return { upTo: upToOf(tier), rate, ...(flatAmount === undefined ? {} : { flatAmount }) };
});
