import { calendarAnchor, Decimal, isBefore, Money, Refused, type Period, type Rounding, periodContaining } from '@valueverse/kernel';
import type { Charge, PlanPhase } from '@valueverse/contracts';
import {
  eventTermsOf, PercentageEvents, pointerTo, rateCommitment, rateFee, rateUsage, sliceOf, type ChargeTerms, type EventsPriced, type EventTerms, type Fault, type PercentageTerms, type Price, type PlanTerms as Around,
  type RatedLine, type Slice, type Step, type UsageGroup,
} from '@valueverse/rating';
import type { PlanTerms } from './plan-terms';
import type { PlanSpec } from './plan-shape';
import { anything, currencyCode, decimal, instant, key, list, mapOf, object, optional, required, type Shape, text, whole } from './shape';

const GROUPS_MAX = 1_000;
const EVENTS_MAX = 1_000;
const DIMENSIONS_MAX = 10;
const DIMENSION_LENGTH_MAX = 256;
const VERSION_MAX = 1_000_000;

/** What was used of one combination of dimensions in one window. `events` are the values of single events, in their order, for a price that looks at them. */
export interface SimulatedGroup { readonly dimensions?: Readonly<Record<string, string>>; readonly window?: string; readonly quantity: string; readonly events?: readonly string[] }
export interface Simulation {
  readonly version?: number; readonly currency?: string; readonly phaseKey?: string; readonly overrides?: unknown;
  readonly quantities: Readonly<Record<string, string | readonly SimulatedGroup[]>>;
  /** The part of a calendar period of the plan that is priced; the whole where it is not said. */
  readonly period?: Period; readonly timezone?: string;
}
const group = object<SimulatedGroup>({
  dimensions: optional(mapOf(text(DIMENSION_LENGTH_MAX), DIMENSIONS_MAX, text(DIMENSION_LENGTH_MAX))), window: optional(text(64)), quantity: required(decimal()), events: optional(list(decimal(), EVENTS_MAX)),
});
const quantity: Shape<string | readonly SimulatedGroup[]> = {
  json: { anyOf: [decimal().json, list(group, GROUPS_MAX).json] },
  read: (value, pointer, faults) => (Array.isArray(value) ? list(group, GROUPS_MAX).read(value, pointer, faults) : decimal().read(value, pointer, faults)),
};
export const simulation: Shape<Simulation> = object<Simulation>({
  version: optional(whole(1, VERSION_MAX)), currency: optional(currencyCode()), phaseKey: optional(key()), overrides: optional(anything({ type: 'object' })), quantities: required(mapOf(quantity, GROUPS_MAX)),
  period: optional(object({ from: required(instant()), to: required(instant()) })), timezone: optional(text(64)),
});

/** A line as an invoice would have it, before discounts and taxes. */
export interface SimulatedLine {
  readonly chargeKey?: string; readonly name: string; readonly type: 'recurring' | 'usage' | 'true_up'; readonly window?: string; readonly dimensions: Readonly<Record<string, string>>;
  readonly quantity: string; readonly billedQuantity: string; readonly amount: string; readonly steps: readonly unknown[];
}
interface Pricing { readonly currency: string; readonly rounding: Rounding; readonly sliceFor: (charge: Pick<Charge, 'proration'>) => Slice | undefined }

/** The calendar period of the plan that the part is of. Refuses with `end_before_start`, and `period_too_long` for a part that goes beyond it. */
const alignedOf = ({ from, to }: Period, { interval }: Pick<PlanSpec, 'interval'>, zone: string): Period => {
  if (!isBefore(from, to)) throw new Refused('end_before_start', 'a period ends after it begins', '/period/to');
  const { period } = periodContaining(calendarAnchor(interval.unit, from, zone), interval, from);
  if (isBefore(period.to, to)) throw new Refused('period_too_long', `the period of the plan ends at ${period.to}`, '/period/to');
  return period;
};

/** What single events cost, as metering would say it. */
const pricedEvents = (terms: EventTerms, events: readonly string[]): EventsPriced => {
  if (terms.kind === 'dynamic') {
    const amount = Decimal.sum(events.map((value) => Decimal.parse(value))).times(Decimal.parse(terms.multiplier ?? '1'));
    return { amount: amount.toString(), paidValue: amount.toString(), freeEvents: 0, paidEvents: events.length };
  }
  const optionalDecimal = (value: string | undefined): Decimal | undefined => (value === undefined ? undefined : Decimal.parse(value));
  const { rate = '0', freeEvents, fixedAmount, freeAmount, minAmountPerEvent, maxAmountPerEvent } = terms;
  const wanted: PercentageTerms = {
    rate: Decimal.parse(rate), freeEvents, fixedAmount: optionalDecimal(fixedAmount), freeAmount: optionalDecimal(freeAmount), minAmountPerEvent: optionalDecimal(minAmountPerEvent), maxAmountPerEvent: optionalDecimal(maxAmountPerEvent),
  };
  const priced = new PercentageEvents(wanted);
  for (const value of events) priced.add(Decimal.parse(value));
  const { amount, paidValue, ...counts } = priced.result;
  return { amount: amount.toString(), paidValue: paidValue.toString(), ...counts };
};

const priceOf = ({ price, schedule }: ChargeTerms, window: string | undefined): Price =>
  (schedule === undefined ? price : (schedule.windows.find(({ name }) => name === window)?.price ?? schedule.otherwise));

const groupsOf = (terms: ChargeTerms, said: string | readonly SimulatedGroup[]): UsageGroup[] => {
  const groups = typeof said === 'string' ? [{ quantity: said }] : said;
  return groups.map(({ dimensions = {}, window, quantity: used, events }: SimulatedGroup) => {
    const eventTerms = eventTermsOf(priceOf(terms, window));
    return { dimensions, quantity: Decimal.parse(used), billed: Decimal.parse(used), ...(window === undefined ? {} : { window }), ...(eventTerms === undefined || events === undefined ? {} : { priced: pricedEvents(eventTerms, events) }) };
  });
};

/** What is said of a charge and does not fit it: `charge_not_found`, `window_not_found`, `events_expected` where the price looks at single events, `recurring_quantity` for groups of a fee. */
const checkQuantities = ({ quantities }: Simulation, charges: readonly Charge[], faults: Fault[]): void => {
  for (const [chargeKey, said] of Object.entries(quantities)) {
    const pointer = pointerTo('/quantities', chargeKey);
    const charge = charges.find(({ key: known }) => known === chargeKey);
    if (charge === undefined) { faults.push({ pointer, code: 'charge_not_found', detail: `the plan has no charge ${chargeKey}` }); continue; }
    if (charge.type === 'recurring') { if (typeof said !== 'string') faults.push({ pointer, code: 'recurring_quantity', detail: 'a fee has one quantity' }); continue; }
    const terms = charge as unknown as ChargeTerms;
    for (const [index, { window, events }] of (typeof said === 'string' ? [{ window: undefined, events: undefined }] : said).entries()) {
      const at = typeof said === 'string' ? pointer : pointerTo(pointer, index);
      if (window !== undefined && terms.schedule?.windows.some(({ name }) => name === window) !== true) faults.push({ pointer: `${at}/window`, code: 'window_not_found', detail: `the charge has no window ${window}` });
      else if (eventTermsOf(priceOf(terms, window)) !== undefined && events === undefined) faults.push({ pointer: at, code: 'events_expected', detail: 'its price looks at single events: say their values, [{ "quantity": "150", "events": ["100", "50"] }]' });
    }
  }
};

const feeLine = (charge: Charge, said: string, { currency, rounding, sliceFor }: Pricing): SimulatedLine => {
  const fee = rateFee({ charge: charge as unknown as ChargeTerms, quantity: Decimal.parse(said), slice: sliceFor(charge), currency, rounding });
  return { chargeKey: charge.key, name: charge.name, type: 'recurring', dimensions: {}, quantity: fee.quantity.toString(), billedQuantity: fee.billedQuantity.toString(), amount: fee.amount.toString(), steps: fee.steps };
};
const usageLine = (line: RatedLine, name: string, chargeKey?: string): SimulatedLine => ({
  ...(chargeKey === undefined ? {} : { chargeKey }), name, type: line.type, ...(line.window === undefined ? {} : { window: line.window }), dimensions: line.dimensions,
  quantity: line.quantity.toString(), billedQuantity: line.billedQuantity.toString(), amount: line.amount.toString(), steps: line.steps,
});
const linesOf = (charge: Charge, said: string | readonly SimulatedGroup[] | undefined, pricing: Pricing): SimulatedLine[] => {
  if (charge.type === 'recurring') return [feeLine(charge, typeof said === 'string' ? said : charge.quantity ?? '1', pricing)];
  const { currency, rounding, sliceFor } = pricing;
  const terms = charge as unknown as ChargeTerms;
  return rateUsage({ charge: terms, groups: groupsOf(terms, said ?? '0'), slice: sliceFor(charge), currency, rounding }).map((line) => usageLine(line, charge.name, charge.key));
};

const withCommitment = (lines: readonly SimulatedLine[], { commitment, proration }: Around, name: string, { currency, rounding, sliceFor }: Pricing): SimulatedLine[] => {
  if (commitment === undefined) return [...lines];
  const { added, trueUp } = rateCommitment(lines.map(({ amount }) => Money.parse(amount, currency)), commitment, { slice: sliceFor({}), proration, currency, rounding });
  const raised = lines.map((line, nth): SimulatedLine => {
    const more = added[nth];
    return more === undefined ? line : { ...line, amount: Money.parse(line.amount, currency).add(more.amount).toString(), steps: [...line.steps, ...(more.steps as readonly Step[])] };
  });
  return trueUp === undefined ? raised : [...raised, usageLine(trueUp, name)];
};

export interface Simulated { readonly currency: string; readonly phase: PlanPhase | null; readonly isTrial: boolean; readonly aligned: Period | null; readonly lines: readonly SimulatedLine[]; readonly total: string }
interface Asked { readonly plan: Pick<PlanSpec, 'name' | 'currency' | 'interval' | 'commitment' | 'proration'>; readonly terms: PlanTerms; readonly asked: Simulation; readonly rounding: Rounding }

/** What does not fit the charges, told before anything is priced. */
export const simulationFaults = (asked: Simulation, charges: readonly Charge[]): readonly Fault[] => {
  const faults: Fault[] = [];
  checkQuantities(asked, charges, faults);
  return faults;
};

/**
 * What quantities cost by the terms of a plan, by the functions of rating that price an invoice. A charge of usage of which nothing is said has the quantity zero, a fee that of the plan. Presumes
 * quantities without `simulationFaults`. Refuses with `end_before_start`, `period_too_long`, `unknown_zone`, and `currency_mismatch` where a commitment of the plan is said in another currency.
 */
export const simulate = ({ plan, terms, asked, rounding }: Asked): Simulated => {
  const { currency = plan.currency, period, timezone = 'UTC', quantities } = asked;
  if (plan.commitment !== undefined && currency !== plan.currency) throw new Refused('currency_mismatch', `the plan says its commitment in ${plan.currency} alone`, '/currency');
  const aligned = period === undefined ? undefined : alignedOf(period, plan, timezone);
  const sliceFor = ({ proration }: Pick<Charge, 'proration'>): Slice | undefined =>
    (period === undefined ? undefined : sliceOf(proration?.granularity ?? plan.proration?.granularity ?? 'day', aligned!, period, timezone));
  const pricing: Pricing = { currency, rounding, sliceFor };
  const charges = terms.charges.map((charge): Charge => ({ ...charge, proration: { ...plan.proration, ...charge.proration } }));
  const lines = terms.isTrial ? [] : withCommitment(charges.flatMap((charge) => linesOf(charge, quantities[charge.key], pricing)), plan as unknown as Around, plan.name, pricing);
  const total = Money.sum(lines.map(({ amount }) => Money.parse(amount, currency)), currency).toString();
  return { currency, phase: terms.phase ?? null, isTrial: terms.isTrial, aligned: aligned ?? null, lines, total };
};
