import { currency as currencyOf, Decimal, Money, type Rounding } from '@valueverse/kernel';
import { priceSteps } from '../price';
import { isWhole, shareOf, type Slice } from '../proration';
import { closedSteps } from '../rate';
import { type FreeUnitsStep, type ShareStep, type Step, sumOfSteps } from '../step';
import type { ChargeTerms, Commitment } from './charge-terms';
import { boundsShareOf, floorStep, freeUnitsOf, maximumSteps, type Measured, overageSteps, promised, takeFree } from './promises';
import { groupsOf, type PricedGroup, type UsageGroup } from './usage-groups';

export interface UsageToRate {
  readonly charge: ChargeTerms;
  /**
   * What was used, as metering states it. An aggregation of which nothing is the quantity zero (`count`, `sum`, `unique_count`, `time_weighted_sum`) sends a group of zero and
   * has a line of it; one of which nothing is no quantity sends none.
   */
  readonly groups: readonly UsageGroup[];
  /** The part of the aligned period that the usage is of; the whole where not given. */
  readonly slice?: Slice | undefined;
  /** Whether the part's amount is prorated by its share of the aligned period: of every aggregation but `count`, `sum` and `time_weighted_sum`. */
  readonly isAmountShared?: boolean | undefined;
  /** ISO 4217. */
  readonly currency: string;
  readonly rounding: Rounding;
}

/** A line of a usage charge. Its steps add up to the amount, the rounding among them. */
export interface RatedLine {
  readonly type: 'usage' | 'true_up';
  /** Tells the line from the others of its charge, and is the same whenever it is rated: ids are made of it. */
  readonly key: string;
  /** The window that the line is of; absent for usage outside of all, and for a charge without a schedule. */
  readonly window?: string;
  /** Values of a matrix's dimensions; empty for any other price. */
  readonly dimensions: Readonly<Record<string, string>>;
  /** As metered; 1 of a true-up. */
  readonly quantity: Decimal;
  /** After conversion and free units; 1 of a true-up. */
  readonly billedQuantity: Decimal;
  /** Rounded once. */
  readonly amount: Money;
  /** The sum of the steps before rounding and before a maximum, in major units. */
  readonly exact: Decimal;
  readonly steps: readonly Step[];
}

interface Draft {
  readonly group: PricedGroup;
  readonly billedQuantity: Decimal;
  readonly steps: Step[];
  exact: Decimal;
}

const add = (draft: Draft, step: Step | undefined): void => {
  if (step === undefined) return;
  draft.steps.push(step);
  draft.exact = draft.exact.plus(Decimal.parse(step.amount));
};

const shareStep = (exact: Decimal, slice: Slice, { currency, rounding }: UsageToRate): ShareStep => {
  const { numerator, denominator } = shareOf(slice);
  const part = Money.fromDecimal(exact.timesFraction(numerator, denominator, currencyOf(currency).exponent, rounding), currency, rounding);
  return { kind: 'share', full: exact.toString(), numerator: numerator.toString(), denominator: denominator.toString(), amount: part.toDecimal().minus(exact).toString() };
};

/** Each group at its price: free units first, then the model, then the share of the period. */
const priceGroups = (usage: UsageToRate): readonly Draft[] => {
  const { charge, slice, isAmountShared } = usage;
  const groups = groupsOf(charge, usage.groups);
  // What is shared as an amount is rated as of a whole period: bounds of a part would take its share twice.
  const boundsShare = isAmountShared === true ? undefined : boundsShareOf({ slice, proration: charge.proration });
  const free = freeUnitsOf(charge, boundsShare);
  const taken = takeFree(groups.map(({ billed }) => billed), free);
  return groups.map((group, nth) => {
    const quantity = group.billed.minus(taken[nth]!);
    const freeStep: FreeUnitsStep[] = taken[nth]!.isZero() ? [] : [{ kind: 'free_units', freeUnits: free.toString(), quantity: taken[nth]!.toString(), amount: '0' }];
    const priced = priceSteps(group.price, { quantity, flatAtZero: charge.chargeFlatAtZero === true, boundsShare, dimensions: group.dimensions, priced: group.priced });
    const draft: Draft = { group, billedQuantity: quantity, steps: [...freeStep, ...priced], exact: sumOfSteps(priced) };
    if (isAmountShared === true && !isWhole(slice)) add(draft, shareStep(draft.exact, slice!, usage));
    return draft;
  });
};

const addOverage = (drafts: readonly Draft[], commitment: Commitment | undefined, measured: Measured): void => {
  if (commitment?.overageFactor === undefined) return;
  const steps = overageSteps(drafts.map(({ exact }) => exact), commitment, promised(commitment.amount, measured));
  for (const [nth, draft] of drafts.entries()) add(draft, steps[nth]);
};

const closed = ({ group: { window, dimensions, quantity }, billedQuantity, steps, exact }: Draft, { currency, rounding }: UsageToRate): RatedLine => {
  const amount = Money.fromDecimal(exact, currency, rounding);
  return {
    type: 'usage', key: JSON.stringify(['usage', window ?? null, ...Object.values(dimensions)]), ...(window === undefined ? {} : { window }), dimensions, quantity, billedQuantity, amount, exact,
    steps: closedSteps({ amount, exact, steps }, rounding),
  };
};

const withMaximum = (lines: readonly RatedLine[], maximum: string | undefined, measured: Measured): readonly RatedLine[] => {
  if (maximum === undefined) return lines;
  const steps = maximumSteps(lines.map(({ amount }) => amount), promised(maximum, measured));
  return lines.map((line, nth) => {
    const step = steps[nth];
    return step === undefined ? line : { ...line, amount: Money.parse(line.amount.toDecimal().plus(Decimal.parse(step.amount)).toString(), line.amount.currency), steps: [...line.steps, step] };
  });
};

/** Whose least it is: that of a whole charge or plan, or of a window, `otherwise` among them. */
interface Owner { readonly key: readonly (string | null)[]; readonly window?: string | undefined }
const WHOLE_CHARGE: Owner = { key: [] };

/** The line that brings what was spent up to the least that is due: the greater of the minimum and the commitment. Nothing where enough was spent. */
export const trueUpLine = (spent: Money, { minimumAmount, commitment }: Pick<ChargeTerms, 'minimumAmount' | 'commitment'>, measured: Measured, { key, window }: Owner = WHOLE_CHARGE): readonly RatedLine[] => {
  const minimum = minimumAmount === undefined ? undefined : promised(minimumAmount, measured);
  const committed = commitment === undefined || commitment.trueUp === false ? undefined : promised(commitment.amount, measured);
  const isCommitment = committed !== undefined && (minimum === undefined || committed.amount.compare(minimum.amount) > 0);
  const floor = isCommitment ? committed : minimum;
  const amount = floor?.amount.subtract(spent);
  if (floor === undefined || amount === undefined || !amount.isPositive()) return [];
  const spentStep: Step[] = spent.isZero() ? [] : [{ kind: 'spent', amount: spent.negate().toDecimal().toString() }];
  return [{
    type: 'true_up', key: JSON.stringify(['true_up', ...key]), ...(window === undefined ? {} : { window }), dimensions: {}, quantity: Decimal.one, billedQuantity: Decimal.one, amount, exact: amount.toDecimal(),
    steps: [floorStep(isCommitment ? 'commitment' : 'minimum', floor), ...spentStep],
  }];
};

const windowsOf = ({ schedule }: ChargeTerms): readonly { readonly window: string | undefined; readonly commitment: Commitment }[] => {
  if (schedule === undefined) return [];
  const all = [...schedule.windows.map(({ name, price }) => ({ window: name as string | undefined, commitment: price.commitment })), { window: undefined, commitment: schedule.otherwise.commitment }];
  return all.flatMap(({ window, commitment }) => (commitment === undefined ? [] : [{ window, commitment }]));
};

/**
 * The lines of a usage charge for a period, or for a part of it, in an order that does not depend on that of the groups.
 *
 * 1. Free units are taken first, in the order of the lines. 2. Each line by its price; the share of the period, where the aggregation wants it, rounded there.
 * 3. What is above a commitment, of a window and then of the charge, costs its factor more, in the order of the lines. 4. Each line is rounded once.
 * 5. A commitment of a window is filled by a `true_up`. 6. The maximum is a step of the lines that go over it. 7. Minimum and commitment of the charge are filled by a
 * `true_up`, the greater of them. The source of the rules: the documentation of prices and lines; of factor and true-up: Flexprice, Lago.
 *
 * Presumes terms that `readChargeTerms` accepted. Refuses a code that is no currency with `unknown_currency`. A window that is unknown, and
 * usage of single events without what they cost, are mistakes of the caller: `RangeError`.
 */
export const rateUsage = (usage: UsageToRate): readonly RatedLine[] => {
  const { charge, slice, currency, rounding } = usage;
  const measured: Measured = { slice, proration: charge.proration, currency, rounding };
  const drafts = priceGroups(usage);
  const windows = windowsOf(charge);
  for (const { window, commitment } of windows) addOverage(drafts.filter(({ group }) => group.window === window), commitment, measured);
  addOverage(drafts, charge.commitment, measured);
  const lines = drafts.map((draft) => closed(draft, usage));
  const sumOf = (of: readonly RatedLine[]): Money => Money.sum(of.map(({ amount }) => amount), currency);
  const filled = windows.flatMap(({ window, commitment }) => trueUpLine(sumOf(lines.filter((line) => line.window === window)), { commitment }, measured, { key: [window ?? null], window }));
  const bounded = withMaximum([...lines, ...filled], charge.maximumAmount, measured);
  return [...bounded, ...trueUpLine(sumOf(bounded), charge, measured)];
};
