import { canonicalJson, Decimal } from '@valueverse/kernel';
import type { EventTerms, GroupQuantity } from '@valueverse/contracts';
import { PercentageEvents } from '@valueverse/rating';
import type { Tx } from '@valueverse/event-log';
import { tieOf } from '../metering/domain/deltas';
import { decimalOf, narrowed } from '../metering/domain/measure';
import { parseJsonPath, valueAt } from '../meters/domain/json-path';
import { countedBy, type Reading, visitEvents } from '../query/copy-reader';
import type { Work } from './compute';

type Priced = NonNullable<GroupQuantity['priced']>;
/** Group as canonical JSON -> what its events cost. */
export type PricedGroups = ReadonlyMap<string, Priced>;

/** What is read and put in order at a time: events of a whole period need not fit into memory. */
const DAY_MICROS = 86_400_000_000;

interface Pricer { add(value: Decimal, data: unknown): void; result(): Priced }

const textOf = (value: string | undefined): Decimal | undefined => (value === undefined ? undefined : Decimal.parse(value));

const percentagePricer = (terms: EventTerms): Pricer => {
  const events = new PercentageEvents({
    rate: Decimal.parse(terms.rate ?? '0'), fixedAmount: textOf(terms.fixedAmount), freeEvents: terms.freeEvents, freeAmount: textOf(terms.freeAmount),
    minAmountPerEvent: textOf(terms.minAmountPerEvent), maxAmountPerEvent: textOf(terms.maxAmountPerEvent),
  });
  return {
    add: (value) => events.add(value),
    result: () => { const { amount, paidValue, freeEvents, paidEvents } = events.result; return { amount: amount.toString(), paidValue: paidValue.toString(), freeEvents, paidEvents, unpriced: 0 }; },
  };
};

/** The amounts that events name themselves, each times the multiplier. */
const dynamicPricer = ({ amountProperty = '', multiplier = '1' }: EventTerms): Pricer => {
  const path = parseJsonPath(amountProperty, '/amountProperty');
  const factor = Decimal.parse(multiplier);
  let [amount, paidValue, paidEvents, unpriced] = [Decimal.zero, Decimal.zero, 0, 0];
  return {
    add: (value, data) => {
      const own = decimalOf(valueAt(data, path));
      if (own === undefined) { unpriced += 1; return; }
      amount = amount.plus(own.times(factor));
      paidValue = paidValue.plus(value);
      paidEvents += 1;
    },
    result: () => ({ amount: amount.toString(), paidValue: paidValue.toString(), freeEvents: 0, paidEvents, unpriced }),
  };
};

interface Priceable { readonly micros: number; readonly tie: Buffer; readonly subject: string; readonly group: string; readonly value: Decimal; readonly data: unknown }
/** Two subjects may use one id: what their events cost must not depend on which came first. */
const inOrder = (left: Priceable, right: Priceable): number =>
  left.micros - right.micros || Buffer.compare(left.tie, right.tie) || Buffer.compare(Buffer.from(left.subject), Buffer.from(right.subject)) || left.value.compare(right.value);

/**
 * Prices the events of a question by its terms, in the order of their time, ties by (source, id) and then by subject, from the envelopes: of the spans of all of its subjects together, as
 * one stream per group.
 */
export const priceEvents = async (tx: Tx, tenant: string, { question: { request, rules }, spans }: Pick<Work, 'question' | 'spans'>, reading?: Reading): Promise<PricedGroups> => {
  const terms = request.terms!;
  const pricers = new Map<string, Pricer>();
  const [first, last] = [Math.min(...spans.map(({ from }) => from)), Math.max(...spans.map(({ to }) => to))];
  for (let day = first; day < last; day += DAY_MICROS) {
    const stretches = spans.map(({ subject, from, to }) => ({ subject, from: Math.max(from, day), to: Math.min(to, day + DAY_MICROS) })).filter(({ from, to }) => from < to);
    const found: Priceable[] = [];
    await visitEvents(tx, tenant, stretches, (_, counted) => {
      const { event, micros } = counted;
      const own = countedBy(rules, counted);
      if (own === undefined) return;
      const { measured, groups } = own;
      const group = canonicalJson(narrowed(JSON.parse(groups) as Record<string, string>, request.groupBy));
      const value = typeof measured.value === 'number' ? Decimal.of(measured.value) : measured.value;
      found.push({ micros, tie: Buffer.from(tieOf(event)), subject: event.subject, group, value, data: event.data });
    }, reading);
    found.sort(inOrder);
    for (const { group, value, data } of found) {
      let pricer = pricers.get(group);
      if (pricer === undefined) pricers.set(group, pricer = terms.kind === 'percentage' ? percentagePricer(terms) : dynamicPricer(terms));
      pricer.add(value, data);
    }
  }
  return new Map([...pricers].map(([group, pricer]) => [group, pricer.result()]));
};

/** Quantities with what their events cost. */
export const withPrices = (quantities: readonly GroupQuantity[], priced: PricedGroups | undefined): readonly GroupQuantity[] => (priced === undefined ? quantities : quantities.map((quantity) => {
  const own = priced.get(canonicalJson({ ...quantity.group }));
  return own === undefined ? quantity : { ...quantity, priced: own };
}));
