import { grantSql, ident, tenantPolicySql, type Tx } from '@valueverse/event-log';
import type { Migration } from '@valueverse/platform';
import { RETRY_DAYS } from '../collection/domain/retries';
import type { RoutingRule } from '../collection/domain/routing';

/** How a tenant collects. */
export interface PaymentSettings {
  /** After so many days from the first decline a soft decline is tried again. */
  readonly retryDays: readonly number[];
  /** What becomes of money for an invoice of which nothing is due any more, where we took it by ourselves: given back, or kept for the account. */
  readonly surplus: 'refund' | 'keep';
  /** Where customers reach this installation: the pages at which they pay, and to which the page of a bank leads back. */
  readonly publicUrl: string;
  /** Which provider a payment goes through, where an account has methods at several: the first rule that fits decides. */
  readonly routing: readonly RoutingRule[];
  /** Whether a provider that has surely done nothing is replaced by another one at which the account has a method, or waited for. */
  readonly failover: 'none' | 'other_provider';
}
const DEFAULTS: PaymentSettings = { retryDays: RETRY_DAYS, surplus: 'refund', publicUrl: 'http://localhost:8000', routing: [], failover: 'none' };

export const PAYMENT_SETTINGS: Migration = {
  number: 112, name: 'settings of payments', sql: (schema) => `
CREATE TABLE ${ident(schema)}.payment_settings (tenant text NOT NULL PRIMARY KEY, settings text NOT NULL);
${tenantPolicySql(schema, 'payment_settings')}
${grantSql(schema, 'payment_settings')}
ALTER TABLE ${ident(schema)}.known_accounts ADD COLUMN timezone text NOT NULL DEFAULT 'UTC';`,
};

export const settingsOf = async (tx: Tx, tenant: string): Promise<PaymentSettings> => {
  const { rows } = await tx.query<{ settings: string }>('SELECT settings FROM payment_settings WHERE tenant = $1', [tenant]);
  return settingsFrom(rows[0]?.settings);
};
/** Settings as they are stored; the defaults where nothing was. */
export const settingsFrom = (stored: string | undefined): PaymentSettings => (stored === undefined ? DEFAULTS : { ...DEFAULTS, ...JSON.parse(stored) as Partial<PaymentSettings> });
export const keepSettings = async (tx: Tx, tenant: string, settings: PaymentSettings): Promise<void> => {
  await tx.query('INSERT INTO payment_settings (tenant, settings) VALUES ($1, $2) ON CONFLICT (tenant) DO UPDATE SET settings = excluded.settings', [tenant, JSON.stringify(settings)]);
};
