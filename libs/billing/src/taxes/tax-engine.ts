import type { Tx } from '@valueverse/event-log';

/** Who is taxed. `country` is ISO 3166 alpha-2, `state` as the tax rates spell it. */
export interface TaxCustomer {
  readonly address?: { readonly country: string; readonly state?: string };
  /** No tax at all, and why, such as the number of a certificate. */
  readonly exemption?: { readonly reason: string };
  /** The customer accounts for the tax: a business in another country of the union. */
  readonly isReverseCharge?: boolean;
  readonly taxRateKeys?: readonly string[];
}
/** A line, with the rates that its charge and its plan name. An empty list says nothing. */
export interface TaxableLine { readonly lineId: string; readonly taxCode?: string; readonly chargeRateKeys?: readonly string[]; readonly planRateKeys?: readonly string[] }
export interface TaxQuestion {
  readonly customer: TaxCustomer;
  readonly lines: readonly TaxableLine[];
  /** The rates that the tenant's settings name. */
  readonly settingsRateKeys: readonly string[];
  /** The instant at which the tax falls due: rates are those that are valid then. */
  readonly at: string;
}
/** A rate in percent, as a decimal text. */
export interface TaxOfLine { readonly key: string; readonly name: string; readonly rate: string }
/**
 * Why a line has these rates: they were named (`named`), found by address and tax code (`address`); or why it has none: the customer is exempt (`exempt`, `detail` says why), accounts for the tax
 * (`reverse_charge`), what was named is not valid at the time (`not_valid`), or nothing was named and nothing found (`none`).
 */
export type TaxReason = 'named' | 'address' | 'exempt' | 'reverse_charge' | 'not_valid' | 'none';
export interface LineTaxes { readonly lineId: string; readonly rates: readonly TaxOfLine[]; readonly reason: TaxReason; readonly detail?: string }

/**
 * Says which taxes the lines of an invoice have; the arithmetic is rating's. An answer for each line, in the order of the lines, that depends on the question alone and on what was known at its
 * instant: asked again it is the same. `taxEngineSpecs` says the rest.
 */
export interface TaxEngine {
  readonly name: string;
  taxesOf(tx: Tx, tenant: string, question: TaxQuestion): Promise<readonly LineTaxes[]>;
}
