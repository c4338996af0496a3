import { addMicros, canonicalJson, compareInstants, Decimal, derivedId, earlierOf, isBefore, laterOf, periodAt, periodContaining, type Instant, type Interval, type Period } from '@valueverse/kernel';
import type { AddOnCharge, BilledSlice, Charge, CommittedFee, InvoiceItem, PeriodCut, Proration } from '@valueverse/contracts';
import { DEFAULT_GRANULARITY } from '@valueverse/rating';
import { lineIdOf } from '../../invoicing/domain/line-id';
import { commitmentOf } from './commitments';
import { merged, without } from './intervals';
import type { Billed, Subscription } from './subscription.decider';
import type { UsageWindow } from './usage-windows';
import { overlapOf, stretchesOf, type PlanCourses, type Stretch } from './timeline';

/** A charge with the price that is in force, of the plan or of an add-on, and how many it counts. */
export interface ChargeInForce {
  readonly charge: Charge | AddOnCharge;
  readonly quantity: string;
  readonly addOnKey?: string | undefined;
  /** Of an add-on that has periods of its own; those of the subscription if not given. */
  readonly interval?: Interval | undefined;
  /** Of an add-on: since when it is taken. */
  readonly since?: Instant | undefined;
  /** Of the commitment of a plan, which is charged as its usage is: the usage charges and the fees that fill it. */
  readonly filledBy?: readonly ChargeInForce[] | undefined;
}
/** What the catalogue says of a stretch: pure, because versions of plans never change. */
export interface Catalogue { readonly courses: PlanCourses; readonly chargesOf: (stretch: Stretch) => readonly ChargeInForce[] }

/** An item of an invoice, and the slice that is noted with the subscription once it is billed. */
export interface DueItem { readonly item: InvoiceItem; readonly slice: BilledSlice }
/** A part of a line that is given back. */
export interface DueCredit { readonly served: Period; readonly of: Billed; readonly cuts: PeriodCut[] }
export interface Due { readonly items: readonly DueItem[]; readonly credits: readonly DueCredit[] }

const JUST_BEFORE = -1n;

/** Something that is charged for a part of one aligned period: the same charge with the same price and quantity, whatever else changes. */
interface Slot {
  readonly key: string;
  readonly inForce: ChargeInForce;
  readonly stretch: Stretch;
  readonly aligned: Period;
  readonly proration: Proration;
  /** Where it is charged, as far as is known now, and where it would be if nothing that is to come came. */
  readonly wanted: Period[];
  readonly kept: Period[];
  /** Of a commitment: the slots of the fees that fill it. */
  readonly feeKeys: readonly string[];
}
const isOneOff = ({ charge: { type } }: ChargeInForce): boolean => type === 'one_off';
const isUsage = ({ inForce: { charge: { type } } }: Pick<Slot, 'inForce'>): boolean => type === 'usage';
const isCommitment = ({ inForce: { filledBy } }: Pick<Slot, 'inForce'>): boolean => filledBy !== undefined;
const isInAdvance = ({ inForce: { charge: { type, timing } } }: Pick<Slot, 'inForce'>): boolean => type !== 'usage' && timing !== 'in_arrears';

/**
 * What is due of a subscription at an instant and was not billed: of each charge the parts of its aligned periods that are to be charged by now, less those that were. So a second run finds nothing, and a change,
 * a cancellation or a resumption, whenever it was decided, comes to exactly the difference. What was charged and is not due any more is given back to the line that took it.
 *
 * Fees in advance are due where their part of a period begins, usage and fees in arrears where it ends.
 */
export const dueAt = (subscription: Subscription, catalogue: Catalogue, at: Instant, invoiceId: string): Due => {
  // What was billed up to a later instant was billed up to this one as well.
  if (subscription.billedTo !== undefined && isBefore(at, subscription.billedTo)) return { items: [], credits: [] };
  const slots = slotsOf(subscription, catalogue, at);
  // A commitment stands behind what fills it.
  const ordered = [...slots.values()].sort((left, right) => Number(isCommitment(left)) - Number(isCommitment(right)));
  const items = ordered.flatMap((slot) => chargesOf(slot, subscription, at, invoiceId).map((due) => withFees(due, slot, slots)));
  // What was used stands before what is paid for in advance.
  const isOver = ({ item: { served } }: DueItem): boolean => compareInstants(served.to, at) <= 0;
  return { items: [...items.filter(isOver), ...items.filter((item) => !isOver(item))], credits: creditsOf(subscription, slots) };
};

/** The usage of windows that are still open, up to an instant: what an interim invoice charges. The window goes on, and the invoice at its end charges the whole of it less that. */
export const openUsageAt = (subscription: Subscription, catalogue: Catalogue, at: Instant, invoiceId: string): DueItem[] => [...slotsOf(subscription, catalogue, at).values()].filter((slot) => isUsage(slot) && !isCommitment(slot)).flatMap((slot) => without(slot.wanted, chargedOf(slot, subscription))
  .filter(({ from, to }) => isBefore(from, at) && isBefore(at, to))
  .map(({ from }) => itemOf(slot, { from, to: at }, subscription, invoiceId)).map(({ item, slice }) => ({ item, slice: { ...slice, interim: true } })));

/** Only periods that the ledger still knows, and later ones, may hold something that is due: what was due before was billed then. */
const slotsOf = (subscription: Subscription, catalogue: Catalogue, at: Instant): Map<string, Slot> => {
  const slots = new Map<string, Slot>();
  const { billedTo, started } = subscription;
  const { floor = started!.startsAt } = subscription;
  const stretches = stretchesOf(subscription, catalogue.courses);
  const waiting = new Set<string>();
  const taken = new Map<string, Decimal>();
  let steady: ReadonlySet<string> = new Set();
  for (const [nth, stretch] of stretches.entries()) {
    if (stretch.from === stretch.changedAt) steady = steadyAt(stretches[nth - 1], stretch, catalogue);
    if (!stretch.isBilled || compareInstants(stretch.from, at) > 0) continue;
    const around: Around = { stretch, at, waiting, steady, steadyAfter: steadyAt(stretch, stretches[nth + 1], catalogue) };
    const charges = catalogue.chargesOf(stretch);
    // Most charges have the periods of the plan.
    const known = new Map<string, readonly Period[]>();
    const periodsOf = (interval: Interval): readonly Period[] => {
      const name = `${interval.count} ${interval.unit}`;
      const periods = known.get(name) ?? alignedPeriods(stretch, interval, floor, billedTo ?? floor, at);
      known.set(name, periods);
      return periods;
    };
    for (const one of [...charges, ...commitmentOf(catalogue.courses(stretch.terms), stretch, charges)]) {
      if (isOneOff(one)) { addOneOff(slots, one, stretch, taken); continue; }
      const proration = prorationIn(stretch, one);
      const said = slotText(one, stretch, proration);
      for (const aligned of periodsOf(one.interval ?? stretch.terms.interval)) addTo(slots, one, { aligned, proration, said }, around);
    }
  }
  const splits = new Set(splitsOf(subscription).map((cut) => cut.at));
  return new Map([...slots].map(([key, slot]) => [key, isUnsplit(slot) ? { ...slot, wanted: wholeOf(slot, slot.wanted, splits), kept: wholeOf(slot, slot.kept, splits) } : slot]));
};

/** A fee of granularity `none` is that of the whole period, but for where a change that names another one begins or ends it. */
const isUnsplit = ({ proration, inForce: { charge } }: Slot): boolean => (proration.granularity ?? DEFAULT_GRANULARITY) === 'none' && charge.type === 'recurring';
const wholeOf = ({ aligned }: Slot, periods: readonly Period[], splits: ReadonlySet<Instant>): Period[] =>
  merged(periods.map(({ from, to }) => ({ from: splits.has(from) ? from : aligned.from, to: splits.has(to) ? to : aligned.to })));

const nameOf = ({ charge, addOnKey }: ChargeInForce): string => JSON.stringify([addOnKey ?? null, charge.key]);

/** The fees in advance that a change which says `none` leaves as they are: they go on as if there had been no change. */
const steadyAt = (before: Stretch | undefined, after: Stretch | undefined, catalogue: Catalogue): ReadonlySet<string> => {
  if (before === undefined || after === undefined || !after.feesFromNext || after.from !== after.changedAt || before.to !== after.from || !before.isBilled || !after.isBilled) return new Set();
  const keysIn = (stretch: Stretch): Map<string, string> => new Map(catalogue.chargesOf(stretch).filter((inForce) => isInAdvance({ inForce }) && !isOneOff(inForce)).map((one) => {
    const { period } = periodContaining(stretch.terms.anchor, one.interval ?? stretch.terms.interval, after.from);
    return [nameOf(one), slotKey(one, stretch, period, prorationIn(stretch, one))];
  }));
  const known = keysIn(before);
  return new Set([...keysIn(after)].filter(([name, key]) => known.get(name) === key).map(([name]) => name));
};

/** The aligned periods of a stretch up to an instant. One that ends at `billedTo` may still have arrears to be billed. */
const alignedPeriods = (stretch: Stretch, interval: Interval, floor: Instant, billedTo: Instant, at: Instant): Period[] => {
  const { anchor } = stretch.terms;
  const all: Period[] = [];
  for (let nth = periodContaining(anchor, interval, isBefore(stretch.from, floor) ? floor : stretch.from).index - 1; ; nth++) {
    const aligned = periodAt(anchor, interval, nth);
    if (compareInstants(aligned.from, at) > 0 || (stretch.to !== undefined && compareInstants(stretch.to, aligned.from) <= 0)) return all;
    if (compareInstants(aligned.to, floor) > 0 || compareInstants(aligned.to, billedTo) >= 0) all.push(aligned);
  }
};

const slotKey = (inForce: ChargeInForce, stretch: Stretch, aligned: Period, proration: Proration): string => keyIn(slotText(inForce, stretch, proration), aligned);
const keyIn = (said: string, { from, to }: Period): string => derivedId('slot', said, from, to);
/** What a slot's key says beside its period. Of a fee that is what it charges, so that changes that leave it as it is do not show; usage belongs to the version of a plan. */
const slotText = ({ charge, quantity, addOnKey, filledBy }: ChargeInForce, { terms }: Stretch, proration: Proration): string => {
  // A commitment is cut where the usage that fills it is.
  const usage = filledBy?.filter((one) => one.charge.type === 'usage').map((one) => one.charge);
  const of = charge.type === 'usage' ? { planKey: terms.planKey, planVersion: terms.planVersion, ...(usage === undefined ? {} : { usage }) } : { quantity, proration };
  return canonicalJson({ charge, addOnKey: addOnKey ?? null, currency: terms.currency, zone: terms.anchor.zone, ...of });
};

/**
 * Billed once, when it is taken; of what is more of later each more is billed then, as something that is taken for itself. `taken` holds how many there are so far of each.
 */
const addOneOff = (slots: Map<string, Slot>, inForce: ChargeInForce, stretch: Stretch, taken: Map<string, Decimal>): void => {
  const { charge, addOnKey, since = stretch.from } = inForce;
  const name = canonicalJson({ charge, addOnKey: addOnKey ?? null, since });
  const before = taken.get(name);
  const quantity = Decimal.parse(inForce.quantity);
  taken.set(name, quantity);
  const more = before === undefined ? quantity : quantity.minus(before);
  if (!more.isPositive()) return;
  const at = before === undefined ? since : stretch.changedAt;
  const key = derivedId('slot', canonicalJson({ charge, addOnKey: addOnKey ?? null }), at);
  const moment = { from: at, to: at };
  slots.set(key, { key, inForce: { ...inForce, quantity: before === undefined ? inForce.quantity : more.toString() }, stretch, aligned: moment, proration: {}, wanted: [moment], kept: [moment], feeKeys: [] });
};

/** What of a slot that is billed once was not billed: all of it, or what is more of it since it was. Before quantities were noted they were in the name of the slot. */
const oneOffOf = (slot: Slot, { billed }: Subscription): Slot[] => {
  const { inForce: { charge, addOnKey, quantity }, aligned: { from } } = slot;
  const before = derivedId('slot', canonicalJson({ charge, addOnKey: addOnKey ?? null, quantity }), from);
  const known = Decimal.sum(billed.filter((one) => one.slot === slot.key || one.slot === before).map((one) => Decimal.parse(one.quantity ?? quantity)));
  const left = Decimal.parse(quantity).minus(known);
  return left.isPositive() ? [{ ...slot, inForce: { ...slot.inForce, quantity: left.toString() } }] : [];
};

const prorationIn = ({ proration }: Stretch, { charge }: ChargeInForce): Proration => ({ ...proration, ...charge.proration });

/** What a charge of a stretch is added with: the fees that wait for their next period, and those that the change at its start, and at its end, leaves as they are. */
interface Around { readonly stretch: Stretch; readonly at: Instant; readonly waiting: Set<string>; readonly steady: ReadonlySet<string>; readonly steadyAfter: ReadonlySet<string> }

interface In { readonly aligned: Period; readonly proration: Proration; readonly said: string }
const addTo = (slots: Map<string, Slot>, inForce: ChargeInForce, { aligned, proration, said }: In, { stretch, at, waiting, steady, steadyAfter }: Around): void => {
  const key = keyIn(said, aligned);
  const isAdvance = isInAdvance({ inForce });
  // What has waited goes on waiting, whatever else is changed in its period.
  if (isAdvance && (waiting.has(key) || (stretch.feesFromNext && isBefore(aligned.from, stretch.changedAt) && !steady.has(nameOf(inForce))))) { waiting.add(key); return; }
  const end = isAdvance && !steadyAfter.has(nameOf(inForce)) ? stretch.feesTo : stretch.to;
  const served = overlapOf({ from: stretch.from, to: end }, aligned);
  if (served === undefined) return;
  const kept = overlapOf({ from: stretch.from, to: end !== undefined && isBefore(at, end) ? undefined : end }, aligned)!;
  const known = slots.get(key) ?? { key, inForce, stretch, aligned, proration, wanted: [], kept: [], feeKeys: [] };
  const fees = (inForce.filledBy ?? []).filter((one) => one.charge.type === 'recurring').map((one) => slotKey(one, stretch, aligned, prorationIn(stretch, one)));
  slots.set(key, { ...known, feeKeys: [...new Set([...known.feeKeys, ...fees])], wanted: merged([...known.wanted, served]), kept: merged([...known.kept, kept]) });
};

/** Where each line still charges: its own part less what was given back of it. Interim invoices charge usage that stays to be charged. */
const standing = (billed: readonly Billed[]): { readonly of: Billed; readonly periods: Period[] }[] => billed.filter(({ credit, interim }) => credit !== true && interim !== true)
  .map((of) => ({ of, periods: without([of], billed.filter(({ credit, lineId, slot }) => credit === true && lineId === of.lineId && slot === of.slot)) }));

/** Where a slot is charged already. */
const chargedOf = ({ key }: Slot, { billed }: Subscription): Period[] => standing(billed.filter(({ slot }) => slot === key)).flatMap(({ periods }) => periods);

const chargesOf = (slot: Slot, subscription: Subscription, at: Instant, invoiceId: string): DueItem[] => {
  if (isOneOff(slot.inForce)) return oneOffOf(slot, subscription).map((left) => itemOf(left, slot.aligned, subscription, invoiceId));
  const windows = isInAdvance(slot) ? slot.wanted : slot.wanted.filter(({ to }) => compareInstants(to, at) <= 0);
  return without(windows, chargedOf(slot, subscription)).map((served) => itemOf(slot, served, subscription, invoiceId));
};

/** The changes that name how they split. */
const splitsOf = ({ changes }: Subscription): PeriodCut[] =>
  changes.flatMap(({ at, proration: { granularity } = {} }): PeriodCut[] => (granularity === undefined || granularity === 'none' ? [] : [{ at, granularity }]));

/**
 * How a part of a slot is split where changes have named a granularity. Where it was split before, it is as it was then, whatever became of that change: so the parts of a slot always add up.
 */
const cutsIn = (subscription: Subscription, slot: string, { from, to }: Period): PeriodCut[] => {
  const own = subscription.billed.filter((one) => one.slot === slot);
  const ends = new Set(own.flatMap((one) => [one.from, one.to]));
  const known = new Map([...own.flatMap(({ cuts = [] }) => cuts), ...splitsOf(subscription).filter(({ at }) => !ends.has(at))].map((cut) => [cut.at, cut]));
  return [...known.values()].filter(({ at }) => !isBefore(at, from) && !isBefore(to, at));
};
const withCuts = (cuts: PeriodCut[]): Pick<InvoiceItem, 'cuts'> => (cuts.length === 0 ? {} : { cuts });
const endsOf = (cuts: readonly PeriodCut[], { from, to }: Period): PeriodCut[] => cuts.filter(({ at }) => at === from || at === to);

/** What the changes at both ends of a part say of its bounds and amounts. */
const flagsAt = ({ changes }: Subscription, { from, to }: Period): Proration => Object.assign({}, ...changes.filter(({ at }) => at === from || at === to).map(({ proration: { granularity: _, ...flags } = {} }) => flags)) as Proration;

const itemOf = (slot: Slot, served: Period, subscription: Subscription, invoiceId: string): DueItem => {
  const { inForce: { charge, quantity, addOnKey }, stretch: { terms, phase }, aligned, proration } = slot;
  const itemId = derivedId('item', invoiceId, slot.key, served.from);
  const cuts = cutsIn(subscription, slot.key, served);
  const split: Proration = { ...proration, ...flagsAt(subscription, served), ...charge.proration };
  const kind = isUsage(slot) ? 'usage' : isOneOff(slot.inForce) ? 'one_off' : 'fee';
  const { subscriptionId, startsAt, countFrom = startsAt } = subscription.started!;
  const interim = isUsage(slot) ? subscription.billed.filter((one) => one.interim === true && one.slot === slot.key && one.from === served.from).map((one) => one.invoiceId) : [];
  const usageFrom = isUsage(slot) && compareInstants(served.from, startsAt) === 0 && isBefore(countFrom, startsAt) ? countFrom : undefined;
  return {
    item: {
      itemId, kind, subscriptionId, planKey: terms.planKey, planVersion: terms.planVersion, charge, aligned, served, zone: terms.anchor.zone,
      ...(phase === undefined ? {} : { phaseKey: phase.key }), ...(addOnKey === undefined ? {} : { addOnKey }), ...(kind === 'usage' ? {} : { quantity }),
      ...withCuts(cuts), ...(Object.keys(split).length === 0 ? {} : { proration: split }), ...(usageFrom === undefined ? {} : { usageFrom }), ...(interim.length === 0 ? {} : { interimInvoices: interim }),
    },
    slice: { slot: slot.key, kind, ...served, ...withCuts(endsOf(cuts, served)), alignedTo: aligned.to, lineId: lineIdOf(invoiceId, itemId), ...(kind === 'one_off' ? { quantity } : {}) },
  };
};

/** What of the fees of a commitment lies in its part of the period. */
const withFees = (due: DueItem, { inForce: { filledBy }, feeKeys }: Slot, slots: ReadonlyMap<string, Slot>): DueItem => {
  if (filledBy === undefined) return due;
  const fees = feeKeys.flatMap((key): CommittedFee[] => {
    const { wanted = [], inForce: { charge, quantity } = { charge: {} as Charge, quantity: '0' }, proration = {} } = slots.get(key) ?? {};
    return wanted.flatMap((period) => overlapOf(period, due.item.served) ?? []).map((served) => ({ charge, quantity, served, proration }));
  });
  return { ...due, item: { ...due.item, fees } };
};

/** What is charged of fees where they are not due any more, line by line. */
const creditsOf = (subscription: Subscription, slots: ReadonlyMap<string, Slot>): DueCredit[] => standing(subscription.billed.filter(({ kind }) => kind === 'fee'))
  .flatMap(({ of, periods }) => without(periods, slots.get(of.slot)?.kept ?? []).map((served) => ({ served, of, cuts: cutsIn(subscription, of.slot, served) })));

/** The item that gives a part of a fee back. */
export const creditItem = ({ served, of, cuts }: DueCredit, original: InvoiceItem, invoiceId: string): DueItem => {
  const itemId = derivedId('item', invoiceId, 'credit', of.lineId, served.from);
  const { requests: _, interimInvoices: __, cuts: ___, ...rest } = original;
  return { item: { ...rest, itemId, kind: 'credit', served, ...withCuts(cuts), credits: { invoiceId: of.invoiceId, lineId: of.lineId } }, slice: creditSlice({ served, of, cuts }) };
};
export const creditSlice = ({ served, of: { slot, alignedTo, lineId }, cuts }: DueCredit): BilledSlice => ({ slot, kind: 'fee', ...served, ...withCuts(endsOf(cuts, served)), alignedTo, lineId, credit: true });

/** The next instant after `after` at which something of a subscription may fall due: a boundary of its periods, or of its life. `undefined` when there is none. */
export const nextDueAfter = (subscription: Subscription, catalogue: Catalogue, after: Instant): Instant | undefined => {
  const edges: Instant[] = [];
  for (const stretch of stretchesOf(subscription, catalogue.courses)) {
    const { from, to, terms, isBilled } = stretch;
    edges.push(from, ...(to === undefined ? [] : [to]));
    if (!isBilled || (to !== undefined && compareInstants(to, after) <= 0)) continue;
    const intervals = [terms.interval, ...catalogue.chargesOf(stretch).flatMap(({ interval }) => interval ?? [])];
    for (const interval of intervals) edges.push(periodContaining(terms.anchor, interval, isBefore(from, after) ? after : from).period.to);
  }
  return edges.filter((edge) => isBefore(after, edge)).sort(compareInstants)[0];
};

/** The last instant before `before` at which something of a subscription may have fallen due, if there was one. */
export const lastDueBefore = (subscription: Subscription, catalogue: Catalogue, before: Instant): Instant | undefined => {
  const edges: Instant[] = [];
  for (const stretch of stretchesOf(subscription, catalogue.courses)) {
    const { from, to = before, terms, isBilled } = stretch;
    if (!isBefore(from, before)) continue;
    edges.push(from, to);
    if (!isBilled) continue;
    const last = addMicros(earlierOf(to, before), JUST_BEFORE);
    const intervals = [terms.interval, ...catalogue.chargesOf(stretch).flatMap(({ interval }) => interval ?? [])];
    for (const interval of intervals) edges.push(laterOf(from, periodContaining(terms.anchor, interval, last).period.from));
  }
  return edges.filter((edge) => isBefore(edge, before)).sort(compareInstants).at(-1);
};

/** The usage of one window, charge by charge, whether it is due or not: what a subscription's usage is shown by. */
export const usageItemsOf = (catalogue: Catalogue, { stretch, aligned, served, usage }: UsageWindow, subscriptionId: string, invoiceId: string): InvoiceItem[] =>
  catalogue.chargesOf(stretch).filter(({ charge }) => charge.type === 'usage').map(({ charge, addOnKey }) => {
    const proration = { ...stretch.proration, ...charge.proration };
    return {
      itemId: derivedId('item', invoiceId, addOnKey ?? '', charge.key, served.from), kind: 'usage', subscriptionId, planKey: stretch.terms.planKey, planVersion: stretch.terms.planVersion, charge, aligned, served, zone: stretch.terms.anchor.zone,
      ...(addOnKey === undefined ? {} : { addOnKey }), ...(Object.keys(proration).length === 0 ? {} : { proration }), ...(usage.from === served.from ? {} : { usageFrom: usage.from }),
    };
  });
