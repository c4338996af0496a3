import { Decimal } from '@valueverse/kernel';
import type { InvoiceFinalized, InvoiceLine } from '@valueverse/contracts';

type Cell = (line: InvoiceLine, currency: string) => string;
const json = (value: object): string => (Object.keys(value).length === 0 ? '' : JSON.stringify(value));
const sum = (amounts: readonly string[], like: string): string => Decimal.sum(amounts.map((amount) => Decimal.parse(amount))).toFixed(like.split('.')[1]?.length ?? 0);

/** Column -> what a line says there. What a line has several of is JSON; `discountAmount` is all its discounts together. */
const COLUMNS: Readonly<Record<string, Cell>> = {
  lineId: ({ lineId }) => lineId, itemId: ({ itemId }) => itemId, chargeKey: ({ chargeKey }) => chargeKey, type: ({ type }) => type, description: ({ description }) => description,
  subscriptionId: ({ subscriptionId = '' }) => subscriptionId, planKey: ({ planKey = '' }) => planKey, planVersion: ({ planVersion }) => (planVersion === undefined ? '' : String(planVersion)),
  from: ({ servicePeriod }) => servicePeriod.from, to: ({ servicePeriod }) => servicePeriod.to, window: ({ window = '' }) => window, dimensions: ({ dimensions }) => json(dimensions),
  quantity: ({ quantity }) => quantity, billedQuantity: ({ billedQuantity }) => billedQuantity, currency: (_, currency) => currency, amount: ({ amount }) => amount, taxBehavior: ({ taxBehavior = 'exclusive' }) => taxBehavior,
  discountAmount: ({ discounts, amount }) => sum(discounts.map((discount) => discount.amount), amount), netAmount: ({ netAmount }) => netAmount, taxAmount: ({ taxAmount }) => taxAmount,
  discounts: ({ discounts }) => json(discounts), taxes: ({ taxes }) => json(taxes), creditsInvoiceId: ({ credits }) => credits?.invoiceId ?? '', creditsLineId: ({ credits }) => credits?.lineId ?? '',
  statementId: ({ statement }) => statement?.statementId ?? '',
};

const LINE_END = '\r\n';
const NUMBER = /^-?\d+(\.\d+)?$/;
const FORMULA = /^[=+\-@\t\r\n]/;
/** A spreadsheet runs what begins like a formula: it is kept a text by an apostrophe before it. */
const asText = (value: string): string => (FORMULA.test(value) && !NUMBER.test(value) ? `'${value}` : value);
/** A field as RFC 4180 has it. */
const field = (value: string): string => {
  const text = asText(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** The lines of an invoice as CSV (RFC 4180), a header first. Amounts are decimals of major units with a point, whatever the language. */
export const linesCsv = ({ lines, currency }: Pick<InvoiceFinalized, 'lines' | 'currency'>): string =>
  [Object.keys(COLUMNS).join(','), ...lines.map((line) => Object.values(COLUMNS).map((cell) => field(cell(line, currency))).join(','))].map((row) => row + LINE_END).join('');
