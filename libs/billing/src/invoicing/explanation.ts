import { Decimal } from '@valueverse/kernel';
import type { InvoiceDrafted, InvoiceLine, UsageReader } from '@valueverse/contracts';
import type { Charge } from '@valueverse/contracts';
import { billedOf, priceLines, rateUsage, totalOf } from './domain/lines';
import type { InvoiceRow } from './invoice.model';

/** Why a line costs what it costs: the arithmetic, the rules, and the statement with the way to its events. */
export const explanationOf = ({ issued, drafted }: InvoiceRow, line: InvoiceLine): Record<string, unknown> => {
  const { statement, steps, lineId, ...shown } = line;
  const source = line.type === 'recurring' ? recurringSource(drafted, line) : {};
  return {
    lineId, description: shown.description, type: shown.type, currency: issued!.currency, quantity: shown.quantity, amount: shown.amount, servicePeriod: shown.servicePeriod,
    steps, rules: { plan: issued!.planKey, planVersion: issued!.planVersion, rounding: issued!.rounding, roundedAt: 'line', zone: drafted.zone }, ...source,
    ...(statement === undefined ? {} : { statement: {
      id: statement.statementId, quantity: totalOf(statement.quantities).toString(), events: `/api/v1/usage/statements/${statement.statementId}/events`,
      buckets: `/api/v1/usage/statements/${statement.statementId}/buckets`, asOf: statement.asOf, evidence: statement.evidence,
    } }),
  };
};

/** A fee has no events; what it rests on are the dates of its period. */
const recurringSource = ({ advance, arrears }: InvoiceRow['drafted'], { chargeKey }: InvoiceLine): Record<string, unknown> => {
  const inAdvance = advance.charges.some(({ key }) => key === chargeKey);
  const { period, aligned } = inAdvance ? advance : arrears!;
  return { recurring: { timing: inAdvance ? 'in_advance' : 'in_arrears', servedPeriod: period, wholePeriod: aligned } };
};

export interface Proof { readonly matches: boolean | null; readonly expected: Record<string, unknown>; readonly actual: Record<string, unknown>; readonly level: 'events' | 'dates' | 'sealed' }

/**
 * Computes a line again: a usage line from the usage events as of its statement's positions, a fee from its dates. `expected` is what the
 * invoice says, `actual` what came out. Where retention has dropped events, buckets and statement are compared with what is sealed: `matches` is null, or false where they differ. `undefined` when the statement is unknown to metering.
 */
export const verifyLine = async (drafted: InvoiceDrafted, line: InvoiceLine, tenant: string, usage: UsageReader): Promise<Proof | undefined> => {
  const { statement } = line;
  if (statement === undefined) {
    const again = priceLines(drafted, new Map(), drafted).find(({ lineId }) => lineId === line.lineId);
    const [expected, actual] = [{ amount: line.amount, quantity: line.quantity }, { amount: again?.amount ?? null, quantity: again?.quantity ?? null }];
    return { matches: expected.amount === actual.amount && expected.quantity === actual.quantity, expected, actual, level: 'dates' };
  }
  const found = await usage.recompute(tenant, statement.statementId);
  if (found === undefined) return undefined;
  const quantity = totalOf(found.quantities);
  const rated = rateUsage(chargeOf(drafted, line), billedOf(found.quantities), drafted);
  const expected = { quantity: line.quantity, amount: line.amount, evidence: statement.evidence };
  const actual = { quantity: quantity.toString(), amount: rated.amount.toString(), evidence: found.evidence };
  if (found.sealed !== undefined) return { matches: found.sealed.isIntact ? null : false, expected, actual: found.sealed.isRecomputed ? actual : { quantity: null, amount: null }, level: 'sealed' };
  return { matches: Decimal.parse(expected.quantity).equals(quantity) && expected.amount === actual.amount && expected.evidence === actual.evidence, expected, actual, level: 'events' };
};

const chargeOf = (drafted: InvoiceDrafted, { chargeKey }: InvoiceLine): Charge => [...(drafted.arrears?.charges ?? []), ...drafted.advance.charges].find(({ key }) => key === chargeKey)!;
