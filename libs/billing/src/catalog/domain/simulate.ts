import { calendarAnchor, Decimal, isBefore, Money, Refused, type Period, type Rounding, periodContaining } from '@valueverse/kernel';
import type { Charge, CitedStatement, GroupQuantity, InvoiceItem, PlanPhase } from '@valueverse/contracts';
import { eventTermsOf, PercentageEvents, pointerTo, type ChargeTerms, type EventTerms, type Fault, type PercentageTerms, type Price } from '@valueverse/rating';
import { priceItems, type PricedLine } from '../../invoicing/domain/lines';
import type { PlanTerms } from './plan-terms';
import type { PlanSpec } from './plan-shape';
import { anything, currencyCode, decimal, instant, key, list, mapOf, object, optional, required, type Shape, text, whole, zone } from './shape';

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
  period: optional(object({ from: required(instant()), to: required(instant()) })), timezone: optional(zone()),
});

/** A line as an invoice would have it, before discounts and taxes. */
export interface SimulatedLine {
  readonly chargeKey?: string; readonly name: string; readonly type: PricedLine['type']; readonly window?: string; readonly dimensions: Readonly<Record<string, string>>;
  readonly quantity: string; readonly billedQuantity: string; readonly amount: string; readonly steps: readonly unknown[];
}

/** The calendar period of the plan that the part is of. Refuses with `end_before_start`, and `period_too_long` for a part that goes beyond it. */
const alignedOf = ({ from, to }: Period, { interval }: Pick<PlanSpec, 'interval'>, zone: string): Period => {
  if (!isBefore(from, to)) throw new Refused('end_before_start', 'a period ends after it begins', '/period/to');
  const { period } = periodContaining(calendarAnchor(interval.unit, from, zone), interval, from);
  if (isBefore(period.to, to)) throw new Refused('period_too_long', `the period of the plan ends at ${period.to}`, '/period/to');
  return period;
};

/** What single events cost, as metering would say it. */
const pricedEvents = (terms: EventTerms, events: readonly string[]): NonNullable<GroupQuantity['priced']> => {
  if (terms.kind === 'dynamic') {
    const amount = Decimal.sum(events.map((value) => Decimal.parse(value))).times(Decimal.parse(terms.multiplier ?? '1'));
    return { amount: amount.toString(), paidValue: amount.toString(), freeEvents: 0, paidEvents: events.length, unpriced: 0 };
  }
  const optionalDecimal = (value: string | undefined): Decimal | undefined => (value === undefined ? undefined : Decimal.parse(value));
  const { rate = '0', freeEvents, fixedAmount, freeAmount, minAmountPerEvent, maxAmountPerEvent } = terms;
  const wanted: PercentageTerms = {
    rate: Decimal.parse(rate), freeEvents, fixedAmount: optionalDecimal(fixedAmount), freeAmount: optionalDecimal(freeAmount), minAmountPerEvent: optionalDecimal(minAmountPerEvent), maxAmountPerEvent: optionalDecimal(maxAmountPerEvent),
  };
  const priced = new PercentageEvents(wanted);
  for (const value of events) priced.add(Decimal.parse(value));
  const { amount, paidValue, ...counts } = priced.result;
  return { amount: amount.toString(), paidValue: paidValue.toString(), ...counts, unpriced: 0 };
};

const priceOf = ({ price, schedule }: ChargeTerms, window: string | undefined): Price =>
  (schedule === undefined ? price : (schedule.windows.find(({ name }) => name === window)?.price ?? schedule.otherwise));

const quantityOf = (terms: ChargeTerms, { dimensions = {}, window, quantity: value, events }: SimulatedGroup): GroupQuantity => {
  const eventTerms = eventTermsOf(priceOf(terms, window));
  return { group: dimensions, value, events: events?.length ?? 0, ...(eventTerms === undefined || events === undefined ? {} : { priced: pricedEvents(eventTerms, events) }) };
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

/** Time that a whole period stands for where nobody asks for a part of one. */
const WHOLE: Period = { from: '2000-01-01T00:00:00Z', to: '2000-02-01T00:00:00Z' };

interface Around { readonly aligned: Period; readonly served: Period; readonly zone: string; readonly proration: PlanSpec['proration']; readonly aggregations: ReadonlyMap<string, string> }
interface AsItem { readonly item: InvoiceItem; readonly statements: readonly (readonly [string, CitedStatement])[] }

/** A charge as the item of an invoice, and what was used of it as the statements that metering would give: one for each window, and one for what is outside of them. */
const itemOf = (charge: Charge, said: string | readonly SimulatedGroup[] | undefined, { aggregations, proration, ...times }: Around): AsItem => {
  const own = { itemId: charge.key, charge, ...times, proration: { ...proration, ...charge.proration } };
  if (charge.type === 'recurring') return { item: { ...own, kind: 'fee', ...(typeof said === 'string' ? { quantity: said } : {}) }, statements: [] };
  const terms = charge as unknown as ChargeTerms;
  const groups: readonly SimulatedGroup[] = typeof said === 'string' ? [{ quantity: said }] : said ?? [];
  const windows = [...(terms.schedule?.windows ?? []).map(({ name }) => name), undefined];
  const requests = windows.map((window) => ({ requestId: JSON.stringify([charge.key, window ?? null]), ...(window === undefined ? {} : { window }) }));
  const statements = requests.map(({ requestId, window }) =>
    [requestId, { statementId: requestId, quantities: groups.filter((group) => group.window === window).map((group) => quantityOf(terms, group)), asOf: {}, evidence: '' }] as const);
  const aggregation = aggregations.get(charge.meterKey!);
  return { item: { ...own, kind: 'usage', requests, ...(aggregation === undefined ? {} : { aggregation }) }, statements };
};

/** No charge has this key: the item of a commitment is none of a charge. */
const COMMITMENT = '';
const lineOf = ({ itemId, chargeKey, description: name, type, window, dimensions, quantity: used, billedQuantity, amount, steps }: PricedLine): SimulatedLine =>
  ({ ...(itemId === COMMITMENT ? {} : { chargeKey }), name, type, ...(window === undefined ? {} : { window }), dimensions, quantity: used, billedQuantity, amount, steps });

/** The commitment of the plan as the item that an invoice has of it: the fees fill it first. */
const commitmentItem = ({ name, commitment }: Asked['plan'], fees: readonly InvoiceItem[], { aggregations: _, proration, ...times }: Around): InvoiceItem[] => (commitment === undefined ? [] : [{
  itemId: COMMITMENT, kind: 'usage', charge: { key: name, name, type: 'usage', price: { model: 'flat', amount: '0' }, commitment }, ...times, ...(proration === undefined ? {} : { proration }),
  fees: fees.map(({ charge, quantity, served, proration: own }) => ({ charge, quantity: quantity ?? charge.quantity ?? '1', served, ...(own === undefined ? {} : { proration: own }) })),
}]);

export interface Simulated { readonly currency: string; readonly phase: PlanPhase | null; readonly isTrial: boolean; readonly aligned: Period | null; readonly lines: readonly SimulatedLine[]; readonly total: string }
interface Asked {
  readonly plan: Pick<PlanSpec, 'name' | 'currency' | 'interval' | 'commitment' | 'proration'>; readonly terms: PlanTerms; readonly asked: Simulation; readonly rounding: Rounding;
  /** Meter -> how it counts. */
  readonly aggregations: ReadonlyMap<string, string>;
}

/** What does not fit the charges, told before anything is priced. */
export const simulationFaults = (asked: Simulation, charges: readonly Charge[]): readonly Fault[] => {
  const faults: Fault[] = [];
  checkQuantities(asked, charges, faults);
  return faults;
};

/**
 * What quantities cost by the terms of a plan, by the function that prices the items of an invoice. A charge of usage of which nothing is said has no usage, a fee the quantity of the plan. Presumes
 * quantities without `simulationFaults`. Refuses with `end_before_start`, `period_too_long`, `unknown_zone`, and `currency_mismatch` where a commitment of the plan is said in another currency.
 */
export const simulate = ({ plan, terms, asked, rounding, aggregations }: Asked): Simulated => {
  const { currency = plan.currency, period, timezone: zone = 'UTC', quantities } = asked;
  if (plan.commitment !== undefined && currency !== plan.currency) throw new Refused('currency_mismatch', `the plan says its commitment in ${plan.currency} alone`, '/currency');
  const aligned = period === undefined ? undefined : alignedOf(period, plan, zone);
  const around: Around = { aligned: aligned ?? WHOLE, served: period ?? WHOLE, zone, proration: plan.proration, aggregations };
  const all = terms.isTrial ? [] : terms.charges.map((charge) => itemOf(charge, quantities[charge.key], around));
  const statements = new Map(all.flatMap((one) => one.statements));
  const items = all.map(({ item }) => item);
  const commitment = terms.isTrial ? [] : commitmentItem(plan, items.filter(({ kind }) => kind === 'fee'), around);
  const lines = priceItems([...items, ...commitment], { invoiceId: 'simulated', kind: 'cycle', currency, rounding, statements, credited: {}, interim: [] }).map(lineOf);
  const total = Money.sum(lines.map(({ amount }) => Money.parse(amount, currency)), currency).toString();
  return { currency, phase: terms.phase ?? null, isTrial: terms.isTrial, aligned: aligned ?? null, lines, total };
};
