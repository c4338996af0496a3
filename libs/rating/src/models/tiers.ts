import { Decimal } from '@valueverse/kernel';
import type { PriceFields } from '../price-fields';

/** A part of a quantity: above the bound of the tier before (0 for the first), up to and including `upTo`; null is open. */
export interface Tier {
  readonly upTo: string | null;
  /** Major units for each unit inside the tier. */
  readonly unitAmount?: string;
  /** Major units that are due once, when the tier is entered. */
  readonly flatAmount?: string;
}

/** The most tiers that a price may have. */
export const TIERS_MAX = 100;

const readTier = (fields: PriceFields): Tier => {
  const upTo = fields.optional('upTo');
  const unitAmount = fields.optionalAmount('unitAmount');
  const flatAmount = fields.optionalAmount('flatAmount');
  if (fields.optional('unitAmount') === undefined && fields.optional('flatAmount') === undefined)
    fields.note('unitAmount', 'missing_field', 'a tier has a unitAmount or a flatAmount; one that is free has "0"');
  fields.finish();
  return {
    upTo: typeof upTo === 'string' ? upTo : null,
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
 * Reads the field `tiers`. Beside the faults of its fields it notes `tiers_empty`, `too_many_tiers` (more than
 * `TIERS_MAX`), `tier_bounds_not_ascending`, `tier_open_end_missing` and `tier_open_not_last`.
 */
export const readTiers = (fields: PriceFields): readonly Tier[] => {
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
  return tiers.filter((tier) => tier !== undefined).map(readTier);
};
