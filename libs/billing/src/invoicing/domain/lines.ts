import { Decimal, derivedId, type Period, type Rounding } from '@valueverse/kernel';
import type { Charge, GroupQuantity, InvoiceDrafted, InvoiceLine, InvoiceUsageStated } from '@valueverse/contracts';
import { prorateFee, rateCharge, roundingStep, type Price, type Step } from '@valueverse/rating';

type Statement = InvoiceUsageStated['statement'];

/** What lines are priced with, besides their charges. */
export interface Pricing {
  readonly invoiceId: string;
  readonly currency: string;
  readonly zone: string;
  readonly rounding: Rounding;
}
interface Charged { readonly period: Period; readonly aligned: Period; readonly charges: readonly Charge[]; readonly usageFrom?: string }

/**
 * The lines of an invoice, in the order of the plan's charges: usage and arrears of the period that ended, then what is due in advance for
 * the one that begins. The same function prices a preview and the invoice itself.
 */
export const priceLines = (drafted: Pick<InvoiceDrafted, 'advance' | 'arrears'>, statements: ReadonlyMap<string, Statement>, pricing: Pricing): InvoiceLine[] => [
  ...(drafted.arrears === null ? [] : drafted.arrears.charges.flatMap((charge) => chargeLines(charge, drafted.arrears!, statements, pricing))),
  ...drafted.advance.charges.flatMap((charge) => chargeLines(charge, drafted.advance, statements, pricing)),
];

const chargeLines = (charge: Charge, charged: Charged, statements: ReadonlyMap<string, Statement>, pricing: Pricing): InvoiceLine[] => {
  if (charge.type === 'recurring') return [recurringLine(charge, charged, pricing)];
  const statement = statements.get(charge.key);
  return statement === undefined ? [] : [usageLine(charge, charged, statement, pricing)];
};

/** A fee for the served part of its period: prorated by local days where the period is short. */
const recurringLine = (charge: Charge, { period, aligned }: Charged, pricing: Pricing): InvoiceLine => {
  const { currency, rounding, zone } = pricing;
  const rated = rateCharge({ price: charge.price as Price, quantity: Decimal.one, currency, rounding });
  const isWhole = period.from === aligned.from && period.to === aligned.to;
  if (isWhole) return line(charge, period, pricing, { quantity: '1', billedQuantity: '1', amount: rated.amount.toString(), steps: closed(rated.steps, roundingStep(rated, rounding)) });
  const sliced = prorateFee({ full: rated.exact, aligned, served: period, granularity: 'day', zone, currency, rounding });
  // The steps of the slice name the whole fee; beside its own step they would not add up to the line.
  return line(charge, period, pricing, { quantity: '1', billedQuantity: '1', amount: sliced.amount.toString(), steps: sliced.steps });
};

/** What was used before the period and is billed with it belongs to the time that the line is for. */
const usageLine = (charge: Charge, { period: { from, to }, usageFrom = from }: Charged, statement: Statement, pricing: Pricing): InvoiceLine => {
  const billed = billedOf(statement.quantities);
  const rated = rateUsage(charge, billed, pricing);
  return { ...line(charge, { from: usageFrom, to }, pricing, { quantity: totalOf(statement.quantities).toString(), billedQuantity: billed.toString(), amount: rated.amount.toString(), steps: closed(rated.steps, roundingStep(rated, pricing.rounding)) }), statement };
};

/** What a quantity costs by a usage charge; used for lines, previews and the proof of a line. */
export const rateUsage = (charge: Pick<Charge, 'price' | 'chargeFlatAtZero'>, quantity: Decimal, { currency, rounding }: Pick<Pricing, 'currency' | 'rounding'>): ReturnType<typeof rateCharge> =>
  rateCharge({ price: charge.price as Price, quantity, currency, rounding, ...(charge.chargeFlatAtZero === undefined ? {} : { flatAtZero: charge.chargeFlatAtZero }) });

/** The groups of a statement are a partition of its usage, so their sum is the whole. */
export const totalOf = (quantities: readonly GroupQuantity[]): Decimal => Decimal.sum(quantities.map(({ value }) => Decimal.parse(value)));

/** The same as it is billed: converted where the meter says so. */
export const billedOf = (quantities: readonly GroupQuantity[]): Decimal => Decimal.sum(quantities.map(({ value, converted }) => Decimal.parse(converted ?? value)));

const closed = (steps: readonly Step[], rounding: Step | undefined): Step[] => (rounding === undefined ? [...steps] : [...steps, rounding]);

const line = (charge: Charge, period: Period, { invoiceId }: Pricing, priced: { quantity: string; billedQuantity: string; amount: string; steps: readonly Step[] }): InvoiceLine => ({
  lineId: derivedId('line', invoiceId, charge.key, period.from), chargeKey: charge.key, type: charge.type, description: charge.name,
  quantity: priced.quantity, billedQuantity: priced.billedQuantity, amount: priced.amount, netAmount: priced.amount, taxAmount: zeroLike(priced.amount),
  servicePeriod: { ...period }, dimensions: {}, steps: priced.steps,
});

/** "0.00" for "49.00": zero with the digits of the currency. */
const zeroLike = (amount: string): string => amount.replace(/^-/, '').replace(/[0-9]/g, '0').replace(/^0+(?=0(\.|$))/, '');
