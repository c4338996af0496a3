import { Decimal } from '@valueverse/kernel';
import type { CitedStatement, InvoiceItem, InvoiceLine, UsageReader } from '@valueverse/contracts';
import { DEFAULT_GRANULARITY } from '@valueverse/rating';
import type { IssueTerms } from './domain/issue-invoice';
import { pricedTogether, priceItems, sliceOfItem, totalOf } from './domain/lines';
import type { InvoiceRow } from './invoice.model';

const itemOf = ({ drafted }: InvoiceRow, { itemId }: InvoiceLine): InvoiceItem => drafted.items.find((item) => item.itemId === itemId)!;
const textOf = ({ numerator, denominator }: { numerator: bigint; denominator: bigint }): string => `${numerator}/${denominator}`;

/** Why a line costs what it costs: the arithmetic, the rules, and the statement with the way to its events. */
export const explanationOf = (row: InvoiceRow, line: InvoiceLine): Record<string, unknown> => {
  const { statement, steps, lineId, description, type, quantity, billedQuantity, amount, discounts, netAmount, taxes, taxAmount, servicePeriod, credits } = line;
  const item = itemOf(row, line);
  const { charge, zone, proration, phaseKey, addOnKey } = item;
  return {
    lineId, description, type, currency: row.issued!.currency, quantity, billedQuantity, amount, discounts, netAmount, taxes, taxAmount, servicePeriod, steps,
    rules: {
      plan: item.planKey ?? null, planVersion: item.planVersion ?? null, ...(phaseKey === undefined ? {} : { phase: phaseKey }), ...(addOnKey === undefined ? {} : { addOn: addOnKey }), chargeKey: charge.key, price: charge.price,
      rounding: row.issued!.rounding, roundedAt: 'line', zone, taxBehavior: charge.taxBehavior ?? 'exclusive',
    },
    ...(item.kind === 'one_off' ? {} : { proration: prorationOf(item, proration?.granularity ?? DEFAULT_GRANULARITY) }),
    ...(item.kind === 'usage' ? {} : { recurring: { timing: charge.timing ?? 'in_advance', servedPeriod: item.served, wholePeriod: item.aligned } }),
    ...(credits === undefined ? {} : { credits }),
    ...(statement === undefined ? {} : { statement: {
      id: statement.statementId, quantity: totalOf(statement.quantities).toString(), events: `/api/v1/usage/statements/${statement.statementId}/events`,
      buckets: `/api/v1/usage/statements/${statement.statementId}/buckets`, asOf: statement.asOf, evidence: statement.evidence,
    } }),
  };
};

/** Both instants of the part that is charged, and the whole period that it is a part of: fractions of that by the granularity. */
const prorationOf = (item: InvoiceItem, granularity: string): Record<string, unknown> => {
  const { served, aligned } = item;
  const slice = sliceOfItem(item);
  return { granularity, from: served.from, to: served.to, wholeFrom: aligned.from, wholeTo: aligned.to, ...(slice === undefined ? { isWhole: true } : { isWhole: false, elapsedAtStart: textOf(slice.elapsedAtStart), elapsedAtEnd: textOf(slice.elapsedAtEnd) }) };
};

export interface Proof { readonly matches: boolean | null; readonly expected: Record<string, unknown>; readonly actual: Record<string, unknown>; readonly level: 'events' | 'dates' | 'sealed' }

/**
 * Computes a line again: a usage line from the usage events as of its statement's positions, a fee from its dates. `expected` is what the
 * invoice says, `actual` what came out. Where retention has dropped events, buckets and statement are compared with what is sealed: `matches` is null, or false where they differ. `undefined` when the statement is unknown to metering.
 */
export const verifyLine = async (row: InvoiceRow, line: InvoiceLine, tenant: string, usage: UsageReader): Promise<Proof | undefined> => {
  const item = itemOf(row, line);
  const together = pricedTogether(item, row.drafted.items);
  const again = new Map<string, CitedStatement>();
  const found: { line: InvoiceLine; evidence: string; sealed?: { readonly isIntact: boolean; readonly isRecomputed: boolean } | undefined }[] = [];
  for (const { itemId, request } of together.flatMap((one) => (one.requests ?? []).map((request) => ({ itemId: one.itemId, request })))) {
    const cited = row.issued!.lines.find((one) => one.itemId === itemId && one.window === request.window && one.statement !== undefined)?.statement;
    // A window in which nothing was used has no line that cites its statement, and nothing to be computed.
    if (cited === undefined) { again.set(request.requestId, { statementId: '', quantities: [], asOf: {}, evidence: '' }); continue; }
    const recomputed = await usage.recompute(tenant, cited.statementId);
    if (recomputed === undefined) return undefined;
    again.set(request.requestId, { ...cited, quantities: recomputed.quantities });
    if (line.statement === undefined || line.statement.statementId === cited.statementId) found.push({ line, evidence: recomputed.evidence, sealed: recomputed.sealed });
  }
  const { terms } = row.issued as { terms?: IssueTerms };
  const { invoiceId, drafted: { kind, currency, rounding } } = row;
  const priced = priceItems(together, { invoiceId, kind, currency, rounding, statements: again, credited: terms?.credited ?? {}, interim: terms?.interim ?? [] }).find(({ lineId }) => lineId === line.lineId);
  const expected = { quantity: line.quantity, amount: line.amount, ...(line.statement === undefined ? {} : { evidence: line.statement.evidence }) };
  const actual = { quantity: priced?.quantity ?? null, amount: priced?.amount ?? null, ...(line.statement === undefined ? {} : { evidence: found[0]?.evidence ?? null }) };
  const sealed = found.find((one) => one.sealed !== undefined)?.sealed;
  if (sealed !== undefined) return { matches: sealed.isIntact ? null : false, expected, actual: sealed.isRecomputed ? actual : { quantity: null, amount: null }, level: 'sealed' };
  const matches = actual.quantity !== null && Decimal.parse(expected.quantity).equals(Decimal.parse(actual.quantity)) && expected.amount === actual.amount && (line.statement === undefined || expected.evidence === actual.evidence);
  return { matches, expected, actual, level: item.kind === 'usage' ? 'events' : 'dates' };
};
