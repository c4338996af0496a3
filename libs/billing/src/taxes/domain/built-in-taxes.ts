import { isBefore } from '@valueverse/kernel';
import type { LineTaxes, TaxableLine, TaxCustomer, TaxOfLine, TaxQuestion } from '../tax-engine';
import type { TaxRateSpec } from './tax-rate-shape';

/** An archived rate is found by address no more; what names it goes on with it. */
export interface KnownTaxRate extends Omit<TaxRateSpec, 'metadata'> { readonly isArchived: boolean }

const isValid = ({ validFrom, validTo }: KnownTaxRate, at: string): boolean => (validFrom === undefined || !isBefore(at, validFrom)) && (validTo === undefined || isBefore(at, validTo));
const ofLine = ({ key, name, rate }: KnownTaxRate): TaxOfLine => ({ key, name, rate });
const isSaid = (keys: readonly string[] | undefined): keys is readonly string[] => keys !== undefined && keys.length > 0;

/** Of the country and of the state, each: the rates of the line's tax code, or those without any where it has none of its own there. */
const byAddress = (rates: readonly KnownTaxRate[], { country, state }: NonNullable<TaxCustomer['address']>, taxCode: string | undefined): readonly KnownTaxRate[] => {
  const here = rates.filter(({ isArchived, jurisdiction }) => !isArchived && jurisdiction?.country === country && (jurisdiction.state === undefined || jurisdiction.state === state));
  return [undefined, state].filter((level, nth) => nth === 0 || level !== undefined).flatMap((level) => {
    const own = here.filter(({ jurisdiction }) => jurisdiction?.state === level);
    const ofCode = own.filter((rate) => taxCode !== undefined && rate.taxCode === taxCode);
    return ofCode.length > 0 ? ofCode : own.filter((rate) => rate.taxCode === undefined);
  });
};

const taxesOfLine = (rates: readonly KnownTaxRate[], { chargeRateKeys, planRateKeys, taxCode }: TaxableLine, { customer, settingsRateKeys, at }: TaxQuestion): Omit<LineTaxes, 'lineId'> => {
  if (customer.exemption !== undefined) return { rates: [], reason: 'exempt', detail: customer.exemption.reason };
  if (customer.isReverseCharge === true) return { rates: [], reason: 'reverse_charge' };
  const valid = rates.filter((rate) => isValid(rate, at));
  const named = [chargeRateKeys, planRateKeys, customer.taxRateKeys, settingsRateKeys].find(isSaid);
  if (named !== undefined) {
    const found = [...new Set(named)].flatMap((key) => valid.filter((rate) => rate.key === key));
    return found.length > 0 ? { rates: found.map(ofLine), reason: 'named' } : { rates: [], reason: 'not_valid', detail: named.join(', ') };
  }
  const found = customer.address === undefined ? [] : byAddress(valid, customer.address, taxCode);
  return { rates: found.map(ofLine), reason: found.length > 0 ? 'address' : 'none' };
};

/**
 * The taxes of lines by rates that a tenant keeps by hand. Nobody is taxed who is exempt or accounts for the tax; else the nearest list of keys decides (charge, plan, account, settings), and
 * where there is none the customer's address. Rates come in the order in which they are named, of an address the country's first, then by key.
 */
export const builtInTaxes = (known: readonly KnownTaxRate[], question: TaxQuestion): readonly LineTaxes[] => {
  const rates = [...known].sort((left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0));
  return question.lines.map((line) => ({ lineId: line.lineId, ...taxesOfLine(rates, line, question) }));
};
